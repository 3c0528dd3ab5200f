// Making elements, and words for people.

// An element with properties, listeners (onclick: ...) and attributes (aria-label), and its children.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (key in element && !key.includes("-")) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined));
  return element;
}

// A button of this name and label, and what a click does.
export function button(name, label, work) {
  const made = make("button", { type: "button", name }, label);
  made.addEventListener("click", work);
  return made;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

const styles = new Map();

// Loads a style that the page needs for one of its parts only. It is there, or cannot be had, when this returns.
export function styled(file) {
  if (!styles.has(file)) {
    styles.set(file, new Promise((loaded) => {
      document.head.append(make("link", { rel: "stylesheet", href: file, onload: loaded, onerror: loaded }));
    }));
  }
  return styles.get(file);
}

export function copyOf(template) {
  return document.querySelector(template).content.firstElementChild.cloneNode(true);
}

// Only on change: a screen reader would read every repetition aloud.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Words in a row. A line does not begin with the dot between two of them.
export const inRow = (words) => words.filter(Boolean).join("\u00a0· ");

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// Where a server has no place to save settings.
export const NOT_SAVED = "The server cannot save changes; they last until it restarts.";

// What was last heard of so long ago is not the present.
export const FRESH_MS = 3000;

// A moment as a clock on this browser's wall shows it.
export function localTime(date) {
  const two = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":")}`;
}

// A moment's offset from UTC, such as +0530.
export const offsetOf = (date) => /[+-]\d{4}/.exec(date)[0];

// The same in the name of a file, with its zone.
export const fileTime = (date) => localTime(date).replace(" ", "T").replaceAll(":", "-") + offsetOf(date);

export function duration(seconds) {
  for (const [length, unit] of [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]) {
    const count = Math.floor(seconds / length);
    if (count) return plural(count, unit);
  }
  return "a moment";
}

const NEWS_STAYS_MS = 10_000;

// Tells who cannot see it what others see.
export function announce(text) {
  const line = make("p", {}, text);
  document.querySelector("#news").append(line);
  setTimeout(() => line.remove(), NEWS_STAYS_MS);
}

let fading;

// A line at the foot of the page, for a while.
export function note(text, isBad = false) {
  const line = document.querySelector("#note");
  clearTimeout(fading);
  line.className = isBad ? "card bad" : "card";
  line.textContent = sentence(text);
  fading = setTimeout(() => { line.textContent = ""; }, isBad ? 10_000 : 4000);
}

let fields = 0;

// A form's input with its label, and space beside it for an error.
export const field = (label, input) => labelled(make("label", {}, label, input), input);

// The same for an input that is in a label already.
export function labelled(label, input) {
  fields += 1;
  input.addEventListener("input", () => setWrong(input, ""));
  return make("div", { class: "field" }, label, make("p", { class: "bad wrong", role: "alert", id: `wrong-${fields}` }));
}

// Says beside an input made by `field` what is wrong with it; with no words that nothing is.
export function setWrong(input, words) {
  const wrong = input.closest(".field").querySelector(".wrong");
  say(wrong, words && `${sentence(words)}.`);
  if (words) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
  if (words) input.setAttribute("aria-describedby", wrong.id); else input.removeAttribute("aria-describedby");
}

// Does the work of a button or form, once at a time; says what came of it: beside the input that `blame`
// gives the name of, for the words of a fault, or else at the foot of the page. The button is not disabled
// meanwhile: it would lose the keyboard's focus.
export async function act(control, work, blame = () => undefined) {
  const button = control.matches("form") ? control.querySelector("button:not([type=button])") : control;
  if (button.hasAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  if (control.matches("form")) for (const input of control.querySelectorAll("[aria-invalid]")) setWrong(input, "");
  try {
    const words = await work();
    if (words) note(words);
  } catch (fault) {
    const input = control.querySelector(`.field [name="${blame(fault.message)}"]`);
    if (input) {
      setWrong(input, fault.message);
      input.focus();
    } else {
      note(fault.message, true);
    }
  }
  button.removeAttribute("aria-disabled");
  // Where the work took the button away, the keyboard goes on beside it.
  if (document.activeElement === document.body && !button.isConnected) document.querySelector("#content").focus({ preventScroll: true });
}

// Calls `work` again and again, once at a time, while somebody sees the page. Returns what ends that.
export function whileSeen(every_ms, work) {
  let [timer, isBusy, isOver] = [undefined, false, false];
  const rest = () => { timer = setTimeout(go, every_ms); };
  const go = async () => {
    clearTimeout(timer);
    if (isBusy || isOver || document.visibilityState === "hidden") return;
    isBusy = true;
    // The page's head says what is wrong.
    await work().catch(() => {});
    isBusy = false;
    if (!isOver) rest();
  };
  document.addEventListener("visibilitychange", go);
  rest();
  return () => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", go);
  };
}

// Asks for confirmation; true for yes.
export function confirmed(question, yes) {
  const dialog = document.querySelector("#question");
  const [words, button] = ["p", ".main"].map((what) => dialog.querySelector(what));
  words.textContent = question;
  button.textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
  });
}
