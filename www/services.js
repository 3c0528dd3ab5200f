// Stopping and starting video and sound, for admins.

import { ask, askIfThere } from "./api.js";
import { act, make, say, whileSeen } from "./dom.js";

const LOOK_EVERY_MS = 3000;
const KINDS = {
  video: { title: "Video", off: "Cameras are off; who watches sees who stopped them." },
  audio: { title: "Sound", off: "Microphones are off; who listens hears nothing." },
};

export async function show(section) {
  const fill = async () => {
    const found = await askIfThere("services");
    if (found) for (const [kind, card] of cards) card.tell(found[kind]?.running ?? true);
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

function service(kind, { title, off }) {
  let isRunning;
  const state = make("p", { role: "status" });
  const button = make("button", { type: "button" });
  button.dataset.service = kind;
  const tell = (running) => {
    isRunning = running;
    say(state, running ? "Running." : `Stopped. ${off}`);
    say(button, `${running ? "Stop" : "Start"} ${title.toLowerCase()}`);
    button.classList.toggle("main", !running);
  };
  button.addEventListener("click", () => act(button, async () => {
    const { running } = await ask("PUT", `services/${kind}`, { running: !isRunning });
    tell(running);
    return `${title.toLowerCase()} ${running ? "is running" : "was stopped"}`;
  }));
  return { tell, element: make("div", { class: "card row" }, make("h3", {}, title), state, button) };
}
