// Forms: what is wrong stands beside its field, and what cannot be undone is asked for first.

import assert from "node:assert/strict";

import { PASSWORD, PHONE, Server, assertAccessible, camera, fillIn, open, picture, signedIn, standIn, until, untilItMoves, withControls, test } from "./support.js";

// That `words` stand beside the field with this label, for everybody.
async function assertBeside(page, input, words) {
  await input.locator("xpath=ancestor::*[contains(@class, 'field')]").getByText(words).waitFor();
  assert.equal(await input.getAttribute("aria-invalid"), "true");
  const described = await input.evaluate((element) => document.getElementById(element.getAttribute("aria-describedby")).textContent);
  assert.match(described, words);
  assert.ok(await input.evaluate((element) => element === document.activeElement), "the focus is on it");
  assert.equal(await page.locator("#note").textContent(), "", "said once");
}

test("a mistake about a user is shown beside its field", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { path: "/?settings=users", viewport: PHONE, expected: /401|400|409/ });
  const form = page.locator("#new-user");
  const [name, password] = ["Name", "Password"].map((label) => form.getByLabel(label));
  const add = async (user, secret) => {
    await name.fill(user);
    await password.fill(secret);
    await form.getByRole("button", { name: "Add" }).click();
  };
  await add("bob", "password123");
  await assertBeside(page, password, /The password is one of the most common/);
  await picture(page, "phone-wrong-password");
  await assertAccessible(page, "a form with a wrong field");
  await add("eve", "four odd blue kites");
  await assertBeside(page, name, /user `eve` already/);
  assert.equal(await password.getAttribute("aria-invalid"), null, "what was mended");
  await name.fill("bob");
  assert.equal(await name.getAttribute("aria-invalid"), null, "what is being mended");
});

test("a mistake in the own new password is shown beside its field", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { path: "/?settings=account", expected: /401|403|400/ });
  const [old, wanted, again] = [page.getByLabel("Current password"), page.getByLabel("New password", { exact: true }), page.getByLabel("New password again")];
  const change = async (...all) => {
    for (const [at, input] of [old, wanted, again].entries()) await input.fill(all[at]);
    await page.getByRole("button", { name: "Change password" }).click();
  };
  await change(PASSWORD, "seven green bottles", "seven green bottle");
  await assertBeside(page, again, /do not match/);
  await change("not the old one", "seven green bottles", "seven green bottles");
  await assertBeside(page, old, /The old password is wrong/);
  await change(PASSWORD, "password123", "password123");
  await assertBeside(page, wanted, /The password is one of the most common/);
});

test("each password form names its user to password managers", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { path: "/?settings=users" });
  await page.locator("#new-user").waitFor();
  const forms = () => page.locator("form:has(input[type=password])").evaluateAll((all) => all.map((form) =>
    form.querySelector("input[autocomplete=username]")?.value));
  assert.deepEqual(await forms(), ["ada", "eve", ""]);
  await page.getByRole("link", { name: "Account", exact: true }).click();
  await page.getByLabel("Current password").waitFor();
  assert.deepEqual(await forms(), ["ada"]);
});

test("a missing size is refused beside its field with the sizes", async (t) => {
  const server = new Server(t);
  standIn(server);
  await server.start();
  const page = await signedIn(server, "ada", { path: "/?camera=front", expected: /401|400/ });
  await untilItMoves(page);
  await page.getByLabel("Size").waitFor();
  const width = page.getByLabel("Width");
  await width.fill("641");
  await page.getByRole("button", { name: "Apply" }).click();
  await assertBeside(page, width, /The camera has no size 641x240; the nearest it has: 320x240/);
  await page.getByLabel("Size").selectOption("320 × 240");
  assert.equal(await width.inputValue(), "320");
  assert.equal(await width.getAttribute("aria-invalid"), null);
  assert.equal(server.status().cameras[0].settings.width, 320, "nothing was changed");
});

test("a refused control shows the reason beside it", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server, { expected: /401|409/ });
  await withControls(page);
  await page.route("**/api/1.0/cameras/front", (route) => (route.request().method() === "PUT"
    ? route.fulfill({ status: 409, json: { error: "brightness: the camera is busy" } }) : route.fallback()));
  await page.goto(server.url("/?camera=front"));
  await fillIn(page, "ada");
  await page.getByLabel("Brightness").fill("200");
  await page.locator(".field", { hasText: "Brightness" }).getByText("Brightness: the camera is busy.").waitFor();
});

test("video and sound are stopped only after a confirmation", async (t) => {
  const server = await new Server(t, { sections: '[camera.front]\ndevice = "test"\n[microphone.room]\ndevice = "test"\n' }).start();
  const page = await signedIn(server, "ada", { path: "/?settings=services" });
  for (const what of ["video", "sound"]) {
    await page.getByRole("button", { name: `Stop ${what}` }).click();
    await assertAccessible(page, "the question");
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("dialog").waitFor({ state: "hidden" });
  }
  const { services } = server.status();
  assert.deepEqual(services, { video: true, audio: true, recording: true, motion: true });
});

test("a stopped picture offers its start to those who may", async (t) => {
  const server = await new Server(t, { sections: '[camera.front]\ndevice = "test"\n[camera.yard]\ndevice = "test"\n' }).start();
  const page = await signedIn(server, "ada");
  const eves = await signedIn(server, "eve");
  await untilItMoves(page);
  await untilItMoves(eves);
  const put = await page.evaluate(async () =>
    (await fetch("api/1.0/services/video", { method: "PUT", body: '{"running":false}', headers: { "X-Requested-With": "fetch" } })).status);
  assert.equal(put, 200);
  const start = camera(page).getByRole("button", { name: "Start video" });
  await start.waitFor();
  await picture(page, "stopped-start");
  await assertAccessible(page, "a stopped camera");
  await camera(eves).getByText("Stopped by ada").waitFor();
  assert.equal(await eves.getByRole("button", { name: "Start video" }).count(), 0, "a viewer may not");
  await start.click();
  await untilItMoves(page);
  await start.waitFor({ state: "hidden" });
});

test("services are not shown as running while the server is silent", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { path: "/?settings=services", expected: /401|ERR_/ });
  await page.getByText("Running.").first().waitFor();
  await server.kill();
  await page.getByText("Unknown: the server does not answer.").first().waitFor();
  await until("no other word", async () => (await page.getByText("Running.").count()) === 0);
});
