// The cameras and microphones: all of them, or one large.

import { layout, modesOf } from "./board.js";
import { Camera } from "./camera.js";
import { listening, onListening, showMicrophones, showMicrophonesUnknown } from "./microphones.js";

const NUMBERS_EVERY_MS = 1000;
// A picture that leaves the screen and comes back at once keeps its stream.
const LEAVES_AFTER_MS = 300;

// Where what belongs to a picture lies beside it, as style.css has it; and a phone that is held sideways.
const SIDEWAYS = "(min-aspect-ratio: 4/3) and (max-height: 30rem)";
const beside = matchMedia(`(min-width: 64rem), ${SIDEWAYS}`);
const sideways = matchMedia(SIDEWAYS);
// How much of the window a picture takes that stays above its controls.
const STUCK_PART = 0.55;

const bar = document.querySelector("header nav");
const host = document.querySelector("#cameras");
const place = document.querySelector("#live");
const microphones = document.querySelector("#microphones");
const image = document.querySelector("#image");
const cameras = new Map();
let single;
let isAdmin = false;
let openInFull;
// What shows which cameras are recorded, where one is.
let recording;
let leaving;

const onScreen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const camera = cameras.get(target.dataset.name);
    if (camera) camera.isOnScreen = isIntersecting;
  }
  clearTimeout(leaving);
  if (entries.some(({ isIntersecting }) => isIntersecting)) share();
  else leaving = setTimeout(share, LEAVES_AFTER_MS);
});

// `onFull` is called with the camera to show in full screen.
export function startLive({ onFull }) {
  openInFull = onFull;
  new ResizeObserver(arrange).observe(place);
  addEventListener("resize", arrange);
  document.addEventListener("visibilitychange", share);
  onListening(share);
  setInterval(() => {
    for (const camera of cameras.values()) camera.sayNumbers();
  }, NUMBERS_EVERY_MS);
}

// Makes the page show what a status document says.
export function showStatus(status) {
  const names = new Set(status.cameras.map(({ name }) => name));
  for (const [name, camera] of cameras) {
    if (names.has(name)) continue;
    camera.show("off");
    onScreen.unobserve(camera.element);
    camera.element.remove();
    cameras.delete(name);
  }
  isAdmin = status.role === "admin";
  for (const found of status.cameras) {
    const camera = cameras.get(found.name) ?? add(found.name);
    camera.status = found;
    // What is stopped at another server is not started here.
    camera.canStart = isAdmin && status.services?.video === false && !found.relayed;
  }
  showMicrophones(status.microphones);
  if (status.cameras.some(({ recording: how }) => how)) recording ??= import("./record.js");
  recording?.then(({ showRecording }) => showRecording(cameras, status), () => { recording = undefined; });
  showSingle(single?.name, single?.edit);
  if (single?.camera) editor?.show(single.camera.status);
}

export const showsPictures = () => [...cameras.values()].some(({ isPainted, element }) => isPainted && !element.hidden);

export function showServerGone() {
  for (const camera of cameras.values()) camera.status = undefined;
  showMicrophonesUnknown();
  recording?.then((shown) => shown.showUnknown(), () => {});
}

// One camera large, or with no name all of them. `edit` is what an admin changes on the picture: "masks" or "motion".
export function showSingle(name, edit) {
  single = name === undefined ? undefined : { name, edit, camera: cameras.get(name) };
  for (const camera of cameras.values()) {
    camera.element.hidden = single !== undefined && camera !== single.camera;
    camera.isSingle = camera === single?.camera;
  }
  place.classList.toggle("single", single !== undefined);
  place.classList.toggle("several", cameras.size > 1);
  showImage(isAdmin ? single?.camera : undefined);
  arrange();
}

const EDITORS = {
  masks: async () => (await import("./masks.js")).showMasks,
  motion: async () => (await import("./tune.js")).showTune,
};

let [source, editor, wanted] = [undefined, undefined, undefined];

// The settings and controls of the single camera, fetched anew when it comes back or is another one: the driver
// knows them only while the camera is open. A failed request is repeated with the next status. Or an editor, which stays.
function showImage(camera) {
  const before = source;
  source = camera?.status?.online ? camera.status.source : undefined;
  const edits = camera && EDITORS[single.edit] ? single.edit : "";
  const isSame = image.dataset.of === String(camera?.name) && image.dataset.edits === edits;
  if (isSame && (editor || before === source || source === undefined)) return;
  if (!isSame) {
    editor?.leave();
    editor = undefined;
    image.dataset.of = camera?.name;
    image.dataset.edits = edits;
    image.hidden = true;
    image.replaceChildren();
  }
  wanted = undefined;
  if (!camera) return;
  // Until it is filled another one may be shown.
  const mine = {};
  wanted = mine;
  const isWanted = () => wanted === mine;
  fillImage(camera, edits, isWanted).then(arrange).catch(() => { if (isWanted()) source = undefined; });
}

async function fillImage(camera, edits, isWanted) {
  if (!edits) return (await import("./controls.js")).showControls(image, camera.name, isWanted);
  const shown = await (await EDITORS[edits]())(image, camera, isWanted);
  if (shown) editor = shown;
}

// Whether something drawn on the picture is not applied yet; and asks whether it is to be lost, true for yes.
export const hasUnapplied = () => editor?.isChanged?.() ?? false;
export const mayLeave = () => editor.mayLeave();

export const isKnown = (name) => cameras.has(name);

function add(name) {
  const camera = new Camera(name, { onFull: openInFull });
  cameras.set(name, camera);
  host.append(camera.element);
  onScreen.observe(camera.element);
  return camera;
}

// How many connections other places of the page hold: this window and others have less for live pictures.
let elsewhere = 0;
export function leaveConnections(count) {
  elsewhere = count;
  share();
}

// Gives each camera that is on the screen a stream, or its turn for a still; the others nothing.
let [isSharing, isStale] = [false, false];
async function share() {
  isStale = true;
  if (isSharing) return;
  isSharing = true;
  try {
    while (isStale) {
      isStale = false;
      const seen = [...cameras.values()].filter(({ isOnScreen, element }) => isOnScreen && !element.hidden);
      const shown = document.visibilityState === "hidden" ? [] : seen;
      const modes = await modesOf(shown.length, listening() + elsewhere + (editor?.connections?.() ?? 0));
      for (const camera of cameras.values()) {
        const at = shown.indexOf(camera);
        camera.show(at < 0 ? "off" : modes[at]);
      }
    }
  } finally {
    isSharing = false;
  }
}

function arrange() {
  const root = document.documentElement;
  const isWall = root.classList.contains("wall");
  const isTuning = !image.hidden && image.childElementCount > 0;
  place.classList.toggle("tuning", isTuning);
  const shown = [...cameras.values()].filter(({ element }) => !element.hidden);
  const { width = 4, height = 3 } = (shown.find(({ status }) => status?.width) ?? {}).status ?? {};
  const aspect = width / height || 4 / 3;
  const isBeside = isTuning && beside.matches;
  // On a phone the places are a bar at the foot of the window.
  const foot = getComputedStyle(bar).position === "fixed" ? bar.offsetHeight : 0;
  const below = isWall || isBeside || sideways.matches ? 0 : microphones.offsetHeight + 28 + foot;
  const top = isWall ? 0 : place.getBoundingClientRect().top + scrollY;
  // In a very low window a picture would vanish; the page scrolls instead.
  const most = isTuning && !isBeside && !isWall ? innerHeight * STUCK_PART : innerHeight;
  const left = Math.max(Math.min(innerHeight - top - below, most), Math.min(innerHeight, 240));
  const captions = shown.map(({ element }) => element.querySelector("footer").offsetHeight + 2);
  const caption = isWall || sideways.matches ? 0 : Math.max(0, ...captions);
  const found = layout(shown.length, { width: host.clientWidth, height: left }, { aspect, caption, isWall });
  host.style.setProperty("--columns", found.columns);
  host.style.setProperty("--tile", `${found.width}px`);
  host.style.setProperty("--aspect", aspect);
  root.style.setProperty("--stuck", isTuning && !isBeside && !isWall ? `${host.offsetHeight}px` : "0px");
  share();
}
