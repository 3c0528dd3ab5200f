// The last lines of the server's log and its level, for admins.

import { ask, askIfThere } from "./api.js";
import { act, localTime, make, NOT_SAVED, whileSeen } from "./dom.js";
import { OverridesList, settingsOf } from "./overrides.js";
import { zoneWords } from "./zone.js";

const LINES = 300;
const LOOK_EVERY_MS = 2000;
const LEVEL = "server.log_level";
const LEVELS = ["off", "error", "warn", "info", "debug", "trace"];

export async function show(section) {
  const [log, level, rows] = await Promise.all([askIfThere(`logs?lines=${LINES}`), askIfThere("logging"), settingsOf(LEVEL)]);
  if (level) section.append(...levelForm(level, rows));
  if (!log) {
    section.append(make("p", {}, "This server does not offer its log here."));
    return undefined;
  }
  const filter = make("input", { type: "search", "aria-label": "Only lines with", placeholder: "Only lines with …" });
  const list = make("div", { class: "log card", role: "log", "aria-label": "Log", "aria-live": "off", tabIndex: 0 });
  section.append(filter, make("p", { class: "quiet" }, zoneWords()), list);
  let lines = log.lines;
  const refill = () => fill(list, lines, filter.value.toLowerCase());
  filter.addEventListener("input", refill);
  refill();
  list.scrollTop = list.scrollHeight;
  return whileSeen(LOOK_EVERY_MS, async () => {
    ({ lines } = await ask("GET", `logs?lines=${LINES}`));
    refill();
  });
}

// Stays at the end where the reader is there.
function fill(list, lines, wanted) {
  const wasAtEnd = list.scrollTop + list.clientHeight > list.scrollHeight - 8;
  const shown = lines.map(localLine).filter((line) => line.toLowerCase().includes(wanted));
  const key = `${shown.length} ${shown[0]} ${shown.at(-1)}`;
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...shown.map((line) => {
    const level = /\b(ERROR|WARN|INFO|DEBUG|TRACE)\b/.exec(line)?.[1].toLowerCase() ?? "";
    return make("p", { class: level }, line);
  }));
  if (wasAtEnd) list.scrollTop = list.scrollHeight;
}

// Lines begin with their time in UTC.
function localLine(line) {
  const [stamp] = /^\d{4}-\d\d-\d\dT[\d:.]+Z/.exec(line) ?? [];
  const when = new Date(stamp);
  return Number.isNaN(when.getTime()) ? line : `${localTime(when)}${line.slice(stamp.length)}`;
}

function levelForm({ level: now, keeps }, rows) {
  const select = make("select", {}, LEVELS.map((level) => make("option", { selected: level === now }, level)));
  const save = make("input", { type: "checkbox" });
  const overrides = new OverridesList(LEVEL, async () => { select.value = (await ask("GET", "logging")).level; });
  overrides.show(rows);
  const form = make("form", { class: "row" },
    make("label", { class: "check" }, "Level", select),
    keeps === false ? undefined : make("label", { class: "check" }, save, "Save for the next start"),
    make("button", {}, "Set"),
    keeps === false ? make("p", { class: "quiet" }, NOT_SAVED) : undefined);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form, async () => {
      const { level } = await ask("PUT", "logging", { level: select.value, save: save.checked });
      if (save.checked) overrides.show(await settingsOf(LEVEL));
      return `the log level is ${level}`;
    });
  });
  return [form, overrides.element];
}
