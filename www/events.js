// The events: what happened at the cameras, the newest first, by camera, kind and day.

import { address, askIfThere } from "./api.js";
import { inRow, make, say, sentence, whileSeen } from "./dom.js";
import { deleteButton, eventsOf, keepButton, kindWords, KINDS, spanWords, strengthWords } from "./happenings.js";
import { leaveConnections } from "./live.js";
import { dayOf, dayWords, endsOf } from "./moments.js";
import { markSeen } from "./news.js";
import { Preview } from "./preview.js";
import { zoneWords } from "./zone.js";

const PAGE = 50;
// The list is asked for so often while the server reports changes by itself, and while it does not.
const LOOK_EVERY_MS = 15_000;
const POLL_EVERY_MS = 3000;
// Between two looks at the list, however many changes the server reports.
const REST_MS = 1000;

let shown;

export async function show(host, query, status) {
  const filter = Object.fromEntries(["camera", "kind", "zone", "day"].map((key) => [key, query.get(key) ?? ""]));
  const key = JSON.stringify(filter);
  if (shown?.key === key) return undefined;
  leave();
  if (status.past === false) {
    host.replaceChildren(make("h2", {}, "Events"), make("p", {}, "You may not see recordings and past events."));
    return undefined;
  }
  const zones = new Zones(filter, status);
  const list = new List(filter, status, zones);
  shown = { key, list };
  host.replaceChildren(
    make("div", { class: "head" }, make("h2", {}, "Events"), filterForm(filter, status, zones.element)),
    ...list.elements);
  return list.start();
}

export function leave() {
  shown?.list.end();
  shown = undefined;
}

// Addresses of the list: what is chosen can be shared, and gone back to.
function addressOf(filter) {
  const chosen = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  return `?events${`&${chosen}`.replace(/&$/, "")}`;
}

// A link that the page follows as if it had been pressed.
function go(href) {
  const link = make("a", { href, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}

function filterForm(filter, status, zones) {
  const choice = (name, all, options) => choiceOf(name, all, options, filter[name]);
  const names = new Set(status.cameras.map(({ name }) => name));
  if (filter.camera) names.add(filter.camera);
  const form = make("form", { class: "filter", role: "search", "aria-label": "Choose events" },
    choice("camera", "All cameras", [...names].map((name) => [name, name])),
    choice("kind", "All kinds", Object.entries(KINDS)),
    zones,
    make("input", { type: "date", name: "day", value: filter.day, max: dayOf(Date.now() / 1000), "aria-label": "day" }),
    Object.values(filter).some(Boolean) ? make("a", { href: "?events" }, "Show all") : undefined);
  const chosen = () => go(addressOf(Object.fromEntries(new FormData(form))));
  form.addEventListener("change", chosen);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    chosen();
  });
  return form;
}

const choiceOf = (name, all, options, chosen) => make("select", { name, "aria-label": name },
  make("option", { value: "" }, all),
  options.map(([value, words]) => make("option", { value, selected: value === chosen }, words)));

// The zones to choose from: those of the settings, which admins know, and those of events. Hidden while there is none.
class Zones {
  #names = new Set();
  #chosen;
  element;

  constructor({ camera, zone }, status) {
    this.#chosen = zone;
    this.element = choiceOf("zone", "All zones", [], zone);
    const cameras = status.cameras.filter(({ name }) => !camera || name === camera);
    this.add([zone, ...cameras.flatMap(({ settings }) => settings?.motion?.zones ?? []).map(({ name }) => name)]);
  }

  add(names) {
    for (const name of names) {
      if (!name || this.#names.has(name)) continue;
      this.#names.add(name);
      this.element.append(make("option", { value: name, selected: name === this.#chosen }, name));
    }
    this.element.hidden = !this.#names.size;
  }
}

class List {
  #filter;
  #zones;
  #isAdmin;
  #entries = new Map();
  // The id of the oldest that was looked at, and whether there are older ones.
  #oldest;
  #hasMore = false;
  #items = make("ol", { class: "list", "aria-label": "Events" });
  #none = make("p", { role: "status", class: "none" });
  #more = make("button", { type: "button", hidden: true }, "Older events");
  #footage = new Map();
  #ends = [];

  constructor(filter, status, zones) {
    [this.#filter, this.#zones] = [filter, zones];
    this.#isAdmin = status.role === "admin";
    this.#more.addEventListener("click", () => this.#older());
  }

  get elements() {
    return [this.#none, this.#items, this.#more, make("p", { class: "quiet" }, zoneWords())];
  }

  async start() {
    const list = whileSeenBy(() => this.#refresh());
    this.#ends.push(list);
    const recordings = await askIfThere("recordings").catch(() => undefined);
    for (const camera of recordings?.cameras ?? []) this.#footage.set(camera.name, camera);
    try {
      await this.#refresh();
    } catch (fault) {
      say(this.#none, `The events cannot be shown: ${fault.message}.`);
    }
  }

  end() {
    for (const end of this.#ends.splice(0)) end();
    for (const entry of this.#entries.values()) entry.forget();
  }

  // The next ones of those that are chosen, the id of the oldest that was looked at, and whether there are more.
  async #ask(more = {}) {
    const { camera, kind, zone, day } = this.#filter;
    const [from, to] = day ? endsOf(day) : [];
    const wanted = Object.entries({ camera, kind, zone, from, to: to && to - 0.001, limit: PAGE, ...more });
    const events = eventsOf(await askIfThere(`events?${new URLSearchParams(wanted.filter(([, value]) => value))}`));
    if (!events) return undefined;
    this.#zones.add(events.map((event) => event.zone));
    const isPart = events.length >= PAGE;
    return { events, oldest: isPart ? events.at(-1).id : 0, isPart };
  }

  // The newest ones as the server has them now.
  async #refresh() {
    const found = await this.#ask();
    if (!found) return say(this.#none, "This server keeps no events.");
    const { events, oldest, isPart } = found;
    const ids = new Set(events.map(({ id }) => id));
    for (const id of this.#entries.keys()) if (id >= oldest && !ids.has(id)) this.#remove(id);
    if (this.#oldest === undefined) [this.#oldest, this.#hasMore] = [oldest, isPart];
    for (const event of events) this.#put(event);
    if (!Object.values(this.#filter).some(Boolean) && events.length) markSeen(events[0].id);
    return this.#arrange();
  }

  async #older() {
    const last = this.#items.lastElementChild;
    const { events, oldest, isPart } = await this.#ask({ before: this.#oldest });
    [this.#oldest, this.#hasMore] = [oldest, isPart];
    for (const event of events) this.#put(event);
    this.#arrange();
    last?.nextElementSibling?.querySelector("a, button")?.focus();
  }

  #put(event) {
    const entry = this.#entries.get(event.id);
    if (entry) entry.show(event);
    else this.#entries.set(event.id, this.#entry(event));
  }

  #remove(id) {
    this.#entries.get(id)?.forget();
    this.#entries.delete(id);
  }

  // In their order, with a heading for each day. What is there stays where it is, with its focus.
  #arrange() {
    const now = Date.now() / 1000;
    const wanted = [];
    let day;
    for (const [, { start, element }] of [...this.#entries].sort(([one], [other]) => other - one)) {
      if (day !== dayOf(start)) {
        day = dayOf(start);
        wanted.push(this.#items.querySelector(`[data-day="${day}"]`)
          ?? make("li", { class: "day", "data-day": day }, make("h3", {}, dayWords(day, now))));
      }
      wanted.push(element);
    }
    const kept = new Set(wanted);
    for (const child of [...this.#items.children]) if (!kept.has(child)) child.remove();
    wanted.forEach((element, at) => {
      if (this.#items.children[at] !== element) this.#items.insertBefore(element, this.#items.children[at] ?? null);
    });
    this.#more.hidden = !this.#hasMore;
    say(this.#none, this.#entries.size ? "" : "No events.");
  }

  #entry(event) {
    const [when, note] = [make("p", { class: "quiet" }), make("p", { class: "remark" })];
    const keep = this.#isAdmin ? keepButton(event, (found) => this.#put(found)) : undefined;
    const gone = () => {
      this.#remove(event.id);
      this.#arrange();
    };
    const title = [make("strong", {}, kindWords(event.kind)), event.camera && ` ${event.camera}`, event.zone && `, ${event.zone}`];
    // Nothing else leads to what was recorded; of a camera that is not recorded there is nothing.
    const isRecorded = this.#isRecorded(event);
    const preview = event.camera ? new Preview(event, isRecorded) : undefined;
    const element = make("li", { class: "event card", "data-kind": event.kind },
      preview?.element ?? make("div", { class: "still" }),
      make("div", { class: "what" },
        isRecorded ? make("a", { href: `?event=${event.id}` }, ...title) : make("span", {}, ...title),
        when, note),
      make("div", { class: "actions" }, keep?.element, this.#isAdmin ? deleteButton(event, gone) : undefined));
    const show = (found) => {
      say(when, inRow([sentence(spanWords(found)), strengthWords(found)]));
      say(note, found.note);
      element.classList.toggle("kept", found.kept);
      element.classList.toggle("running", found.end === null);
      keep?.show(found);
      preview?.show(found);
    };
    show(event);
    return { start: event.start, element, show, forget: () => preview?.forget() };
  }

  #isRecorded({ camera, start, end }) {
    const found = this.#footage.get(camera);
    if (!found) return false;
    // What is recorded now is on the disk in a moment.
    const isRecording = ["recording", "waiting"].includes(found.state);
    return found.first ? (end === null || end >= found.first) && (isRecording || start <= found.last) : isRecording;
  }
}

// Calls `work` when the server reports a change, and now and then; soon again where it does not report any. A hidden page
// holds no connection.
function whileSeenBy(work) {
  let [source, timer, isResting] = [undefined, undefined, false];
  const look = () => {
    if (isResting) return;
    isResting = true;
    setTimeout(() => {
      isResting = false;
      work().catch(() => {});
    }, REST_MS);
  };
  const watch = () => {
    source?.close();
    timer?.();
    source = document.visibilityState === "hidden" ? undefined : new EventSource(address("api/1.0/events/live"));
    for (const kind of ["start", "end", "lost"]) source?.addEventListener(kind, look);
    let waited_ms = 0;
    timer = whileSeen(POLL_EVERY_MS, async () => {
      waited_ms += POLL_EVERY_MS;
      if (source?.readyState === EventSource.OPEN && waited_ms < LOOK_EVERY_MS) return;
      waited_ms = 0;
      await work();
    });
  };
  document.addEventListener("visibilitychange", watch);
  leaveConnections(1);
  watch();
  return () => {
    leaveConnections(0);
    document.removeEventListener("visibilitychange", watch);
    source?.close();
    timer();
  };
}
