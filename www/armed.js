// When motion counts: always, never, or at times of the server's clock such as "mon-fri 08:00-18:00".

import { button, labelled, make, setWrong } from "./dom.js";

const DAYS = [
  ["", "Every day"], ["mon-fri", "Monday to Friday"], ["sat-sun", "Saturday and Sunday"], ["mon", "Monday"], ["tue", "Tuesday"],
  ["wed", "Wednesday"], ["thu", "Thursday"], ["fri", "Friday"], ["sat", "Saturday"], ["sun", "Sunday"],
];
const CHOICES = [["always", "Always"], ["never", "Never"], ["times", "At these times of the server's clock"]];
// The first time that is offered.
const FIRST = "22:00-06:00";
// A field for times has no 24:00.
const MIDNIGHT = "00:00";

// The field and its value, as in the settings. `changed` is called when somebody changes it; `firstWrong` says beside
// each input what is wrong with it, and gives the first of these.
export function armedField(changed) {
  const list = make("div", { class: "times" });
  const rows = [];
  const put = (text) => {
    const row = timeRow(text, changed, () => {
      rows.splice(rows.indexOf(row), 1);
      row.element.remove();
      number();
      changed();
      add.focus();
    });
    rows.push(row);
    list.append(row.element);
    number();
    return row;
  };
  const number = () => rows.forEach((row, at) => row.number(at + 1, rows.length > 1));
  const add = button("add-time", "Add a period", () => {
    put(FIRST).focus();
    changed();
  });
  const at = make("div", { class: "at" }, list, add);
  const choice = (value, words) => {
    const input = make("input", { type: "radio", name: "armed", value });
    input.addEventListener("change", () => {
      if (!rows.length) put(FIRST);
      at.hidden = value !== "times";
      changed();
    });
    return [input, make("label", { class: "check" }, input, words)];
  };
  const choices = CHOICES.map(([value, words]) => choice(value, words));
  const chosen = () => choices.find(([input]) => input.checked)[0].value;
  const set = (armed) => {
    const isList = Array.isArray(armed) && armed.length > 0;
    const value = isList ? "times" : armed === "always" ? "always" : "never";
    for (const [input] of choices) input.checked = input.value === value;
    at.hidden = !isList;
    list.replaceChildren();
    rows.length = 0;
    if (isList) for (const text of armed) put(text);
  };
  set("always");
  return {
    element: make("fieldset", {}, make("legend", {}, "Armed"), choices.map(([, label]) => label), at),
    set,
    get value() {
      return chosen() === "times" ? rows.map((row) => row.value) : chosen();
    },
    firstWrong: () => (chosen() === "times" ? rows.map((row) => row.wrong()).find(Boolean) : undefined),
  };
}

// One stretch of time, of some days.
function timeRow(text, changed, removed) {
  const [, days = "", from = "", to = ""] = /^(?:(.*) )?(\S+?)-(\S+)$/.exec(text) ?? [];
  const known = DAYS.some(([value]) => value === days) ? DAYS : [...DAYS, [days, days]];
  const select = make("select", {}, known.map(([value, words]) => make("option", { value, selected: value === days }, words)));
  const [begin, end] = [from, to].map((time) => make("input", { type: "time", value: time === "24:00" ? MIDNIGHT : time }));
  const next = make("span", { class: "quiet" });
  const remove = make("button", { type: "button" }, "Remove");
  remove.addEventListener("click", removed);
  const row = make("div", { class: "row" }, select, begin, make("span", {}, "to"), end, next, remove);
  const show = () => { next.textContent = begin.value && end.value && end.value < begin.value && end.value !== MIDNIGHT ? "of the next day" : ""; };
  row.addEventListener("input", () => {
    setWrong(begin, "");
    setWrong(end, "");
    show();
    changed();
  });
  show();
  const written = () => `${select.value && `${select.value} `}${begin.value}-${end.value === MIDNIGHT ? "24:00" : end.value}`;
  const before = written();
  return {
    element: labelled(row, begin),
    get value() {
      return written() === before ? text : written();
    },
    focus: () => select.focus(),
    number(at, isRemovable) {
      select.setAttribute("aria-label", `Days of period ${at}`);
      begin.setAttribute("aria-label", `Start of period ${at}`);
      end.setAttribute("aria-label", `End of period ${at}`);
      remove.setAttribute("aria-label", `Remove period ${at}`);
      remove.hidden = !isRemovable;
    },
    wrong() {
      const empty = [begin, end].find(({ value }) => !value);
      const input = empty ?? (begin.value === end.value && end.value !== MIDNIGHT ? end : undefined);
      if (input) setWrong(input, empty ? "enter the hour and the minute" : "the end must differ from the start");
      return input;
    },
  };
}
