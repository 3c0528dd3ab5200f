// A camera at another time: its recording, played, and the days and stretches that there are of it.
//
// The footage knows where it is; what lies beside it (the bar, the list, the clip) asks it, and sets where it goes.

import { ask, clockAhead_ms, recall, remember } from "./api.js";
import { make, note, say, sentence } from "./dom.js";
import { Clip } from "./clip.js";
import { Days } from "./days.js";
import { Footage, footagePath } from "./footage.js";
import { LEAD_S, deleteButton, eventOf, keepButton, kindWords, noteForm, spanWords } from "./happenings.js";
import { icon } from "./icons.js";
import { leaveConnections } from "./live.js";
import { silence } from "./microphones.js";
import { dayOf, dayWords, inAddress, lengthWords, momentIn, timeOf } from "./moments.js";
import { BLOCKED, Player } from "./sound.js";

const SPEEDS = [-16, -4, -1, 1, 2, 4, 16, 64, 256, 512];
const SKIP_S = 10;
// The pictures and the sound.
const CONNECTIONS = 2;
// Where a clip is played that is so near the present, it is the present.
const LIVE_S = 3;
// A jump of the time by more than this is a gap.
const JUMP_S = 3;
// How far the search for footage before a moment goes back.
const BACK_S = 30 * 86400;
// So near its beginning the address is that of the event.
const EVENT_S = 60;
// So near its end a clip was played.
const END_S = 1;
const ADDRESS_EVERY_MS = 10_000;
const QUIET = "recordings without sound";

const WORDS = {
  loading: "Loading", waiting: "Waiting for pictures", none: "Nothing is recorded here", lost: "The recording cannot be shown",
};

const now = () => (Date.now() + clockAhead_ms()) / 1000;

let [shown, wanted] = [undefined, undefined];

export async function show(host, query, status) {
  if (status.past === false) {
    host.replaceChildren(make("p", {}, "You may not see recordings. ", make("a", { href: "?" }, "Live pictures")));
    return;
  }
  wanted = query;
  const asked = await placeIn(query);
  // Meanwhile it may be another one that is wanted.
  if (wanted !== query) return;
  if (shown?.name !== asked.name) {
    shown?.end();
    shown = new Past(asked.name, status);
    host.replaceChildren(shown.element);
  }
  shown.open(asked);
}

export function leave() {
  shown?.end();
  [shown, wanted] = [];
}

// The camera, the moment, the clip and the event that a query means.
async function placeIn(query) {
  if (query.has("event")) {
    const event = eventOf(await ask("GET", `events/${encodeURIComponent(query.get("event"))}`));
    return { name: event.camera, at: event.start - LEAD_S, event };
  }
  const [from, to, at] = ["from", "to", "at"].map((key) => momentIn(query.get(key)));
  return { name: query.get("camera"), at: at ?? from ?? now(), from, to };
}

class Past {
  #footage;
  #player;
  #days;
  #clip;
  #find;
  #event;
  #isAdmin;
  #before;
  #shown_ms;
  #search;
  #ends = [];

  constructor(name, status) {
    this.name = name;
    this.#isAdmin = status.role === "admin";
    const patience_ms = 3 * (status.cameras.find((each) => each.name === name)?.interval_ms ?? 0);
    this.#footage = new Footage(name, patience_ms, (what, why) => this.#onFootage(what, why));
    this.#footage.surface.setAttribute("role", "img");
    this.#footage.surface.setAttribute("aria-label", `Recording of ${name}`);
    this.#player = new Player(() => `${new URL(footagePath(name, "sound", { from: this.#footage.at.toFixed(3) }), new URL(location.pathname, location.origin))}`,
      (state) => this.#heard(state), () => {});
    this.#days = new Days(name, (at) => this.#goTo(at));
    this.#clip = new Clip(name, { moment: () => this.#footage.at, changed: () => this.#keepAddress() });
    this.element = this.#build();
    this.#find = (what) => this.element.querySelector(what);
    const keys = (event) => this.#key(event);
    document.addEventListener("keydown", keys);
    const timer = setInterval(() => this.#footage.isPlaying && this.#keepAddress(), ADDRESS_EVERY_MS);
    const sleep = () => { if (document.visibilityState === "hidden") this.#pause(); };
    document.addEventListener("visibilitychange", sleep);
    this.#ends.push(() => document.removeEventListener("keydown", keys), () => clearInterval(timer),
      () => document.removeEventListener("visibilitychange", sleep));
    silence(true);
    leaveConnections(CONNECTIONS);
  }

  // Shows a moment, and plays from there.
  open({ at, from, to, event }) {
    this.#showEvent(event);
    this.#clip.set(from, to);
    this.#footage.until = to;
    this.#days.showDay(dayOf(at));
    this.#footage.at = at;
    this.#before = undefined;
    this.#sayTime();
    this.#play();
  }

  end() {
    for (const end of this.#ends) end();
    this.#footage.end();
    this.#player.stop();
    this.#days.end();
    silence(false);
    leaveConnections(0);
  }

  #build() {
    const button = (kind, label, work, ...inside) => {
      // A word on it is its name.
      const isNamed = inside.some((each) => /\d/.test(each));
      const made = make("button", { type: "button", class: kind, title: label, "aria-label": isNamed ? undefined : label }, ...inside);
      made.addEventListener("click", work);
      return made;
    };
    const speed = make("select", { class: "speed", "aria-label": "Speed" },
      SPEEDS.map((each) => make("option", { value: each, selected: each === 1 }, each < 0 ? `back ${-each}×` : `${each}×`)));
    speed.addEventListener("change", () => this.#setSpeed(Number(speed.value)));
    const bar = make("div", { class: "bar", role: "group", "aria-label": "Playing" },
      button("jump", `${SKIP_S} seconds back`, () => this.#goTo(this.#footage.at - SKIP_S), "−10 s"),
      button("step", "Previous picture", () => this.#step(-1), "‹"),
      button("play main", "Pause", () => this.#toggle(), icon("i-play")),
      button("step", "Next picture", () => this.#step(1), "›"),
      button("jump", `${SKIP_S} seconds forward`, () => this.#goTo(this.#footage.at + SKIP_S), "+10 s"),
      speed,
      button("sound", "Sound", () => this.#toggleSound(), icon("i-sound")));
    const live = make("a", { class: "pill", href: `?camera=${encodeURIComponent(this.name)}` }, "Live");
    return make("div", { class: "past" },
      make("div", { class: "screen card" },
        make("div", { class: "frame" }, this.#footage.surface, make("p", { class: "over" })),
        make("div", { class: "clock" },
          make("h2", {}, this.name),
          make("p", { class: "time" }, make("strong", {}), make("span", { class: "quiet" })),
          live),
        bar,
        make("p", { class: "state", role: "status" })),
      make("div", { class: "column" },
        make("section", { class: "card event-card", hidden: true, "aria-label": "Event" }),
        this.#days.element),
      this.#clip.element);
  }

  #showEvent(event) {
    this.#event = event;
    const card = this.#find(".event-card");
    card.hidden = !event;
    if (!event) return;
    const words = make("p", { class: "remark" }, event.note);
    const changed = (found) => {
      say(words, found.note);
      keep?.show(found);
    };
    const keep = this.#isAdmin ? keepButton(event, changed) : undefined;
    const again = make("button", { type: "button" }, "Play again");
    again.addEventListener("click", () => this.#goTo(event.start - LEAD_S));
    const gone = () => this.#showEvent();
    card.replaceChildren(
      make("h3", {}, [kindWords(event.kind), event.zone].filter(Boolean).join(", ")),
      make("p", { class: "quiet" }, `${dayWords(dayOf(event.start), now())}, ${spanWords(event)}`),
      this.#isAdmin ? noteForm(event, changed) : words,
      make("div", { class: "row" }, again, keep?.element, this.#isAdmin ? deleteButton(event, gone) : undefined,
        this.#isAdmin && event.kind === "motion" ? make("a", { href: `?camera=${encodeURIComponent(this.name)}&edit=motion` }, "Motion settings") : undefined,
        make("a", { href: "?events" }, "All events")));
  }

  #goTo(at) {
    this.#footage.until = undefined;
    this.#before = undefined;
    this.#footage.at = Math.min(at, now());
    this.#sayTime();
    if (this.#footage.isPlaying) this.#play(); else this.#footage.seek(this.#footage.at);
    this.#keepAddress();
  }

  #toggle() {
    if (this.#footage.isPlaying) this.#pause(); else this.#play();
  }

  #play() {
    this.#search = undefined;
    const { until, at } = this.#footage;
    // A clip that was played to its end is played again.
    if (at > until - END_S && this.#clip.from < until) this.#footage.at = this.#clip.from;
    this.#footage.play();
    this.#hear();
    this.#sayPlaying();
  }

  #pause() {
    if (!this.#footage.isPlaying) return;
    this.#player.stop();
    this.#footage.pause();
    this.#sayPlaying();
    this.#keepAddress();
  }

  #step(way) {
    this.#player.stop();
    this.#footage.step(way);
    this.#sayPlaying();
    this.#keepAddress();
  }

  #setSpeed(speed) {
    this.#footage.speed = speed;
    if (this.#footage.isPlaying) this.#play();
  }

  // Sound is there at the natural speed only.
  #hear() {
    this.#player.stop();
    const [isQuiet, button] = [recall(QUIET) === "yes", this.#find(".sound")];
    Object.assign(button, { disabled: false, title: "Sound" });
    button.setAttribute("aria-pressed", String(!isQuiet));
    if (!isQuiet && this.#footage.speed === 1) this.#player.start();
  }

  #toggleSound() {
    remember(QUIET, recall(QUIET) === "yes" ? "" : "yes");
    if (this.#footage.isPlaying) this.#hear();
    else this.#find(".sound").setAttribute("aria-pressed", String(recall(QUIET) !== "yes"));
  }

  #heard(state) {
    const button = this.#find(".sound");
    button.disabled = state === "missing";
    if (state === "missing") button.title = "No sound was recorded";
    if (state === "blocked") note(BLOCKED);
    return state !== "missing";
  }

  #onFootage(what, why) {
    if (what === "time") return this.#sayTime();
    this.element.dataset.state = what;
    this.#sayPlaying();
    say(this.#find(".over"), WORDS[what] ?? "");
    say(this.#find(".state"), what === "lost" ? `${sentence(why)}.` : what === "ended" ? "The end." : "");
    if (what === "waiting" || what === "ended" || what === "none") this.#jump(what);
    if (what === "lost" || what === "ended") this.#player.stop();
    return undefined;
  }

  // Goes on behind a gap, or in front of it when playing backwards.
  async #jump(what) {
    const { at, speed, until } = this.#footage;
    const search = {};
    this.#search = search;
    if (at > until - END_S) return undefined;
    const range = speed > 0 ? { from: at + 0.5, to: now() } : { from: at - BACK_S, to: at - 0.5 };
    const { stretches } = await ask("GET", footagePath(this.name, "", range).slice("api/1.0/".length)).catch(() => ({ stretches: [] }));
    if (this.#search !== search || this.#footage.at !== at) return undefined;
    // While it is in footage it only has to wait.
    if (what === "waiting" && stretches.some(({ from, to }) => from <= at + 1 && at + 1 < to)) return undefined;
    const next = speed > 0 ? stretches.find(({ from }) => from > at + 0.6) : stretches.findLast(({ to }) => to < at - 0.6);
    // At the end of all there is: its last picture stays.
    if (!next) return what === "waiting" ? this.#pause() : undefined;
    this.#footage.at = speed > 0 ? next.from : next.to;
    this.#sayTime();
    return this.#play();
  }

  #sayTime() {
    const { at, isPlaying, speed, until } = this.#footage;
    const [strong, span] = this.#find(".time").children;
    const tenth = Math.floor(((at % 1) + 0.0005) * 10) % 10;
    say(strong, isPlaying ? timeOf(Math.floor(at)) : `${timeOf(Math.floor(at))}.${tenth}`);
    say(span, dayWords(dayOf(at), now()));
    this.#days.showMoment(at);
    // What passed while the page waited for a slow camera's next picture was not left out.
    const now_ms = performance.now();
    const jump_s = this.#before === undefined ? 0 : Math.abs(at - this.#before) - Math.abs(speed) * Math.max(1, (now_ms - this.#shown_ms) / 1000);
    [this.#before, this.#shown_ms] = [at, now_ms];
    if (!isPlaying) return;
    if (jump_s > JUMP_S * Math.max(1, Math.abs(speed))) {
      say(this.#find(".state"), `${lengthWords(jump_s)} without a recording were left out.`);
      if (speed === 1) this.#hear();
    }
    if (until === undefined && speed > 1 && at > now() - LIVE_S) this.#find(".pill").click();
  }

  #sayPlaying() {
    const [button, { isPlaying }] = [this.#find(".play"), this.#footage];
    const words = isPlaying ? "Pause" : "Play";
    this.element.classList.toggle("plays", isPlaying);
    button.title = words;
    button.setAttribute("aria-label", words);
    button.querySelector("use").setAttribute("href", isPlaying ? "#i-pause" : "#i-play");
  }

  // The address is that of what is shown: a reload and a link lead here.
  #keepAddress() {
    const { from, to } = this.#clip;
    const { at } = this.#footage;
    const isClip = at >= from - 1 && at <= to + 1;
    const isEvent = this.#event && Math.abs(at - this.#event.start) < EVENT_S;
    const query = isEvent && !isClip ? { event: this.#event.id }
      : { camera: this.name, ...(isClip ? { from: inAddress(from), to: inAddress(to) } : { at: inAddress(at) }) };
    history.replaceState(history.state, "", `?${new URLSearchParams(query).toString().replaceAll("%3A", ":")}`);
  }

  #key(event) {
    if (event.target.closest?.("dialog, input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const work = {
      Escape: () => this.#find(".pill").click(),
      ArrowLeft: () => this.#goTo(this.#footage.at - SKIP_S),
      ArrowRight: () => this.#goTo(this.#footage.at + SKIP_S),
      ",": () => this.#step(-1),
      ".": () => this.#step(1),
      " ": event.target.closest?.("button, a, summary") ? undefined : () => this.#toggle(),
    }[event.key];
    if (!work) return;
    event.preventDefault();
    // Escape would leave the live picture as well.
    event.stopPropagation();
    work();
  }
}
