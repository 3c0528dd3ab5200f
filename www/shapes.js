// The zones and the masks of a detection, drawn on the picture: one kind at a time, while the other one is only seen.

import { Drawing } from "./drawing.js";
import { button, field, make, say, setWrong } from "./dom.js";

const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const KINDS = {
  zones: { word: "zone", label: "Zones: only there motion counts" },
  masks: { word: "mask", label: "Masks: there motion never counts" },
};
const HELP = "Draw a rectangle on the picture, or add one. Drag its points and its middle, or move them with the arrow keys; Delete " +
  "removes a point or all of it, Escape takes a move back. A cross on a side adds a point.";

export class Shapes {
  // What lies over the picture, and what lies beside it.
  elements;
  controls;
  #drawings = {};
  #names = [];
  #kind = "zones";
  #list = make("div", { class: "zone-names" });
  #buttons;
  #changed;

  constructor(name, { changed, announced }) {
    this.#changed = () => {
      this.#show();
      changed();
    };
    for (const [kind, { word }] of Object.entries(KINDS)) {
      this.#drawings[kind] = new Drawing(`${word === "zone" ? "Zones" : "Masks of the detection"} on the picture of ${name}`, {
        name: (at) => (kind === "zones" ? `zone ${this.#nameOf(at)}` : `mask ${at + 1}`),
        changed: () => this.#changed(),
        announced,
        emptied: () => this.#buttons.add.focus(),
        removed: (at) => { if (kind === "zones") this.#names.splice(at, 1); },
      });
      this.#drawings[kind].element.classList.add(kind);
    }
    this.elements = Object.values(this.#drawings).map(({ element }) => element);
    this.controls = this.#build();
  }

  get value() {
    const { zones, masks } = this.#drawings;
    return { zones: zones.polygons.map((points, at) => ({ name: this.#nameOf(at), points })), masks: masks.polygons };
  }

  set value({ zones, masks }) {
    this.#names = zones.map(({ name }) => name);
    this.#drawings.zones.polygons = zones.map(({ points }) => points);
    this.#drawings.masks.polygons = masks;
    this.#show();
  }

  set ratio(ratio) {
    for (const drawing of Object.values(this.#drawings)) drawing.ratio = ratio;
  }

  get isBusy() {
    return this.#drawing.isBusy;
  }

  turn(settings, status) {
    for (const drawing of Object.values(this.#drawings)) drawing.turn(settings, status);
  }

  cancel() {
    return this.#drawing.cancel();
  }

  // Says beside each name what is wrong with it; gives the first of these inputs.
  firstWrong() {
    this.#show();
    const inputs = [...this.#list.querySelectorAll("input")];
    const lower = this.#names.map((name) => name.toLowerCase());
    inputs.forEach((input, at) => setWrong(input, !NAME.test(this.#names[at]) ? "expected 1 to 32 letters (a to z), digits, - or _"
      : lower.indexOf(lower[at]) < at ? "another zone has this name" : ""));
    const wrong = inputs.find((input) => input.hasAttribute("aria-invalid"));
    if (wrong) this.#choose("zones");
    return wrong;
  }

  get #drawing() {
    return this.#drawings[this.#kind];
  }

  // What is drawn has a name from its beginning.
  #nameOf(at) {
    while (this.#names.length <= at) {
      let number = 1;
      while (this.#names.includes(`zone-${number}`)) number += 1;
      this.#names.push(`zone-${number}`);
    }
    return this.#names[at];
  }

  #build() {
    const meant = () => this.#drawing.meant;
    this.#buttons = {
      add: button("add", "", () => this.#drawing.add()),
      point: button("remove-point", "", () => this.#drawing.remove(meant().mask, meant().point)),
      shape: button("remove-shape", "", () => this.#drawing.remove(meant().mask)),
    };
    const choices = Object.entries(KINDS).map(([kind, { label }]) => {
      const input = make("input", { type: "radio", name: "draws", value: kind, checked: kind === this.#kind });
      input.addEventListener("change", () => this.#choose(kind));
      return make("label", { class: "check" }, input, label);
    });
    return make("fieldset", {}, make("legend", {}, "Where motion counts"), choices,
      make("div", { class: "row" }, Object.values(this.#buttons)), this.#list, make("p", { class: "quiet" }, HELP));
  }

  #choose(kind) {
    this.#kind = kind;
    for (const input of this.controls.querySelectorAll("[name=draws]")) input.checked = input.value === kind;
    this.#show();
  }

  #show() {
    const { word } = KINDS[this.#kind];
    for (const [kind, { element }] of Object.entries(this.#drawings)) element.inert = kind !== this.#kind;
    const { add, point, shape } = this.#buttons;
    const { mask: at, point: corner } = this.#drawing.meant;
    say(add, `Add a ${word}`);
    shape.hidden = at === undefined;
    point.hidden = corner === undefined || this.#drawing.polygons[at].length <= 3;
    say(shape, `Remove ${word} ${this.#kind === "zones" && at !== undefined ? this.#nameOf(at) : at + 1}`);
    say(point, `Remove point ${corner + 1}`);
    this.#showNames();
  }

  #showNames() {
    const count = this.#drawings.zones.polygons.length;
    this.#names.length = Math.min(this.#names.length, count);
    while (this.#list.childElementCount > count) this.#list.lastChild.remove();
    while (this.#list.childElementCount < count) this.#list.append(this.#nameField(this.#list.childElementCount));
    [...this.#list.querySelectorAll("input")].forEach((input, at) => {
      if (input.value !== this.#nameOf(at)) input.value = this.#nameOf(at);
    });
    this.#list.hidden = this.#kind !== "zones";
  }

  #nameField(at) {
    const input = make("input", { type: "text", maxLength: 32, autocapitalize: "none", spellcheck: false });
    input.addEventListener("input", () => {
      this.#names[at] = input.value;
      this.#changed();
    });
    input.addEventListener("focus", () => this.#drawings.zones.mean(at));
    return field(`Name of zone ${at + 1}`, input);
  }
}
