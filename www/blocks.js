// What a camera's detector sees right now, over its picture: the blocks that count, the parts that they make, and a square as
// large as the smallest part that is reported.
//
// The server sends a look only while somebody reads, so that a page that nobody sees reads none. A look is drawn once.

import { address } from "./api.js";
import { make } from "./dom.js";

// Without a look for so long it is not known what is seen.
const FRESH_MS = 3000;
// Pixels of the canvas for each block, so that the lines of boxes are finer than blocks.
const SCALE = 8;
// A colour that is rare in pictures, half seen through, as a pixel of an ImageData.
const COUNTS = new Uint32Array(new Uint8Array([255, 0, 144, 150]).buffer)[0];

export class Blocks {
  #canvas = make("canvas");
  #square = make("div", { class: "square" });
  #frame = make("div", { class: "frame" }, this.#canvas, this.#square);
  element = make("div", { class: "masks blocks", "aria-hidden": "true" }, this.#frame);
  #small = make("canvas");
  #url;
  #said;
  #source;
  #aging;
  #ratio = 4 / 3;
  #percent = 0;
  #watch = () => this.#follow();
  // Another place of the page may be shown, with this one hidden.
  #isOnScreen = false;
  #onScreen = new IntersectionObserver((entries) => {
    this.#isOnScreen = entries.at(-1).isIntersecting;
    this.#follow();
  });

  // `said` is called with each look: its `state` ("unknown" where none comes), and how many blocks of how many count in how
  // many parts.
  constructor(name, said) {
    this.#url = address(`api/1.0/cameras/${encodeURIComponent(name)}/motion/live`);
    this.#said = said;
    document.addEventListener("visibilitychange", this.#watch);
    this.#onScreen.observe(this.#frame);
  }

  // How many connections to the server it holds.
  get connections() {
    return this.#source ? 1 : 0;
  }

  // The shape of the picture.
  set ratio(ratio) {
    this.#ratio = ratio;
    this.#frame.style.setProperty("--ratio", ratio);
    this.#drawSquare();
  }

  // The size of the square, as a part of the picture's area.
  set percent(percent) {
    this.#percent = percent;
    this.#drawSquare();
  }

  end() {
    document.removeEventListener("visibilitychange", this.#watch);
    this.#onScreen.disconnect();
    this.#close();
    this.element.remove();
  }

  #drawSquare() {
    const part = Math.sqrt(this.#percent / 100);
    this.#square.style.width = `${(part / Math.sqrt(this.#ratio)) * 100}%`;
    this.#square.style.height = `${part * Math.sqrt(this.#ratio) * 100}%`;
  }

  #close() {
    clearTimeout(this.#aging);
    this.#source?.close();
    this.#source = undefined;
  }

  #follow() {
    this.#close();
    if (document.visibilityState === "hidden" || !this.#isOnScreen) return;
    this.#source = new EventSource(this.#url);
    this.#source.addEventListener("look", ({ data }) => this.#show(JSON.parse(data)));
    this.#age();
  }

  #age() {
    clearTimeout(this.#aging);
    this.#aging = setTimeout(() => {
      this.#canvas.width = 0;
      this.#said({ state: "unknown" });
      // A connection that was refused is not made again by the browser.
      if (this.#source.readyState === EventSource.CLOSED) this.#follow(); else this.#age();
    }, FRESH_MS);
  }

  #show({ state, width, height, blocks, boxes }) {
    this.#age();
    const count = width && height ? this.#draw(width, height, Uint8Array.from(atob(blocks), (byte) => byte.charCodeAt(0)), boxes) : 0;
    this.#said({ state, count, all: width * height, parts: boxes.length });
  }

  #draw(width, height, bits, boxes) {
    const [small, canvas] = [this.#small, this.#canvas];
    if (small.width !== width || small.height !== height) [small.width, small.height] = [width, height];
    if (canvas.width !== width * SCALE || canvas.height !== height * SCALE) [canvas.width, canvas.height] = [width * SCALE, height * SCALE];
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    let count = 0;
    for (let at = 0; at < pixels.length; at += 1) {
      if (!((bits[at >> 3] >> (at & 7)) & 1)) continue;
      pixels[at] = COUNTS;
      count += 1;
    }
    small.getContext("2d").putImageData(image, 0, 0);
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    for (const [colour, line] of [["#000", 6], ["#fff", 3]]) {
      [context.strokeStyle, context.lineWidth] = [colour, line];
      for (const [left, top, right, bottom] of boxes) {
        context.strokeRect(left * canvas.width, top * canvas.height, (right - left) * canvas.width, (bottom - top) * canvas.height);
      }
    }
    return count;
  }
}
