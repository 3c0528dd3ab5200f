// What is lost comes back by itself, and the page says what is wrong until then.

import assert from "node:assert/strict";

import { DESK, PHONE, Server, assertAccessible, assertNotWide, camera, fillIn, open, picture, retell, signedIn, standIn, until, untilItMoves, test } from "./support.js";

test("a lost camera is shown with its problem until it returns", async (t) => {
  const server = new Server(t);
  const fault = standIn(server);
  await server.start();
  const page = await signedIn(server, "eve");
  await untilItMoves(page);
  await page.evaluate(() => {
    window.news = [];
    const note = (changes) => window.news.push(...changes.flatMap(({ addedNodes }) => [...addedNodes].map(({ textContent }) => textContent)));
    new MutationObserver(note).observe(document.querySelector("[aria-live=polite].unseen"), { childList: true });
  });
  const polled = (count) => until(`${count} answers`, () => polls >= count);
  let polls = 0;
  page.on("response", (response) => { polls += Number(response.url().endsWith("/api/1.0/status")); });
  fault("unplug");
  await camera(page).getByText("No signal").waitFor();
  await polled(polls + 2);
  const why = await camera(page).locator(".words span").textContent();
  assert.ok(why.length > 5, why);
  await picture(page, "camera-lost");
  fault("");
  await untilItMoves(page);
  await polled(polls + 2);
  assert.deepEqual(await page.evaluate(() => window.news), ["front: no signal", "front: back"], "once for each change");
});

test("the page waits for a lost server and signs in to a new one", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { path: "/?camera=front", expected: /401|ERR_/ });
  await untilItMoves(page);
  await server.kill();
  await page.locator("#trouble").getByText("The server does not answer.").waitFor();
  await picture(page, "server-gone");
  await server.start();
  await page.getByText("You were signed out. Sign in to go on.").waitFor();
  await fillIn(page, "eve");
  await untilItMoves(page);
  assert.equal(page.url(), server.url("/?camera=front"));
});

test("a broken or stalled stream is opened again", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { expected: /401|ERR_/ });
  await untilItMoves(page);
  // The network is gone for this browser, and comes back.
  await page.context().setOffline(true);
  await page.locator("#trouble").getByText("The server does not answer.").waitFor();
  await page.context().setOffline(false);
  await untilItMoves(page);
  await until("nothing to complain of", async () => (await page.locator("#trouble").textContent()) === "");
});

test("an older server still shows its cameras and settings", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { expected: /401|404/ });
  const none = (route) => route.fulfill({ status: 404, json: { error: "there is nothing here" } });
  for (const part of ["cameras/**", "services", "logs**", "logging"]) await page.route(`**/api/1.0/${part}`, none);
  await untilItMoves(page);
  await camera(page).locator(".picture").click();
  await untilItMoves(page);
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("link", { name: "Services" }).click();
  await page.getByText("This server cannot stop its services.").waitFor();
  await page.getByRole("link", { name: "Log" }).click();
  await page.getByText("This server does not offer its log here.").waitFor();
});

test("a silent server is reported until it answers again", async (t) => {
  const server = await new Server(t, { sections: '[camera.front]\ndevice = "test"\n[microphone.room]\ndevice = "test"\n' }).start();
  const page = await signedIn(server, "eve", { expected: /401|ERR_/ });
  await untilItMoves(page);
  await page.getByRole("button", { name: "Listen to room" }).click();
  await page.getByText("you are listening").waitFor();
  server.fallSilent();
  await page.getByText("the sound was cut off; trying again").waitFor();
  await page.locator("#trouble").getByText("The server does not answer.").waitFor();
  await camera(page).locator(".words").getByText("The server does not answer").waitFor();
  await picture(page, "server-silent");
  server.speakAgain();
  await untilItMoves(page);
  await page.getByText("you are listening").waitFor();
  await until("nothing to complain of", async () => (await page.locator("#trouble").textContent()) === "");
});

test("a missing still does not delay those of other cameras", async (t) => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const sections = names.map((name) => `[camera.${name}]\ndevice = "test"\nwidth = 320\nheight = 240\nfps = 10\n`).join("");
  const server = await new Server(t, { sections }).start();
  const page = await open(server, { viewport: { width: 1920, height: 1080 }, expected: /401|ERR_/ });
  await page.route("**/snapshot/d", () => {});
  await page.route("**/snapshot/e", () => {});
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await untilItMoves(page, "f");
  await camera(page, "e").getByText("trying again").waitFor();
});

test("only several lost answers are reported as an outage", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { expected: /401|ERR_/ });
  await untilItMoves(page);
  await camera(page).evaluate((element) => {
    window.hidden = [];
    // A picture that freezes on a busy machine is no outage.
    const isFine = () => element.classList.contains("live") || /Frozen/.test(element.textContent);
    const look = () => isFine() || window.hidden.push(element.textContent);
    new MutationObserver(look).observe(element, { attributeFilter: ["class"] });
    new MutationObserver(() => window.hidden.push("changed")).observe(document.querySelector("#trouble"), { childList: true });
  });
  let [asked, fails] = [0, 1];
  await page.route("**/api/1.0/status", (route) => {
    asked += 1;
    return fails-- > 0 ? route.abort() : route.continue();
  });
  await until("answers after the one that was lost", () => asked >= 3);
  assert.deepEqual(await page.evaluate(() => window.hidden), []);
  fails = 1000;
  await page.locator("#trouble").getByText("The server does not answer.").waitFor();
  await untilItMoves(page);
});

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`what is wrong is readable at a ${name}, for everybody`, async (t) => {
    const server = await new Server(t, { sections: '[camera.front]\ndevice = "test"\n[microphone.room]\ndevice = "test"\n' }).start();
    const page = await open(server, { viewport, expected: /401|ERR_/ });
    // As a camera with a long tale of what it lacks.
    const problem = "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920_9B2E1F3F-video-index0: no such device; is its cable plugged in?";
    let isLost = false;
    await retell(page, (status) => {
      if (isLost) for (const each of [...status.cameras, ...status.microphones]) Object.assign(each, { online: false, problem, since_s: 4000 });
    });
    await page.goto(server.url("/"));
    await fillIn(page, "eve");
    await untilItMoves(page);
    const look = async (view, words) => {
      await camera(page).locator(".words").getByText(words).waitFor();
      await assertNotWide(page, view);
      const [inside, outside] = await Promise.all([".words span", ".picture"].map((what) => camera(page).locator(what).boundingBox()));
      assert.ok(inside.y >= outside.y && inside.y + inside.height <= outside.y + outside.height, `${view}: the words are cut off`);
      await assertAccessible(page, view);
      await picture(page, `${name}-${view}`);
    };
    isLost = true;
    await look("camera-lost", "No signal");
    await page.unroute("**/api/1.0/status");
    await server.kill();
    await look("server-gone", "The server does not answer");
  });
}

test("a camera that returns after its view was opened can be set", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  let isThere = false;
  await retell(page, (status) => { status.cameras[0].online = isThere; });
  const brightness = { name: "brightness", label: "Brightness", kind: "integer", min: 0, max: 255, step: 1, default: 128, value: 130, inactive: false, read_only: false, menu: [] };
  await page.route("**/api/1.0/cameras/front", (route) =>
    route.fulfill({ json: { name: "front", settings: null, controls: isThere ? [brightness] : null } }));
  await page.goto(server.url("/?camera=front"));
  await fillIn(page, "ada");
  await camera(page).getByText("No signal").waitFor();
  isThere = true;
  await page.getByLabel("Brightness").waitFor();
});
