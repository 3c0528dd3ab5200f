// What a viewer does with cameras.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { DESK, PHONE, Server, camera, open, picture, fillIn, signedIn, until, untilItMoves, test } from "./support.js";

const viewers = (server) => server.status().cameras.map(({ viewers: count }) => count);

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`a viewer at a ${name} watches, and sees how well`, async (t) => {
    const server = await new Server(t).start();
    const page = await signedIn(server, "eve", { viewport });
    await untilItMoves(page);
    const stats = camera(page).locator(".stats");
    const words = await until("numbers", async () => /^([\d.]+) fps · ([\d.]+) m?s · ([\d.]+) [kM]bit\/s$/.exec(await stats.textContent()));
    assert.ok(Number(words[1]) > 0 && Number(words[3]) > 0, words[0]);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} px wider than the window`);
    await camera(page).locator(".picture").click();
    await page.getByText("test card · 640 × 480").waitFor();
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
  assert.match(download.suggestedFilename(), /^front-\d{4}-\d\d-\d\dT[\d-]+\.jpg$/);
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
  const hide = (state) => page.evaluate((value) => {
    Object.defineProperty(document, "visibilityState", { value, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);
  await hide("hidden");
  await until("no viewer", () => viewers(server)[0] === 0);
  await hide("visible");
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
