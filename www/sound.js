// Sound as the server streams it: fetched, taken out of its WAV, and played a moment behind the
// present. An <audio> element would collect seconds of it first, and fall further behind with
// every pause.

import { request } from "./api.js";

// How much sound is buffered for an unsteady network, and how much is too much to be live.
const READY_S = 0.15;
const LATE_S = 0.6;
const RECONNECT_AFTER_MS = 2000;
// Sound comes all the time, silence too. Without any for so long, what is shown of it is not the present;
// for longer, the stream is opened anew.
const FRESH_MS = 2500;
const STALL_MS = 5000;
const SILENCE_DBFS = -100;

// What a person has to do where the browser wants a click first.
export const BLOCKED = "click anywhere on the page: the browser plays sound only after a click";

// Plays one stream until it is stopped. The URL may be a function, which says where to go on. Calls `say` with "playing", "blocked" (the browser wants a
// click first), "late" (none comes now), "lost", "missing" (there is none: false ends it) or "stopped", and `level` with the RMS of what comes, in
// dBFS; with nothing while none does.
export class Player {
  #url;
  #say;
  #level;
  #volume = 1;
  #run;

  constructor(url, say, level) {
    this.#url = typeof url === "function" ? url : () => url;
    this.#say = say;
    this.#level = level;
  }

  get playing() {
    return this.#run !== undefined;
  }

  set volume(volume) {
    this.#volume = volume;
    if (this.#run?.gain) this.#run.gain.gain.value = volume;
  }

  start() {
    if (this.#run) return;
    const run = { abort: new AbortController() };
    this.#run = run;
    this.#level();
    this.#follow(run);
  }

  stop() {
    const run = this.#run;
    this.#run = undefined;
    run?.abort.abort();
    run?.context?.close();
    this.#level();
    this.#say("stopped");
  }

  async #follow(run) {
    while (this.#run === run) {
      try {
        await this.#play(run);
      } catch (fault) {
        if (this.#run !== run) return;
        if (fault.status === 404 && this.#say("missing") === false) return this.stop();
        console.warn("sound:", fault.message);
      }
      if (this.#run !== run) return;
      this.#level();
      this.#say("lost");
      await new Promise((wait) => setTimeout(wait, RECONNECT_AFTER_MS));
    }
  }

  // One connection, as long as sound comes by it.
  async #play(run) {
    const attempt = new AbortController();
    const end = () => attempt.abort();
    run.abort.signal.addEventListener("abort", end);
    let [stall, aging] = [];
    let isLate = false;
    const alive = () => {
      clearTimeout(stall);
      clearTimeout(aging);
      stall = setTimeout(end, STALL_MS);
      aging = setTimeout(() => {
        isLate = true;
        this.#level();
        this.#say("late");
      }, FRESH_MS);
      if (isLate) run.report?.();
      isLate = false;
    };
    try {
      alive();
      const response = await request(this.#url(), { signal: attempt.signal });
      await this.#read(run, response.body.getReader(), { alive, signal: attempt.signal });
    } finally {
      clearTimeout(stall);
      clearTimeout(aging);
      run.abort.signal.removeEventListener("abort", end);
      attempt.abort();
    }
  }

  async #read(run, reader, { alive, signal }) {
    let bytes = new Uint8Array(0);
    let sink;
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      alive();
      bytes = joined(bytes, value);
      if (!sink) {
        const format = wavFormat(bytes);
        if (!format) continue;
        sink = this.#open(run, format, signal);
        bytes = bytes.slice(format.dataAt);
      }
      const whole = bytes.length - (bytes.length % (2 * sink.channels));
      if (whole) sink.play(bytes.slice(0, whole));
      bytes = bytes.slice(whole);
    }
  }

  // A context at the stream's own rate: nothing is resampled piece by piece, which would click. Its
  // listeners end with the connection, which `signal` ends.
  #open(run, { rate, channels }, signal) {
    run.context?.close();
    const context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    const gain = new GainNode(context, { gain: this.#volume });
    gain.connect(context.destination);
    const report = () => this.#run === run && run.context === context && this.#say(context.state === "running" ? "playing" : "blocked");
    Object.assign(run, { context, gain, report });
    context.addEventListener("statechange", report, { signal });
    report();
    // Any click or key on the page is what the browser waits for.
    const wake = () => context.state !== "running" && context.resume();
    for (const kind of ["click", "keydown"]) addEventListener(kind, wake, { signal });
    let next = 0;
    const play = (bytes) => {
      const samples = new Int16Array(bytes.buffer);
      this.#level(rmsDbfs(samples));
      if (context.state !== "running") return;
      const now = context.currentTime;
      if (next < now) next = now + READY_S;
      // Behind the present: leave some out rather than stay there.
      if (next > now + LATE_S) return;
      const frames = samples.length / channels;
      const buffer = new AudioBuffer({ length: frames, numberOfChannels: channels, sampleRate: rate });
      for (let channel = 0; channel < channels; channel += 1) {
        const data = buffer.getChannelData(channel);
        for (let at = 0; at < frames; at += 1) data[at] = samples[at * channels + channel] / 32768;
      }
      const source = new AudioBufferSourceNode(context, { buffer });
      source.connect(gain);
      source.start(next);
      next += frames / rate;
    };
    return { channels, play };
  }
}

function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

// Rate, channels and where the samples start; nothing while the header is not complete.
function wavFormat(bytes) {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 44) return undefined;
  return { rate: header.getUint32(24, true), channels: header.getUint16(22, true), dataAt: 44 };
}

function rmsDbfs(samples) {
  let squares = 0;
  for (const sample of samples) squares += sample * sample;
  return Math.max(20 * Math.log10(Math.sqrt(squares / samples.length) / 32768), SILENCE_DBFS);
}
