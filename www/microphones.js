// One bar for each microphone: its level, its volume, and a button to listen.

import { named, recall, remember } from "./api.js";
import { FRESH_MS, announce, copyOf, inRow, plural, say } from "./dom.js";
import { BLOCKED, Player } from "./sound.js";

const WORDS = {
  playing: "you are listening",
  blocked: BLOCKED,
  late: "no sound arrives now",
  lost: "the sound was cut off; trying again",
  missing: "",
  stopped: "",
};

const host = document.querySelector("#microphones");
const bars = new Map();
let notify = () => {};

// The key under which it is remembered that a microphone is listened to, so that a reload goes on with it.
const listenedTo = (name) => `listen to ${name}`;

// How many connections carry sound now; the function given to `onListening` is called when that changes.
export const listening = () => [...bars.values()].filter(({ player }) => player.playing).length;
export function onListening(changed) {
  notify = changed;
}

// While a recording is heard, the present is not.
export function silence(isSilent) {
  for (const { element, player } of bars.values()) player.volume = isSilent ? 0 : element.querySelector(".volume").valueAsNumber;
}

let aging;

// Shows the microphones of a status document, until that is too old.
export function showMicrophones(microphones) {
  clearTimeout(aging);
  aging = setTimeout(showMicrophonesUnknown, FRESH_MS);
  const names = new Set(microphones.map(({ name }) => name));
  for (const [name, { element, player }] of bars) {
    if (names.has(name)) continue;
    player.stop();
    element.remove();
    bars.delete(name);
  }
  for (const microphone of microphones) {
    const { element, player, showLevel } = bars.get(microphone.name) ?? add(microphone);
    const wasLost = element.classList.contains("lost");
    if (wasLost === microphone.online) announce(`${microphone.name}: ${microphone.online ? "back" : "silent"}`);
    element.classList.toggle("lost", !microphone.online);
    say(element.querySelector(".state"), describe(microphone));
    // While it is listened to, the sound itself moves the meter.
    if (!player.playing) showLevel(microphone.online ? microphone.rms_dbfs : undefined);
  }
}

// Shows that the state of the microphones is unknown.
export function showMicrophonesUnknown() {
  for (const { element, player, showLevel } of bars.values()) {
    say(element.querySelector(".state"), "unknown: the server does not answer");
    if (!player.playing) showLevel();
  }
}

function add({ name }) {
  const element = copyOf("#microphone");
  const find = (what) => element.querySelector(what);
  const [button, volume, meter, sound] = [".listen", ".volume", ".level", ".sound"].map(find);
  find("h2").textContent = name;
  button.setAttribute("aria-label", `Listen to ${name}`);
  meter.setAttribute("aria-label", `Sound level of ${name}`);
  volume.setAttribute("aria-label", `Volume of ${name}`);
  // An unknown level is drawn empty and grey.
  const showLevel = (dbfs) => {
    meter.value = dbfs ?? meter.min;
    element.classList.toggle("unknown", dbfs === undefined);
    meter.setAttribute("aria-valuetext", dbfs === undefined ? "unknown" : `${Math.round(dbfs)} dB`);
  };
  const player = new Player(
    named("audio", name),
    (state) => {
      say(sound, WORDS[state]);
      element.classList.toggle("blocked", state === "blocked");
    },
    showLevel,
  );
  const set = (isListening) => {
    if (isListening) player.start(); else player.stop();
    button.querySelector("span").textContent = isListening ? "Stop" : "Listen";
    button.setAttribute("aria-pressed", String(isListening));
    volume.disabled = !isListening;
    remember(listenedTo(name), isListening ? "yes" : "", sessionStorage);
    notify();
  };
  button.addEventListener("click", () => set(!player.playing));
  volume.addEventListener("input", () => { player.volume = volume.valueAsNumber; });
  host.append(element);
  bars.set(name, { element, player, showLevel });
  set(recall(listenedTo(name), sessionStorage) === "yes");
  return bars.get(name);
}

function describe(microphone) {
  if (!microphone.online) return `silent: ${microphone.problem ?? "microphone not found"}`;
  const kind = { 1: "mono", 2: "stereo" }[microphone.channels] ?? `${microphone.channels} channels`;
  const hearing = plural(microphone.listeners, "listener");
  const lost = microphone.overruns ? plural(microphone.overruns, "overrun") : "";
  return inRow([microphone.source, `${microphone.rate_hz / 1000} kHz ${kind}`, hearing, lost]);
}
