// More cameras than a browser has connections.

import assert from "node:assert/strict";

import { Server, camera, picture, signedIn, until, untilItMoves, test } from "./support.js";

test("nine cameras on a wall take four streams, and all move", async (t) => {
  const names = ["attic", "cellar", "door", "garage", "garden", "hall", "kitchen", "porch", "yard"];
  const sections = names.map((name) => `[camera.${name}]\ndevice = "test"\nwidth = 320\nheight = 240\nfps = 10\n`).join("");
  const server = await new Server(t, { sections: `${sections}[microphone.hall]\ndevice = "test"\n` }).start();
  const page = await signedIn(server, "eve", { viewport: { width: 2560, height: 1440 } });
  await Promise.all(names.map((name) => untilItMoves(page, name)));
  const modes = await page.locator(".camera").evaluateAll((all) => all.map(({ dataset }) => dataset.mode));
  assert.equal(modes.filter((mode) => mode === "stream").length, 4, modes);
  assert.equal(modes.filter((mode) => mode === "stills").length, 5, modes);
  assert.ok(await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight), "all of them fit");
  await picture(page, "wall");
  await page.getByRole("button", { name: "Full screen", exact: true }).click();
  await page.waitForFunction(() => document.fullscreenElement !== null && innerHeight >= document.documentElement.scrollHeight);
  await Promise.all(names.map((name) => untilItMoves(page, name)));
  await picture(page, "wall-full-screen");
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.fullscreenElement === null);
  // Sound takes a connection, which a stream gives up; the API and the stills go on.
  await page.getByRole("button", { name: "Listen to hall" }).click();
  await until("three streams", async () => (await page.locator('.camera[data-mode="stream"]').count()) === 3);
  await page.getByText("you are listening").waitFor();
  await untilItMoves(page, "yard");
  await camera(page, "door").locator(".picture").click();
  await camera(page, "door").getByRole("link", { name: "All cameras" }).waitFor();
  await until("one stream", () => {
    const counts = server.status().cameras.map(({ viewers }) => viewers);
    return counts.reduce((sum, count) => sum + count, 0) === 1 && counts[2] === 1;
  });
});

test("two windows of one browser both show every camera", async (t) => {
  const names = ["attic", "cellar", "door", "garage", "garden"];
  const sections = names.map((name) => `[camera.${name}]\ndevice = "test"\nwidth = 320\nheight = 240\nfps = 10\n`).join("");
  const server = await new Server(t, { sections: `${sections}[microphone.hall]\ndevice = "test"\n` }).start();
  const first = await signedIn(server, "eve", { viewport: { width: 1920, height: 1080 } });
  const streams = (page) => page.locator('.camera[data-mode="stream"]').count();
  await Promise.all(names.map((name) => untilItMoves(first, name)));
  assert.equal(await streams(first), 4);
  const second = await first.context().newPage();
  await second.goto(server.url("/"));
  await Promise.all(names.map((name) => untilItMoves(second, name)));
  assert.equal(await streams(second), 0, "the other has them");
  // Sound takes a connection of the other window's, where it has to.
  await second.getByRole("button", { name: "Listen to hall" }).click();
  await second.getByText("you are listening").waitFor();
  await until("a stream less", async () => (await streams(first)) === 3);
  await Promise.all(names.map((name) => untilItMoves(second, name)));
  await first.close();
  await until("the streams of the one that is gone", async () => (await streams(second)) === 3);
  await Promise.all(names.map((name) => untilItMoves(second, name)));
});
