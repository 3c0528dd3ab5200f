// The settings of a camera and its own controls, for admins. A change works at once; it lasts after a
// restart only if it is saved.
//
// A slider that moves would otherwise write the stored settings at each step.

import { ask, askIfThere } from "./api.js";
import { act, field, labelled, make, NOT_SAVED, note, plural, say, sentence, setWrong } from "./dom.js";
import { blame, settingInput, showIn, shownIn } from "./inputs.js";
import { OverridesList, settingsOf } from "./overrides.js";
import { turnButtons } from "./turn.js";

// The least time between two requests of a slider that is moved.
const SEND_EVERY_MS = 150;

// The kinds of settings that one input can change. Masks are drawn: see masks.js.
const INPUTS = ["integer", "decimal", "boolean", "choice", "text"];

// Of a network camera or a socket, pictures come in a size of their own, and only raw ones are encoded here.
function hasEffect(key, { device, format }) {
  if (!/^(https?|unix):/.test(device)) return true;
  return !["width", "height"].includes(key) && (key !== "quality" || format.includes(":"));
}

const path = (name) => `cameras/${encodeURIComponent(name)}`;
const prefix = (name) => `camera.${name}.`;

let shown;

// Fills `host` with the camera's settings and controls, if `isWanted` says so still when they are known; leaves it hidden
// where there are none. What is there already stays where it is, with its focus, and gets new values.
export async function showControls(host, name, isWanted) {
  const [found, rows] = await Promise.all([askIfThere(path(name)), settingsOf(prefix(name))]);
  if (!found || !isWanted()) return;
  const fixed = found.controls?.map(({ value, inactive, ...rest }) => rest);
  const fields = rows.map(({ value, override, ...rest }) => rest);
  const shape = JSON.stringify([name, found.keeps, Boolean(found.settings), found.sizes, fixed, fields]);
  if (host.childElementCount && shown.shape === shape) {
    shown.show(found, rows);
    return;
  }
  const focused = host.contains(document.activeElement) ? document.activeElement.name : undefined;
  const { show, elements } = panel(found, rows);
  shown = { shape, show };
  host.replaceChildren(...elements);
  host.hidden = !found.settings && !found.controls?.length;
  if (focused) host.querySelector(`[name="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function panel({ name, keeps, settings, controls, sizes }, rows) {
  const fields = new Map();
  // Beside the control that the camera refused, if it is known which.
  const refused = (fault, tried) => {
    const named = tried.filter((control) => fault.message.includes(control));
    const input = fields.get((named.length ? named : tried)[0])?.element.querySelector("[name]");
    if (input && (named.length || tried.length === 1)) setWrong(input, fault.message);
    else note(fault.message, true);
  };
  const sender = new Sender(name, { show: (camera) => show(camera), refused });
  const keyed = rows.map((row) => ({ ...row, key: row.name.slice(prefix(name).length) }));
  const editable = keyed.filter(({ key, kind }) => key in (settings ?? {}) && INPUTS.includes(kind) && hasEffect(key, settings));
  const form = settings ? settingsForm(editable, settings, sizes ?? [], sender) : undefined;
  const overrides = new OverridesList(prefix(name), async () => show(await ask("GET", path(name))));
  for (const control of controls ?? []) fields.set(control.name, controlField(control, (value) => sender.set(control.name, value)));
  let now = settings;
  const turn = settings && "rotate" in settings ? turnButtons(() => now, (change) => sender.send(change)) : undefined;
  const masks = settings?.masks ? masksRow(name, settings) : undefined;
  const show = (camera, known) => {
    now = camera.settings;
    if (known) overrides.show(known);
    masks?.show(now);
    if (camera.settings) form?.show(camera.settings);
    // What was changed since is newer than what the server says.
    for (const control of camera.controls ?? []) if (!sender.holds(control.name)) fields.get(control.name)?.show(control);
  };
  overrides.show(rows);
  const saved = async () => overrides.show(await settingsOf(prefix(name)));
  return {
    show,
    elements: [
      make("h2", {}, "Image"),
      turn,
      settings?.record ? make("p", { class: "quiet" }, make("a", { href: "?settings=recording" }, "How it is recorded")) : undefined,
      masks?.element,
      ...(form ? [form.element] : []),
      ...(fields.size ? [make("div", { class: "controls" }, [...fields.values()].map(({ element }) => element))] : []),
      make("div", { class: "row save" }, saving(keeps, sender, saved), fields.size ? defaultsButton(name, sender) : undefined),
      overrides.element,
    ].filter(Boolean),
  };
}

// How many masks there are, and the ways to what is changed on the picture.
function masksRow(name, now) {
  const count = make("p", {});
  const show = ({ masks }) => say(count, masks.length ? plural(masks.length, "mask") : "No masks");
  show(now);
  const link = (edit, words) => make("a", { href: `?camera=${encodeURIComponent(name)}&edit=${edit}` }, words);
  // An older server has none, where another one is null.
  const motion = now.motion === undefined ? undefined : link("motion", "Motion");
  return { show, element: make("div", { class: "row" }, count, link("masks", "Edit masks"), motion) };
}

function saving(keeps, sender, saved) {
  const words = make("p", { class: "quiet" });
  if (keeps === false) {
    words.textContent = `Changes take effect at once. ${NOT_SAVED}`;
    return [words];
  }
  words.textContent = "Changes take effect at once. Save them to keep them after a restart.";
  const button = make("button", { type: "button", name: "save" }, "Save changes");
  button.addEventListener("click", () => act(button, async () => {
    await sender.send({ save: true });
    await saved();
    return "saved for the next start";
  }));
  return [words, button];
}

// Sends changes to the camera, one request at a time. Calls `show` with the camera after each, and `refused`
// with the reason and the names of controls that the camera did not take.
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

  // Whether a value of this control is waiting to be sent.
  holds(control) {
    return control in this.#wanted;
  }

  // After all that was set before.
  async send(change) {
    await this.#setting;
    await this.#put(change);
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

  #put(change) {
    const put = this.#last.then(async () => this.#show(await ask("PUT", path(this.#name), change)));
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

function settingsForm(editable, settings, sizes, sender) {
  const inputs = editable.map((row) => {
    const input = settingInput(row);
    showIn(input, settings[row.key]);
    return [row, input];
  });
  const form = make("form", { class: "row settings" },
    sizes.length ? sizeField(sizes) : undefined,
    inputs.map(([{ label }, input]) => field(label, input)),
    make("div", { class: "apply" }, make("button", {}, "Apply")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form, async () => {
      const asked = inputs.map(([{ key }, input]) => [key, shownIn(input)]);
      const changed = asked.filter(([key, value]) => value !== settings[key]);
      await sender.send(Object.fromEntries(changed));
      return changed.length ? "applied" : "nothing was changed";
    }, blame(editable));
  });
  const sizeNow = () => {
    const size = form.querySelector("[data-sizes]");
    if (size) size.value = sizes.map(sizeName).find((name) => name === sizeName(sideValues(form))) ?? "";
  };
  form.addEventListener("input", sizeNow);
  // A number that is being typed stays.
  const show = (camera) => {
    for (const [{ key }, input] of inputs) {
      if (shownIn(input) === settings[key]) showIn(input, camera[key]);
      settings[key] = camera[key];
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
  const select = make("select", {}, sizes.map((size) => make("option", { value: sizeName(size) }, sizeName(size))), make("option", { value: "" }, "other size"));
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

function defaultsButton(name, sender) {
  const button = make("button", { type: "button", name: "defaults" }, "Reset controls to the camera's defaults");
  button.addEventListener("click", () => act(button, async () => {
    // As they are now: a control that an automatic governs cannot be set.
    const { controls } = await ask("GET", path(name));
    const plain = controls.filter(({ kind, read_only, inactive }) => kind !== "button" && !read_only && !inactive);
    await sender.send({ controls: Object.fromEntries(plain.map((control) => [control.name, control.default])) });
    return "the controls were reset";
  }));
  return button;
}

// One control: its element, and `show`, which shows a new value. Calls `set` with each value that is chosen.
function controlField(control, set) {
  const kinds = { boolean: tick, menu, button: push };
  return (kinds[control.kind] ?? slider)(control, set);
}

function slider(control, set) {
  const { min, max, step } = control;
  const input = make("input", { type: "range", min, max, step: step || 1, "aria-label": control.label, name: control.name });
  const output = make("output");
  const display = () => {
    const word = control.menu?.find(({ value }) => value === input.valueAsNumber)?.name;
    if (word) input.setAttribute("aria-valuetext", word); else input.removeAttribute("aria-valuetext");
    output.textContent = word ?? input.value;
  };
  input.addEventListener("input", () => {
    display();
    set(input.valueAsNumber);
  });
  const show = ({ value, inactive, read_only }) => {
    // Not while the user is moving it.
    if (!input.matches(":active")) input.value = value;
    display();
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
