// Settings that were changed and saved, and so are in force over defender.conf: by whom, since when, and a
// button for each that takes it back. For admins.

import { ask, askIfThere } from "./api.js";
import { act, localTime, make, offsetOf, plural } from "./dom.js";

// The settings whose names begin with `prefix`, with their values and what is overridden; none on a server
// that is older than this page.
export async function settingsOf(prefix) {
  return of(await askIfThere("settings"), prefix);
}

const of = (document, prefix) => (document?.settings ?? []).filter(({ name }) => name.startsWith(prefix));

// A list of what is overridden, empty where nothing is. `done` gets the settings after a reset.
export class OverridesList {
  element = make("div", { class: "overrides" });
  #prefix;
  #done;
  #shown;

  constructor(prefix, done) {
    this.#prefix = prefix;
    this.#done = done;
  }

  show(rows) {
    const overridden = rows.filter((row) => row.override);
    const shown = JSON.stringify(overridden.map(({ name, override }) => [name, override]));
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.element.replaceChildren(...(overridden.length ? [
      make("h3", {}, "Saved settings (override defender.conf)"),
      make("ul", {}, overridden.map((row) => make("li", { class: "row" }, make("span", {}, describe(row)), this.#resetButton(row)))),
    ] : []));
  }

  #resetButton({ name, label }) {
    const button = make("button", { type: "button", "aria-label": `Reset ${label} to defender.conf` }, "Reset");
    button.addEventListener("click", () => act(button, async () => {
      const rows = of(await ask("DELETE", `settings/${encodeURIComponent(name)}`), this.#prefix);
      this.show(rows);
      await this.#done(rows);
      return `${label} is reset to the value in defender.conf`;
    }));
    return button;
  }
}

function describe({ label, override: { value, configured, by, at, problem } }) {
  const who = by ? `saved by ${by}` : at ? "saved" : "";
  const when = at ? `on ${localTime(new Date(at))} ${offsetOf(new Date(at))}` : "";
  const before = problem ? `ignored: ${problem}` : `defender.conf: ${shown(configured ?? "not set")}`;
  return `${[`${label}: ${shown(value)}`, [who, when].filter(Boolean).join(" ")].filter(Boolean).join(", ")} (${before})`;
}

// A list, as that of masks, is shown by its length.
const shown = (value) => (Array.isArray(value) ? plural(value.length, "item") : value);
