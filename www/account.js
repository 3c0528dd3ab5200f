// The user's own password, and the page's colours on this device.

import { ask, leaving, recall, remember } from "./api.js";
import { act, field, make } from "./dom.js";

const THEMES = { "": "Same as the system", light: "Light", dark: "Dark" };

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
    // Hidden: it gives a password manager the user's name.
    make("input", { hidden: true, autocomplete: "username", value: user, readOnly: true, "aria-label": "Name" }),
    password("old", "Current password", "current-password"),
    password("new", "New password", "new-password"),
    password("again", "New password again", "new-password"),
    make("p", { class: "quiet" }, "At least 10 characters. All your sessions will end."),
    make("button", { class: "main" }, "Change password"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form, async () => {
      const { old, new: wanted, again } = Object.fromEntries(new FormData(form));
      if (wanted !== again) throw new Error("the passwords do not match");
      await leaving("Your password was changed. Sign in with the new one.", () =>
        ask("PUT", "password", { old, new: wanted }));
    }, blame);
  });
  return form;
}

// The name of the field that an error is about.
const blame = (words) => [["again", /match/], ["old", /\bold\b/], ["new", /the password/]].find(([, about]) => about.test(words))?.[0];

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
