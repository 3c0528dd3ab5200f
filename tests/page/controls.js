// What an admin does to a camera's picture.

import assert from "node:assert/strict";

import { Server, assertAccessible, fillIn, open, until, withControls, test } from "./support.js";

// The view of a camera with controls, and the changes that are sent to it.
async function opened(t, more) {
  const server = await new Server(t).start();
  const page = await open(server);
  const requests = await withControls(page, more);
  await page.goto(server.url("/?camera=front"));
  await fillIn(page, "ada");
  await page.getByLabel("Brightness").waitFor();
  return { page, requests };
}

test("an admin changes a picture, and saves it", async (t) => {
  const { page, requests } = await opened(t);
  await page.getByLabel("Brightness").fill("200");
  await page.getByLabel("Automatic white balance").uncheck();
  await page.getByLabel("Power line").selectOption("60 Hz");
  await page.getByRole("button", { name: "Focus now" }).click();
  await page.getByLabel("Frames a second").fill("15");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText("Applied").waitFor();
  assert.ok(requests.every((change) => !change.save), "nothing is saved yet");
  const all = requests.reduce((sum, { controls, ...rest }) => ({ ...sum, ...controls, ...rest }), {});
  assert.deepEqual(all, { brightness: 200, white_balance_automatic: 0, power_line_frequency: 2, focus_now: 1, fps: 15 });
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Saved for the next start").waitFor();
  assert.deepEqual(requests.at(-1), { save: true });
  assert.ok(await page.getByLabel("Exposure").isDisabled(), "what the camera governs itself cannot be set");
});

test("a dragged slider sends its newest value, one at a time", async (t) => {
  const { page, requests } = await opened(t);
  const slider = page.getByLabel("Brightness");
  await slider.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await slider.boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + width - 4, y + height / 2, { steps: 60 });
  const last = await slider.inputValue();
  await until("the newest value", () => requests.at(-1)?.controls.brightness === Number(last));
  await page.mouse.up();
  assert.ok(requests.length < 60, `${requests.length} requests for 60 moves`);
  assert.ok(requests.every((change) => !change.save), "a move is not saved");
});

test("a slider takes arrow keys and announces its value", async (t) => {
  const { page, requests } = await opened(t);
  const brightness = page.getByLabel("Brightness");
  await brightness.focus();
  for (let count = 0; count < 25; count += 1) await page.keyboard.press("ArrowRight");
  await until("the value of all presses", () => requests.at(-1)?.controls.brightness === 155);
  await until("the answers", async () => (await brightness.inputValue()) === "155");
  assert.ok(await brightness.evaluate((element) => element === document.activeElement), "the focus is where it was");
  const sharpness = page.getByLabel("Sharpness");
  assert.equal(await sharpness.getAttribute("aria-valuetext"), "Medium");
  await sharpness.focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await sharpness.getAttribute("aria-valuetext"), "Hard");
  assert.equal(await brightness.getAttribute("aria-valuetext"), null, "a number speaks for itself");
});

test("saving is not offered if the server cannot save", async (t) => {
  const { page } = await opened(t, { keeps: false });
  await page.getByText("they last until it restarts").waitFor();
  assert.equal(await page.getByRole("button", { name: "Save changes" }).count(), 0);
  await assertAccessible(page, "controls that are not saved");
});

test("each setting that can be changed has a field on the page", async (t) => {
  const { page } = await opened(t);
  const { settings } = await page.evaluate(() => fetch("api/1.0/settings").then((response) => response.json()));
  const keys = settings.map(({ name }) => name.split(".")).filter(([section, name]) => section === "camera" && name === "front").map((parts) => parts[2]);
  assert.ok(keys.includes("fps") && keys.includes("quality"), String(keys));
  // Masks are drawn, and recording and motion are set in places of their own.
  for (const key of keys) assert.equal(await page.locator(`form.settings [name="${key}"]`).count(), ["masks", "record", "motion"].includes(key) ? 0 : 1, key);
  assert.equal(await page.getByRole("link", { name: "Edit masks" }).count(), 1);
});
