// Every view: accessible in light and dark, on a desk and on a phone; and how much the first visit loads.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";

import { DESK, PHONE, Server, assertAccessible, camera, fillIn, open, picture, untilItMoves, test } from "./support.js";

const MOST_GZIPPED_BYTES = 60_000;

const sections = '[camera.front]\ndevice = "test"\n[camera.yard]\ndevice = "test"\n[microphone.room]\ndevice = "test"\n';

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`every view at a ${name} keeps nobody out`, async (t) => {
    const server = await new Server(t, { sections }).start();
    const page = await open(server, { viewport });
    const look = async (view) => {
      await assertAccessible(page, view);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${view} is ${wide} px wider than the window`);
      await picture(page, `${name}-${view}`);
      await page.emulateMedia({ colorScheme: "dark" });
      await picture(page, `${name}-${view}-dark`);
      await page.emulateMedia({ colorScheme: null });
    };
    await page.goto(server.url("/"));
    await look("sign-in");
    await fillIn(page, "ada");
    await untilItMoves(page);
    await page.getByText("Mbit/s").first().waitFor();
    await look("grid");
    await withControls(page);
    await camera(page).locator(".picture").click();
    await page.getByLabel("Brightness").waitFor();
    await untilItMoves(page);
    await look("single");
    for (const panel of ["Account", "Sessions", "Users", "Services", "Log"]) {
      await page.getByRole("link", { name: panel === "Account" ? "Settings" : panel, exact: true }).click();
      await page.getByRole("heading", { name: panel, exact: true }).waitFor();
      if (panel === "Users") await page.locator("summary").first().click();
      await look(panel.toLowerCase());
    }
  });
}

test("an admin moves a slider, and the camera is told", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  const told = await withControls(page);
  await page.goto(server.url("/?camera=front"));
  await fillIn(page, "ada");
  await page.getByLabel("Brightness").fill("200");
  await page.getByLabel("Automatic white balance").uncheck();
  await page.getByLabel("Power line").selectOption("60 Hz");
  await page.getByLabel("Keep changes").check();
  await page.getByRole("button", { name: "Focus now" }).click();
  await page.getByLabel("Frames a second").fill("15");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText("Applied").waitFor();
  assert.deepEqual(told, [
    { controls: { brightness: 200 }, save: false },
    { controls: { white_balance_automatic: 0 }, save: false },
    { controls: { power_line_frequency: 2 }, save: false },
    { controls: { focus_now: 1 }, save: true },
    { fps: 15, save: true },
  ]);
  assert.ok(await page.getByLabel("Exposure").isDisabled(), "what the camera governs itself cannot be set");
});

test("the page is light to load, and everything it loads is its own", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  const loaded = [];
  page.on("response", (response) => {
    const isFile = ["document", "script", "stylesheet", "image", "other"].includes(response.request().resourceType());
    if (isFile) loaded.push(response);
  });
  await page.goto(server.url("/"));
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  const ofForm = await weigh(loaded.splice(0));
  await fillIn(page, "eve");
  await untilItMoves(page);
  const ofPage = await weigh(loaded);
  t.diagnostic(`the form: ${told(ofForm)}; the page: ${told(ofPage)}`);
  assert.ok(ofForm.gzipped + ofPage.gzipped < MOST_GZIPPED_BYTES, "too heavy");
  assert.ok([...ofForm.urls, ...ofPage.urls].every((url) => url.startsWith(server.url("/"))), "from elsewhere");
});

const told = ({ urls, raw, gzipped }) => `${urls.length} requests, ${raw} bytes, ${gzipped} gzipped`;

async function weigh(responses) {
  const sum = { urls: [], raw: 0, gzipped: 0 };
  for (const response of responses) {
    // A 304 brings nothing.
    const body = response.status() === 304 ? Buffer.alloc(0) : await response.body();
    sum.urls.push(response.url());
    sum.raw += body.length;
    sum.gzipped += body.length && gzipSync(body, { level: 9 }).length;
  }
  return sum;
}

// A camera with something of everything to be set, in place of the test card, which has nothing.
// What it is told is collected.
async function withControls(page) {
  const control = (name, label, kind, more) =>
    ({ name, label, kind, min: 0, max: 255, step: 1, default: 128, value: 130, inactive: false, read_only: false, menu: [], ...more });
  const camera = {
    name: "front",
    settings: { device: "test", format: "auto", width: 640, height: 480, fps: 30, quality: 85, chroma: "auto", on_demand: false },
    controls: [
      control("brightness", "Brightness", "integer"),
      control("contrast", "Contrast", "integer"),
      control("exposure", "Exposure", "integer", { inactive: true }),
      control("white_balance_automatic", "Automatic white balance", "boolean", { max: 1, value: 1, default: 1 }),
      control("power_line_frequency", "Power line", "menu", { max: 2, value: 1, menu: ["Off", "50 Hz", "60 Hz"].map((name, value) => ({ value, name })) }),
      control("focus_now", "Focus now", "button"),
    ],
  };
  const told = [];
  await page.route("**/api/1.0/cameras/front", (route) => {
    const wish = route.request().postDataJSON();
    if (wish) {
      told.push(wish);
      for (const each of camera.controls) each.value = wish.controls?.[each.name] ?? each.value;
    }
    return route.fulfill({ json: camera });
  });
  return told;
}
