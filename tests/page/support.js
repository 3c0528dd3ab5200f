// Starting the real binary in a folder of its own, and a browser to look at it.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { pbkdf2Sync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const require = createRequire(process.env.PAGE_MODULES);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const DESK = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };
export const SIDEWAYS = { width: 844, height: 390 };
export const PASSWORD = "correct horse battery";

// How long anything may take before a test gives up on it; nothing is asserted about less. A machine that is emulated takes longer.
const PATIENCE_MS = Number(process.env.PAGE_PATIENCE_MS ?? 120_000);

const binary = resolve(process.env.DEFENDER_BINARY);
const screenshots = process.env.DEFENDER_SCREENSHOTS;

// What `all.js` runs.
export const tests = [];
export const test = (name, body) => tests.push([name, body]);

// Calls `look` until what it gives is true, and gives that.
export async function until(what, look) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await pause(50);
  }
}

// The file of the admin `ada`, the viewer `eve` and `more` viewers by their names, with the fields of each. Hashing is
// slow on purpose; this has the fewest rounds that are accepted.
function users(more) {
  const base64 = (bytes) => bytes.toString("base64").replace(/=+$/, "");
  const salt = Buffer.from("salt of a test");
  const hash = pbkdf2Sync(PASSWORD, salt, 1000, 64, "sha512");
  const line = (name, role, fields = "") => `${name}:${role}:$pbkdf2-sha512$i=1000,l=64$${base64(salt)}$${base64(hash)}${fields}\n`;
  return line("ada", "admin") + line("eve", "viewer") + Object.entries(more).map(([name, fields]) => line(name, "viewer", fields)).join("");
}

// Five frames a second: drawing thirty is most of what these tests would cost.
const CAMERA = '[camera.front]\ndevice = "test"\nfps = 5\n';

// The same camera, recorded all the time.
export const RECORDED = `[record]\nmin_free_gb = 0\nflush_s = 1\n${CAMERA}[camera.front.record]\nwhen = "always"\n`;

// A server with the admin `ada` and the viewer `eve`; killed, and its folder removed, after `t`.
export class Server {
  // What closes each window that looks at it.
  windows = [];
  environment = {};
  // A command that becomes the server, such as `unshare`.
  under = [];

  constructor(t, { keys = "", sections = CAMERA, viewers = {} } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), "defender-page-"));
    this.keys = keys;
    this.sections = sections;
    writeFileSync(join(this.folder, "users"), users(viewers), { mode: 0o600 });
    t.after(() => this.#end());
  }

  async #end() {
    try {
      // First who looks at it: a browser complains of servers that go.
      for (const close of this.windows) await close();
    } finally {
      await this.kill();
      rmSync(this.folder, { recursive: true });
    }
  }

  // Starts it, or starts it again where it was before.
  async start() {
    // Files that are not built into the binary yet.
    const page = process.env.DEFENDER_WWW ? `www = "${resolve(process.env.DEFENDER_WWW)}"` : "";
    writeFileSync(join(this.folder, "defender.conf"),
      `[server]\n${page}\naddress = "127.0.0.1"\nport = ${this.port ?? 0}\nuser = "root"\n${this.keys}\n${this.sections}`);
    const log = join(this.folder, "log");
    const output = openSync(log, "w");
    const [command, ...words] = [...this.under, binary, "-c", "defender.conf"];
    this.child = spawn(command, words,
      { cwd: this.folder, env: { ...process.env, HOME: this.folder, ...this.environment }, stdio: ["ignore", output, output] });
    this.child.once("error", (fault) => { throw fault; });
    this.port = await until("the line `listening on`", () => {
      assert.equal(this.child.exitCode, null, this.log());
      return Number(/listening on \S*:(\d+)/.exec(this.log())?.[1]);
    });
    return this;
  }

  log() {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  async kill() {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await ended;
  }

  url(path = "/") {
    return `https://127.0.0.1:${this.port}${path}`;
  }

  // Its process stops where it is, as on a machine that hangs: connections stay open, and nothing comes.
  fallSilent() {
    this.child.kill("SIGSTOP");
  }

  speakAgain() {
    this.child.kill("SIGCONT");
  }

  // The status document, as the admin sees it.
  status() {
    const out = execFileSync("curl", ["-sk", "-u", `ada:${PASSWORD}`, this.url("/api/1.0/status")]);
    return JSON.parse(out);
  }
}

// A server that somebody else has started.
export const elsewhere = (url) => ({ windows: [], url: (path = "/") => url + path });

// A token of `user` at `server`, for programs.
export function addToken(server, user) {
  const out = execFileSync(binary, ["token", "add", "panel", "--user", user, "-c", "defender.conf"], { cwd: server.folder, encoding: "utf8" });
  return /dft_\S+/.exec(out)[0];
}

let browser;

// One for all, however many ask for it at once.
function launched() {
  browser ??= chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  return browser;
}

// Has `change` at hand whenever the page gets the server's status, and the fields of that answer.
export async function retell(page, change) {
  await page.route("**/api/1.0/status", async (route) => {
    try {
      const answer = await route.fetch();
      const status = await answer.json();
      // Without a sign-in there is nothing.
      const headers = answer.headers();
      if (answer.ok()) change(status, headers);
      await route.fulfill({ response: answer, json: status, headers });
    } catch {
      // The server ended with the test, or the window did.
      await route.abort().catch(() => {});
    }
  });
}

// Applies what was drawn or chosen.
export async function apply(page) {
  // What an earlier one said stands for a while.
  await page.locator("#note").evaluate((line) => { line.textContent = ""; });
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText("Applied", { exact: true }).waitFor();
}

// Streams of pictures and sound, once `window.hold()` was called, bring nothing until `window.release()`;
// `window.cut()` breaks those there are.
export const withStreamsInHand = (page) => page.addInitScript(() => {
  const ask = window.fetch;
  let [held, release] = [undefined, undefined];
  window.hold = () => { held ??= new Promise((go) => { release = go; }); };
  window.release = () => {
    release();
    held = undefined;
  };
  let open = [];
  window.cut = () => {
    for (const stream of open) stream.error(new Error("cut"));
    open = [];
  };
  window.fetch = async (url, options) => {
    const response = await ask(url, options);
    if (!/\/(video|audio)\//.test(String(url)) || !response.ok) return response;
    const tap = new TransformStream({
      start(controller) {
        open.push(controller);
      },
      async transform(chunk, controller) {
        await held;
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(tap), { headers: response.headers });
  };
});

// The dot beside a camera's name: whether it has the colour that says that all is well.
export const isGreen = (page, name = "front") => camera(page, name).evaluate((element) => {
  const probe = document.createElement("i");
  probe.style.color = "var(--good)";
  element.append(probe);
  const good = getComputedStyle(probe).color;
  probe.remove();
  return getComputedStyle(element.querySelector("h2"), "::before").backgroundColor === good;
});

export async function close() {
  await (await browser)?.close();
}

// A window of its own, with no memory of others. What its console complains of fails the test, but
// for what the browser itself says of refusals and lost connections that `expected` matches.
export async function open(server, { viewport = DESK, expected = /401/, ...more } = {}) {
  const context = await (await launched()).newContext({ ignoreHTTPSErrors: true, viewport, isMobile: viewport !== DESK && viewport.width < 900, hasTouch: viewport !== DESK && viewport.width < 900, ...more });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !expected.test(message.text())) complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (fault) => complaints.push(fault.stack));
  server.windows.push(async () => {
    await context.close();
    assert.deepEqual(complaints, []);
  });
  return page;
}

export async function fillIn(page, user, password = PASSWORD) {
  await page.getByLabel("Name").fill(user);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

// A window in which `user` is signed in, at `path`.
export async function signedIn(server, user, { path = "/", ...options } = {}) {
  const page = await open(server, options);
  await page.goto(server.url(path));
  await fillIn(page, user);
  await page.locator("#sign-out").waitFor();
  return page;
}

export const camera = (page, name = "front") => page.locator(`.camera[data-name="${name}"]`);

// A sum over the pixels of a canvas; another one means another picture.
export const pixels = (page, name = "front") => camera(page, name).locator("canvas.surface").evaluate((canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.reduce((sum, value, at) => (sum * 31 + value + (at % 7)) % 1_000_003, 0);
});

export async function untilItMoves(page, name = "front") {
  await camera(page, name).and(page.locator(".live")).waitFor();
  const first = await pixels(page, name);
  await until(`${name}'s picture to move`, async () => (await pixels(page, name)) !== first);
}

// Makes a window "hidden", as behind another tab, or "visible".
export const hide = (page, state = "hidden") => page.evaluate((value) => {
  Object.defineProperty(document, "visibilityState", { value, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}, state);

export async function assertNotWide(page, view) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${view} is ${wide} px wider than the window`);
}

// Nothing that keeps people out: axe finds nothing serious, in light and in dark.
export async function assertAccessible(page, view) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    // A transition that is under way has colours of neither. One of something that is taken away is aborted.
    await page.evaluate(() => Promise.allSettled(document.getAnimations().map((each) => each.finished)));
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
    const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`).join("; ")}`);
    assert.deepEqual(bad, [], `${view}, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: null });
}

// A finger that rests so long before it leaves does not fling.
const STILL_MS = 200;

// What drags a finger from a place of the window to another.
export async function finger(page) {
  const session = await page.context().newCDPSession(page);
  const touch = (type, points) => session.send("Input.dispatchTouchEvent", { type, touchPoints: points.map(([x, y]) => ({ x, y })) });
  return async (from, to) => {
    await touch("touchStart", [from]);
    for (const part of [0.3, 0.6, 1]) await touch("touchMove", [from.map((value, axis) => value + (to[axis] - value) * part)]);
    // A finger that is still moving when it leaves is a fling, and the browser takes the next tap as its end, not as a click.
    await page.waitForTimeout(STILL_MS);
    await touch("touchEnd", []);
  };
}

// Keeps a picture of the window where they are wanted.
export async function picture(page, name) {
  if (!screenshots) return;
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

// Gives a server that is not started the camera of bench/camera; what comes back unplugs it ("unplug")
// and makes it well ("").
export function standIn(server) {
  // In the server's own folder: what lies elsewhere it may not open.
  const at = (name) => join(server.folder, name);
  execFileSync("cc", ["-O2", "-shared", "-fPIC", "-o", at("standin.so"), resolve("bench/camera/standin.c"), "-ldl", "-lpthread"]);
  execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=15", "-t", "1",
    "-c:v", "mjpeg", "-huffman", "default", "-f", "mjpeg", at("film.mjpeg")]);
  writeFileSync(at("node"), "");
  const fault = (word) => writeFileSync(at("control"), word);
  fault("");
  server.sections = `[camera.front]\ndevice = "${at("node")}"\nwidth = 320\nheight = 240\nfps = 15\n`;
  server.environment = {
    LD_PRELOAD: at("standin.so"), STANDIN_NODE: at("node"), STANDIN_MJPEG: at("film.mjpeg"), STANDIN_CONTROL: at("control"),
    STANDIN_SIZE: "320x240", STANDIN_FPS: "15",
  };
  return fault;
}

// A camera with something of everything to be set, in place of the test card, which has nothing.
// The requests to it are collected.
export async function withControls(page, more = {}) {
  const control = (name, label, kind, more) =>
    ({ name, label, kind, min: 0, max: 255, step: 1, default: 128, value: 130, inactive: false, read_only: false, menu: [], ...more });
  const camera = {
    name: "front",
    ...more,
    settings: { device: "test", format: "auto", width: 640, height: 480, fps: 30, quality: 85, chroma: "auto", on_demand: false,
      rotate: 0, flip: "none", stamp: "", stamp_corner: "top-left", stamp_clock: "local", masks: [],
      record: { when: "off", idle_fps: 1, pre_s: 10, post_s: 20, microphone: "", sound: "flac", days: 0, event_days: 0, thin_after_days: 0, max_gb: 0 } },
    controls: [
      control("brightness", "Brightness", "integer"),
      control("contrast", "Contrast", "integer"),
      control("exposure", "Exposure", "integer", { inactive: true }),
      control("white_balance_automatic", "Automatic white balance", "boolean", { max: 1, value: 1, default: 1 }),
      control("power_line_frequency", "Power line", "menu", { max: 2, value: 1, menu: ["Off", "50 Hz", "60 Hz"].map((name, value) => ({ value, name })) }),
      control("sharpness", "Sharpness", "integer", { max: 2, value: 1, menu: ["Soft", "Medium", "Hard"].map((name, value) => ({ value, name })) }),
      control("focus_now", "Focus now", "button"),
    ],
  };
  const requests = [];
  let isBusy = false;
  await page.route("**/api/1.0/cameras/front", async (route) => {
    const change = route.request().postDataJSON();
    if (change) {
      assert.ok(!isBusy, "one request at a time");
      isBusy = true;
      requests.push(change);
      // As a camera that takes its time.
      await pause(50);
      for (const each of camera.controls) each.value = change.controls?.[each.name] ?? each.value;
      isBusy = false;
    }
    return route.fulfill({ json: camera });
  });
  return requests;
}
