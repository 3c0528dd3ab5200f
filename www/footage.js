// The recording of a camera on a canvas: played at any speed, forwards and backwards, or shown picture by picture.
//
// A pause ends the stream, and what is shown then is asked for as a single picture, whose headers name its neighbours. The
// newest picture of a stream wins, as with live pictures.

import { address, answer, request } from "./api.js";
import { draw, readNewest } from "./video.js";

// Without a picture for so long, one is being waited for; for longer, the stream is opened anew.
const WAITING_MS = 2500;
const STALL_MS = 15_000;
const RETRY_MS = 2000;

export const footagePath = (name, what, query = {}) =>
  `api/1.0/recordings/${encodeURIComponent(name)}${what && `/${what}`}${Object.keys(query).length ? `?${new URLSearchParams(query)}` : ""}`;

export class Footage {
  // The moment of the picture that is shown, and the moments of those beside it where they are known.
  at;
  previous;
  next;
  speed = 1;
  // Where playing ends, if it does.
  until;
  isPlaying = false;
  #name;
  #notify;
  #stall_ms;
  #context;
  #run = new AbortController();

  // Calls `notify` with "time" at each picture; with "loading", "playing", "waiting" (no picture comes), "paused",
  // "ended" (of itself), "none" (nothing is recorded there) or "lost" and the reason.
  // A slow camera's next picture is waited for longer: for `patience_ms`.
  constructor(name, patience_ms, notify) {
    this.#name = name;
    this.#stall_ms = Math.max(STALL_MS, patience_ms);
    this.#notify = notify;
    const canvas = document.createElement("canvas");
    canvas.className = "surface";
    this.#context = canvas.getContext("2d", { alpha: false });
  }

  get surface() {
    return this.#context.canvas;
  }

  // Goes to a moment, and plays on there if it plays.
  seek(at) {
    this.at = at;
    if (this.isPlaying) this.play(); else this.#show(at);
  }

  play() {
    const signal = this.#begin();
    this.isPlaying = true;
    [this.previous, this.next] = [];
    this.#follow(signal);
  }

  // Stays at the picture that is shown.
  pause() {
    this.isPlaying = false;
    this.#show(this.at);
  }

  // To the next picture, or with -1 to the one before.
  step(way) {
    const to = way < 0 ? this.previous : this.next;
    if (this.isPlaying || to === undefined) this.pause(); else this.#show(to);
  }

  end() {
    this.#run.abort();
    this.isPlaying = false;
  }

  #begin() {
    this.#run.abort();
    this.#run = new AbortController();
    this.#notify("loading");
    return this.#run.signal;
  }

  async #show(at) {
    const signal = this.#begin();
    try {
      const read = async (response) => [response.headers, await response.arrayBuffer()];
      const [headers, jpeg] = await answer(address(footagePath(this.#name, "frame", { at })), read, { signal });
      const moment = (field) => (headers.has(field) ? Number(headers.get(field)) : undefined);
      await draw(jpeg, this.#context, signal);
      if (signal.aborted) return;
      [this.at, this.previous, this.next] = ["X-Timestamp", "X-Previous", "X-Next"].map(moment);
      this.#notify("time");
      this.#notify("paused");
    } catch (fault) {
      if (!signal.aborted) this.#failed(fault);
    }
  }

  #failed(fault) {
    if (fault.status === 404) this.#notify("none"); else this.#notify("lost", fault.message);
  }

  async #follow(signal) {
    while (!signal.aborted) {
      try {
        await this.#stream(signal);
        if (signal.aborted) return;
        this.isPlaying = false;
        this.#notify("ended");
        return;
      } catch (fault) {
        if (signal.aborted) return;
        this.#failed(fault);
        // What the server refuses it refuses again.
        if (fault.status) {
          this.isPlaying = false;
          return;
        }
      }
      await new Promise((rest) => setTimeout(rest, RETRY_MS));
    }
  }

  // One connection, to its end.
  async #stream(signal) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener("abort", end);
    let [aging, stall] = [];
    const alive = () => {
      clearTimeout(aging);
      clearTimeout(stall);
      aging = setTimeout(() => this.#notify("waiting"), WAITING_MS);
      stall = setTimeout(end, this.#stall_ms);
    };
    const query = { from: this.at.toFixed(3), speed: this.speed, ...(this.until > this.at && this.speed > 0 ? { to: this.until.toFixed(3) } : {}) };
    try {
      alive();
      const response = await request(address(footagePath(this.#name, "stream", query)), { signal: attempt.signal });
      await readNewest(response.body.getReader(), { signal: attempt.signal, paint: async ({ jpeg, captured_ms }) => {
        // One that cannot be shown is passed over.
        const isShown = await draw(jpeg, this.#context, attempt.signal).then(() => true, () => false);
        if (!isShown || attempt.signal.aborted) return;
        alive();
        this.at = captured_ms / 1000;
        this.#notify("time");
        this.#notify("playing");
      } });
    } catch (fault) {
      throw attempt.signal.aborted ? new Error("no picture came for a while") : fault;
    } finally {
      clearTimeout(aging);
      clearTimeout(stall);
      signal.removeEventListener("abort", end);
      attempt.abort();
    }
  }
}
