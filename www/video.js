// One camera's picture on a canvas, as a stream or as stills. The newest frame wins; what stalls
// or breaks is opened anew, after a while that grows.
//
// Pictures are fetched and painted on a canvas. An <img> does not report that its stream is dead, goes on in a
// hidden tab, and shows every late frame.

import { answer, clockAhead_ms, named, request } from "./api.js";
import { Parts } from "./multipart.js";

// Without a new picture for so long, what is shown is no longer the present.
const FRESH_MS = 2800;
// Without one that was painted for so long, the stream is opened anew.
const STALL_MS = 8000;
const PAINT_LIMIT_MS = 4000;
// A picture that is older when it is painted is behind; so much younger, it is not any more.
const BEHIND_MS = 3000;
const CAUGHT_UP_MS = 2500;
// No round of stills is so long by nature.
const LONGEST_ROUND_MS = 10_000;
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
  // How long it is between two pictures of this camera, so that a slow one is not taken for a dead one.
  interval_ms = 0;
  // How many pictures could not be painted.
  failed = 0;
  #name;
  #say;
  #surface;
  #context;
  #mode = "off";
  #streamName = "";
  #isLive = false;
  #run;
  #painted = [];
  #received = [];
  #livesSince = 0;
  #newest;
  #before;
  #aging;
  #isBehind = false;

  // Calls `say` with "connecting"; "live" at each picture; "frozen" when none came for too long;
  // "unchecked" where the browser shows pictures and does not say when; "off"; or "lost" and the reason.
  constructor(name, say) {
    this.#name = name;
    this.#say = (is, why) => {
      this.#isLive = is === "live";
      say(is, why);
    };
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
    clearTimeout(this.#aging);
    if (mode === "off") {
      if (!this.#context) this.#surface.removeAttribute("src");
      this.#say("off");
      return;
    }
    this.#start();
  }

  // Which of the camera's streams is shown; "" is the camera itself.
  get stream() {
    return this.#streamName;
  }

  // The picture that is shown stays until the first one of the other stream is painted. The old stream is closed
  // before: a browser has no connections to spare for two.
  set stream(stream) {
    if (stream === this.#streamName || !this.#context) return;
    this.#streamName = stream;
    if (!this.#run) return;
    this.#run.abort();
    this.#start(this.#isLive);
  }

  #start(isContinued = false) {
    this.#run = new AbortController();
    this.#follow(this.#run.signal, isContinued);
  }

  // Milliseconds between the pictures that are shown, where that is by nature: of this camera, or of stills.
  get pace_ms() {
    if (this.#mode !== "stills") return this.interval_ms;
    const round_ms = Math.min(this.#newest?.after_ms ?? STILL_EVERY_MS, this.#before?.after_ms ?? STILL_EVERY_MS);
    return Math.max(this.interval_ms, STILL_EVERY_MS, Math.min(round_ms, LONGEST_ROUND_MS));
  }

  // Milliseconds since the newest picture was painted.
  get stale_ms() {
    return this.#newest ? performance.now() - this.#newest.at : 0;
  }

  // How old the newest picture was when it was painted, where that is too old to be called the present.
  get behind_ms() {
    const age_ms = this.#newest?.age_ms ?? 0;
    this.#isBehind = age_ms > (this.#isBehind ? CAUGHT_UP_MS : BEHIND_MS);
    return this.#isBehind ? age_ms : 0;
  }

  // Frames and bits a second and the age of a painted frame, over the last two seconds, or some pictures
  // of a slow camera; nothing where nothing was painted.
  stats() {
    const now = performance.now();
    const over_ms = Math.max(STATS_OVER_MS, 2.5 * this.pace_ms);
    const since = now - over_ms;
    this.#painted = this.#painted.filter(({ at }) => at > since);
    this.#received = this.#received.filter(({ at }) => at > since);
    if (!this.#painted.length || now - this.#livesSince < STATS_AFTER_MS) return undefined;
    const sum = (list, key) => list.reduce((total, each) => total + each[key], 0);
    const known = this.#painted.filter(({ age_ms }) => age_ms !== undefined);
    return {
      fps: this.#painted.length > 1 ? perSecond(this.#painted) : 1000 / over_ms,
      kbits: (sum(this.#received, "bytes") * 8) / Math.min(over_ms, now - this.#livesSince),
      latency_ms: known.length ? Math.max(0, sum(known, "age_ms") / known.length) : undefined,
    };
  }

  // `isContinued` says that what is shown is the present still.
  async #follow(signal, isContinued) {
    let [wait_ms, isNew] = [FIRST_WAIT_MS, !isContinued];
    const onPicture = () => {
      wait_ms = FIRST_WAIT_MS;
      this.#say("live");
    };
    while (!signal.aborted) {
      [this.#painted, this.#received, this.#livesSince] = [[], [], Infinity];
      const failedBefore = this.failed;
      if (isNew) this.#say("connecting");
      isNew = true;
      let why = "the stream ended";
      try {
        if (!this.#context) await this.#load(signal);
        else if (this.#mode === "stills") await this.#stills(signal, onPicture);
        else await this.#stream(signal, onPicture);
      } catch (fault) {
        why = fault.message;
      }
      if (signal.aborted) return;
      clearTimeout(this.#aging);
      const failed = this.failed - failedBefore;
      this.#say("lost", failed ? `${why}; ${failed === 1 ? "one picture" : `${failed} pictures`} could not be shown` : why);
      await pause(wait_ms, signal);
      wait_ms = Math.min(wait_ms * 2, LONGEST_WAIT_MS);
    }
  }

  // Says so when the newest picture gets old.
  #age() {
    clearTimeout(this.#aging);
    this.#aging = setTimeout(() => this.#say("frozen"), Math.max(FRESH_MS, 1.5 * this.pace_ms + 1000));
  }

  async #stream(signal, onPicture) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    signal.addEventListener("abort", end);
    let stall;
    const alive = () => {
      clearTimeout(stall);
      stall = setTimeout(end, Math.max(STALL_MS, 3 * this.interval_ms));
    };
    try {
      alive();
      const response = await request(named("video", this.#name, this.#streamName), { signal: attempt.signal });
      const paint = async (part) => {
        if (!await this.#paint(part, attempt.signal)) return;
        alive();
        onPicture();
      };
      const received = (bytes) => this.#received.push({ at: performance.now(), bytes });
      await readNewest(response.body.getReader(), { signal: attempt.signal, received, paint });
    } catch (fault) {
      throw attempt.signal.aborted ? new Error("no picture came for a while") : fault;
    } finally {
      clearTimeout(stall);
      signal.removeEventListener("abort", end);
      attempt.abort();
    }
  }

  async #stills(signal, onPicture) {
    for (;;) {
      const started = performance.now();
      await inTurn(async () => {
        if (signal.aborted) return;
        const read = async (response) => [response.headers.get("X-Timestamp"), await response.arrayBuffer()];
        const [captured_s, jpeg] = await answer(named("snapshot", this.#name, this.#streamName), read, { signal });
        this.#received.push({ at: performance.now(), bytes: jpeg.byteLength });
        if (await this.#paint({ jpeg, captured_ms: captured_s * 1000 }, signal)) onPicture();
      });
      await pause(STILL_EVERY_MS - (performance.now() - started), signal);
      if (signal.aborted) return;
    }
  }

  // Whether it was painted. A picture that cannot be is counted and passed over, whatever is wrong with
  // it or with the canvas: the next one may do.
  async #paint({ jpeg, captured_ms }, signal) {
    try {
      await draw(jpeg, this.#context, signal);
    } catch (fault) {
      this.failed += 1;
      if (this.failed === 1) console.warn(`a picture of ${this.#name} cannot be shown:`, fault.message);
      return false;
    }
    if (signal.aborted) return false;
    const at = performance.now();
    const age_ms = captured_ms ? Date.now() + clockAhead_ms() - captured_ms : undefined;
    this.#before = this.#newest;
    this.#newest = { at, age_ms, after_ms: this.#newest && at - this.#newest.at };
    this.#livesSince = Math.min(this.#livesSince, at);
    this.#painted.push(this.#newest);
    this.#age();
    return true;
  }

  // The browser's own way, for one that cannot do ours. A query that changes makes it open the
  // stream anew instead of showing a dead one.
  #load(signal) {
    const image = this.#surface;
    return new Promise((_, failed) => {
      image.onload = () => this.#say("unchecked");
      image.onerror = () => failed(new Error("the picture does not load"));
      signal.addEventListener("abort", () => failed(new Error("ended")));
      image.src = `${named("video", this.#name)}?at=${Date.now()}`;
    });
  }
}

// Reads a stream of pictures to its end. `paint` gets the newest one, when it is done with the one before;
// `received` the number of bytes that came.
export async function readNewest(reader, { signal, received = () => {}, paint }) {
  const parts = new Parts();
  let [newest, painting] = [undefined, undefined];
  const paintNewest = async () => {
    while (newest && !signal.aborted) {
      const part = newest;
      newest = undefined;
      await paint(part);
    }
    painting = undefined;
  };
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return painting;
    received(value.length);
    newest = parts.newest(value) ?? newest;
    if (newest) painting ??= paintNewest();
  }
}

// Draws a JPEG on a canvas of the same size, unless that is not wanted any more.
export async function draw(jpeg, context, signal) {
  const bitmap = await decoded(jpeg);
  try {
    if (signal.aborted) return;
    const [{ canvas }, { width, height }] = [context, bitmap];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    // Drawing to one does nothing, without a word.
    if (context.isContextLost?.()) throw new Error("the canvas was lost");
    context.drawImage(bitmap, 0, 0);
  } finally {
    bitmap.close();
  }
}

// A picture of these bytes; one that takes too long is none.
async function decoded(jpeg) {
  // As it is coded, whatever its EXIF says: masks, zones, small pictures and recordings are of the coded picture, and what
  // lies otherwise is turned by the camera's setting.
  const decoding = createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }), { imageOrientation: "none" });
  let limit;
  const late = new Promise((_, failed) => {
    limit = setTimeout(() => failed(new Error("it takes too long to decode")), PAINT_LIMIT_MS);
  });
  try {
    return await Promise.race([decoding, late]);
  } catch (fault) {
    decoding.then((bitmap) => bitmap.close(), () => {});
    throw fault;
  } finally {
    clearTimeout(limit);
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
