// One figure for each microphone: its level, and a button to listen.

import { Player } from "./sound.js";

const WORDS = {
  playing: "you are listening",
  blocked: "the browser wants a click on the page before it plays sound",
  lost: "the sound was cut off; trying again",
  stopped: "",
};

const template = document.querySelector("#microphone");
const main = document.querySelector("#microphones");
const figures = new Map();

// Which were listened to, so that a reload goes on with them.
const remembered = (name) => `listen to ${name}`;

function say(element, text) {
  // Only on change: a screen reader would read every repetition aloud.
  if (element.textContent !== text) element.textContent = text;
}

function add({ name }) {
  const figure = template.content.firstElementChild.cloneNode(true);
  const find = (selector) => figure.querySelector(selector);
  const [button, volume, meter, sound] = [".listen", ".volume", ".level", ".sound"].map(find);
  find(".name").textContent = name;
  meter.setAttribute("aria-label", `Sound level of ${name}`);
  volume.setAttribute("aria-label", `Volume of ${name}`);
  const player = new Player(
    `audio/${encodeURIComponent(name)}`,
    (state) => {
      say(sound, WORDS[state]);
      figure.classList.toggle("blocked", state === "blocked");
    },
    (dbfs) => { meter.value = dbfs; },
  );
  const set = (listening) => {
    if (listening) player.start(); else player.stop();
    button.textContent = listening ? "Stop" : "Listen";
    button.setAttribute("aria-pressed", String(listening));
    volume.hidden = !listening;
    sessionStorage.setItem(remembered(name), listening ? "yes" : "");
  };
  button.addEventListener("click", () => set(!player.playing));
  volume.addEventListener("input", () => { player.volume = volume.valueAsNumber; });
  main.append(figure);
  figures.set(name, { figure, player, meter });
  if (sessionStorage.getItem(remembered(name))) set(true);
  return figures.get(name);
}

function describe(microphone) {
  if (!microphone.online) return `silent: ${microphone.problem ?? "microphone not found"}`;
  const kind = { 1: "mono", 2: "stereo" }[microphone.channels] ?? `${microphone.channels} channels`;
  const listening = microphone.listeners === 1 ? "1 listener" : `${microphone.listeners} listeners`;
  const lost = microphone.overruns ? `${microphone.overruns} overruns` : "";
  return [microphone.source, `${microphone.rate_hz / 1000} kHz ${kind}`, listening, lost].filter(Boolean).join(" · ");
}

// Makes the page show the microphones of a status document.
export function showMicrophones(microphones) {
  const names = new Set(microphones.map(({ name }) => name));
  for (const [name, { figure, player }] of figures) {
    if (!names.has(name)) {
      player.stop();
      figure.remove();
      figures.delete(name);
    }
  }
  for (const microphone of microphones) {
    const { figure, player, meter } = figures.get(microphone.name) ?? add(microphone);
    figure.classList.toggle("offline", !microphone.online);
    say(figure.querySelector(".state"), describe(microphone));
    // While it is listened to, the sound itself moves the meter.
    if (!player.playing) meter.value = microphone.rms_dbfs;
  }
}
