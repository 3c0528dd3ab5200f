// The users, and which cameras and microphones each may use; for admins.

import { ask } from "./api.js";
import { act, confirmed, field, make } from "./dom.js";

const path = (name) => `users/${encodeURIComponent(name)}`;

// The name of the field that an error of the server is about.
const blame = (words) => [["password", /the password/], ["role", /\brole\b|last admin/], ["name", /\bname\b|\ba user\b/]]
  .find(([, about]) => about.test(words.replaceAll(/\x60[^\x60]*\x60/g, "")))?.[0];

export async function show(section, status) {
  const list = make("div", { class: "users" });
  const problems = make("p", { class: "bad" });
  const devices = { cameras: status.cameras.map(({ name }) => name), microphones: status.microphones.map(({ name }) => name) };
  const refill = async () => {
    const found = await ask("GET", "users");
    const focused = document.activeElement.closest("details")?.dataset.name;
    list.replaceChildren(...found.users.map((user) => userCard(user, { devices, own: status.user, refill })));
    [...list.children].find(({ dataset }) => dataset.name === focused)?.querySelector("summary").focus();
    problems.textContent = found.problems.join(" ");
  };
  section.append(problems, list, newUser(devices, refill));
  await refill();
}

function newUser(devices, refill) {
  const role = roleField("viewer");
  const scope = scopeFields(devices, { cameras: null, microphones: null, past: true });
  const form = make("form", { class: "card", id: "new-user" },
    make("h3", {}, "Add a user"),
    field("Name", make("input", { name: "name", autocomplete: "username", autocapitalize: "none", spellcheck: false, required: true })),
    passwordField("Password", true),
    role, scope.element,
    make("button", { class: "main" }, "Add"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form, async () => {
      const { name, password } = Object.fromEntries(new FormData(form));
      const { confined, ...chosen } = scope.value();
      await ask("POST", "users", { name, password, role: role.querySelector("select").value, ...chosen });
      form.reset();
      scope.reset();
      await refill();
      return `added ${name}`;
    }, blame);
  });
  return form;
}

function userCard(user, { devices, own, refill }) {
  const role = roleField(user.role);
  const scope = scopeFields(devices, user);
  const form = make("form", {},
    // Hidden: it gives a password manager the user's name.
    make("input", { hidden: true, autocomplete: "username", value: user.name, readOnly: true, "aria-label": "Name" }),
    role, scope.element, passwordField("New password", false),
    make("div", { class: "row" }, make("button", { class: "main" }, "Save"), removeButton(user.name, refill)));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form, async () => {
      const { password } = Object.fromEntries(new FormData(form));
      const wanted = role.querySelector("select").value;
      await ask("PUT", path(user.name), {
        role: wanted === user.role ? undefined : wanted,
        password: password || undefined,
        ...scope.value(),
      });
      await refill();
      return `changed ${user.name}`;
    }, blame);
  });
  const what = user.cameras === null ? "sees and hears everything" : `only ${[...user.cameras, ...user.microphones].join(", ")}`;
  const sees = user.past ? what : `${what}, no recordings`;
  const card = make("details", { class: "card", name: "user" },
    make("summary", {}, make("strong", {}, user.name), make("span", { class: "role" }, user.role),
      make("span", { class: "quiet" }, user.name === own ? `you; ${sees}` : sees)),
    form);
  card.dataset.name = user.name;
  return card;
}

function removeButton(name, refill) {
  const button = make("button", { type: "button", class: "bad" }, "Remove");
  button.addEventListener("click", () => act(button, async () => {
    if (!await confirmed(`Remove ${name}? The user's tokens are removed as well. All sessions and streams of the user end at once.`, "Remove")) return undefined;
    await ask("DELETE", path(name));
    await refill();
    return `removed ${name}`;
  }));
  return button;
}

const passwordField = (label, required) => field(label,
  make("input", { name: "password", type: "password", autocomplete: "new-password", required }));

function roleField(now) {
  const options = ["viewer", "admin"].map((role) => make("option", { value: role, selected: role === now }, role));
  return field("Role", make("select", { name: "role" }, options));
}

// Everything, or what is ticked. Devices of the user that do not exist now stay in the list.
function scopeFields(devices, { cameras, microphones, past }) {
  const recordings = make("input", { type: "checkbox", name: "past", defaultChecked: past });
  const all = make("input", { type: "checkbox", defaultChecked: cameras === null });
  const boxes = (kind, word, has) => [...new Set([...devices[kind], ...(has ?? [])])].map((name) => {
    const box = make("input", { type: "checkbox", value: name, defaultChecked: has?.includes(name) ?? false });
    box.dataset.kind = kind;
    return make("label", { class: "check" }, box, `${word} ${name}`);
  });
  const some = make("div", { class: "ticks" },
    boxes("cameras", "camera", cameras), boxes("microphones", "microphone", microphones));
  const reset = () => { some.hidden = all.checked; };
  all.addEventListener("change", reset);
  reset();
  const ticked = (kind) => [...some.querySelectorAll(`[data-kind=${kind}]:checked`)].map(({ value }) => value);
  return {
    element: make("fieldset", {}, make("legend", {}, "May see and hear"), make("label", { class: "check" }, all, "everything"), some,
      make("label", { class: "check" }, recordings, "recordings and events, too")),
    reset,
    value: () => ({
      ...(all.checked ? { confined: false } : { cameras: ticked("cameras"), microphones: ticked("microphones") }),
      past: recordings.checked,
    }),
  };
}
