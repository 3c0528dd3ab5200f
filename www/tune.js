// What counts as motion at a camera, for admins: how large it is, where and when it counts. What the detector sees lies over the
// live picture. Changes work once they are applied, and last after a restart only if they are saved.

import { ask, askIfThere } from "./api.js";
import { armedField } from "./armed.js";
import { Blocks } from "./blocks.js";
import { act, confirmed, field, make, plural, say, sentence, setWrong, styled } from "./dom.js";
import { percentWords } from "./happenings.js";
import { Shapes } from "./shapes.js";
import { trial } from "./trial.js";

// What the slider offers; the server takes more.
const [LEAST_PERCENT, MOST_PERCENT] = [0.1, 20];
// Steps of the slider, which are as many times larger each.
const STEPS = 100;
const percentAt = (step) => Number((LEAST_PERCENT * (MOST_PERCENT / LEAST_PERCENT) ** (step / STEPS)).toPrecision(2));
const stepOf = (percent) => Math.round((Math.log(percent / LEAST_PERCENT) / Math.log(MOST_PERCENT / LEAST_PERCENT)) * STEPS);

const STATES = {
  learning: "Learning how the picture usually looks. Nothing is reported yet.",
  settling: "The light changes. Nothing begins until the picture is calm.",
  watching: "Watching.",
  disarmed: "Disarmed. Motion is not reported now.",
  unknown: "Nothing comes from the detector: the camera gives no picture, or the server does not answer.",
};

const KNOBS = [
  ["Small animals, leaves", "a larger size"],
  ["People far away are missed", "a smaller size: a person 1/6 as high as the picture is 0.5 %"],
  ["A road, a neighbour's garden, a tree", "zones without it, or a mask on it"],
  ["A screen, a fan, a flag, a clock in the picture", "a mask on it"],
  ["Headlights", "zones without the walls and windows that they fall on"],
  ["Insects near the lens", "another lamp than the one beside the lens"],
  ["Everything at night", "more light, or less gain of the camera: noise hides people, too"],
  ["A time at which somebody is always there", "times at which it is armed"],
];

// As `showMasks` of masks.js. What comes back also says how many connections it holds (`connections`).
export async function showTune(host, camera, isWanted) {
  const path = `cameras/${encodeURIComponent(camera.name)}`;
  const [found] = await Promise.all([askIfThere(path), styled("masks.css"), styled("tune.css")]);
  if (!isWanted()) return undefined;
  host.hidden = false;
  const shown = {};
  const done = make("a", { href: `?camera=${encodeURIComponent(camera.name)}` }, "Done");
  // Of a camera whose detection is turned on and off here.
  const begin = (motion) => {
    shown.leave?.();
    Object.assign(shown, motion ? editor(host, camera, { path, found, done, applied: motion, begin }) : { show() {}, leave() {}, isChanged: () => false, connections: () => 0 });
    if (!motion) host.replaceChildren(make("h2", {}, "Motion"), ...without(path, found, begin), done);
  };
  begin(found?.settings?.motion);
  return shown;
}

const saved = ({ keeps }) => (keeps === false ? {} : { save: true });

// Of a camera that has no detection.
function without(path, found, begin) {
  if (found?.settings?.motion === undefined) return [make("p", {}, "The motion detection of this camera cannot be changed here.")];
  const button = make("button", { type: "button", class: "main", name: "turn-on" }, "Turn motion detection on");
  button.addEventListener("click", () => act(button, async () => {
    const { settings } = await ask("PUT", path, { motion: { armed: "always" }, ...saved(found) });
    begin(settings.motion);
    return "motion is detected";
  }));
  return [make("p", {}, "Nothing looks for motion at this camera."), make("div", { class: "row" }, button)];
}

function editor(host, camera, { path, found, done, applied, begin }) {
  const [status, wrong] = [make("p", { role: "status", class: "quiet" }), make("p", { role: "alert", class: "bad" })];
  const [state, count] = [make("p", { role: "status", class: "state-words" }), make("p", { class: "quiet count" })];
  const blocks = new Blocks(camera.name, ({ state: is, count: counting, all, parts }) => {
    say(state, STATES[is] ?? sentence(is));
    say(count, counting === undefined ? ""
      : `${plural(counting, "block")} ${counting === 1 ? "counts" : "count"}${counting ? `, ${percentWords((counting / all) * 100)} of the picture` : ""}${parts ? `, ${plural(parts, "box").replace("boxs", "boxes")}` : ""}.`);
  });
  const changed = () => {
    blocks.percent = size.value;
    undo.hidden = !isChanged();
    say(unapplied, isChanged() ? "Not applied yet." : "");
    tried.changed();
  };
  const size = sizeField(changed);
  const looks = make("input", { type: "number", name: "looks", min: 1, max: 10, step: 1, required: true });
  looks.addEventListener("input", changed);
  const armed = armedField(changed);
  const shapes = new Shapes(camera.name, { changed, announced: (words) => say(status, words) });
  const values = () => ({ size_percent: size.value, looks: looks.valueAsNumber, armed: armed.value, ...shapes.value });
  const changes = () => Object.fromEntries(Object.entries(values()).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(applied[key])));
  const isChanged = () => Object.keys(changes()).length > 0;
  const set = (motion) => {
    applied = motion;
    size.value = motion.size_percent;
    looks.value = motion.looks;
    armed.set(motion.armed);
    shapes.value = motion;
    for (const input of [size.input, looks]) setWrong(input, "");
    changed();
  };
  // What is set, where nothing is wrong with it.
  const checked = () => {
    say(wrong, "");
    for (const input of [size.input, looks]) setWrong(input, input.validity.valid ? "" : `expected a number from ${input.min} to ${input.max}`);
    const first = [size.input, looks].find(({ validity }) => !validity.valid);
    const all = [first, shapes.firstWrong(), armed.firstWrong()].find(Boolean);
    all?.focus();
    return all ? undefined : values();
  };
  // What the server takes is shown as it is in force.
  const put = async (more, words) => {
    if (!checked()) return undefined;
    const sent = changes();
    try {
      const { settings } = await ask("PUT", path, { ...(Object.keys(sent).length ? { motion: sent } : {}), ...more });
      const isSame = JSON.stringify(changes()) === JSON.stringify(sent);
      if (isSame) set(settings.motion); else applied = settings.motion;
      changed();
      return words;
    } catch (fault) {
      const input = [size.input, looks].find(({ name }) => fault.message.includes(name));
      if (input) setWrong(input, fault.message); else say(wrong, `${sentence(fault.message)}.`);
      return undefined;
    }
  };
  const button = (name, label, work) => {
    const made = make("button", { type: name === "apply" ? "submit" : "button", name }, label);
    if (work) made.addEventListener("click", work);
    return made;
  };
  const undo = button("undo", "Undo changes", () => {
    say(wrong, "");
    set(applied);
    size.input.focus();
  });
  const apply = button("apply", "Apply");
  const save = button("save", "Save changes", () => act(save, () => put({ save: true }, "saved for the next start")));
  const off = button("turn-off", "Turn motion detection off", () => act(off, async () => {
    const question = "Turn motion detection off? A camera that is covered, moved, frozen or out of focus is not reported then either.";
    if (!await confirmed(question, "Turn off")) return undefined;
    begin((await ask("PUT", path, { motion: { armed: "off" }, ...saved(found) })).settings.motion);
    return "motion is not detected";
  }));
  const unapplied = make("p", { class: "count" });
  const tried = trial(camera.name, checked);
  const keeps = found.keeps !== false;
  const form = make("form", { noValidate: true },
    size.element,
    shapes.controls,
    field("Looks per second", looks),
    armed.element,
    wrong,
    unapplied,
    make("div", { class: "row save" }, apply, keeps ? save : undefined, undo, done),
    make("p", { class: "quiet" }, keeps ? "Applied changes take effect at once. Save them to keep them after a restart."
      : "Applied changes last until the server restarts: it cannot save them."),
    status);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(apply, () => (isChanged() ? put({}, "applied") : checked() && "nothing was changed"));
  });

  const canvas = camera.element.querySelector(".surface");
  const shape = () => { blocks.ratio = shapes.ratio = (canvas.width / canvas.height) || 4 / 3; };
  const reshaped = new MutationObserver(shape);
  reshaped.observe(canvas, { attributeFilter: ["width", "height"] });
  const escape = (event) => {
    if (event.key !== "Escape" || document.documentElement.classList.contains("wall")) return;
    if (!shapes.isBusy && event.target.closest?.("dialog, input, select")) return;
    event.stopPropagation();
    // Else the key would close the question that it asks.
    event.preventDefault();
    if (!shapes.cancel()) done.click();
  };
  document.addEventListener("keydown", escape);
  camera.element.querySelector(".picture").after(blocks.element, ...shapes.elements);
  shape();
  // Of another admin too, but not over what is changed here.
  const show = ({ settings, width, height }) => {
    if (!settings) return;
    shapes.turn(settings, { width, height });
    if (!settings.motion || shapes.isBusy || isChanged() || JSON.stringify(settings.motion) === JSON.stringify(applied)) return;
    set(settings.motion);
  };
  set(applied);
  show(found);
  host.replaceChildren(make("h2", {}, "Motion"), state, count, form, tried.element, help(), make("div", { class: "row" }, off));
  size.input.focus({ preventScroll: true });
  return {
    show,
    isChanged,
    connections: () => blocks.connections,
    async mayLeave() {
      if (!await confirmed("The changed settings of motion are not applied.", "Leave")) return false;
      set(applied);
      return true;
    },
    leave() {
      blocks.end();
      reshaped.disconnect();
      document.removeEventListener("keydown", escape);
      for (const element of shapes.elements) element.remove();
    },
  };
}

// The smallest size that is reported: a slider whose steps look alike, and a number.
function sizeField(changed) {
  const slider = make("input", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": "Smallest size" });
  const input = make("input", { type: "number", name: "size_percent", min: 0.01, max: 100, step: "any", required: true });
  const display = () => slider.setAttribute("aria-valuetext", `${percentWords(percentAt(slider.valueAsNumber))} of the picture`);
  const follow = () => {
    if (input.validity.valid) slider.value = stepOf(input.valueAsNumber);
    display();
  };
  slider.addEventListener("input", () => {
    input.value = percentAt(slider.valueAsNumber);
    setWrong(input, "");
    display();
    changed();
  });
  input.addEventListener("input", () => {
    follow();
    changed();
  });
  return {
    input,
    element: make("div", { class: "size" }, field("Smallest size, in percent of the picture", input), slider,
      make("p", { class: "quiet" }, "What is smaller than the square on the picture is not reported.")),
    get value() {
      return input.valueAsNumber;
    },
    set value(percent) {
      input.value = percent;
      follow();
    },
  };
}

function help() {
  return make("details", { class: "knobs" }, make("summary", {}, "Which setting for which nuisance"),
    make("dl", {}, KNOBS.flatMap(([what, helps]) => [make("dt", {}, what), make("dd", {}, helps)])));
}
