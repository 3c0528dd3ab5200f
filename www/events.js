// The events: what happened at the cameras, the newest first, by camera, kind and day.

import { address, askIfThere } from "./api.js";
import { make, say, whileSeen } from "./dom.js";
import { deleteButton, eventsOf, keepButton, kindWords, KINDS, spanWords } from "./happenings.js";
import { icon } from "./icons.js";
import { leaveConnections } from "./live.js";
import { dayOf, dayWords, endsOf, inAddress } from "./moments.js";
import { markSeen } from "./news.js";
import { forgetStill, showStill } from "./stills.js";
import { zoneWords } from "./zone.js";

const PAGE = 50;
// The list is asked for so often while the server reports changes by itself, and while it does not.
const LOOK_EVERY_MS = 15_000;
const POLL_EVERY_MS = 3000;
// Between two looks at the list, however many changes the server reports.
const REST_MS = 1000;

let shown;

export async function show(host, query, status) {
  const filter = Object.fromEntries(["camera", "kind", "day"].map((key) => [key, query.get(key) ?? ""]));
  const key = JSON.stringify(filter);
  if (shown?.key === key) return undefined;
  leave();
  if (status.past === false) {
    host.replaceChildren(make("h2", {}, "Events"), make("p", {}, "You may not see recordings and past events."));
    return undefined;
  }
  const list = new List(filter, status);
  shown = { key, list };
  host.replaceChildren(
    make("div", { class: "head" }, make("h2", {}, "Events"), filterForm(filter, status)),
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
  return `?events${chosen.size ? `&${chosen}` : ""}`;
}

// A link that the page follows as if it had been pressed.
function go(href) {
  const link = make("a", { href, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}

function filterForm(filter, status) {
  const choice = (name, all, options) => make("select", { name, "aria-label": name },
    make("option", { value: "" }, all),
    options.map(([value, words]) => make("option", { value, selected: value === filter[name] }, words)));
  const names = new Set(status.cameras.map(({ name }) => name));
  if (filter.camera) names.add(filter.camera);
  const form = make("form", { class: "filter", role: "search", "aria-label": "Choose events" },
    choice("camera", "All cameras", [...names].map((name) => [name, name])),
    choice("kind", "All kinds", Object.entries(KINDS)),
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

class List {
  #filter;
  #isAdmin;
  #entries = new Map();
  #hasMore = false;
  #items = make("ol", { class: "list", "aria-label": "Events" });
  #none = make("p", { role: "status", class: "none" });
  #more = make("button", { type: "button", hidden: true }, "Older events");
  #footage = new Map();
  #ends = [];

  constructor(filter, status) {
    this.#filter = filter;
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
    for (const image of this.#items.querySelectorAll("img")) forgetStill(image);
  }

  async #ask(more = {}) {
    const { camera, kind, day } = this.#filter;
    const [from, to] = day ? endsOf(day) : [];
    const wanted = Object.entries({ camera, kind, from, to: to && to - 0.001, limit: PAGE, ...more });
    return eventsOf(await askIfThere(`events?${new URLSearchParams(wanted.filter(([, value]) => value))}`));
  }

  // The newest ones as the server has them now.
  async #refresh() {
    const found = await this.#ask();
    if (!found) return say(this.#none, "This server keeps no events.");
    const isPart = found.length >= PAGE;
    const oldest = isPart ? found.at(-1).id : 0;
    const ids = new Set(found.map(({ id }) => id));
    for (const id of this.#entries.keys()) if (id >= oldest && !ids.has(id)) this.#remove(id);
    if (!this.#entries.size) this.#hasMore = isPart;
    for (const event of found) this.#put(event);
    if (!Object.values(this.#filter).some(Boolean) && found.length) markSeen(found[0].id);
    return this.#arrange();
  }

  async #older() {
    const oldest = Math.min(...this.#entries.keys());
    const found = await this.#ask({ before: oldest });
    const next = this.#entries.get(oldest)?.element;
    this.#hasMore = found.length >= PAGE;
    for (const event of found) this.#put(event);
    this.#arrange();
    next?.nextElementSibling?.querySelector("a, button")?.focus();
  }

  #put(event) {
    const entry = this.#entries.get(event.id);
    if (entry) entry.show(event);
    else this.#entries.set(event.id, this.#entry(event));
  }

  #remove(id) {
    const image = this.#entries.get(id)?.element.querySelector("img");
    if (image) forgetStill(image);
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
    say(this.#none, this.#entries.size ? "" : "Nothing happened here.");
  }

  #entry(event) {
    const [when, note] = [make("p", { class: "quiet" }), make("p", { class: "remark" })];
    const keep = this.#isAdmin ? keepButton(event, (found) => this.#put(found)) : undefined;
    const gone = () => {
      this.#remove(event.id);
      this.#arrange();
    };
    const title = [make("strong", {}, kindWords(event.kind)), event.camera && ` ${event.camera}`];
    // Nothing else leads to what was recorded; of a camera that is not recorded there is nothing.
    const isRecorded = this.#isRecorded(event);
    const still = isRecorded ? make("img", { alt: "" }) : undefined;
    const element = make("li", { class: "event card", "data-kind": event.kind },
      make(isRecorded ? "a" : "div", { class: "still", href: isRecorded ? `?event=${event.id}` : undefined, "aria-hidden": "true", tabIndex: isRecorded ? -1 : undefined },
        still, isRecorded ? icon("i-play") : undefined),
      make("div", { class: "what" },
        isRecorded ? make("a", { href: `?event=${event.id}` }, ...title) : make("span", {}, ...title),
        when, note),
      make("div", { class: "actions" }, keep?.element, this.#isAdmin ? deleteButton(event, gone) : undefined));
    const show = (found) => {
      say(when, spanWords(found));
      say(note, found.note);
      element.classList.toggle("kept", found.kept);
      element.classList.toggle("running", found.end === null);
      keep?.show(found);
    };
    show(event);
    if (still) showStill(still, event.camera, inAddress(event.start));
    return { start: event.start, element, show };
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
