// Without a mouse.

import assert from "node:assert/strict";

import { PASSWORD, Server, camera, open, picture, signedIn, until, untilItMoves, test } from "./support.js";

const isFocused = (locator) => locator.evaluate((element) => element === document.activeElement);

// Presses Tab until `locator` has the focus, as one who sees where it is.
async function tabTo(page, locator) {
  await locator.waitFor();
  for (let count = 0; count < 60; count += 1) {
    if (await isFocused(locator)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`${locator} is out of reach of the keyboard`);
}

test("the whole page can be used without a mouse", async (t) => {
  const server = await new Server(t, { sections: '[camera.front]\ndevice = "test"\n[camera.yard]\ndevice = "test"\n' }).start();
  const page = await open(server);
  await page.goto(server.url("/"));
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await until("the focus", () => isFocused(page.getByLabel("Name")));
  await page.keyboard.type("eve");
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await untilItMoves(page, "yard");
  await tabTo(page, camera(page, "yard").locator(".picture"));
  await picture(page, "keyboard-focus");
  await page.keyboard.press("Enter");
  await camera(page, "yard").getByRole("link", { name: "All cameras" }).waitFor();
  const snapshot = page.getByRole("button", { name: "Snapshot of yard" });
  await tabTo(page, snapshot);
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  assert.match(download.suggestedFilename(), /^yard-/);
  await page.getByText("Saved yard-").waitFor();
  assert.ok(await isFocused(snapshot), "a button that worked keeps the focus");
  await page.keyboard.press("Escape");
  await camera(page, "front").locator(".picture[href]").waitFor();
  await tabTo(page, page.getByRole("link", { name: "Settings", exact: true }));
  await page.keyboard.press("Enter");
  const colours = page.getByLabel("Colours on this device");
  await tabTo(page, colours);
  await page.keyboard.press("ArrowDown");
  await until("the choice", async () => (await colours.inputValue()) === "light");
});

test("an update of the page keeps the keyboard focus", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { path: "/?settings=services" });
  const stop = page.locator("[data-service=audio]");
  await stop.focus();
  await page.keyboard.press("Enter");
  await tabTo(page, page.getByRole("dialog").getByRole("button", { name: "Stop sound" }));
  await page.keyboard.press("Enter");
  await page.getByText("Sound was stopped").waitFor();
  assert.ok(await isFocused(stop), "after a service");
  await page.getByRole("link", { name: "Users" }).click();
  const card = page.locator("details[data-name=eve]");
  await card.locator("summary").focus();
  await page.keyboard.press("Enter");
  for (const label of ["everything", "camera front"]) {
    await tabTo(page, card.getByLabel(label));
    await page.keyboard.press("Space");
  }
  await tabTo(page, card.getByRole("button", { name: "Save" }));
  await page.keyboard.press("Enter");
  await page.getByText("Changed eve").waitFor();
  await until("the focus on the changed user", () => isFocused(card.locator("summary")));
});
