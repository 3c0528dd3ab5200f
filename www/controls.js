// Size, rate, quality and the camera's own controls, for admins.

import { ask, askIfThere } from "./api.js";
import { act, make, note, sentence } from "./dom.js";

// A slider that is drawn sends no more than so often.
const SEND_EVERY_MS = 150;

const path = (name) => `cameras/${encodeURIComponent(name)}`;

// Fills `host` with what the camera can be told; leaves it hidden where there is nothing.
export async function showControls(host, name) {
  const found = await askIfThere(path(name)).catch(() => undefined);
  if (!found || host.dataset.of !== name || host.childElementCount) return;
  const keep = make("input", { type: "checkbox" });
  const controls = new Map();
  const send = async (wish) => {
    const camera = await ask("PUT", path(name), { ...wish, save: keep.checked });
    for (const control of camera.controls ?? []) controls.get(control.name)?.show(control);
  };
  host.append(make("h2", {}, "Image"), make("label", { class: "check" }, keep, "Keep changes after a restart"));
  if (found.settings) host.append(settingsForm(found.settings, send));
  for (const control of found.controls ?? []) {
    const field = controlField(control, send);
    controls.set(control.name, field);
  }
  if (controls.size) {
    host.append(make("div", { class: "controls" }, [...controls.values()].map(({ element }) => element)),
      resetButton(found.controls, send));
  }
  host.hidden = !found.settings && !controls.size;
}

function settingsForm(settings, send) {
  const number = (key, label, attributes) => make("label", {}, label,
    make("input", { name: key, type: "number", value: settings[key], required: true, ...attributes }));
  const form = make("form", { class: "row settings" },
    number("width", "Width", { min: 16, step: 1 }),
    number("height", "Height", { min: 16, step: 1 }),
    number("fps", "Frames a second", { min: 1, max: 240, step: 1 }),
    number("quality", "JPEG quality", { min: 1, max: 100, step: 1, title: "Where Defender encodes" }),
    make("button", {}, "Apply"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form, async () => {
      const asked = Object.entries(Object.fromEntries(new FormData(form))).map(([key, text]) => [key, Number(text)]);
      const changed = asked.filter(([key, value]) => value !== settings[key]);
      await send(Object.fromEntries(changed));
      Object.assign(settings, Object.fromEntries(changed));
      return changed.length ? "applied" : "nothing was changed";
    });
  });
  return form;
}

function resetButton(controls, send) {
  const plain = controls.filter(({ kind, read_only, inactive }) => kind !== "button" && !read_only && !inactive);
  const button = make("button", { type: "button" }, "Back to the camera's own values");
  button.addEventListener("click", () => act(button, async () => {
    await send({ controls: Object.fromEntries(plain.map((control) => [control.name, control.default])) });
    return "the camera has its own values again";
  }));
  return button;
}

// One control: its element, and `show` to make it tell a new value.
function controlField(control, send) {
  const set = (value) => send({ controls: { [control.name]: value } }).catch((fault) => note(fault.message, true));
  const kinds = { boolean: tick, menu, button: push };
  return (kinds[control.kind] ?? slider)(control, gently(set));
}

function slider(control, set) {
  const { min, max, step } = control;
  const input = make("input", { type: "range", min, max, step: step || 1, "aria-label": control.label, name: control.name });
  const output = make("output");
  input.addEventListener("input", () => {
    output.textContent = input.value;
    set(input.valueAsNumber);
  });
  const show = ({ value, inactive, read_only }) => {
    // Not under the finger that moves it.
    if (!input.matches(":active")) input.value = value;
    output.textContent = input.value;
    input.disabled = inactive || read_only;
  };
  show(control);
  return { show, element: make("label", { class: "slider" }, make("span", {}, control.label), input, output) };
}

function tick(control, set) {
  const input = make("input", { type: "checkbox", name: control.name });
  input.addEventListener("change", () => set(Number(input.checked)));
  const show = ({ value, inactive, read_only }) => {
    input.checked = Boolean(value);
    input.disabled = inactive || read_only;
  };
  show(control);
  return { show, element: make("label", { class: "check" }, input, control.label) };
}

function menu(control, set) {
  const select = make("select", { name: control.name }, control.menu.map(({ value, name }) => make("option", { value }, name)));
  select.addEventListener("change", () => set(Number(select.value)));
  const show = ({ value, inactive, read_only }) => {
    select.value = value;
    select.disabled = inactive || read_only;
  };
  show(control);
  return { show, element: make("label", {}, control.label, select) };
}

function push(control, set) {
  const button = make("button", { type: "button", name: control.name }, sentence(control.label));
  button.addEventListener("click", () => set(1));
  const show = ({ inactive, read_only }) => { button.disabled = inactive || read_only; };
  show(control);
  return { show, element: button };
}

// One request at a time, and the last value always arrives.
function gently(set) {
  let [next, isSending] = [undefined, false];
  return async (value) => {
    next = { value };
    if (isSending) return;
    isSending = true;
    while (next) {
      const { value: now } = next;
      next = undefined;
      await set(now);
      await new Promise((rest) => setTimeout(rest, SEND_EVERY_MS));
    }
    isSending = false;
  };
}
