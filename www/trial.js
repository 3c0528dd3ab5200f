// What settings of the detection that are not applied would have reported in the last minutes, beside what was reported.

import { ask, askIfThere } from "./api.js";
import { act, make, plural, say, sentence } from "./dom.js";
import { eventOf, eventsOf, LEAD_S, sizeWords } from "./happenings.js";
import { inAddress, lengthWords, momentIn, timeOf } from "./moments.js";

// What the two report of the same motion need not begin and end at the same look.
const NEAR_S = 2;
const MOST = 1000;
const SOURCES = { memory: "kept in memory", recordings: "from its recordings" };

// `settings` gives those to try, or undefined where something is wrong with them. `changed` is to be called when they change.
export function trial(name, settings) {
  const button = make("button", { type: "button", name: "try" }, "Try");
  const [summary, stale] = [make("p", { role: "status" }), make("p", { class: "quiet", hidden: true }, "The settings were changed since.")];
  const host = make("div", {});
  button.addEventListener("click", () => act(button, async () => {
    const motion = settings();
    if (!motion) return;
    say(summary, "Looking at the last minutes …");
    stale.hidden = true;
    host.replaceChildren();
    try {
      await fill(name, motion, summary, host);
    } catch (fault) {
      say(summary, `${sentence(fault.message)}.`);
    }
  }));
  return {
    changed: () => { stale.hidden = !host.childElementCount; },
    element: make("section", { class: "trial", "aria-label": "Try" },
      make("h3", {}, "Try the settings"),
      make("p", { class: "quiet" }, "Try shows what these settings would have reported in the last 10 minutes, before you apply them."),
      make("div", { class: "row" }, button), summary, stale, host),
  };
}

async function fill(name, motion, summary, host) {
  const { from, to, looks, source, stopped_early: isCut, events } = await ask("POST", `cameras/${encodeURIComponent(name)}/motion/replay`, { motion });
  if (!looks) {
    say(summary, "The detector has not examined this camera yet. Try again in a minute.");
    return;
  }
  const span = new URLSearchParams({ camera: name, kind: "motion", from, to, limit: MOST });
  const [reported, recordings] = await Promise.all([askIfThere(`events?${span}`), askIfThere("recordings").catch(() => undefined)]);
  const found = events.filter(({ kind }) => kind === "motion").map(eventOf);
  const before = eventsOf(reported) ?? [];
  const [begin, end] = [from, to].map(momentIn);
  say(summary, `${lengthWords(end - begin)} until ${timeOf(end)} (${plural(looks, "examined picture")} ${SOURCES[source] ?? ""}). ` +
    `Reported: ${before.length}. With these settings: ${found.length}.${isCut ? " This took too long: later pictures are left out." : ""}`);
  const camera = recordings?.cameras.find((each) => each.name === name);
  const isRecorded = (at) => camera?.first && at >= camera.first && (at <= camera.last || camera.state === "recording");
  const rows = paired(before, found).map(([was, is]) => {
    const { start } = was ?? is;
    const time = isRecorded(start)
      ? make("a", { href: `?camera=${encodeURIComponent(name)}&at=${inAddress(Math.max(begin, start - LEAD_S))}`, target: "_blank" }, timeOf(start))
      : timeOf(start);
    return make("tr", { class: was && is ? "" : "differs" }, make("th", { scope: "row" }, time), make("td", {}, words(was)), make("td", {}, words(is)));
  });
  if (!rows.length) return;
  const heads = ["Time", "Was reported", "These settings"].map((each) => make("th", { scope: "col" }, each));
  host.replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, heads)), make("tbody", {}, rows)));
}

// The same motion beside each other, in the order of time.
function paired(before, found) {
  const left = [...found];
  const ends = ({ start, end }) => [start - NEAR_S, (end ?? Infinity) + NEAR_S];
  const rows = before.map((was) => {
    const [from, to] = ends(was);
    const at = left.findIndex((is) => is.start <= to && (is.end ?? Infinity) >= from);
    return [was, at < 0 ? undefined : left.splice(at, 1)[0]];
  });
  return [...rows, ...left.map((is) => [undefined, is])].sort(([was, is], [other, another]) => (was ?? is).start - (other ?? another).start);
}

function words(event) {
  if (!event) return "no";
  const { start, end, zone } = event;
  return [end === null ? "goes on" : lengthWords(end - start), sizeWords(event), zone].filter(Boolean).join(", ");
}
