// The sign-in form. The server sends it at the address that was requested, so going on means requesting that
// again.

// A small board needs seconds to check a password, and checks one at a time.
const LOGIN_MS = 60_000;

// Beside this script's folder, wherever a proxy put that. Without the name and password that the address
// may hold: fetch takes no URL with them.
function api(path) {
  const url = new URL(`../api/1.0/${path}`, import.meta.url);
  url.username = "";
  url.password = "";
  return url;
}

// Older browsers show a dialog of their own where the server takes them for another program.
const OURS = { "X-Requested-With": "fetch" };

const form = document.querySelector("form");
const [error, button, show, why] = ["#error", "button", "#show", "#why"].map((what) => document.querySelector(what));

// With the origin before it: a path of two slashes alone would name another server. Without the
// fragment: to one on the same page a browser only scrolls.
const goOn = () => location.replace(location.origin + location.pathname + location.search);

// A link on another site's page leads here with a good cookie, too: the browser does not send it then.
async function isSignedIn() {
  const response = await fetch(api("status"), { cache: "no-store", headers: OURS });
  return response.ok;
}

// Shows `text` with the seconds that are left, and disables the form until then.
function holdBack(seconds, text) {
  button.disabled = true;
  const end = Date.now() + seconds * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Wait ${left} s` : "Sign in";
    if (left > 0) setTimeout(tick, 250);
    else error.textContent = "";
  };
  tick();
  error.textContent = text;
}

async function signIn() {
  const { user, password } = Object.fromEntries(new FormData(form));
  const limit = AbortSignal.timeout?.(LOGIN_MS);
  const body = JSON.stringify({ user, password });
  const response = await fetch(api("login"), { method: "POST", headers: OURS, body, signal: limit });
  if (response.ok) {
    if (await isSignedIn()) return goOn();
    throw new Error("The browser did not store the session: that requires an encrypted connection (https).");
  }
  const wait = Number(response.headers.get("Retry-After"));
  if (response.status === 429) return holdBack(wait, `Too many failed attempts. Try again in ${words(wait)}.`);
  if (response.status === 503) return holdBack(wait, "The server is busy with other sign-ins.");
  form.elements.password.focus();
  form.elements.password.select();
  const said = await response.json().catch(() => ({}));
  throw new Error(response.status === 401 ? "Wrong name or password." : `The server says: ${said.error ?? response.status}`);
}

const words = (seconds) => (seconds > 90 ? `${Math.ceil(seconds / 60)} minutes` : `${seconds} seconds`);

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  error.textContent = "";
  // Not disabled, or it would lose the keyboard's focus.
  if (button.hasAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try {
    await signIn();
  } catch (fault) {
    const isGone = fault instanceof TypeError || fault.name === "TimeoutError";
    error.textContent = isGone ? "The server does not answer. Is it running, and is this device in its network?" : fault.message;
  }
  button.removeAttribute("aria-disabled");
});

show.addEventListener("change", () => { form.elements.password.type = show.checked ? "text" : "password"; });

try {
  why.textContent = sessionStorage.getItem("why") ?? "";
  sessionStorage.removeItem("why");
} catch {
  // The browser stores nothing, so there is no reason to show.
}

document.documentElement.dataset.runs = "yes";
isSignedIn().then((isIn) => isIn && goOn(), () => {});
