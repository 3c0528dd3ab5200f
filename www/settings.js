// The settings: one panel at a time, those an admin has and those everybody has.

import { make } from "./dom.js";

// The module of each, loaded when it is first wanted, has a `show` that fills a section and returns
// what is to be called when it is left, if anything.
const PANELS = {
  account: { title: "Account", load: () => import("./account.js") },
  sessions: { title: "Sessions", load: () => import("./sessions.js") },
  users: { title: "Users", load: () => import("./users.js"), isForAdmins: true },
  recording: { title: "Recording", load: () => import("./recording.js"), isForAdmins: true },
  services: { title: "Services", load: () => import("./services.js"), isForAdmins: true },
  log: { title: "Log", load: () => import("./log.js"), isForAdmins: true },
};

let shown;

// Fills `host` with the panel that the query names, or with the first one.
export async function show(host, query, status) {
  const asked = query.get("settings");
  const mine = Object.entries(PANELS).filter(([, { isForAdmins }]) => !isForAdmins || status.role === "admin");
  const [key, panel] = mine.find(([name]) => name === asked) ?? mine[0];
  if (shown?.key === key) return;
  leave();
  const section = make("section", { "aria-labelledby": "panel-title" }, make("h2", { id: "panel-title" }, panel.title));
  const links = mine.map(([name, { title }]) =>
    make("a", { href: `?settings=${name}`, "aria-current": name === key ? "page" : undefined }, title));
  host.replaceChildren(make("nav", { "aria-label": "Settings" }, links), section);
  const current = { key };
  shown = current;
  try {
    const { show: fill } = await panel.load();
    const end = await fill(section, status);
    if (shown === current) current.end = end;
    else end?.();
  } catch (fault) {
    section.append(make("p", { class: "bad", role: "alert" }, `This cannot be shown: ${fault.message}.`));
  }
}

export function leave() {
  shown?.end?.();
  shown = undefined;
}
