// One camera's picture on a canvas, as a stream or as stills. The newest frame wins; what stalls
// or breaks is opened anew, after a while that grows.

import { answer, clockAhead_ms, named, request } from "./api.js";
import { Parts } from "./multipart.js";

const STALL_MS = 8000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const STILL_EVERY_MS = 1000;
const STATS_OVER_MS = 2000;
// The first frames of a connection say little.
const STATS_AFTER_MS = 500;

// Whether this browser can do better than an image that loads for ever.
const canPaint = () => "createImageBitmap" in window && "ReadableStream" in window && "AbortController" in window;

// One still at a time for the whole page: a browser has six connections to a server.
let lastStill = Promise.resolve();
function inTurn(work) {
  const mine = lastStill.then(work);
  lastStill = mine.catch(() => {});
  return mine;
}

// How many frames came in a second, by the time between the first and the last.
export function perSecond(frames) {
  const between_ms = frames.length > 1 ? frames.at(-1).at - frames[0].at : 0;
  return between_ms ? ((frames.length - 1) * 1000) / between_ms : (frames.length * 1000) / STATS_OVER_MS;
}

export class Video {
  // What frames to expect, so that a slow camera is not taken for a dead one.
  fps = 30;
  #name;
  #say;
  #surface;
  #context;
  #mode = "off";
  #run;
  #painted = [];
  #received = [];
  #livesSince = 0;

  // Calls `say` with "connecting", "live", "off", or "lost" and the reason.
  constructor(name, say) {
    this.#name = name;
    this.#say = say;
    const canvas = document.createElement("canvas");
    this.#context = canPaint() ? canvas.getContext("2d", { alpha: false }) : undefined;
    this.#surface = this.#context ? canvas : new Image();
    this.#surface.className = "surface";
  }

  // The element to show.
  get surface() {
    return this.#surface;
  }

  get mode() {
    return this.#mode;
  }

  // "off", "stream" or "stills".
  set mode(mode) {
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.#run?.abort();
    this.#run = undefined;
    if (mode === "off") {
      if (!this.#context) this.#surface.removeAttribute("src");
      this.#say("off");
      return;
    }
    this.#run = new AbortController();
    this.#follow(this.#run.signal);
  }

  // Frames and bits a second and the age of a painted frame, over the last two seconds; nothing
  // where nothing was painted.
  stats() {
    const now = performance.now();
    const since = now - STATS_OVER_MS;
    this.#painted = this.#painted.filter(({ at }) => at > since);
    this.#received = this.#received.filter(({ at }) => at > since);
    if (!this.#painted.length || now - this.#livesSince < STATS_AFTER_MS) return undefined;
    const sum = (list, key) => list.reduce((total, each) => total + each[key], 0);
    return {
      fps: perSecond(this.#painted),
      kbits: (sum(this.#received, "bytes") * 8) / Math.min(STATS_OVER_MS, now - this.#livesSince),
      latency_ms: Math.max(0, sum(this.#painted, "age_ms") / this.#painted.length),
    };
  }

  async #follow(signal) {
    let wait_ms = FIRST_WAIT_MS;
    const onPicture = () => {
      wait_ms = FIRST_WAIT_MS;
      this.#say("live");
    };
    while (!signal.aborted) {
      [this.#painted, this.#received, this.#livesSince] = [[], [], Infinity];
      this.#say("connecting");
      let why = "the stream ended";
      try {
        if (!this.#context) await this.#load(signal, onPicture);
        else if (this.#mode === "stills") await this.#stills(signal, onPicture);
        else await this.#stream(signal, onPicture);
      } catch (fault) {
        why = fault.message;
      }
      if (signal.aborted) return;
      this.#say("lost", why);
      await pause(wait_ms, signal);
      wait_ms = Math.min(wait_ms * 2, LONGEST_WAIT_MS);
    }
  }

  async #stream(signal, onPicture) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener("abort", end);
    let stall;
    const alive = () => {
      clearTimeout(stall);
      stall = setTimeout(end, Math.max(STALL_MS, 3000 / this.fps));
    };
    try {
      alive();
      const response = await request(named("video", this.#name), { signal: attempt.signal });
      await this.#read(response.body.getReader(), { signal: attempt.signal, alive, onPicture });
    } catch (fault) {
      throw attempt.signal.aborted ? new Error("no picture came for a while") : fault;
    } finally {
      clearTimeout(stall);
      signal.removeEventListener("abort", end);
      attempt.abort();
    }
  }

  async #read(reader, { signal, alive, onPicture }) {
    const parts = new Parts();
    let [newest, isPainting] = [undefined, false];
    const paintNewest = async () => {
      if (isPainting) return;
      isPainting = true;
      while (newest && !signal.aborted) {
        const part = newest;
        newest = undefined;
        if (await this.#paint(part, signal)) onPicture();
      }
      isPainting = false;
    };
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      this.#received.push({ at: performance.now(), bytes: value.length });
      const part = parts.newest(value);
      if (!part) continue;
      alive();
      newest = part;
      paintNewest();
    }
  }

  async #stills(signal, onPicture) {
    for (;;) {
      const started = performance.now();
      await inTurn(async () => {
        if (signal.aborted) return;
        const read = async (response) => [response.headers.get("X-Timestamp"), await response.arrayBuffer()];
        const [captured_s, jpeg] = await answer(named("snapshot", this.#name), read, { signal });
        this.#received.push({ at: performance.now(), bytes: jpeg.byteLength });
        if (await this.#paint({ jpeg, captured_ms: captured_s * 1000 }, signal)) onPicture();
      });
      await pause(STILL_EVERY_MS - (performance.now() - started), signal);
      if (signal.aborted) return;
    }
  }

  // Whether it was painted. A picture that does not decode is passed over: the next one may.
  async #paint({ jpeg, captured_ms }, signal) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
    } catch {
      return false;
    }
    const { width, height } = bitmap;
    if (!signal.aborted) {
      if (this.#surface.width !== width || this.#surface.height !== height) Object.assign(this.#surface, { width, height });
      this.#context.drawImage(bitmap, 0, 0);
      this.#livesSince = Math.min(this.#livesSince, performance.now());
      this.#painted.push({ at: performance.now(), age_ms: Date.now() + clockAhead_ms() - captured_ms });
    }
    bitmap.close();
    return !signal.aborted;
  }

  // The browser's own way, for one that cannot do ours. A query that changes makes it open the
  // stream anew instead of showing a dead one.
  #load(signal, onPicture) {
    const image = this.#surface;
    return new Promise((_, failed) => {
      image.onload = onPicture;
      image.onerror = () => failed(new Error("the picture does not load"));
      signal.addEventListener("abort", () => failed(new Error("ended")));
      image.src = `${named("video", this.#name)}?at=${Date.now()}`;
    });
  }
}

function pause(ms, signal) {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
