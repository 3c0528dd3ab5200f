// What counts as motion at a camera, for admins: how large it is, where and when it counts. What the detector sees lies over the
// live picture. Changes work once they are applied, and last after a restart only if they are saved.

import { ask, askIfThere } from "./api.js";
import { armedField } from "./armed.js";
import { Blocks } from "./blocks.js";
import { act, button, confirmed, field, make, NOT_SAVED, plural, say, sentence, setWrong, styled } from "./dom.js";
import { percentWords } from "./happenings.js";
import { layOver } from "./overlay.js";
import { Shapes } from "./shapes.js";
import { sizeField } from "./size.js";
import { trial } from "./trial.js";

const STATES = {
  learning: "Learning how the picture usually looks. No event of motion begins yet.",
  settling: "The light changes. No event begins until the picture is stable.",
  watching: "Watching.",
  disarmed: "Disarmed. Motion is not reported now.",
  "no picture": "The camera gives no picture.",
  failed: "The detector failed: see the log.",
  unknown: "Nothing comes from the detector.",
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

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

// As `showMasks` of masks.js. What comes back also says how many connections it holds (`connections`).
export async function showTune(host, camera, isWanted) {
  const path = `cameras/${encodeURIComponent(camera.name)}`;
  const [found] = await Promise.all([askIfThere(path), styled("masks.css"), styled("tune.css")]);
  if (!isWanted()) return undefined;
  const done = make("a", { href: `?camera=${encodeURIComponent(camera.name)}` }, "Done");
  let shown;
  // Detection is turned on and off here.
  const begin = (motion) => {
    shown?.leave();
    shown = motion ? new Tune(host, camera, { path, found, done, begin }, motion) : undefined;
    if (!shown) host.replaceChildren(make("h2", {}, "Motion"), ...without(path, found, begin), done);
  };
  host.hidden = false;
  begin(found?.settings?.motion);
  return {
    show: (status) => shown?.show(status),
    isChanged: () => shown?.isChanged() ?? false,
    connections: () => shown?.connections() ?? 0,
    mayLeave: () => shown.mayLeave(),
    leave: () => shown?.leave(),
  };
}

const kept = ({ keeps }) => (keeps === false ? {} : { save: true });

// Of a camera that has no detection.
function without(path, found, begin) {
  if (found?.settings?.motion === undefined) return [make("p", {}, "The motion detection of this camera cannot be changed here.")];
  const on = button("turn-on", "Turn motion detection on", () => act(on, async () => {
    begin((await ask("PUT", path, { motion: { armed: "always" }, ...kept(found) })).settings.motion);
    return "motion detection is on";
  }));
  on.className = "main";
  return [make("p", {}, "Motion detection is off at this camera."), make("div", { class: "row" }, on)];
}

class Tune {
  #server;
  #applied;
  #blocks;
  #size = sizeField(() => this.#changed());
  #looks = make("input", { type: "number", name: "looks", min: 1, max: 10, step: 1, required: true });
  #armed = armedField(() => this.#changed());
  #shapes;
  #trial;
  #wrong = make("p", { role: "alert", class: "bad" });
  #unapplied = make("p", {});
  #undo;
  #takeAway;

  constructor(host, camera, server, motion) {
    this.#server = server;
    const [state, count, status] = [make("p", { role: "status" }), make("p", { class: "quiet" }), make("p", { role: "status", class: "quiet" })];
    this.#blocks = new Blocks(camera.name, (look) => {
      say(state, STATES[look.state] ?? sentence(look.state));
      say(count, countWords(look));
    });
    this.#shapes = new Shapes(camera.name, { changed: () => this.#changed(), announced: (words) => say(status, words) });
    this.#trial = trial(camera.name, () => this.#checked());
    this.#looks.addEventListener("input", () => this.#changed());
    const form = this.#form(status);
    this.#takeAway = layOver(camera, [this.#blocks.element, ...this.#shapes.elements], {
      shape: (ratio) => { this.#blocks.ratio = this.#shapes.ratio = ratio; },
      cancel: () => this.#shapes.cancel(),
      done: server.done,
    });
    this.#set(motion);
    this.show(server.found);
    host.replaceChildren(make("h2", {}, "Motion"), state, count, form, this.#trial.element, help(), make("div", { class: "row" }, this.#offButton()));
    this.#size.input.focus({ preventScroll: true });
  }

  // Of another admin too, but not over what is changed here.
  show(status) {
    const { settings } = status;
    if (!settings) return;
    this.#shapes.turn(settings, status);
    if (!settings.motion || this.#shapes.isBusy || this.isChanged() || same(settings.motion, this.#applied)) return;
    this.#set(settings.motion);
  }

  isChanged() {
    return Object.keys(this.#changes).length > 0;
  }

  connections() {
    return this.#blocks.connections;
  }

  async mayLeave() {
    if (!await confirmed("The changed settings of motion are not applied.", "Leave")) return false;
    this.#set(this.#applied);
    return true;
  }

  leave() {
    this.#blocks.end();
    this.#takeAway();
  }

  #form(status) {
    this.#undo = button("undo", "Undo changes", () => {
      say(this.#wrong, "");
      this.#set(this.#applied);
      this.#size.input.focus();
    });
    const apply = make("button", { name: "apply" }, "Apply");
    const save = button("save", "Save changes", () => act(save, () => this.#put({ save: true }, "saved for the next start")));
    const keeps = this.#server.found.keeps !== false;
    const form = make("form", { noValidate: true },
      this.#size.element,
      this.#shapes.controls,
      field("Pictures examined per second", this.#looks),
      this.#armed.element,
      this.#wrong,
      this.#unapplied,
      make("div", { class: "row save" }, apply, keeps ? save : undefined, this.#undo, this.#server.done),
      make("p", { class: "quiet" }, keeps ? "Applied changes take effect at once. Save them to keep them after a restart."
        : NOT_SAVED),
      status);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      act(apply, () => (this.isChanged() ? this.#put({}, "applied") : "nothing was changed"));
    });
    return form;
  }

  #offButton() {
    const { path, found, begin } = this.#server;
    const off = button("turn-off", "Turn motion detection off", () => act(off, async () => {
      const question = "Turn motion detection off? A camera that is covered, moved, frozen or out of focus is not reported then either.";
      if (!await confirmed(question, "Turn off")) return undefined;
      begin((await ask("PUT", path, { motion: { armed: "off" }, ...kept(found) })).settings.motion);
      return "motion detection is off";
    }));
    return off;
  }

  get #values() {
    return { size_percent: this.#size.value, looks: this.#looks.valueAsNumber, armed: this.#armed.value, ...this.#shapes.value };
  }

  get #changes() {
    return Object.fromEntries(Object.entries(this.#values).filter(([key, value]) => !same(value, this.#applied[key])));
  }

  #set(motion) {
    this.#applied = motion;
    this.#size.value = motion.size_percent;
    this.#looks.value = motion.looks;
    this.#armed.set(motion.armed);
    this.#shapes.value = motion;
    for (const input of [this.#size.input, this.#looks]) setWrong(input, "");
    this.#changed();
  }

  #changed() {
    this.#blocks.percent = this.#size.value;
    this.#undo.hidden = !this.isChanged();
    say(this.#unapplied, this.isChanged() ? "Not applied yet." : "");
    this.#trial.changed();
  }

  // What is set, where nothing is wrong with it.
  #checked() {
    say(this.#wrong, "");
    const numbers = [this.#size.input, this.#looks];
    for (const input of numbers) setWrong(input, input.validity.valid ? "" : `expected a number from ${input.min} to ${input.max}`);
    const wrong = [numbers.find(({ validity }) => !validity.valid), this.#shapes.firstWrong(), this.#armed.firstWrong()].find(Boolean);
    wrong?.focus();
    return wrong ? undefined : this.#values;
  }

  // What the server takes is shown as it is in force.
  async #put(more, words) {
    if (!this.#checked()) return undefined;
    const sent = this.#changes;
    try {
      const { settings: { motion } } = await ask("PUT", this.#server.path, { ...(Object.keys(sent).length ? { motion: sent } : {}), ...more });
      if (same(this.#changes, sent)) this.#set(motion); else this.#applied = motion;
      this.#changed();
      return words;
    } catch (fault) {
      const input = [this.#size.input, this.#looks].find(({ name }) => fault.message.includes(name));
      if (input) setWrong(input, fault.message); else say(this.#wrong, `${sentence(fault.message)}.`);
      return undefined;
    }
  }
}

function countWords({ count, all, parts }) {
  if (count === undefined) return "";
  if (!count) return "No motion.";
  const part = `${percentWords((count / all) * 100)} of the picture`;
  return `${plural(count, "block")} ${count === 1 ? "counts" : "count"}, ${part}${parts ? `, ${parts} ${parts === 1 ? "box" : "boxes"}` : ""}.`;
}

function help() {
  return make("details", { class: "knobs" }, make("summary", {}, "Which setting for which nuisance"),
    make("dl", {}, KNOBS.flatMap(([what, helps]) => [make("dt", {}, what), make("dd", {}, helps)])));
}
