// The page: which place is shown, what the server says, full screen and signing out.

import { Gone, ask, leaving, status } from "./api.js";
import { act, make, say, styled, whileSeen } from "./dom.js";
import { hasUnapplied, isKnown, mayLeave, showServerGone, showSingle, showStatus, showsPictures, startLive } from "./live.js";

const STATUS_EVERY_MS = 1500;
// So many requests in a row have to fail before that is reported while pictures arrive.
const MISSED_TELL = 3;
const POINTER_RESTS_MS = 3000;

// The places besides the live pictures, loaded when they are first wanted. Each has a `show`, which fills its element
// for a query, again for each query, and a `leave`.
const PLACES = {
  past: () => import("./past.js"),
  events: () => import("./events.js"),
  settings: () => import("./settings.js"),
};

const root = document.documentElement;
const [live, server, trouble, disarmed, leave] = ["#live", "#server", "#trouble", "#disarmed", "#leave-wall"].map((what) => document.querySelector(what));
let known;
let there;

// A camera at another time is a recording. An event is shown as its recording.
function placeOf(asked) {
  if (asked.has("settings")) return "settings";
  if (asked.has("events")) return "events";
  const isPast = asked.has("event") || (asked.has("camera") && (asked.has("at") || asked.has("from")));
  return isPast ? "past" : "live";
}

// The address that is shown. The browser's may be another one while a question is asked.
let shownAt;

function route() {
  shownAt = location.href;
  const asked = new URLSearchParams(location.search);
  const place = placeOf(asked);
  for (const name of ["live", ...Object.keys(PLACES)]) document.getElementById(name).hidden = name !== place;
  const current = place !== "past" ? place : asked.has("event") ? "events" : "live";
  for (const link of document.querySelectorAll("nav [data-view]")) {
    if (link.dataset.view === current) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  const title = asked.get("camera") && place !== "events" ? asked.get("camera") : { events: "Events", settings: "Settings" }[current];
  document.title = title ? `${title} · Defender` : "Defender";
  if (place === "live") showSingle(asked.get("camera") ?? undefined, asked.get("edit"));
  if (there && there.place !== place) {
    there.module?.leave();
    there = undefined;
  }
  if (place !== "live") showPlace(place, asked);
  if (known) sayTrouble();
  showDisarmed();
}

// Whether the page may show something else: asks first if something drawn is not applied yet.
let isAsking = false;
async function isFree() {
  if (!hasUnapplied()) return true;
  if (isAsking) return false;
  isAsking = true;
  const isSo = await mayLeave();
  isAsking = false;
  return isSo;
}

async function showPlace(place, asked) {
  const mine = { place, module: there?.module };
  there = mine;
  if (!known) return;
  const host = document.getElementById(place);
  try {
    const [module] = await Promise.all([PLACES[place](), styled(`${place}.css`)]);
    if (there !== mine) return;
    mine.module = module;
    await module.show(host, asked, known);
  } catch (fault) {
    if (there === mine) host.replaceChildren(make("p", { class: "bad", role: "alert" }, `This cannot be shown: ${fault.message}.`));
  }
}

async function go(search) {
  if (hasUnapplied() && !await isFree()) return;
  history.pushState({ isOurs: true }, "", search === "?" ? location.pathname : search);
  route();
  scrollTo(0, 0);
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest?.("a[href^='?']");
  if (!link || link.target || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  await go(link.getAttribute("href"));
  document.querySelector("#content").focus({ preventScroll: true });
});
addEventListener("popstate", async () => {
  if (!hasUnapplied()) return route();
  // The browser has gone there already. It is taken back here until there is an answer.
  history.pushState({ isOurs: true }, "", shownAt);
  if (await isFree()) history.back();
  return undefined;
});
addEventListener("beforeunload", (event) => { if (hasUnapplied()) event.preventDefault(); });
addEventListener("keydown", ({ key, target }) => {
  if (key !== "Escape" || target.closest("dialog, input, select")) return;
  if (root.classList.contains("wall")) setWall(false);
  else if (live.classList.contains("single") && !live.hidden) go("?");
});

// Full screen: nothing but pictures, and a display that stays awake. Where the browser has none for
// pages (iPhone), the pictures still get the whole window.
let awake;
async function stayAwake() {
  const lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
  if (root.classList.contains("wall")) awake = lock; else lock?.release();
}
// The browser takes it away from a hidden page.
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "hidden" && root.classList.contains("wall")) stayAwake();
});

async function setWall(isWall, isByBrowser = false) {
  root.classList.toggle("wall", isWall);
  leave.hidden = !isWall;
  dispatchEvent(new Event("resize"));
  if (isWall) {
    root.requestFullscreen?.().catch(() => {});
    stayAwake();
    return;
  }
  awake?.release();
  if (document.fullscreenElement && !isByBrowser) await document.exitFullscreen();
  // Back to where it was opened from.
  if (history.state?.isWall) history.back();
}
document.querySelector("#wall").addEventListener("click", () => {
  if (live.hidden) go("?");
  setWall(true);
});
leave.addEventListener("click", () => setWall(false));
document.addEventListener("fullscreenchange", () => {
  if (!document.fullscreenElement && root.classList.contains("wall")) setWall(false, true);
});
let resting;
for (const kind of ["pointermove", "pointerdown", "keydown"]) {
  addEventListener(kind, () => {
    root.classList.remove("resting");
    clearTimeout(resting);
    resting = setTimeout(() => root.classList.add("resting"), POINTER_RESTS_MS);
  });
}

document.querySelector("#sign-out").addEventListener("click", (event) => act(event.currentTarget, () =>
  leaving("You are signed out.", () => ask("POST", "logout"))));

startLive({
  onFull(name) {
    const isThere = new URLSearchParams(location.search).get("camera") === name;
    if (!isThere) history.pushState({ isWall: true }, "", `?camera=${encodeURIComponent(name)}`);
    route();
    setWall(true);
  },
});

function sayTrouble(words = "") {
  const asked = new URLSearchParams(location.search).get("camera");
  const isNone = !words && !live.hidden && asked !== null && !isKnown(asked);
  const nothing = !words && !known?.cameras.length && !known?.microphones.length;
  showTrouble(isNone ? `There is no camera named ${asked} here.` : nothing ? "There is no camera that you may see." : words);
}

function showTrouble(words) {
  if (trouble.textContent === words) return;
  trouble.textContent = words;
  // There is another height left for the pictures.
  dispatchEvent(new Event("resize"));
}

// Whether nothing is reported as motion or noise, beside the live pictures; an older server has no detection.
function showDisarmed() {
  const isHidden = live.hidden || known?.services.motion !== false;
  if (disarmed.hidden === isHidden) return;
  disarmed.hidden = isHidden;
  dispatchEvent(new Event("resize"));
}

// What waits for the first status. A user without the right to the past has no events, nor has an older server.
function begin() {
  route();
  const hasEvents = known.past !== false && known.services.recording !== undefined;
  document.querySelector("nav [data-view=events]").hidden = !hasEvents;
  if (hasEvents) import("./news.js").then(({ watchNews }) => watchNews(), () => {});
}

let missed = 0;
async function poll() {
  try {
    const isFirst = !known;
    known = await status();
    missed = 0;
    showStatus(known);
    say(server, `${known.user} · Defender ${known.version}`);
    sayTrouble();
    showDisarmed();
    if (isFirst) begin();
  } catch (fault) {
    missed += 1;
    const isGone = fault instanceof Gone;
    if (isGone) showServerGone();
    // One answer may get lost while pictures come.
    if (missed < MISSED_TELL && (isGone || fault.status) && showsPictures()) return;
    if (isGone) {
      showTrouble("The server does not answer. Trying again; if its certificate was changed, reload the page.");
    } else if (fault.status) {
      showTrouble(`The server says: ${fault.message}. Trying again.`);
    } else {
      showTrouble("The page has an internal error: reload it.");
      console.error(fault);
    }
  }
}

root.dataset.runs = "yes";
route();
poll().then(() => whileSeen(STATUS_EVERY_MS, poll));
