// Whether the cameras are recorded: a dot beside the name of each, the reason where that failed, a link to what was
// recorded, and for admins a button that has a camera recorded now.

import { ask, askIfThere, clockAhead_ms } from "./api.js";
import { act, announce, make, say, sentence, styled, whileSeen } from "./dom.js";
import { eventOf, eventsOf } from "./happenings.js";
import { icon } from "./icons.js";
import { inAddress, timeOf } from "./moments.js";

// How often it is looked who has what recorded, and why it fails.
const LOOK_EVERY_MS = 3000;
const REASONS_EVERY_LOOKS = 4;
// Where the link to the recordings leads: what just happened.
const BACK_S = 30;

const STATES = {
  recording: "recording", waiting: "recorded at events", "no picture": "not recorded: no picture",
  stopped: "recording was stopped", failed: "recording failed", unknown: "whether it is recorded is unknown",
};

// By the server's clock.
const now = () => (Date.now() + clockAhead_ms()) / 1000;

const tiles = new Map();
let isLooking = false;
let isAdmin = false;
let mayLookBack = false;

// Shows what a status says of the recording of the cameras of the page.
export function showRecording(cameras, status) {
  isAdmin = status.role === "admin";
  mayLookBack = status.past !== false;
  for (const name of tiles.keys()) if (!cameras.has(name)) tiles.delete(name);
  for (const { name, recording } of status.cameras) {
    const { element } = cameras.get(name);
    let tile = tiles.get(name);
    if (tile?.element !== element) {
      if (!STATES[recording]) continue;
      tile = new Tile(name, element);
      tiles.set(name, tile);
    }
    tile.show(recording);
  }
  if (isLooking) return;
  isLooking = true;
  styled("record.css");
  look();
  whileSeen(LOOK_EVERY_MS, look);
}

// Shows that the server does not say what it records.
export function showUnknown() {
  for (const tile of tiles.values()) if (STATES[tile.state]) tile.show("unknown");
}

let looks = 0;

async function look() {
  const shown = [...tiles.values()];
  if (isAdmin && shown.length) {
    const found = eventsOf(await askIfThere(`events?kind=manual&from=${inAddress(now())}`).catch(() => undefined));
    if (found) for (const tile of shown) tile.running = found.filter(({ camera, end }) => camera === tile.name && end === null);
  }
  if (mayLookBack && shown.some(({ state }) => state === "failed") && looks % REASONS_EVERY_LOOKS === 0) {
    const found = await askIfThere("recordings").catch(() => undefined);
    for (const { name, problem } of found?.cameras ?? []) tiles.get(name)?.explain(problem ?? found.problem);
  }
  looks += 1;
}

class Tile {
  state;
  // The events by which admins have it recorded.
  #running = [];
  #dot = make("span", { class: "rec" }, make("span", { class: "unseen" }));
  #button = make("button", { type: "button", class: "record", "aria-pressed": "false" }, icon("i-record"));
  #since = make("p", { class: "since" });
  #failed = make("p", { class: "failed bad" });
  #earlier = make("a", { class: "earlier" }, "Recordings");

  constructor(name, element) {
    [this.name, this.element] = [name, element];
    const find = (what) => element.querySelector(what);
    this.#button.setAttribute("aria-label", `Record ${name}`);
    this.#button.addEventListener("click", () => act(this.#button, () => this.#press()));
    find("h2").append(this.#dot);
    find(".snapshot").before(this.#button);
    find(".stage").append(this.#since);
    find(".state").after(this.#failed);
    const all = find(".all");
    const links = make("p", { class: "links" });
    all.replaceWith(links);
    links.append(this.#earlier, all);
  }

  show(recording) {
    if (this.state !== undefined && recording === "failed" && this.state !== "failed") announce(`${this.name}: recording failed`);
    this.state = recording;
    const words = STATES[recording];
    this.#dot.hidden = !words;
    this.#dot.dataset.state = recording ?? "";
    this.#dot.title = words ? sentence(words) : "";
    say(this.#dot.firstChild, words ? `, ${words}` : "");
    this.#button.hidden = !isAdmin || !["recording", "waiting", "no picture"].includes(recording);
    this.#earlier.hidden = !mayLookBack;
    this.#earlier.href = `?camera=${encodeURIComponent(this.name)}&at=${inAddress(now() - BACK_S).replace(/\.\d+/, "")}`;
    if (recording !== "failed") this.explain("");
    else if (!this.#failed.textContent) this.explain(" ");
  }

  explain(reason) {
    say(this.#failed, reason && `Recording failed${reason.trim() && `: ${reason}`}`);
  }

  set running(events) {
    this.#running = events;
    const first = events.at(-1);
    this.#button.setAttribute("aria-pressed", String(Boolean(first)));
    this.#button.title = first ? `Stop recording (since ${timeOf(first.start)}${first.by ? `, by ${first.by}` : ""})` : "Record";
    say(this.#since, first ? `Recording since ${timeOf(first.start)}` : "");
  }

  async #press() {
    const running = this.#running;
    if (!running.length) {
      this.running = [eventOf(await ask("POST", "events", { camera: this.name, kind: "manual", running: true }))];
      return `an event at ${this.name} was started`;
    }
    for (const { id } of running) await ask("PUT", `events/${id}`, { ended: true });
    this.running = [];
    return `the event at ${this.name} was ended`;
  }
}
