// What an admin does.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";

import { DESK, PHONE, PASSWORD, Server, assertAccessible, camera, fillIn, hide, open, picture, signedIn, until, untilItMoves, test } from "./support.js";

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`an admin at a ${name} adds, confines and removes a user`, async (t) => {
    const server = await new Server(t, { sections: '[camera.front]\ndevice = "test"\n[camera.yard]\ndevice = "test"\n' }).start();
    const page = await signedIn(server, "ada", { path: "/?settings=users", viewport, expected: /401|400/ });
    const form = page.locator("#new-user");
    await form.getByLabel("Name").fill("bob");
    await form.getByLabel("Password").fill("four odd blue kites");
    await form.getByLabel("everything").uncheck();
    await form.getByLabel("camera yard").check();
    await form.getByRole("button", { name: "Add" }).click();
    await page.getByText("Added bob").waitFor();
    await picture(page, `${name}-users`);
    const bobs = await open(server);
    await bobs.goto(server.url("/"));
    await fillIn(bobs, "bob", "four odd blue kites");
    await untilItMoves(bobs, "yard");
    assert.equal(await bobs.locator(".camera").count(), 1, "the other is outside the scope");
    const card = page.locator("details", { hasText: "bob" });
    await card.locator("summary").click();
    await card.getByLabel("everything").check();
    await card.getByLabel("New password").fill("four even red kites");
    await card.getByRole("button", { name: "Save" }).click();
    await page.getByText("Changed bob").waitFor();
    await fillIn(bobs, "bob", "four even red kites");
    await untilItMoves(bobs, "front");
    await card.locator("summary").click();
    await card.getByRole("button", { name: "Remove" }).click();
    await assertAccessible(page, "the question");
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    assert.equal(await card.count(), 1);
    await card.getByRole("button", { name: "Remove" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await page.getByText("Removed bob").waitFor();
    await bobs.getByText("You were signed out.").waitFor();
  });
}

test("a weak password is refused with the reason", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { path: "/?settings=users", expected: /401|400/ });
  const form = page.locator("#new-user");
  await form.getByLabel("Name").fill("bob");
  await form.getByLabel("Password").fill("password123");
  await form.getByRole("button", { name: "Add" }).click();
  await form.locator(".field", { hasText: "Password" }).getByText(/The password is one of the most common/).waitFor();
});

test("a short password that is hard to guess is taken", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { path: "/?settings=users" });
  const form = page.locator("#new-user");
  await form.getByLabel("Name").fill("bob");
  await form.getByLabel("Password").fill("x7#Kq!2pZ");
  await form.getByRole("button", { name: "Add" }).click();
  await page.getByText("Added bob").waitFor();
});

test("changing the own password ends the other sessions", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { path: "/?settings=account", expected: /401|403/ });
  const change = async (old, wanted, again) => {
    await page.getByLabel("Current password").fill(old);
    await page.getByLabel("New password", { exact: true }).fill(wanted);
    await page.getByLabel("New password again").fill(again);
    await page.getByRole("button", { name: "Change password" }).click();
  };
  await change(PASSWORD, "seven green bottles", "seven green bottle");
  await page.getByText("The passwords do not match").waitFor();
  await change("not the old one", "seven green bottles", "seven green bottles");
  await page.getByText("The old password is wrong").waitFor();
  await change(PASSWORD, "seven green bottles", "seven green bottles");
  await page.getByText("Your password was changed.").waitFor();
  await fillIn(page, "eve", "seven green bottles");
  await page.getByRole("heading", { name: "Change your password" }).waitFor();
});

test("an admin ends any session, a viewer only the own ones", async (t) => {
  const server = await new Server(t).start();
  const eves = await signedIn(server, "eve", { path: "/?settings=sessions" });
  await eves.getByRole("cell", { name: "eve" }).waitFor();
  const page = await signedIn(server, "ada", { path: "/?settings=sessions" });
  await page.getByRole("cell", { name: "ada" }).waitFor();
  assert.equal(await eves.getByRole("cell", { name: "ada" }).count(), 0);
  await page.getByRole("button", { name: "End the session of eve" }).click();
  await page.getByText("The session of eve has ended").waitFor();
  await eves.getByText("You were signed out.").waitFor();
});

test("the colour scheme can be chosen, also for the form", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { path: "/?settings=account", colorScheme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByLabel("Colours on this device").selectOption("Dark");
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.locator("#sign-out").click();
  await page.getByText("You are signed out.").waitFor();
  assert.equal(await ground(), dark);
});

test("stopped video and sound name who stopped them", async (t) => {
  const server = await new Server(t, { sections: '[camera.front]\ndevice = "test"\n[microphone.room]\ndevice = "test"\n' }).start();
  const eves = await signedIn(server, "eve");
  await untilItMoves(eves);
  const page = await signedIn(server, "ada", { path: "/?settings=services" });
  const stop = async (what) => {
    await page.getByRole("button", { name: `Stop ${what}` }).click();
    await page.getByRole("dialog").getByRole("button", { name: `Stop ${what}` }).click();
  };
  await stop("video");
  await camera(eves).getByText("Stopped by ada").waitFor();
  await picture(eves, "stopped");
  await page.getByRole("button", { name: "Start video" }).click();
  await untilItMoves(eves);
  await stop("sound");
  await until("silence", () => server.status().microphones[0].problem === "stopped by ada");
  await eves.getByText("silent: stopped by ada").waitFor();
});

test("a watched camera's size is changed, saved and reset", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { path: "/?camera=front", expected: /401|400/ });
  await untilItMoves(page);
  await page.getByLabel("Width").fill("320");
  await page.getByLabel("Height").fill("240");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText("Applied").waitFor();
  await until("a smaller picture", () => camera(page).locator("canvas").evaluate(({ width }) => width === 320));
  await untilItMoves(page);
  const overrides = () => `${server.folder}/overrides.conf`;
  assert.ok(!existsSync(overrides()), "nothing is saved that nobody asked for");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Saved for the next start").waitFor();
  assert.match(readFileSync(overrides(), "utf8"), /camera\.front\.width = \{ value = 320, by = "ada"/);
  const row = page.getByRole("listitem").filter({ hasText: "Width: 320, saved by ada on " });
  await row.getByText("(defender.conf: 640)").waitFor();
  await assertAccessible(page, "overrides");
  await row.getByRole("button", { name: "Reset Width to defender.conf" }).click();
  await page.getByText("Width is reset to the value in defender.conf").waitFor();
  assert.equal(await page.getByLabel("Width").inputValue(), "640");
  assert.equal(await row.count(), 0);
  assert.doesNotMatch(readFileSync(overrides(), "utf8"), /width/);
  await page.getByLabel("Width").fill("100000");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.locator(".field", { hasText: "Width" }).getByText("Width is 100000; expected a whole number from 16 to 8192.").waitFor();
});

test("the log is read and its level set", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { path: "/?settings=log" });
  await page.getByRole("log").getByText("listening on").waitFor();
  await page.getByLabel("Level").selectOption("debug");
  await page.getByRole("button", { name: "Set" }).click();
  await page.getByText("The log level is debug").waitFor();
  await page.getByLabel("Save for the next start").check();
  await page.getByRole("button", { name: "Set" }).click();
  await page.getByText("Log level: debug, saved by ada on ").waitFor();
  await page.getByRole("button", { name: "Reset Log level to defender.conf" }).click();
  await until("the level of defender.conf", async () => (await page.locator("#settings form select").inputValue()) !== "debug");
  await page.getByLabel("Only lines with").fill("listening on");
  await until("the others to go", async () => (await page.getByRole("log").locator("p").count()) === 1);
});

test("the settings send no requests while the window is hidden", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  await page.clock.install();
  await page.goto(server.url("/?settings=log"));
  await fillIn(page, "ada");
  let [asked, answered] = [[], []];
  const path = (request) => new URL(request.url()).pathname;
  page.on("request", (request) => asked.push(path(request)));
  page.on("requestfinished", (request) => answered.push(path(request)));
  for (const [panel, name] of [["Log", "logs"], ["Sessions", "sessions"], ["Services", "services"]]) {
    const resource = `/api/1.0/${name}`;
    await page.getByRole("link", { name: panel, exact: true }).click();
    await page.getByRole("heading", { name: panel, exact: true }).waitFor();
    await until(`${panel} to fill`, () => answered.includes(resource));
    await hide(page);
    await page.waitForLoadState("networkidle");
    asked = [];
    for (let count = 0; count < 5; count += 1) await page.clock.fastForward(20_000);
    assert.deepEqual(asked, [], panel);
    await hide(page, "visible");
    await until(`${panel} to go on`, () => asked.includes(resource));
  }
});

test("saving a log level is not offered if it cannot be saved", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  await page.route("**/api/1.0/logging", (route) => route.fulfill({ json: { level: "info", keeps: false } }));
  await page.goto(server.url("/?settings=log"));
  await fillIn(page, "ada");
  await page.getByText("they last until it restarts").waitFor();
  assert.equal(await page.getByLabel("Save").count(), 0);
});
