// A phone that is held sideways, controls beside a picture, and long names.

import assert from "node:assert/strict";

import { DESK, PHONE, RECORDED, SIDEWAYS, Server, assertAccessible, assertNotWide, camera, fillIn, open, picture, signedIn, until, untilItMoves, withControls, test } from "./support.js";

const heightOf = async (page, name) => (await camera(page, name).locator(".picture").boundingBox())?.height ?? 0;

for (const [kind, size] of [["narrow", "width = 640\nheight = 480\n"], ["wide", "width = 1280\nheight = 720\n"]]) {
  test(`sideways, a ${kind} picture fills the height, alone and among others`, async (t) => {
    const sections = ["front", "yard"].map((name) => `[camera.${name}]\ndevice = "test"\n${size}fps = 10\n`).join("");
    const server = await new Server(t, { sections: `${sections}[microphone.room]\ndevice = "test"\n` }).start();
    const page = await signedIn(server, "eve", { viewport: SIDEWAYS });
    await untilItMoves(page, "yard");
    await assertNotWide(page, "sideways, two cameras");
    await picture(page, `sideways-grid-${kind}`);
    await camera(page).locator(".picture").click();
    await until("the whole height, and no more", async () => {
      const { y, height } = await camera(page).locator(".picture").boundingBox();
      return height > 0.97 * SIDEWAYS.height && y >= 0 && y + height <= SIDEWAYS.height + 1;
    });
    await untilItMoves(page);
    await assertNotWide(page, "sideways");
    await assertAccessible(page, "sideways");
    await picture(page, `sideways-single-${kind}`);
    assert.equal(await page.evaluate(() => scrollY), 0);
  });
}

test("sideways, a recording fills the height, and what is used stands beside it", async (t) => {
  const server = await new Server(t, { sections: RECORDED }).start();
  const page = await signedIn(server, "eve", { viewport: SIDEWAYS, expected: /401|404/ });
  await until("footage", () => page.evaluate(async () => (await (await fetch("api/1.0/recordings")).json()).cameras[0].bytes > 0));
  await page.goto(server.url(`/?camera=front&at=${Date.now() / 1000 - 1}`));
  await page.locator(".past:is([data-state=playing], [data-state=ended], [data-state=paused])").waitFor();
  const frame = page.locator(".past .frame");
  for (const used of [page.getByRole("button", { name: "Pause" }).or(page.getByRole("button", { name: "Play", exact: true })), page.getByLabel("Day", { exact: true }), page.getByRole("button", { name: "Save picture" })]) {
    await used.scrollIntoViewIfNeeded();
    const [{ x, y, width, height }, beside] = [await frame.boundingBox(), await used.boundingBox()];
    assert.ok(height > 0.97 * SIDEWAYS.height && Math.abs(y) <= 1, `the picture has ${height} px at ${y}`);
    assert.ok(beside.x >= x + width, "beside the picture");
  }
  await assertNotWide(page, "a recording, sideways");
  await assertAccessible(page, "a recording, sideways");
  await picture(page, "sideways-recording");
});

test("sideways, sessions are ended without scrolling to the button", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { viewport: SIDEWAYS, path: "/?settings=sessions" });
  const table = page.locator(".sessions");
  await table.getByRole("button", { name: "Sign out" }).waitFor();
  const hidden = await table.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth);
  assert.ok(hidden <= 0, `${hidden} px of the table are hidden`);
  await picture(page, "sideways-sessions");
});

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE, sideways: SIDEWAYS })) {
  test(`at a ${name}, a picture stays in sight while its controls are used`, async (t) => {
    const server = await new Server(t).start();
    const page = await open(server, { viewport });
    await withControls(page);
    await page.goto(server.url("/?camera=front"));
    await fillIn(page, "ada");
    await untilItMoves(page);
    for (const label of ["Brightness", "Sharpness"]) {
      const control = page.getByLabel(label);
      await control.focus();
      await control.scrollIntoViewIfNeeded();
      await until(`the picture and ${label}`, async () => {
        const [seen, field] = [await camera(page).locator(".picture").boundingBox(), await control.boundingBox()];
        const isCovered = field.y < seen.y + seen.height && field.x < seen.x + seen.width;
        return seen.y >= 0 && seen.y + seen.height <= viewport.height + 1 && field.y + field.height <= viewport.height + 1 && !isCovered;
      });
    }
    await page.getByRole("button", { name: "Save changes" }).focus();
    await picture(page, `${name}-tuning`);
    await assertNotWide(page, "controls");
    await assertAccessible(page, "controls beside a picture");
    assert.ok((await heightOf(page)) > 150, "a picture to see something in");
  });
}

const LONG = "attic-front-door-summer-house-02";

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE, sideways: SIDEWAYS })) {
  test(`at a ${name}, long names can be read`, async (t) => {
    const names = [LONG, "b", "c", "d"];
    const sections = names.map((each) => `[camera.${each}]\ndevice = "test"\nwidth = 320\nheight = 240\nfps = 5\n`).join("");
    const server = await new Server(t, { sections: `${sections}[microphone.${LONG}]\ndevice = "test"\n` }).start();
    const page = await signedIn(server, "eve", { viewport });
    await untilItMoves(page, LONG);
    await camera(page, LONG).getByText(/bit\/s/).waitFor();
    await picture(page, `${name}-long-names`);
    await assertNotWide(page, "long names");
    for (const heading of await page.locator(":is(.camera, .microphone) h2").all()) {
      const [box, text] = [await heading.boundingBox(), await heading.textContent()];
      const least = Math.min(100, text.split(",")[0].length * 4);
      assert.ok(box.width >= least && box.height >= 12, `${text} has ${box.width} x ${box.height} px`);
    }
    const isWhole = await page.locator(`[title="${LONG}"]`).evaluate((element) => element.scrollHeight <= element.clientHeight + 2);
    assert.ok(isWhole, "no part of the name is cut off");
  });
}
