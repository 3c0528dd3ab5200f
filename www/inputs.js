// Inputs for settings, as the server's table of settings describes each.

import { make } from "./dom.js";

// The key of the field that an error of the server is about.
export const blame = (editable) => (words) =>
  editable.find(({ key }) => new RegExp(`\\b${key}\\b`).test(words))?.key ?? (/\bsize\b/.test(words) ? "width" : undefined);

// The input of a setting. Sizes have no maximum here: the server knows better which one is too large.
export function settingInput({ key, kind, min, max, choices, hint }) {
  const common = { name: key, title: hint || undefined };
  if (kind === "boolean") return make("input", { type: "checkbox", ...common });
  if (kind === "text") return make("input", { type: "text", maxLength: max, ...common });
  if (kind === "choice") {
    const select = make("select", common, choices.map((choice) => make("option", { value: choice }, choice)));
    if (typeof choices[0] === "number") select.dataset.number = "";
    return select;
  }
  const most = ["width", "height"].includes(key) ? undefined : max;
  return make("input", { type: "number", required: true, min, max: most, step: kind === "decimal" ? "any" : 1, ...common });
}

export function shownIn(input) {
  if (input.type === "checkbox") return input.checked;
  return input.type === "number" || "number" in input.dataset ? Number(input.value) : input.value;
}

export function showIn(input, value) {
  if (input.type === "checkbox") input.checked = value; else input.value = value;
}
