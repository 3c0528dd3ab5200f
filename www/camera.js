// One camera on the page: its picture, problems, numbers and buttons.
//
// Nothing is green without evidence of the last three seconds. Painted pictures count, not bytes; X-Timestamp
// shows their age. The server reports how slow a camera is by nature (`interval_ms`), because a browser cannot
// distinguish that from a slow link. A picture that cannot be painted is counted and skipped.

import { answer, ask, named } from "./api.js";
import { act, announce, copyOf, duration, fileTime, inRow, plural, say, sentence } from "./dom.js";
import { smallestStream } from "./streams.js";
import { Video } from "./video.js";

// The meaning of the dot beside the name, for screen readers.
const CONDITIONS = {
  live: "live", slow: "live", behind: "delayed", late: "delayed", card: "stand-in", frozen: "not live",
  unchecked: "unverified", lost: "no picture", waiting: "no picture yet",
};
// Between two announcements that a picture froze or fell behind: on a bad network it does so all the time.
const ANNOUNCE_AGAIN_MS = 30_000;
const SLOW_MS = 950;
const LATE_MS = 3000;

// A rate of about one picture a second or less, in words.
export const paceWords = (interval_ms) => (interval_ms < 1500 ? "1/s" : `every ${Math.round(interval_ms / 1000)} s`);

export class Camera {
  isOnScreen = false;
  #name;
  #find;
  #video;
  #is = "off";
  #why;
  #status;
  #serverIsGone = false;
  #announced = "back";
  #announcedAt = -Infinity;
  #canStart = false;
  #isSingle = false;
  // What the tile has, undefined where there is none.
  #tileStream;

  constructor(name, { onFull }) {
    this.#name = name;
    this.element = copyOf("#camera");
    this.#find = (what) => this.element.querySelector(what);
    this.element.dataset.name = name;
    say(this.#find(".name"), name);
    this.#find(".name").title = name;
    this.#find(".snapshot").setAttribute("aria-label", `Snapshot of ${name}`);
    this.#find(".full").setAttribute("aria-label", `${name} in full screen`);
    this.#find(".snapshot").addEventListener("click", (event) => act(event.currentTarget, () => this.#snapshot()));
    this.#find(".full").addEventListener("click", () => onFull(name));
    this.#find(".start").addEventListener("click", (event) => act(event.currentTarget, async () => {
      await ask("PUT", "services/video", { running: true });
      return "video is running";
    }));
    this.#video = new Video(name, (is, why) => {
      const isNew = is !== this.#is || why !== this.#why;
      [this.#is, this.#why] = [is, why];
      if (isNew) this.#sayHowItIs();
    });
    const surface = this.#video.surface;
    surface.setAttribute("role", "img");
    surface.setAttribute("aria-label", `Live picture of ${name}`);
    this.#find(".picture").prepend(surface);
    this.isSingle = false;
  }

  get name() {
    return this.#name;
  }

  // Whether it is the only one that is shown: large, and with its full stream.
  set isSingle(isSingle) {
    this.#isSingle = isSingle;
    const link = this.#find(".picture");
    if (isSingle) link.removeAttribute("href");
    else link.href = `?camera=${encodeURIComponent(this.#name)}`;
  }

  // "off", "stream" or "stills". A camera that is not there has no stills to give.
  show(mode) {
    if (mode === "off") this.#tileStream = undefined;
    else this.#chooseStream();
    this.#video.mode = mode === "stills" && !this.#status?.online ? "off" : mode;
    this.element.dataset.mode = this.#video.mode;
  }

  // The smallest stream that fills the place of the picture; the full one where it is shown alone.
  #chooseStream() {
    const [status, video] = [this.#status, this.#video];
    if (!status) return;
    this.#tileStream = this.#isSingle ? undefined : smallestStream(status, this.#width_px, this.#tileStream);
    video.stream = this.#tileStream ?? "";
    // The observed interval is better than the driver's, where there is one.
    const fps = status.streams?.find(({ name }) => name === video.stream)?.fps;
    video.interval_ms = Math.max(1000 / (status.fps || 1000), status.interval_ms ?? 0, fps ? 1000 / fps : 0);
  }

  // How wide the picture is in its place, in pixels of the display.
  get #width_px() {
    const { clientWidth, clientHeight } = this.#find(".picture");
    const { width, height } = this.#status;
    return Math.min(clientWidth, clientHeight * (width / height)) * devicePixelRatio;
  }

  // The camera's part of the status document; undefined while the server does not answer.
  set status(status) {
    this.#serverIsGone = !status;
    if (status) {
      this.#status = status;
      if (this.#video.mode !== "off") this.#chooseStream();
    }
    this.#sayHowItIs();
  }

  get status() {
    return this.#status;
  }

  // Whether this user may start video that was stopped.
  set canStart(canStart) {
    this.#canStart = canStart;
    this.#sayHowItIs();
  }

  // Whether pictures arrive, whatever the status document says.
  get isPainted() {
    return this.#is === "live";
  }

  // Once a second.
  sayNumbers() {
    this.#sayHowItIs();
    const found = this.#video.stats();
    const words = [];
    // The rate of a no-signal frame means nothing.
    if (found && this.#is === "live" && this.element.classList.contains("live")) {
      words.push(found.fps < 1.45 ? paceWords(1000 / found.fps) : `${found.fps < 9.95 ? found.fps.toFixed(1) : Math.round(found.fps)} fps`);
      if (found.latency_ms !== undefined) {
        words.push(found.latency_ms < 1000 ? `${Math.round(found.latency_ms)} ms` : `${(found.latency_ms / 1000).toFixed(1)} s`);
      }
      words.push(found.kbits < 1000 ? `${Math.round(found.kbits)} kbit/s` : `${(found.kbits / 1000).toFixed(1)} Mbit/s`);
    }
    say(this.#find(".stats"), inRow(words));
  }

  // Once for each change, not for each status document.
  #announce(condition) {
    const status = this.#status;
    if (!status) return;
    const isBad = ["frozen", "behind"].includes(condition);
    const isKnown = !status.online || isBad || ["live", "slow", "late", "card"].includes(condition);
    if (!isKnown && ["frozen", "behind the present"].includes(this.#announced)) return;
    const stopped = status.problem?.startsWith("stopped by") ? status.problem : "no signal";
    const news = !status.online ? stopped
      : isBad ? { frozen: "frozen", behind: "behind the present" }[condition]
        : status.problem ? `${status.problem}, test card` : "back";
    if (news === this.#announced || (isBad && performance.now() - this.#announcedAt < ANNOUNCE_AGAIN_MS)) return;
    if (isBad) this.#announcedAt = performance.now();
    announce(`${this.#name}: ${news}`);
    this.#announced = news;
  }

  #sayHowItIs() {
    const status = this.#status;
    const { condition, head, more, badge } = this.#condition();
    const [strong, span] = this.#find(".words").children;
    say(strong, head ?? "");
    say(span, more ?? "");
    say(this.#find(".badge"), badge ?? "");
    say(this.#find(".condition"), `, ${CONDITIONS[condition]}`);
    this.element.dataset.condition = condition;
    const isShown = !head && ["live", "unchecked"].includes(this.#is);
    this.element.classList.toggle("live", isShown);
    this.element.classList.toggle("lost", condition === "lost");
    const isStopped = !this.#serverIsGone && status && !status.online && status.problem?.startsWith("stopped by");
    this.#find(".start").hidden = !(isStopped && this.#canStart);
    if (!isShown) say(this.#find(".stats"), "");
    this.#announce(condition);
    if (!status) return;
    if (this.#serverIsGone) {
      say(this.#find(".state"), "Unknown: the server does not answer");
      return;
    }
    const size = status.width ? `${status.width} × ${status.height}` : "";
    const note = status.online && status.problem;
    const { failed } = this.#video;
    const broken = failed ? `${plural(failed, "picture")} could not be shown` : "";
    say(this.#find(".state"), inRow([status.source, size, status.format, plural(status.viewers, "viewer"), note, broken]));
  }

  // The condition of the picture: a word for it, and what to write over the picture or in a corner of it.
  #condition() {
    const [status, video] = [this.#status, this.#video];
    if (this.#serverIsGone && !this.isPainted) {
      return { condition: "lost", head: "The server does not answer", more: "Trying again" };
    }
    if (status && !status.online) return this.#outage();
    switch (this.#is) {
      case "lost":
        return { condition: "lost", head: "The picture was lost", more: `${this.#why}; trying again` };
      case "frozen":
        return { condition: "frozen", head: "Frozen", more: `no new picture for ${duration(video.stale_ms / 1000)}` };
      case "unchecked":
        return { condition: "unchecked", badge: "This browser cannot tell whether it is live" };
      case "live":
        return this.#pace();
      default:
        return { condition: "waiting", head: video.mode === "off" ? undefined : "Connecting" };
    }
  }

  // The condition of a picture that arrives.
  #pace() {
    const [{ problem } = {}, { mode, pace_ms, behind_ms }] = [this.#status, this.#video];
    if (problem) return { condition: "card", badge: `${sentence(problem)}: test card` };
    if (behind_ms) return { condition: "behind", badge: `${Math.round(behind_ms / 1000)} s behind` };
    if (mode === "stills" && pace_ms > LATE_MS) return { condition: "late", badge: paceWords(pace_ms) };
    if (mode === "stills" || pace_ms >= SLOW_MS) return { condition: "slow", badge: paceWords(pace_ms) };
    return { condition: "live" };
  }

  // The condition of a camera that gives no picture, according to the server.
  #outage() {
    const { problem, since_s } = this.#status;
    const since = since_s ? `(for ${duration(since_s)})` : "";
    const condition = this.#is === "connecting" ? "waiting" : "lost";
    if (problem?.startsWith("stopped by")) return { condition, head: sentence(problem), more: since_s ? `${duration(since_s)} ago` : "" };
    return { condition, head: "No signal", more: [problem ?? "waiting for the camera", since].filter(Boolean).join(" ") };
  }

  async #snapshot() {
    const read = async (response) => [response.headers.get("X-Timestamp"), await response.blob()];
    const [captured_s, picture] = await answer(named("snapshot", this.#name), read);
    const stamp = fileTime(captured_s ? new Date(captured_s * 1000) : new Date());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    link.download = `${this.#name}-${stamp}.jpg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    return `saved ${link.download}`;
  }
}
