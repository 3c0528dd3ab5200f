// Polygons over a camera's picture, drawn with mouse, touch and keyboard.
//
// The polygons are kept as the camera sends the picture, and shown as the picture is seen: when it is turned, they stay
// on the scene. Points are fractions of width and height. Handles are buttons, so that the keyboard and screen readers
// reach them.

import { make, sentence } from "./dom.js";
import { keptParts, seenAt, sentAt } from "./orientation.js";

const STEP = 0.01;
const LARGE_STEP = 0.05;
// A smaller rectangle was a click.
const LEAST_SIDE = 0.02;
// Of a new polygon.
const NEW_SIDE = 0.3;
const DECIMALS = 4;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const copyOf = (polygons) => polygons.map((points) => points.map((point) => [...point]));
const clamped = (value) => Math.min(1, Math.max(0, value));
const rounded = (value) => Number(value.toFixed(DECIMALS));
const percent = (value) => `${Math.round(value * 100)} %`;
const rectangle = ([left, top], [right, bottom]) => [[left, top], [right, top], [right, bottom], [left, bottom]];
const between = (points) => [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);

const SVG = "http://www.w3.org/2000/svg";

export class Drawing {
  #frame = make("div", { class: "frame", role: "group" });
  element = make("div", { class: "masks" }, this.#frame);
  #outlines = document.createElementNS(SVG, "svg");
  #handles = new Map();
  #polygons = [];
  #settings = {};
  #kept = [1, 1];
  // The polygon whose points are shown, and the point that is meant, if any.
  #mask;
  #point;
  #drag;
  // The polygons before the arrow keys moved what has the focus.
  #beforeKeys;
  #name;
  #changed;
  #announced;
  #emptied;
  #removed;

  // `name` gives what a polygon is called, by its number from 0. `changed` is called whenever a polygon or what is meant
  // changes, `announced` with words for what a key did, `emptied` when the last polygon was removed and the keyboard has to
  // go on elsewhere, `removed` with the number of a polygon that is gone.
  constructor(label, { name, changed, announced, emptied, removed = () => {} }) {
    [this.#name, this.#changed, this.#announced, this.#emptied, this.#removed] = [name, changed, announced, emptied, removed];
    this.#frame.setAttribute("aria-label", label);
    for (const [key, value] of Object.entries({ viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" })) {
      this.#outlines.setAttribute(key, value);
    }
    this.#frame.append(this.#outlines);
    this.#frame.addEventListener("pointerdown", (event) => this.#press(event));
    this.#frame.addEventListener("pointermove", (event) => this.#move(event));
    this.#frame.addEventListener("pointerup", (event) => this.#release(event));
    this.#frame.addEventListener("pointercancel", () => this.cancel());
    this.#frame.addEventListener("click", ({ target, detail }) => {
      // By the keyboard or a screen reader: what a pointer does is described before.
      if (!detail) this.#tap(target);
    });
    this.#frame.addEventListener("keydown", (event) => this.#key(event));
    this.#frame.addEventListener("focusin", ({ target }) => this.mean(numberOf(target.dataset.mask), numberOf(target.dataset.point)));
    this.#frame.addEventListener("focusout", () => { this.#beforeKeys = undefined; });
  }

  get polygons() {
    return copyOf(this.#polygons);
  }

  set polygons(polygons) {
    this.#polygons = copyOf(polygons);
    this.#meanWhatIsThere();
    this.#draw();
  }

  // Whether something is being moved right now.
  get isBusy() {
    return this.#drag !== undefined || this.#beforeKeys !== undefined;
  }

  // What a button to remove it would name: numbers from 0.
  get meant() {
    return { mask: this.#mask, point: this.#point };
  }

  // How the picture is turned, as the camera's settings say, and the status with its size as it is seen.
  turn(settings, status) {
    [this.#settings, this.#kept] = [settings, keptParts(settings, status)];
    this.#draw();
  }

  // The shape of the picture, in which the polygons lie.
  set ratio(ratio) {
    this.#frame.style.setProperty("--ratio", ratio);
  }

  // Adds a rectangle in the middle; each further one a little beside the last.
  add() {
    const from = 0.5 - NEW_SIDE / 2 + 0.04 * ((this.#polygons.length % 5) - 2);
    this.#put(rectangle([from, from], [from + NEW_SIDE, from + NEW_SIDE]));
    this.#handle(this.#mask, 0).focus();
    this.#changed();
  }

  // Takes away the point, or the polygon where it has no more than three or none is meant.
  remove(mask, point) {
    const points = this.#polygons[mask];
    if (point !== undefined && points.length > 3) {
      points.splice(point, 1);
      this.#announced(`Point ${point + 1} of ${this.#name(mask)} is removed`);
      this.mean(mask, point % points.length);
    } else {
      this.#polygons.splice(mask, 1);
      this.#announced(`${sentence(this.#name(mask))} is removed`);
      this.#removed(mask);
      this.mean(this.#polygons.length ? Math.min(mask, this.#polygons.length - 1) : undefined);
    }
    this.#beforeKeys = undefined;
    if (this.#mask === undefined) this.#emptied(); else this.#handle(this.#mask, this.#point).focus();
    this.#changed();
  }

  // Shows the points of a polygon, or of none.
  mean(mask, point) {
    if (mask === this.#mask && point === this.#point && this.#handles.size) return this.#draw();
    [this.#mask, this.#point] = [mask, point];
    this.#draw();
    this.#changed();
  }

  // Takes back what is being moved; false where nothing is.
  cancel() {
    const before = this.#drag?.before ?? this.#beforeKeys;
    if (!before) return false;
    [this.#drag, this.#beforeKeys] = [undefined, undefined];
    this.#polygons = before;
    this.#meanWhatIsThere();
    this.#draw();
    this.#announced("Taken back");
    this.#changed();
    return true;
  }

  #meanWhatIsThere() {
    if (!this.#polygons[this.#mask]?.[this.#point ?? 0]) [this.#mask, this.#point] = [undefined, undefined];
  }

  #put(seen) {
    this.#polygons.push(seen.map((point) => this.#sent(point)));
    this.mean(this.#polygons.length - 1);
  }

  #seen(point) {
    return seenAt(point, this.#settings, this.#kept).map(clamped);
  }

  #sent(point) {
    return sentAt(point.map(clamped), this.#settings, this.#kept).map((value) => rounded(clamped(value)));
  }

  #press(event) {
    if (event.button || this.#drag) return;
    const at = this.#at(event);
    const { mask, point, after } = numbersOf(event.target);
    this.#beforeKeys = undefined;
    this.#drag = { id: event.pointerId, before: this.polygons, from: at, target: event.target, hasMoved: false };
    if (after !== undefined) this.#drag.apply = this.#insertion(mask, after);
    else if (point !== undefined) this.#drag.apply = (to) => { this.#polygons[mask][point] = this.#sent(to); };
    else if (event.target.matches("button")) this.#drag.apply = this.#shifting(mask);
    else this.#drag.apply = this.#rectangle(at);
    this.#frame.setPointerCapture(event.pointerId);
    // Some browsers do not focus a button that is pressed; and a press on the picture selects no text.
    event.preventDefault();
    if (event.target.matches("button")) event.target.focus({ preventScroll: true });
  }

  #move(event) {
    const drag = this.#drag;
    if (drag?.id !== event.pointerId) return;
    const to = this.#at(event);
    const { width, height } = this.#frame.getBoundingClientRect();
    drag.hasMoved ||= Math.hypot((to[0] - drag.from[0]) * width, (to[1] - drag.from[1]) * height) > 3;
    if (!drag.hasMoved) return;
    drag.apply(to);
    this.#draw();
  }

  #release(event) {
    const drag = this.#drag;
    if (drag?.id !== event.pointerId) return;
    this.#drag = undefined;
    if (!drag.hasMoved) return this.#tap(drag.target);
    if (drag.isNew && isTiny(this.#polygons.at(-1))) {
      this.#polygons = drag.before;
      this.mean(undefined);
    }
    if (this.#mask !== undefined) this.#handle(this.#mask, this.#point).focus({ preventScroll: true });
    this.#changed();
  }

  // What is pressed and let go where it is: a side gets a point, a polygon shows its points.
  #tap(target) {
    const { mask, after } = numbersOf(target);
    if (after === undefined) {
      if (!target.matches("button")) this.mean(mask);
      return;
    }
    this.#insertion(mask, after)();
    this.#handle(mask, after + 1).focus();
    this.#changed();
  }

  // Adds a point in the middle of a side, the first time it is called, and moves it.
  #insertion(mask, after) {
    const points = this.#polygons[mask];
    let isThere = false;
    return (to) => {
      if (!isThere) points.splice(after + 1, 0, between([points[after], points[(after + 1) % points.length]]).map(rounded));
      if (to) points[after + 1] = this.#sent(to);
      if (!isThere) this.mean(mask, after + 1);
      isThere = true;
    };
  }

  #shifting(mask) {
    const seen = this.#polygons[mask].map((point) => this.#seen(point));
    const { from } = this.#drag;
    return (to) => this.#shift(mask, seen, [to[0] - from[0], to[1] - from[1]]);
  }

  // No further than the edge: the shape stays.
  #shift(mask, seen, by) {
    const most = by.map((way, axis) => {
      const all = seen.map((point) => point[axis]);
      return Math.min(1 - Math.max(...all), Math.max(-Math.min(...all), way));
    });
    this.#polygons[mask] = seen.map(([x, y]) => this.#sent([x + most[0], y + most[1]]));
  }

  #rectangle(from) {
    this.#drag.isNew = true;
    let mask;
    return (to) => {
      const points = rectangle(from, to);
      if (mask === undefined) this.#put(points);
      else this.#polygons[mask] = points.map((point) => this.#sent(point));
      mask ??= this.#polygons.length - 1;
    };
  }

  #key(event) {
    const { mask, point } = numbersOf(event.target);
    if (mask === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    const way = ARROWS[event.key];
    if (way) {
      event.preventDefault();
      this.#step(mask, point, way.map((part) => part * (event.shiftKey ? LARGE_STEP : STEP)));
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.remove(mask, point);
    }
  }

  #step(mask, point, by) {
    this.#beforeKeys ??= this.polygons;
    const points = this.#polygons[mask];
    if (point === undefined) {
      this.#shift(mask, points.map((each) => this.#seen(each)), by);
    } else {
      const [x, y] = this.#seen(points[point]);
      points[point] = this.#sent([x + by[0], y + by[1]]);
    }
    this.#draw();
    const at = point === undefined ? between(this.#polygons[mask].map((each) => this.#seen(each))) : this.#seen(points[point]);
    this.#announced(`${point === undefined ? "Middle" : `Point ${point + 1}`}: ${placeWords(at)}`);
    this.#changed();
  }

  #at({ clientX, clientY }) {
    const { left, top, width, height } = this.#frame.getBoundingClientRect();
    return [clamped((clientX - left) / width), clamped((clientY - top) / height)];
  }

  #handle(mask, point) {
    return this.#handles.get(point === undefined ? `${mask}` : `${mask}.${point}`);
  }

  // What is there stays, with its focus; only what is new or gone is changed.
  #draw() {
    const wanted = this.#polygons.flatMap((points, mask) => this.#handlesOf(points.map((point) => this.#seen(point)), mask));
    const keys = new Set(wanted.map(({ key }) => key));
    for (const [key, handle] of this.#handles) {
      if (keys.has(key)) continue;
      this.#handles.delete(key);
      handle.remove();
    }
    wanted.forEach(({ key, kind, label, at, data }, index) => {
      let handle = this.#handles.get(key);
      if (!handle) {
        handle = make("button", { type: "button", class: kind });
        Object.assign(handle.dataset, data);
        this.#handles.set(key, handle);
      }
      handle.setAttribute("aria-label", label);
      [handle.style.left, handle.style.top] = at.map((value) => `${value * 100}%`);
      const before = this.#frame.children[index + 1];
      if (before !== handle) this.#frame.insertBefore(handle, before ?? null);
    });
    this.#drawOutlines();
  }

  #handlesOf(seen, mask) {
    const name = this.#name(mask);
    const middle = { key: `${mask}`, kind: "middle", label: `${sentence(name)}, ${seen.length} points`, at: between(seen), data: { mask } };
    if (mask !== this.#mask) return [middle];
    const points = seen.flatMap((at, point) => [
      { key: `${mask}.${point}`, kind: "point", label: `${sentence(name)}, point ${point + 1}: ${placeWords(at)}`, at, data: { mask, point } },
      {
        key: `${mask}+${point}`,
        kind: "more",
        label: `Add a point after point ${point + 1} of ${name}`,
        at: between([at, seen[(point + 1) % seen.length]]),
        data: { mask, after: point },
      },
    ]);
    return [middle, ...points];
  }

  #drawOutlines() {
    while (this.#outlines.childElementCount > this.#polygons.length) this.#outlines.lastChild.remove();
    this.#polygons.forEach((points, mask) => {
      const outline = this.#outlines.children[mask] ?? this.#outlines.appendChild(document.createElementNS(SVG, "polygon"));
      outline.dataset.mask = mask;
      outline.classList.toggle("meant", mask === this.#mask);
      outline.setAttribute("points", points.map((point) => this.#seen(point).join(",")).join(" "));
    });
  }
}

const placeWords = ([x, y]) => `${percent(x)} from the left, ${percent(y)} from the top`;

const numberOf = (text) => (text === undefined ? undefined : Number(text));
const numbersOf = ({ dataset }) => ({ mask: numberOf(dataset.mask), point: numberOf(dataset.point), after: numberOf(dataset.after) });

function isTiny(points) {
  return [0, 1].some((axis) => {
    const all = points.map((point) => point[axis]);
    return Math.max(...all) - Math.min(...all) < LEAST_SIDE;
  });
}
