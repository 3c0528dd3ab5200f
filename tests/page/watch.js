// What a viewer does with cameras.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { DESK, PHONE, Server, assertNotWide, camera, fillIn, hide, open, picture, signedIn, until, untilItMoves, test } from "./support.js";

const viewers = (server) => server.status().cameras.map(({ viewers: count }) => count);

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`a viewer at a ${name} watches, and sees how well`, async (t) => {
    const server = await new Server(t).start();
    const page = await signedIn(server, "eve", { viewport });
    await untilItMoves(page);
    const stats = camera(page).locator(".stats");
    const words = await until("numbers", async () => /^([\d.]+) fps\s· ([\d.]+) m?s\s· ([\d.]+) [kM]bit\/s$/.exec(await stats.textContent()));
    assert.ok(Number(words[1]) > 0 && Number(words[3]) > 0, words[0]);
    await assertNotWide(page, "the page");
    await camera(page).locator(".picture").click();
    await camera(page).locator(".state").getByText(/^640 × 480/).waitFor();
    assert.equal(await page.getByRole("link", { name: "Users" }).count(), 0, "users are an admin's");
    await page.goBack();
    await camera(page).locator(".picture[href]").waitFor();
  });
}

test("a snapshot is saved as a picture with its camera's name", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve");
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Snapshot of front" }).click(),
  ]);
  assert.match(download.suggestedFilename(), /^front-\d{4}-\d\d-\d\dT[\d-]+[+-]\d{4}\.jpg$/);
  const bytes = readFileSync(await download.path());
  assert.equal(bytes.subarray(0, 2).toString("hex"), "ffd8");
  await page.getByText("Saved front-").waitFor();
});

test("a picture fills the screen and leaves it again", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve");
  await untilItMoves(page);
  await page.getByRole("button", { name: "front in full screen" }).click();
  await page.waitForFunction(() => document.fullscreenElement !== null);
  await until("the picture to fill the window", async () => {
    const [box, height] = [await camera(page).boundingBox(), await page.evaluate(() => innerHeight)];
    return box && Math.abs(box.height - height) < 8;
  });
  await picture(page, "full-screen");
  await page.getByRole("button", { name: "Leave full screen" }).click();
  await page.waitForFunction(() => document.fullscreenElement === null);
  await camera(page).locator(".picture[href]").waitFor();
  assert.equal(page.url(), server.url("/"));
});

test("a hidden tab ends its stream and comes back to it", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve");
  await untilItMoves(page);
  await until("one viewer", () => viewers(server)[0] === 1);
  await hide(page);
  await until("no viewer", () => viewers(server)[0] === 0);
  await hide(page, "visible");
  await untilItMoves(page);
});

test("a camera that is scrolled out of view has no stream", async (t) => {
  const names = ["one", "two", "three"];
  const server = await new Server(t, { sections: names.map((name) => `[camera.${name}]\ndevice = "test"\n`).join("") }).start();
  const page = await signedIn(server, "eve", { viewport: PHONE });
  await page.setViewportSize({ width: 390, height: 360 });
  await until("a stream for what is seen alone", () => String(viewers(server)) === "1,0,0");
  await camera(page, "three").scrollIntoViewIfNeeded();
  await until("the stream to follow", () => viewers(server)[0] === 0 && viewers(server)[2] === 1);
});

test("a browser that cannot paint shows the stream as an image", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  await page.addInitScript(() => { delete window.createImageBitmap; });
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  const image = camera(page).locator("img.surface");
  await until("the image", () => image.evaluate(({ naturalWidth }) => naturalWidth === 640));
  await camera(page).and(page.locator(".live")).waitFor();
});

for (const [how, shift_ms] of [["ahead of", -3_600_000], ["behind", 3_600_000]]) {
  test(`the latency is right where the server's clock is an hour ${how} the browser's`, async (t) => {
    const server = await new Server(t).start();
    const page = await open(server);
    await page.addInitScript((ms) => {
      const now = Date.now;
      Date.now = () => now() + ms;
    }, shift_ms);
    await page.goto(server.url("/"));
    await fillIn(page, "eve");
    const words = await until("a latency", async () => /·\s([1-9][\d.]*)\s(m?s)\s·/.exec(await camera(page).locator(".stats").textContent()));
    assert.ok(words[2] === "ms" || Number(words[1]) < 60, words[0]);
  });
}

test("the frame rate does not count time before the first frame", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve");
  const rates = await page.evaluate(async () => {
    const { perSecond } = await import("/video.js");
    const frames = (count, every_ms) => Array.from({ length: count }, (_, at) => ({ at: 5000 + at * every_ms }));
    return [frames(16, 40), frames(50, 40), frames(2, 1000), frames(1, 1), []].map(perSecond);
  });
  assert.deepEqual(rates, [25, 25, 1, 0.5, 0]);
});

test("a wall keeps the display awake, also after being hidden", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  await page.addInitScript(() => {
    window.locks = [];
    const request = async () => {
      const lock = { release: async () => { lock.isReleased = true; } };
      window.locks.push(lock);
      return lock;
    };
    Object.defineProperty(navigator, "wakeLock", { value: { request } });
  });
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await untilItMoves(page);
  const locks = (count) => page.waitForFunction((wanted) => window.locks.length === wanted, count);
  await page.getByRole("button", { name: "Full screen", exact: true }).click();
  await locks(1);
  await hide(page);
  await hide(page, "visible");
  await locks(2);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => window.locks[1].isReleased);
  await hide(page);
  await hide(page, "visible");
  assert.equal(await page.evaluate(() => window.locks.length), 2, "a page that is no wall lets the display sleep");
});
