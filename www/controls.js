// Size, rate, quality and the camera's own controls, for admins. A change works at once; it outlasts a
// restart only where that is asked for.
//
// A slider that moves would otherwise write the stored settings at each step.

import { ask, askIfThere } from "./api.js";
import { act, field, labelled, make, note, sentence, setWrong } from "./dom.js";

// A slider that is drawn sends no more than so often.
const SEND_EVERY_MS = 150;

const path = (name) => `cameras/${encodeURIComponent(name)}`;

let shown;

// Fills `host` with what the camera can be told; leaves it hidden where there is nothing. What is there
// already stays where it is, with its focus, and gets new values.
export async function showControls(host, name) {
  const found = await askIfThere(path(name));
  if (!found || host.dataset.of !== name) return;
  const fixed = found.controls?.map(({ value, inactive, ...rest }) => rest);
  const shape = JSON.stringify([name, found.keeps, Boolean(found.settings), found.sizes, fixed]);
  if (host.childElementCount && shown.shape === shape) {
    shown.show(found);
    return;
  }
  const focused = host.contains(document.activeElement) ? document.activeElement.name : undefined;
  const { show, elements } = panel(found);
  shown = { shape, show };
  host.replaceChildren(...elements);
  host.hidden = !found.settings && !found.controls?.length;
  if (focused) host.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function panel({ name, keeps, settings, controls, sizes }) {
  const fields = new Map();
  // Beside the control that the camera refused, if it can be told which.
  const refused = (fault, tried) => {
    const named = tried.filter((control) => fault.message.includes(control));
    const input = fields.get((named.length ? named : tried)[0])?.element.querySelector("[name]");
    if (input && (named.length || tried.length === 1)) setWrong(input, fault.message);
    else note(fault.message, true);
  };
  const sender = new Sender(name, { show: (camera) => show(camera), refused });
  const form = settings ? settingsForm(settings, sizes ?? [], sender) : undefined;
  for (const control of controls ?? []) fields.set(control.name, controlField(control, (value) => sender.set(control.name, value)));
  const show = (camera) => {
    if (camera.settings) form?.show(camera.settings);
    // What was changed since is newer than what the server says.
    for (const control of camera.controls ?? []) if (!sender.holds(control.name)) fields.get(control.name)?.show(control);
  };
  return {
    show,
    elements: [
      make("h2", {}, "Image"),
      ...(form ? [form.element] : []),
      ...(fields.size ? [make("div", { class: "controls" }, [...fields.values()].map(({ element }) => element))] : []),
      make("div", { class: "row keep" }, keeping(keeps, sender), fields.size ? resetButton(name, sender) : undefined),
    ],
  };
}

function keeping(keeps, sender) {
  const words = make("p", { class: "quiet" });
  if (keeps === false) {
    words.textContent = "Changes work at once and last until the server restarts: it has nowhere to keep them.";
    return [words];
  }
  words.textContent = "Changes work at once. To have them after a restart too, keep them.";
  const button = make("button", { type: "button", name: "keep" }, "Keep changes");
  button.addEventListener("click", () => act(button, async () => {
    await sender.send({ save: true });
    return "kept for after a restart";
  }));
  return [words, button];
}

// Tells the camera, with one request at a time, and `show` what it has then; `refused` why it does not
// take controls that were set, and their names.
class Sender {
  #name;
  #show;
  #refused;
  #wanted = {};
  #last = Promise.resolve();
  #setting;

  constructor(name, { show, refused }) {
    this.#name = name;
    this.#show = show;
    this.#refused = refused;
  }

  // Whether a value of this control waits to be sent.
  holds(control) {
    return control in this.#wanted;
  }

  // After all that was set before.
  async send(wish) {
    await this.#setting;
    await this.#put(wish);
  }

  // Of a control that is set quickly only the newest value is sent.
  set(control, value) {
    this.#wanted[control] = value;
    this.#setting ??= this.#sendWanted();
  }

  async #sendWanted() {
    while (Object.keys(this.#wanted).length) {
      const controls = this.#wanted;
      this.#wanted = {};
      await this.#put({ controls }).catch((fault) => this.#failed(fault, Object.keys(controls)));
      await new Promise((rest) => setTimeout(rest, SEND_EVERY_MS));
    }
    this.#setting = undefined;
  }

  #put(wish) {
    const put = this.#last.then(async () => this.#show(await ask("PUT", path(this.#name), wish)));
    this.#last = put.catch(() => {});
    return put;
  }

  // Back to what the camera really has.
  async #failed(fault, tried) {
    this.#refused(fault, tried);
    const camera = await askIfThere(path(this.#name)).catch(() => undefined);
    if (camera) this.#show(camera);
  }
}

// The field that the server's words are about.
const blame = (words) => [["width", /\bwidth\b|\bsize\b/], ["height", /\bheight\b/], ["fps", /\bfps\b/], ["quality", /\bquality\b/]]
  .find(([, about]) => about.test(words))?.[0];

function settingsForm(settings, sizes, sender) {
  const number = (key, label, attributes) => field(label,
    make("input", { name: key, type: "number", value: settings[key], required: true, ...attributes }));
  const form = make("form", { class: "row settings" },
    sizes.length ? sizeField(sizes) : undefined,
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
      await sender.send(Object.fromEntries(changed));
      return changed.length ? "applied" : "nothing was changed";
    }, blame);
  });
  const sizeNow = () => {
    const size = form.querySelector("[data-sizes]");
    if (size) size.value = sizes.map(sizeName).find((name) => name === sizeName(sideValues(form))) ?? "";
  };
  form.addEventListener("input", sizeNow);
  // A number that is being typed stays.
  const show = (camera) => {
    for (const input of form.querySelectorAll("input")) {
      if (input.value === String(settings[input.name])) input.value = camera[input.name];
      settings[input.name] = camera[input.name];
    }
    sizeNow();
  };
  sizeNow();
  return { element: form, show };
}

const sizeName = ({ width, height }) => `${width} × ${height}`;
const sideValues = (form) => ({ width: form.elements.width.value, height: form.elements.height.value });

// What the camera has; a choice fills in both numbers.
function sizeField(sizes) {
  const select = make("select", {}, sizes.map((size) => make("option", { value: sizeName(size) }, sizeName(size))), make("option", { value: "" }, "another"));
  select.dataset.sizes = "";
  select.addEventListener("input", (event) => {
    event.stopPropagation();
    const size = sizes.find((each) => sizeName(each) === select.value);
    if (!size) return;
    for (const side of ["width", "height"]) {
      const input = select.form.elements[side];
      input.value = size[side];
      setWrong(input, "");
    }
  });
  return make("div", { class: "field" }, make("label", {}, "Size", select));
}

function resetButton(name, sender) {
  const button = make("button", { type: "button", name: "reset" }, "Back to the camera's own values");
  button.addEventListener("click", () => act(button, async () => {
    // As they are now: what an automatic governs cannot be set.
    const { controls } = await ask("GET", path(name));
    const plain = controls.filter(({ kind, read_only, inactive }) => kind !== "button" && !read_only && !inactive);
    await sender.send({ controls: Object.fromEntries(plain.map((control) => [control.name, control.default])) });
    return "the camera has its own values again";
  }));
  return button;
}

// One control: its element, and `show` to make it tell a new value. Calls `set` with each that is chosen.
function controlField(control, set) {
  const kinds = { boolean: tick, menu, button: push };
  return (kinds[control.kind] ?? slider)(control, set);
}

function slider(control, set) {
  const { min, max, step } = control;
  const input = make("input", { type: "range", min, max, step: step || 1, "aria-label": control.label, name: control.name });
  const output = make("output");
  const tell = () => {
    const word = control.menu?.find(({ value }) => value === input.valueAsNumber)?.name;
    if (word) input.setAttribute("aria-valuetext", word); else input.removeAttribute("aria-valuetext");
    output.textContent = word ?? input.value;
  };
  input.addEventListener("input", () => {
    tell();
    set(input.valueAsNumber);
  });
  const show = ({ value, inactive, read_only }) => {
    // Not under the finger that moves it.
    if (!input.matches(":active")) input.value = value;
    tell();
    input.disabled = inactive || read_only;
  };
  show(control);
  return { show, element: labelled(make("label", { class: "slider" }, make("span", {}, control.label), input, output), input) };
}

function tick(control, set) {
  const input = make("input", { type: "checkbox", name: control.name });
  input.addEventListener("change", () => set(Number(input.checked)));
  const show = ({ value, inactive, read_only }) => {
    input.checked = Boolean(value);
    input.disabled = inactive || read_only;
  };
  show(control);
  return { show, element: labelled(make("label", { class: "check" }, input, control.label), input) };
}

function menu(control, set) {
  const select = make("select", { name: control.name }, control.menu.map(({ value, name }) => make("option", { value }, name)));
  select.addEventListener("change", () => set(Number(select.value)));
  const show = ({ value, inactive, read_only }) => {
    select.value = value;
    select.disabled = inactive || read_only;
  };
  show(control);
  return { show, element: labelled(make("label", {}, control.label, select), select) };
}

function push(control, set) {
  const button = make("button", { type: "button", name: control.name }, sentence(control.label));
  button.addEventListener("click", () => set(1));
  const show = ({ inactive, read_only }) => { button.disabled = inactive || read_only; };
  show(control);
  return { show, element: labelled(button, button) };
}
