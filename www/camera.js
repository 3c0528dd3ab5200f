// One camera on the page: its picture, what is wrong with it in words, its numbers and buttons.

import { answer, named } from "./api.js";
import { act, announce, copyOf, duration, say, sentence } from "./dom.js";
import { Video } from "./video.js";

export class Camera {
  isOnScreen = false;
  #name;
  #find;
  #video;
  #is = "off";
  #why;
  #status;
  #serverIsGone = false;
  #told = "back";

  constructor(name, { onFull }) {
    this.#name = name;
    this.element = copyOf("#camera");
    this.#find = (what) => this.element.querySelector(what);
    this.element.dataset.name = name;
    say(this.#find("h2"), name);
    this.#find(".snapshot").setAttribute("aria-label", `Snapshot of ${name}`);
    this.#find(".full").setAttribute("aria-label", `${name} in full screen`);
    this.#find(".snapshot").addEventListener("click", (event) => act(event.currentTarget, () => this.#snapshot()));
    this.#find(".full").addEventListener("click", () => onFull(name));
    this.#video = new Video(name, (is, why) => {
      [this.#is, this.#why] = [is, why];
      this.#sayHowItIs();
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

  set isSingle(isSingle) {
    const link = this.#find(".picture");
    if (isSingle) link.removeAttribute("href");
    else link.href = `?camera=${encodeURIComponent(this.#name)}`;
  }

  // "off", "stream" or "stills". A camera that is not there has no stills to give.
  show(mode) {
    this.#video.mode = mode === "stills" && !this.#status?.online ? "off" : mode;
    this.element.dataset.mode = this.#video.mode;
  }

  // What the status document says of it; nothing while the server does not answer.
  set status(status) {
    this.#serverIsGone = !status;
    if (status) {
      this.#status = status;
      this.#video.fps = status.fps || 1;
      this.#announce();
    }
    this.#sayHowItIs();
  }

  get status() {
    return this.#status;
  }

  // Whether pictures come, whatever the server says or does not say.
  get isPainted() {
    return this.#is === "live";
  }

  sayNumbers() {
    const found = this.#video.stats();
    const words = [];
    // The rate of a placard would tell nothing.
    if (found && this.element.classList.contains("live")) {
      words.push(`${found.fps < 9.95 ? found.fps.toFixed(1) : Math.round(found.fps)} fps`);
      words.push(found.latency_ms < 1000 ? `${Math.round(found.latency_ms)} ms` : `${(found.latency_ms / 1000).toFixed(1)} s`);
      words.push(found.kbits < 1000 ? `${Math.round(found.kbits)} kbit/s` : `${(found.kbits / 1000).toFixed(1)} Mbit/s`);
    }
    say(this.#find(".stats"), words.join(" · "));
  }

  // Once for each change, not each time that the server says so.
  #announce() {
    const { online, problem } = this.#status;
    const news = online ? "back" : problem?.startsWith("stopped by") ? problem : "no signal";
    if (news !== this.#told) announce(`${this.#name}: ${news}`);
    this.#told = news;
  }

  #sayHowItIs() {
    const status = this.#status;
    const [head, more] = this.#trouble();
    const [strong, span] = this.#find(".words").children;
    say(strong, head ?? "");
    say(span, more ?? "");
    const isLive = !head && this.#is === "live";
    this.element.classList.toggle("live", isLive);
    this.element.classList.toggle("lost", Boolean(head) && this.#is !== "connecting");
    if (!isLive) say(this.#find(".stats"), "");
    if (!status) return;
    const size = status.width ? `${status.width} × ${status.height}` : "";
    const watching = status.viewers === 1 ? "1 viewer" : `${status.viewers} viewers`;
    const note = status.online && status.problem;
    say(this.#find(".state"), [status.source, size, status.format, watching, note].filter(Boolean).join(" · "));
  }

  // What to write over the picture.
  #trouble() {
    const status = this.#status;
    if (this.#serverIsGone && !this.isPainted) return ["The server does not answer", "Trying again"];
    if (status && !status.online) {
      const problem = status.problem ?? "waiting for the camera";
      const since = status.since_s ? `for ${duration(status.since_s)}` : "";
      if (problem.startsWith("stopped by")) return [sentence(problem), since];
      return ["No signal", [problem, since].filter(Boolean).join(", ")];
    }
    if (this.#is === "lost") return ["The picture was lost", `${this.#why}; trying again`];
    if (this.#is === "connecting" && this.#video.mode !== "off") return ["Connecting", ""];
    return [];
  }

  async #snapshot() {
    const read = async (response) => [response.headers.get("X-Timestamp"), await response.blob()];
    const [captured_s, picture] = await answer(named("snapshot", this.#name), read);
    const stamp = new Date(Number(captured_s) * 1000).toISOString();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture);
    link.download = `${this.#name}-${stamp.slice(0, 19).replaceAll(":", "-")}.jpg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    return `saved ${link.download}`;
  }
}
