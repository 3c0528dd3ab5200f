// Events as the server reports them: what they are called, what a user may do with them.

import { ask } from "./api.js";
import { act, confirmed, make } from "./dom.js";
import { icon } from "./icons.js";
import { dayAndTime, lengthWords, momentIn, timeOf } from "./moments.js";

// Playing begins so long before an event.
export const LEAD_S = 2;

export const KINDS = {
  manual: "Reported",
  motion: "Motion",
  sound: "Sound",
  covered: "Lens covered",
  dark: "Too dark",
  frozen: "Picture frozen",
  moved: "Camera moved",
  defocused: "Out of focus",
  "camera-lost": "Camera lost",
  "login-failed": "Failed sign-in",
  disk: "Recording stopped by the disk",
  board: "Board hot or short of power",
};

// An event of the API, with its moments in seconds, and no camera or zone as an empty name.
export const eventOf = ({ camera, zone, start, end, best, ...rest }) => ({
  ...rest, camera: camera ?? "", zone: zone ?? "", start: momentIn(start), end: end === null ? null : momentIn(end), best: best ? momentIn(best) : undefined,
});

// The newest ones first; undefined where the server keeps none.
export const eventsOf = (found) => found?.events.map(eventOf);

export const kindWords = (kind) => KINDS[kind] ?? kind;

// The size of motion as a part of the picture. Its score is the root of that, in 256ths.
export const sizeWords = ({ score }) => percentWords((score / 256) ** 2 * 100);

// Two figures are enough.
export const percentWords = (percent) => `${Number(percent.toPrecision(2))} %`;

// How strong an event was, in the unit of the setting that would have kept it away. The score of a sound is how far it is
// above the noise, in quarters of a decibel.
export function strengthWords(event) {
  if (!event.score) return "";
  if (event.kind === "motion") return `${sizeWords(event)} of the picture`;
  return event.kind === "sound" ? `${Math.round(event.score / 4)} dB above the noise` : "";
}

// "14:03:07, 12 s", or since when it goes on.
export function spanWords({ start, end }) {
  if (end === null) return `going on since ${timeOf(start)}`;
  return end - start < 1 ? timeOf(start) : `${timeOf(start)}, ${lengthWords(end - start)}`;
}

const path = ({ id }) => `events/${id}`;
const named = (event) => `${kindWords(event.kind).toLowerCase()}${event.camera && ` at ${event.camera}`}, ${dayAndTime(event.start)}`;

// A star: whether the event and its recording are kept. `changed` gets the event as it is then.
export function keepButton(event, changed) {
  const button = make("button", { type: "button", class: "keep" }, icon("i-star"));
  let now = event;
  const show = (found) => {
    now = found;
    button.setAttribute("aria-pressed", String(found.kept));
    button.setAttribute("aria-label", `Keep: ${named(found)}`);
    button.title = found.kept ? "Kept: never deleted to make room" : "Keep";
  };
  button.addEventListener("click", () => act(button, async () => {
    const found = eventOf(await ask("PUT", path(now), { keep: !now.kept }));
    show(found);
    changed(found);
    return found.kept ? "kept" : "not kept any more";
  }));
  show(event);
  return { element: button, show };
}

// Asks, and then deletes the event. What was recorded stays as long as it would without it.
export function deleteButton(event, deleted) {
  const button = make("button", { type: "button", class: "delete", title: "Delete", "aria-label": `Delete: ${named(event)}` }, icon("i-delete"));
  button.addEventListener("click", () => act(button, async () => {
    if (!await confirmed(`Delete this event (${named(event)})?`, "Delete")) return undefined;
    await ask("DELETE", path(event));
    deleted();
    return "deleted";
  }));
  return button;
}

// A form for the note of an event.
export function noteForm(event, changed) {
  const input = make("input", { type: "text", name: "note", maxLength: 200, value: event.note, "aria-label": "Note", placeholder: "Note" });
  const form = make("form", { class: "note" }, input, make("button", {}, "Save note"));
  form.addEventListener("submit", (submitted) => {
    submitted.preventDefault();
    act(form, async () => {
      changed(eventOf(await ask("PUT", path(event), { note: input.value })));
      return "note saved";
    });
  });
  return form;
}
