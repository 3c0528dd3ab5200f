// The user's own sessions; all sessions for an admin.

import { ask, leaving } from "./api.js";
import { act, duration, make, say, whileSeen } from "./dom.js";

const LOOK_EVERY_MS = 5000;

export async function show(section, { role }) {
  const all = role === "admin";
  const rows = make("tbody");
  section.append(
    make("p", { class: "quiet" }, all ? "Everyone who is signed in." : "Where you are signed in."),
    make("div", { class: "card scroll sessions", tabIndex: 0, role: "region", "aria-label": "List of sessions" },
      make("table", {},
        make("thead", {}, make("tr", {}, ["User", "Address", "Signed in", "Last used", "Ends", ""].map((head) =>
          make("th", { scope: "col" }, head || make("span", { class: "unseen" }, "End it"))))),
        rows)));
  await fill(rows);
  return whileSeen(LOOK_EVERY_MS, () => fill(rows));
}

// Rows stay where they are, so that a click hits the row it was meant for.
async function fill(rows) {
  const { sessions } = await ask("GET", "sessions");
  const old = new Map([...rows.children].map((row) => [row.dataset.id, row]));
  for (const session of sessions) {
    const row = old.get(session.id) ?? add(rows, session);
    old.delete(session.id);
    const words = [session.user, session.address, `${duration(session.age_s)} ago`,
      session.current ? "now" : `${duration(session.idle_s)} ago`, `in ${duration(session.ends_in_s)}`];
    words.forEach((text, at) => say(row.children[at], text));
  }
  for (const row of old.values()) row.remove();
}

function add(rows, { id, user, address, current }) {
  const button = make("button", { type: "button", "aria-label": current ? "Sign out here" : `End the session of ${user} at ${address}` },
    current ? "Sign out" : "End");
  button.addEventListener("click", () => act(button, async () => {
    const end = () => ask("DELETE", `sessions/${encodeURIComponent(id)}`);
    if (current) return leaving("You are signed out.", end);
    await end();
    await fill(rows);
    return `the session of ${user} has ended`;
  }));
  const row = make("tr", { class: current ? "current" : "" }, Array.from({ length: 5 }, () => make("td")), make("td", {}, button));
  row.dataset.id = id;
  rows.append(row);
  return row;
}
