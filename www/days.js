// The days of which there are recordings of a camera, and the stretches of one of them, with the gaps between them.

import { ask, askIfThere } from "./api.js";
import { make, say, whileSeen } from "./dom.js";
import { footagePath } from "./footage.js";
import { LEAD_S, eventsOf, kindWords } from "./happenings.js";
import { dayOf, dayWords, endsOf, lengthWords, timeOf } from "./moments.js";
import { zoneWords } from "./zone.js";

const LOOK_EVERY_MS = 10_000;
const MOST_EVENTS = 500;
// A stretch that is longer than this can be entered at each full hour.
const LONG_S = 2 * 3600;
// A shorter pause between two stretches is not worth a line.
const GAP_S = 1;

const GAPS = {
  "no event": "no event",
  "camera lost": "the camera gave no picture",
  stopped: "recording or video was stopped",
  disk: "the disk was too slow or failed",
  deleted: "deleted to make room",
  "not running": "the server did not record",
};

const path = (name, what, query) => footagePath(name, what, query).slice("api/1.0/".length);

export class Days {
  #name;
  #goTo;
  #day;
  #days = [];
  #at = 0;
  #listed;
  #scrolled;
  #end;
  #select = make("select", { "aria-label": "Day" });
  #earlier = make("button", { type: "button", "aria-label": "Earlier day", title: "Earlier day" }, "‹");
  #later = make("button", { type: "button", "aria-label": "Later day", title: "Later day" }, "›");
  #list = make("ol", { class: "stretches" });
  #none = make("p", { class: "quiet", role: "status" });

  // `goTo` is called with the moment that is chosen.
  constructor(name, goTo) {
    this.#name = name;
    this.#goTo = goTo;
    this.element = make("section", { class: "card days", "aria-label": "Recordings" },
      make("h3", {}, "Recordings"),
      make("div", { class: "row day" }, this.#earlier, this.#select, this.#later),
      this.#none, this.#list,
      make("p", { class: "quiet" }, zoneWords()));
    this.#select.addEventListener("change", () => this.showDay(this.#select.value));
    this.#earlier.addEventListener("click", () => this.#move(1));
    this.#later.addEventListener("click", () => this.#move(-1));
    const look = () => this.#look();
    look();
    this.#end = whileSeen(LOOK_EVERY_MS, look);
  }

  end() {
    this.#end();
  }

  showDay(day) {
    if (day === this.#day) return;
    this.#day = day;
    this.#fillDays();
    this.#fill().catch((fault) => say(this.#none, `The recordings cannot be listed: ${fault.message}.`));
  }

  // Marks the stretch that is played.
  showMoment(at) {
    this.#at = at;
    for (const item of this.#list.querySelectorAll("[data-from]")) {
      const isHere = at >= item.dataset.from - 0.5 && at <= Number(item.dataset.to) + 0.5;
      if (isHere) item.setAttribute("aria-current", "true"); else item.removeAttribute("aria-current");
    }
  }

  #move(by) {
    const to = this.#days[this.#days.indexOf(this.#day) + by];
    if (to) this.showDay(to);
  }

  async #look() {
    try {
      const { cameras } = await ask("GET", "recordings");
      const found = cameras.find(({ name }) => name === this.#name);
      this.#days = found?.first ? localDays(found) : [];
      this.#fillDays();
      if (this.#day) await this.#fill();
    } catch (fault) {
      say(this.#none, `The recordings cannot be listed: ${fault.message}.`);
    }
  }

  #fillDays() {
    const days = this.#days.includes(this.#day) || !this.#day ? this.#days : [...this.#days, this.#day].sort().reverse();
    this.#days = days;
    const key = `${days} ${this.#day}`;
    if (this.#select.dataset.key !== key) {
      this.#select.dataset.key = key;
      const now = Date.now() / 1000;
      this.#select.replaceChildren(...days.map((day) => make("option", { value: day, selected: day === this.#day }, dayWords(day, now))));
    }
    const at = days.indexOf(this.#day);
    this.#earlier.disabled = at < 0 || at === days.length - 1;
    this.#later.disabled = at <= 0;
  }

  async #fill() {
    const day = this.#day;
    const [from, to] = endsOf(day);
    const end = to - 0.001;
    const query = new URLSearchParams({ camera: this.#name, from, to: end, limit: MOST_EVENTS });
    const [{ stretches }, found] = await Promise.all([ask("GET", path(this.#name, "", { from, to: end })), askIfThere(`events?${query}`)]);
    const events = eventsOf(found) ?? [];
    if (day !== this.#day) return;
    const listed = JSON.stringify([day, stretches.map((each) => [each.from, Math.round(each.to / 60)]), events.map(({ id, end }) => [id, end])]);
    if (listed === this.#listed) return;
    this.#listed = listed;
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.dataset.at : undefined;
    say(this.#none, stretches.length ? "" : "Nothing is recorded on this day.");
    this.#list.replaceChildren(...[...stretches].reverse().map((stretch, index, all) => this.#item(stretch, all[index + 1], events)));
    this.showMoment(this.#at);
    if (this.#scrolled !== day) this.#scroll(day);
    if (focused) this.#list.querySelector(`[data-at="${focused}"]`)?.focus({ preventScroll: true });
  }

  // Where the list has a bar of its own, what is played is in sight when a day is opened.
  #scroll(day) {
    this.#scrolled = day;
    const here = this.#list.querySelector("[aria-current]");
    if (here) this.#list.scrollTop += here.getBoundingClientRect().top - this.#list.getBoundingClientRect().top;
  }

  // `before` is the stretch before it.
  #item({ from, to, gap }, before, events) {
    const jump = (at, ...words) => {
      const button = make("button", { type: "button" }, ...words);
      button.dataset.at = at;
      button.addEventListener("click", () => this.#goTo(at));
      return button;
    };
    const within = events.filter(({ start }) => start >= from && start <= to);
    const hours = to - from > LONG_S ? fullHours(from, to) : [];
    const gap_s = before ? from - before.to : 0;
    const item = make("li", {},
      jump(from, make("strong", {}, `${timeOf(from)} – ${timeOf(to)}`), make("span", { class: "quiet" }, ` ${lengthWords(to - from)}`)),
      hours.length ? make("div", { class: "hours" }, hours.map((hour) => jump(hour, timeOf(hour).slice(0, 5)))) : undefined,
      within.length ? make("div", { class: "hours" }, within.map((event) =>
        jump(Math.max(from, event.start - LEAD_S), `${kindWords(event.kind)} ${timeOf(event.start)}`))) : undefined,
      gap && (gap_s > GAP_S || !before) ? make("p", { class: "quiet gap" },
        `${before ? `${lengthWords(gap_s)} not recorded` : "Not recorded before"}: ${GAPS[gap] ?? gap}`) : undefined);
    item.dataset.from = from;
    item.dataset.to = to;
    return item;
  }
}

// The server's days begin at midnight UTC; those of this browser may overlap two of them.
function localDays({ days, first, last }) {
  const found = new Set();
  for (const day of days) {
    const begin = Date.parse(`${day}T00:00:00Z`) / 1000;
    for (const at of [begin, begin + 86_399]) found.add(dayOf(Math.min(Math.max(at, first), last)));
  }
  return [...found].sort().reverse();
}

function fullHours(from, to) {
  const found = [];
  for (let hour = Math.ceil(from / 3600) * 3600; hour < to; hour += 3600) found.push(hour);
  return found.reverse();
}
