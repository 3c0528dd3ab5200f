// Talking to the server: every request of the page but the streams' own goes through here.
//
// Every request has a time limit, because a machine that hangs keeps its connections open. The status carries the
// server's time as X-Timestamp; the quickest answer of a minute shows how far the browser's clock is off.

// How long an answer may take. A small board needs seconds for a password, and takes one at a time.
const ANSWER_MS = 8000;
const CHANGE_MS = 60_000;

// Without the name and password that the address may hold: fetch takes no URL with them.
const here = new URL(location.pathname, location.origin);

export const address = (path) => new URL(path, here);
export const named = (kind, ...names) => address([kind, ...names.filter(Boolean).map(encodeURIComponent)].join("/"));

// Marks requests of the page: older browsers show a dialog of their own where the server takes them for another
// program.
const OURS = { "X-Requested-With": "fetch" };

// The server refused, with a reason.
export class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

// The server gave no answer.
export class Gone extends Error {}

export function remember(key, value, store = localStorage) {
  try {
    store.setItem(key, value);
  } catch {
    // The browser stores nothing: the value is lost.
  }
}

export function recall(key, store = localStorage) {
  try {
    return store.getItem(key) ?? "";
  } catch {
    return "";
  }
}

let farewell = "You were signed out. Sign in to go on.";

// Asks for the page again, which is now the sign-in form. It says why.
function signedOut(why = farewell) {
  remember("why", why, sessionStorage);
  location.reload();
}

// Does what ends the session, and says `why`: whichever request finds the end first.
export async function leaving(why, work) {
  const before = farewell;
  farewell = why;
  try {
    await work();
  } catch (fault) {
    farewell = before;
    throw fault;
  }
  signedOut();
}

// A response that is well; everything else is thrown, in words. It may be waited for without end:
// only streams, which see to that themselves, are asked for so.
export async function request(url, options) {
  let response;
  try {
    response = await fetch(url, { cache: "no-store", headers: OURS, ...options });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new Gone("the server does not answer");
  }
  if (response.ok) return response;
  if (response.status === 401) signedOut();
  const said = await response.json().catch(() => ({}));
  throw new Refused(response.status, said.error ?? `the server answers with error ${response.status}`);
}

// What `read` makes of a response that is well. All of it has to come in time: a server that falls
// silent ends nothing by itself.
export async function answer(url, read, { signal, limit_ms = ANSWER_MS, ...options } = {}) {
  const attempt = new AbortController();
  const end = () => attempt.abort();
  signal?.addEventListener("abort", end);
  const limit = setTimeout(end, limit_ms);
  try {
    return await read(await request(url, { ...options, signal: attempt.signal }));
  } catch (fault) {
    if (signal?.aborted || fault instanceof Refused) throw fault;
    throw new Gone("the server does not answer");
  } finally {
    clearTimeout(limit);
    signal?.removeEventListener("abort", end);
  }
}

// The answer of an API's resource; nothing where there is no more to say than that it is done.
export async function ask(method, path, body) {
  const limit_ms = method === "GET" ? ANSWER_MS : CHANGE_MS;
  const read = (response) => (response.status === 204 ? undefined : response.json());
  return answer(address(`api/1.0/${path}`), read, { method, body: body && JSON.stringify(body), limit_ms });
}

// What an older server does not have yet is undefined.
export async function askIfThere(path) {
  try {
    return await ask("GET", path);
  } catch (fault) {
    if (fault.status === 404) return undefined;
    throw fault;
  }
}

const CLOCK_GETS_OLD_MS = 60_000;
// Differences beyond what the way of an answer explains: one of both clocks was set.
const CLOCK_WAS_SET_MS = 1000;
let clock;

// How far the server's clock, which stamps the frames, is ahead of ours. The answer that came
// fastest knows it best.
export const clockAhead_ms = () => clock?.ahead_ms ?? 0;

// The status document.
export async function status() {
  const asked = Date.now();
  return answer(address("api/1.0/status"), (response) => {
    const got = Date.now();
    const stamp_ms = Number(response.headers.get("X-Timestamp")) * 1000;
    const took_ms = got - asked;
    const ahead_ms = stamp_ms - (asked + got) / 2;
    const isOld = () => Math.abs(got - clock.got) > CLOCK_GETS_OLD_MS;
    const wasSet = () => Math.abs(ahead_ms - clock.ahead_ms) > (took_ms + clock.took_ms) / 2 + CLOCK_WAS_SET_MS;
    if (stamp_ms && (!clock || took_ms <= clock.took_ms || isOld() || wasSet())) clock = { took_ms, got, ahead_ms };
    return response.json();
  });
}
