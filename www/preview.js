// The picture of an event in the list: of its best moment, with a box around what was seen, and the way to its recording.

import { make } from "./dom.js";
import { icon } from "./icons.js";
import { inAddress } from "./moments.js";
import { forgetStill, showStill } from "./stills.js";

const SVG = "http://www.w3.org/2000/svg";
// What was recorded is on the disk after a while: so long after an event a picture that is not there is asked for again.
const WRITTEN_S = 60;

export class Preview {
  element;
  #image;
  #box = document.createElementNS(SVG, "svg");
  #area;
  #at;

  constructor(event, isRecorded) {
    if (!isRecorded) {
      this.element = make("div", { class: "still" }, "Not recorded");
      return;
    }
    this.#image = make("img", { alt: "" });
    this.#image.addEventListener("load", () => this.#draw());
    this.element = make("a", { class: "still", href: `?event=${event.id}`, "aria-hidden": "true", tabIndex: -1 },
      make("span", { class: "gone" }, "Not recorded"), this.#image, this.#box, icon("i-play"));
  }

  // Shows the event as it is now.
  show({ camera, start, end, best, area }) {
    if (!this.#image) return;
    const at = inAddress(best ?? start);
    const isLate = end === null || Date.now() / 1000 < end + WRITTEN_S;
    if (at !== this.#at || (isLate && this.#image.matches(".none"))) showStill(this.#image, camera, at);
    [this.#at, this.#area] = [at, area];
    this.#draw();
  }

  forget() {
    if (this.#image) forgetStill(this.#image);
  }

  #draw() {
    const { naturalWidth: width, naturalHeight: height } = this.#image;
    if (!width || !this.#area) return;
    const [left, top, right, bottom] = this.#area;
    this.#box.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#box.replaceChildren(...["under", "line"].map((kind) => {
      const rect = document.createElementNS(SVG, "rect");
      const sides = { class: kind, x: left * width, y: top * height, width: (right - left) * width, height: (bottom - top) * height };
      for (const [key, value] of Object.entries(sides)) rect.setAttribute(key, value);
      return rect;
    }));
  }
}
