// A part of a recording, between two marks, to be downloaded; and the single picture that is shown.

import { address, answer, request } from "./api.js";
import { act, fileTime, make, say } from "./dom.js";
import { footagePath } from "./footage.js";
import { dayAndTime, dayOf, lengthWords, timeOf } from "./moments.js";
import { zonedTime } from "./zone.js";

export class Clip {
  from;
  to;
  #name;
  #moment;
  #changed;
  #words = make("p", { role: "status", class: "quiet" });
  #row;

  // `moment` gives the moment that is shown; `changed` is called when a mark is set.
  constructor(name, { moment, changed }) {
    this.#name = name;
    this.#moment = moment;
    this.#changed = changed;
    const button = (label, work, kind) => {
      const made = make("button", { type: "button", class: kind }, label);
      made.addEventListener("click", () => act(made, async () => work()));
      return made;
    };
    this.#row = make("div", { class: "row", hidden: true },
      ...["mkv", "mov", "zip"].map((kind, at) => button(`Download ${kind.toUpperCase()}`, () => this.#download(kind), at ? undefined : "main")),
      button("Clear", () => this.#mark()));
    this.element = make("section", { class: "card clip", "aria-label": "Save" },
      make("div", { class: "row" },
        button("Clip starts here", () => this.#mark(this.#moment(), this.to > this.#moment() ? this.to : undefined)),
        button("Clip ends here", () => this.#mark(this.from < this.#moment() ? this.from : undefined, this.#moment())),
        button("Save picture", () => this.#picture())),
      this.#words, this.#row);
  }

  set(from, to) {
    [this.from, this.to] = [from, to];
    this.#row.hidden = from === undefined || to === undefined;
    const words = (at) => (dayOf(at) === dayOf(from ?? at) ? timeOf(at) : dayAndTime(at));
    say(this.#words, !this.#row.hidden ? `From ${timeOf(from)} to ${words(to)}, ${lengthWords(to - from)}.`
      : from !== undefined ? `From ${timeOf(from)}. Go to its end and mark that.`
        : to !== undefined ? `To ${timeOf(to)}. Go to its beginning and mark that.` : "");
  }

  #mark(from, to) {
    this.set(from, to);
    this.#changed();
  }

  async #download(kind) {
    save(await this.#probe(kind), "");
    return "the download begins";
  }

  // The address of the clip. The first byte shows whether the server gives it: what it refuses would be saved as if it
  // were the clip.
  async #probe(kind) {
    // The server names the file by the time in this zone.
    const url = address(footagePath(this.#name, `clip.${kind}`, { from: zonedTime(this.from), to: this.to.toFixed(3) }));
    const probe = await request(url, { headers: { "X-Requested-With": "fetch", Range: "bytes=0-0" } });
    await probe.body?.cancel();
    return url;
  }

  async #picture() {
    const url = address(footagePath(this.#name, "frame", { at: this.#moment().toFixed(3) }));
    const read = async (response) => [response.headers.get("X-Timestamp"), await response.blob()];
    const [captured_s, picture] = await answer(url, read);
    const stamp = fileTime(new Date(captured_s * 1000));
    const href = URL.createObjectURL(picture);
    const name = `${this.#name}-${stamp}.jpg`;
    save(href, name);
    setTimeout(() => URL.revokeObjectURL(href), 10_000);
    return `saved ${name}`;
  }
}

function save(href, download) {
  make("a", { href, download }).click();
}
