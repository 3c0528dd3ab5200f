// Stopping and starting video and sound, for admins.

import { ask, askIfThere } from "./api.js";
import { act, confirmed, make, say, whileSeen } from "./dom.js";

const LOOK_EVERY_MS = 3000;
const KINDS = {
  video: {
    title: "Video",
    off: "Cameras are off; viewers see who stopped them.",
    question: "Stop video? Nobody sees any camera until it is started again.",
  },
  audio: {
    title: "Sound",
    off: "Microphones are off; listeners hear nothing.",
    question: "Stop sound? Nobody hears any microphone until it is started again.",
  },
  motion: {
    title: "Motion and noise",
    off: "Motion and noise are not reported at any camera or microphone. Covered, moved and lost cameras are still reported.",
    question: "Disarm? Motion and noise are not reported until they are armed again.",
    verbs: ["Arm", "Disarm"],
    states: ["Armed.", "Disarmed."],
  },
};

export async function show(section) {
  const fill = async () => {
    const found = await askIfThere("services").catch((fault) => {
      for (const [, card] of cards) card.show(undefined);
      throw fault;
    });
    if (found) for (const [kind, card] of cards) card.show(found[kind]?.running ?? true);
    // An older server detects nothing.
    if (found) cards.find(([kind]) => kind === "motion")[1].element.hidden = !found.motion;
    return found;
  };
  const cards = Object.entries(KINDS).map(([kind, words]) => [kind, service(kind, words)]);
  if (!await fill()) {
    section.append(make("p", {}, "This server cannot stop its services."));
    return undefined;
  }
  section.append(...cards.map(([, { element }]) => element));
  return whileSeen(LOOK_EVERY_MS, fill);
}

function service(kind, { title, off, question, verbs = ["Start", "Stop"], states = ["Running.", "Stopped."] }) {
  let isRunning;
  const state = make("p", { role: "status" });
  const button = make("button", { type: "button" });
  button.dataset.service = kind;
  // Without a value it is unknown whether it runs, and the button stays as it is.
  const show = (running) => {
    if (running === undefined) {
      say(state, "Unknown: the server does not answer.");
      return;
    }
    isRunning = running;
    say(state, running ? states[0] : `${states[1]} ${off}`);
    say(button, `${verbs[Number(running)]} ${title.toLowerCase()}`);
    button.classList.toggle("main", !running);
  };
  button.addEventListener("click", () => act(button, async () => {
    if (isRunning && !await confirmed(question, `${verbs[1]} ${title.toLowerCase()}`)) return undefined;
    const { running } = await ask("PUT", `services/${kind}`, { running: !isRunning });
    show(running);
    return kind === "motion" ? states[Number(!running)].slice(0, -1) : `${title.toLowerCase()} ${running ? "is running" : "was stopped"}`;
  }));
  return { show, element: make("div", { class: "card row" }, make("h3", {}, title), state, button) };
}
