// The page: one figure for each camera and microphone, kept true to /api/1.0/status.

import { showMicrophones } from "./microphones.js";

// Without the name and password that the address may hold: fetch takes no URL with them.
const here = new URL(location.pathname, location.origin);

const STATUS_EVERY_MS = 2000;
const RECONNECT_AFTER_MS = 2000;

const figures = new Map();
const main = document.querySelector("#cameras");
const server = document.querySelector("#server");
const template = document.querySelector("#camera");

function say(element, text) {
  // Only on change: a screen reader would read every repetition aloud.
  if (element.textContent !== text) element.textContent = text;
}

// A query that changes makes the browser open the stream anew instead of showing a dead one.
function connect(picture, name) {
  picture.src = `video/${encodeURIComponent(name)}?at=${Date.now()}`;
}

function add(camera) {
  const figure = template.content.firstElementChild.cloneNode(true);
  const picture = figure.querySelector(".picture");
  figure.querySelector(".name").textContent = camera.name;
  figure.querySelector(".snapshot").href = `snapshot/${encodeURIComponent(camera.name)}`;
  picture.alt = `Live picture of ${camera.name}`;
  picture.addEventListener("error", () => setTimeout(() => connect(picture, camera.name), RECONNECT_AFTER_MS));
  connect(picture, camera.name);
  main.append(figure);
  figures.set(camera.name, figure);
  return figure;
}

function describe(camera) {
  if (!camera.online) return `no signal: ${camera.problem ?? "camera not found"}`;
  const size = camera.width ? `${camera.width}×${camera.height}` : "";
  const rate = camera.fps ? `${camera.fps} fps` : "";
  const watching = camera.viewers === 1 ? "1 viewer" : `${camera.viewers} viewers`;
  return [camera.source, size, camera.format, rate, watching, camera.problem].filter(Boolean).join(" · ");
}

function show(status) {
  const names = new Set(status.cameras.map((camera) => camera.name));
  for (const [name, figure] of figures) {
    if (!names.has(name)) {
      figure.remove();
      figures.delete(name);
    }
  }
  for (const camera of status.cameras) {
    const figure = figures.get(camera.name) ?? add(camera);
    figure.classList.toggle("offline", !camera.online);
    say(figure.querySelector(".state"), describe(camera));
  }
  showMicrophones(status.microphones);
  say(server, status.cameras.length ? `Defender ${status.version}` : "no camera is configured");
}

let wasGone = false;

// The status document; nothing when there is none, which is then said.
async function status() {
  let response;
  try {
    response = await fetch(new URL("api/1.0/status", here), { cache: "no-store" });
  } catch {
    wasGone = true;
    say(server, "the server does not answer; trying again");
    return undefined;
  }
  if (response.ok) return response.json();
  const signedOut = response.status === 401;
  say(server, signedOut ? "signed out: reload the page to sign in" : `the server answers with error ${response.status}`);
  return undefined;
}

async function poll() {
  try {
    const found = await status();
    if (found) {
      show(found);
      // The streams died with the server, but an image does not always tell.
      if (wasGone) for (const [name, figure] of figures) connect(figure.querySelector(".picture"), name);
      wasGone = false;
    }
  } catch (fault) {
    say(server, "the page has a fault; reload it");
    console.error(fault);
  }
  setTimeout(poll, STATUS_EVERY_MS);
}

poll();
