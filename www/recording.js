// What is recorded, how much room it takes, and how each camera is recorded; for admins.

import { ask, askIfThere } from "./api.js";
import { act, confirmed, field, make, NOT_SAVED, plural, say, sentence, styled, whileSeen } from "./dom.js";
import { blame, settingInput, showIn, shownIn } from "./inputs.js";
import { dayAndTime, sizeWords } from "./moments.js";
import { OverridesList, settingsOf } from "./overrides.js";
import { zoneWords } from "./zone.js";

const LOOK_EVERY_MS = 5000;

const STATES = {
  recording: "being recorded", waiting: "waiting for an event", "no picture": "no picture to record",
  stopped: "stopped", failed: "recording failed", off: "not recorded",
};
const REASONS = {
  age: "older than the set number of days", "camera limit": "above the limit of the camera",
  space: "to make room", "space events": "to make room, although they contain events",
};
const WHEN = { off: "never", always: "always", events: "at events", "idle+events": "at events in full, a few pictures a second between them" };

// The settings that are seen at once; the others are under "More".
const FIRST = ["when", "days", "event_days", "microphone"];

const path = (name) => `cameras/${encodeURIComponent(name)}`;

export async function show(section, status) {
  const [found] = await Promise.all([askIfThere("recordings"), styled("recording.css")]);
  if (!found) {
    section.append(make("p", {}, "This server does not record."));
    return undefined;
  }
  const [problems, store, gone] = [make("div", { class: "problems", role: "status" }), make("div", { class: "store card" }), make("p", { class: "quiet" })];
  const service = serviceRow();
  const cards = new Map();
  const list = make("div", { class: "users" });
  section.append(problems, service.element, store, list, gone, make("p", { class: "quiet" }, zoneWords()));
  const fill = (recordings, health) => {
    fillProblems(problems, recordings, health);
    service.show(recordings.stopped_by);
    fillStore(store, recordings);
    say(gone, sacrificed(recordings));
    for (const camera of recordings.cameras) cards.get(camera.name)?.show(camera);
  };
  const microphones = status.microphones.map(({ name }) => name);
  const made = await Promise.all(found.cameras.map(async ({ name }) => [name, await cameraCard(name, microphones)]));
  for (const [name, card] of made) {
    cards.set(name, card);
    list.append(card.element);
  }
  fill(found, status);
  return whileSeen(LOOK_EVERY_MS, async () => fill(...await Promise.all(["recordings", "status"].map((what) => ask("GET", what)))));
}

function fillProblems(list, { problem, warning, cameras, stopped_by: stopper }, { journal }) {
  const words = [
    stopper ? `Nothing is recorded: ${stopper} stopped it.` : "",
    ...[problem, warning].map((each) => (each ? `${sentence(each)}.` : "")),
    journal?.problem ? `Events: ${journal.problem}.` : "",
    ...cameras.map((camera) => (camera.problem ? `${camera.name}: ${camera.problem}.` : "")),
  ].filter(Boolean);
  if (list.dataset.shown === words.join()) return;
  list.dataset.shown = words.join();
  list.replaceChildren(...words.map((each) => make("p", { class: "bad" }, each)));
}

// How full it is: what recordings use, what others use, what is free and may be used.
function fillStore(host, { dir_bytes: used, free_bytes: free, max_bytes: most, min_free_bytes: least, fits_days: days }) {
  const limit = free === null ? most : Math.min(most ?? Infinity, used + Math.max(0, free - least));
  const rows = [
    ["Used by recordings", `${sizeWords(used)}${limit === null ? "" : ` of ${sizeWords(limit)}`}`],
    ["Free on the disk", free === null ? "not known" : `${sizeWords(free)}, of which ${sizeWords(least)} stay free`],
    ["Fits at the present rate", days === null ? "not known yet" : `about ${daysWords(days)}`],
  ];
  const key = JSON.stringify(rows);
  if (host.dataset.shown === key) return;
  host.dataset.shown = key;
  const meter = make("meter", { min: 0, max: limit || 1, value: used, "aria-label": "Used by recordings" });
  host.replaceChildren(meter, make("dl", {}, rows.flatMap(([term, words]) => [make("dt", {}, term), make("dd", {}, words)])));
}

const daysWords = (days) => (days >= 10 ? plural(Math.round(days), "day") : days >= 1 ? `${days.toFixed(1)} days` : `${Math.round(days * 24)} h`);

// What was given up since the server started, and why.
function sacrificed({ deleted, thinned }) {
  const parts = deleted.filter(({ segments }) => segments)
    .map(({ reason, segments, bytes }) => `${plural(segments, "file")} (${sizeWords(bytes)}) deleted: ${REASONS[reason] ?? reason}`);
  if (thinned.segments) parts.push(`${plural(thinned.segments, "file")} thinned, which freed ${sizeWords(thinned.bytes)}`);
  return parts.length ? `Since the server started: ${parts.join("; ")}.` : "Nothing was deleted or thinned since the server started.";
}

function serviceRow() {
  let isRunning = true;
  const state = make("p", { role: "status" });
  const button = make("button", { type: "button" });
  button.dataset.service = "recording";
  const show = (stopper) => {
    isRunning = !stopper;
    say(state, isRunning ? "Running." : `Stopped by ${stopper}. Nothing is recorded, whatever happens.`);
    say(button, `${isRunning ? "Stop" : "Start"} recording`);
    button.classList.toggle("main", !isRunning);
  };
  button.addEventListener("click", () => act(button, async () => {
    if (isRunning && !await confirmed("Stop recording? Nothing is recorded until it is started again.", "Stop recording")) return undefined;
    const { running, stopped_by: stopper } = await ask("PUT", "services/recording", { running: !isRunning });
    show(running ? null : stopper ?? "you");
    return `recording ${running ? "is running" : "was stopped"}`;
  }));
  return { show, element: make("div", { class: "card row" }, make("h3", {}, "Recording"), state, button) };
}

async function cameraCard(name, microphones) {
  const prefix = `camera.${name}.record.`;
  const [camera, rows] = await Promise.all([askIfThere(path(name)), settingsOf(prefix)]);
  const state = make("p", { class: "quiet" });
  const footage = make("p", {});
  const show = ({ state: is, first, last, bytes, missed }) => {
    say(state, sentence(STATES[is] ?? is));
    const words = first === null ? "nothing is recorded"
      : [`${dayAndTime(first)} to ${dayAndTime(last)}`, sizeWords(bytes), missed && `${plural(missed, "picture")} missed`].filter(Boolean).join(" · ");
    if (footage.dataset.shown === words) return;
    footage.dataset.shown = words;
    footage.replaceChildren(sentence(words), ...(first === null ? [] : [" ", make("a", { href: `?camera=${encodeURIComponent(name)}&at=${last.toFixed(0)}` }, "Watch")]));
  };
  const record = camera?.settings?.record;
  const form = record ? recordForm(name, { camera, record, rows, microphones, prefix }) : [make("p", { class: "quiet" }, "It is set in defender.conf, in [remote.NAME.record].")];
  const element = make("details", { class: "card", "data-name": name },
    make("summary", {}, make("strong", {}, name), state),
    make("div", { class: "footage" }, footage, ...form));
  return { element, show };
}

function recordForm(name, { camera, record, rows, microphones, prefix }) {
  let now = record;
  const overrides = new OverridesList(prefix, async () => apply((await ask("GET", path(name))).settings.record));
  overrides.show(rows);
  const described = rows.map((row) => ({ ...row, key: row.name.slice(prefix.length) }));
  const inputs = described.filter(({ key }) => key in record).map((row) => [row, inputOf(row, microphones, record)]);
  const fields = ([{ key, label, hint }, input]) => {
    const made = field(label, input);
    // What is chosen by words needs no more.
    if (hint && !["when", "microphone"].includes(key)) made.append(make("p", { class: "quiet hint" }, hint));
    return made;
  };
  const [first, more] = [true, false].map((isFirst) => inputs.filter(([{ key }]) => FIRST.includes(key) === isFirst));
  const apply = (found) => {
    now = found;
    for (const [{ key }, input] of inputs) showIn(input, found[key]);
  };
  apply(record);
  const form = make("form", {},
    make("div", { class: "grid" }, first.map(fields)),
    more.length ? make("details", { class: "more" }, make("summary", {}, "More"), make("div", { class: "grid" }, more.map(fields))) : undefined,
    make("div", { class: "row" }, make("button", { class: "main" }, camera.keeps === false ? "Apply" : "Save")),
    camera.keeps === false ? make("p", { class: "quiet" }, NOT_SAVED) : undefined);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form, async () => {
      const changed = inputs.map(([{ key }, input]) => [key, shownIn(input)]).filter(([key, value]) => value !== now[key]);
      if (!changed.length) return "nothing was changed";
      const change = { record: Object.fromEntries(changed), ...(camera.keeps === false ? {} : { save: true }) };
      apply((await ask("PUT", path(name), change)).settings.record);
      overrides.show(await settingsOf(prefix));
      return camera.keeps === false ? "applied" : "saved";
    }, blame(described));
  });
  return [form, overrides.element];
}

// A microphone is chosen among those there are; what the words mean is said.
function inputOf(row, microphones, record) {
  if (row.key === "microphone") {
    const names = new Set([...microphones, record.microphone].filter(Boolean));
    return make("select", { name: row.key }, make("option", { value: "" }, "none"), [...names].map((name) => make("option", { value: name }, name)));
  }
  if (row.key !== "when") return settingInput(row);
  return make("select", { name: row.key }, row.choices.map((choice) => make("option", { value: choice }, WHEN[choice] ?? choice)));
}
