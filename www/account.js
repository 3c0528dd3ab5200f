// One's own password, and the page's colours on this device.

import { ask, leaving, recall, remember } from "./api.js";
import { act, field, make } from "./dom.js";

const THEMES = { "": "As the system has it", light: "Light", dark: "Dark" };

export function show(section, { user, role }) {
  section.append(
    make("p", {}, "You are ", make("strong", {}, user), role === "admin" ? ", an admin." : ", a viewer."),
    passwordForm(user),
    themeForm(),
  );
}

function passwordForm(user) {
  const password = (name, label, autocomplete) =>
    field(label, make("input", { name, type: "password", autocomplete, required: true }));
  const form = make("form", { class: "card" },
    make("h3", {}, "Change your password"),
    // Not shown: it tells a password manager whose password this is.
    make("input", { hidden: true, autocomplete: "username", value: user, readOnly: true, "aria-label": "Name" }),
    password("old", "The old one", "current-password"),
    password("new", "The new one", "new-password"),
    password("again", "The new one again", "new-password"),
    make("p", { class: "quiet" }, "At least 10 characters. You will be signed out wherever you are signed in."),
    make("button", { class: "main" }, "Change the password"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form, async () => {
      const { old, new: wanted, again } = Object.fromEntries(new FormData(form));
      if (wanted !== again) throw new Error("the new password is not the same twice");
      await leaving("Your password was changed. Sign in with the new one.", () =>
        ask("PUT", "password", { old, new: wanted }));
    }, blame);
  });
  return form;
}

// The field that the server's or our own words are about.
const blame = (words) => [["again", /twice/], ["old", /\bold\b/], ["new", /the password/]].find(([, about]) => about.test(words))?.[0];

function themeForm() {
  const now = recall("theme");
  const select = make("select", {}, Object.entries(THEMES).map(([value, words]) =>
    make("option", { value, selected: value === now }, words)));
  select.addEventListener("change", () => {
    remember("theme", select.value);
    document.documentElement.dataset.theme = select.value;
  });
  return make("form", { class: "card" }, make("h3", {}, "Appearance"), make("label", {}, "Colours on this device", select));
}
