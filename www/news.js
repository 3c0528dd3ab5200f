// How many events came since this browser last showed them, beside the word Events.

import { askIfThere, recall, remember } from "./api.js";
import { make, whileSeen } from "./dom.js";

const LOOK_EVERY_MS = 10_000;
const MOST = 100;
const SEEN = "newest event seen";

const badge = document.querySelector("[data-view=events] .count");

// Looks for news while the page is seen; ends where the server has no events for this user.
export function watchNews() {
  const look = async () => {
    const found = await askIfThere(`events?limit=${MOST}`);
    if (!found) return end();
    const newest = found.events[0]?.id ?? 0;
    // In a browser that never showed any, all are old. Ids begin again where the server's were lost.
    if (!recall(SEEN) || Number(recall(SEEN)) > newest) remember(SEEN, newest);
    const count = found.events.filter(({ id }) => id > Number(recall(SEEN))).length;
    return show(count);
  };
  const end = whileSeen(LOOK_EVERY_MS, look);
  look().catch(() => {});
}

export function markSeen(newest) {
  remember(SEEN, newest);
  show(0);
}

function show(count) {
  // Spaces part the words for who hears them.
  const words = count ? ` ${count}${count === MOST ? "+" : ""}` : "";
  if ((badge.firstChild?.textContent ?? "") === words) return;
  badge.replaceChildren(...(count ? [words, make("span", { class: "unseen" }, " new")] : []));
}
