// What is shown as the present is the present; else the page says what it is.

import assert from "node:assert/strict";

import { PHONE, Server, assertAccessible, camera, fillIn, isGreen, open, picture, retell, until, untilItMoves, withStreamsInHand, test } from "./support.js";

const TWO = '[camera.front]\ndevice = "test"\n[microphone.room]\ndevice = "test"\n';

// A window in which `eve` watches, with its streams and its clock in hand.
async function watched(t, { sections, change = () => {}, before = () => {}, ...options } = {}) {
  const server = await new Server(t, { sections }).start();
  const page = await open(server, { expected: /401|ERR_/, ...options });
  await page.clock.install();
  await withStreamsInHand(page);
  await retell(page, change);
  await before(page);
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  return { server, page };
}

// Has the server's clock, by which frames are stamped, be so far ahead as `ahead_s` gives.
const withClockAhead = (ahead_s) => (status, headers) => {
  headers["x-timestamp"] = String(Number(headers["x-timestamp"]) + ahead_s());
};

const condition = (page, wanted, name = "front") => camera(page, name).and(page.locator(`[data-condition="${wanted}"]`)).waitFor();
const badge = (page, words) => camera(page).locator(".badge").getByText(words).waitFor();

// What a screen reader says, in order.
const collectNews = (page) => page.evaluate(() => {
  window.news = [];
  const collect = (changes) => window.news.push(...changes.flatMap(({ addedNodes }) => [...addedNodes].map(({ textContent }) => textContent)));
  new MutationObserver(collect).observe(document.querySelector("#news"), { childList: true });
});

test("a picture that stands for three seconds is marked frozen", async (t) => {
  const { page } = await watched(t);
  await untilItMoves(page);
  await collectNews(page);
  await until("a green dot", () => isGreen(page));
  await page.evaluate(() => window.hold());
  await page.clock.fastForward(3000);
  await camera(page).getByText("Frozen").waitFor();
  await camera(page).getByText(/no new picture for \d+ second/).waitFor();
  assert.ok(!await isGreen(page), "the dot");
  await picture(page, "frozen");
  await assertAccessible(page, "a frozen picture");
  await page.evaluate(() => window.release());
  await untilItMoves(page);
  await condition(page, "live");
  const news = await page.evaluate(() => window.news);
  // On a busy machine the last picture may have come late, which is announced in place of what follows from it.
  assert.deepEqual(news.map((words) => words.replace("behind the present", "frozen")), ["front: frozen", "front: back"]);
});

test("a picture every seven seconds is slow, not frozen", async (t) => {
  const { page } = await watched(t, { change: ({ cameras }) => Object.assign(cameras[0], { interval_ms: 7000 }) });
  await untilItMoves(page);
  await badge(page, "every 7 s");
  await page.evaluate(() => window.hold());
  // The clock stands from here on: on a busy machine the picture would be frozen before anybody looks. Its last one
  // may have come late there, which is another condition that is not frozen.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 4000));
  await page.clock.fastForward(1000);
  assert.notEqual(await camera(page).getAttribute("data-condition"), "frozen");
  // From the last picture: on a busy machine one is still being painted after its stream is held.
  await until("a frozen picture", async () => {
    await page.clock.fastForward(3000);
    return await camera(page).getAttribute("data-condition") === "frozen";
  });
  await camera(page).getByText("Frozen").waitFor();
});

test("a picture that was old when it came is shown as behind", async (t) => {
  const { page } = await watched(t, {
    // As if the server's clock, by which frames are stamped, were six seconds on: so old they all are.
    change: withClockAhead(() => 6),
  });
  await untilItMoves(page);
  await badge(page, /^\d+ s behind$/);
  await condition(page, "behind");
  assert.ok(!await isGreen(page), "the dot");
});

test("setting the server's clock does not disturb a viewer", async (t) => {
  let ahead_s = 0;
  const { page } = await watched(t, {
    change: withClockAhead(() => ahead_s),
  });
  await untilItMoves(page);
  ahead_s = 3600;
  await badge(page, /s behind/);
  ahead_s = 0;
  await condition(page, "live");
});

test("a camera that is refreshed once a second says so", async (t) => {
  const names = ["a", "b", "c", "d", "e", "f"];
  const sections = names.map((name) => `[camera.${name}]\ndevice = "test"\nwidth = 320\nheight = 240\nfps = 10\n`).join("");
  const { page } = await watched(t, { sections, viewport: { width: 1920, height: 1080 } });
  await untilItMoves(page, "f");
  const still = page.locator('.camera[data-mode="stills"]').first();
  await until("its pace", async () => /^(1\/s|every \d+ s)$/.test(await still.locator(".badge").textContent()));
  const badges = page.locator('.camera[data-mode="stream"] .badge:not(:empty)');
  await until("streams without a badge", async () => (await badges.count()) === 0);
});

test("a test card that replaces a camera is not shown as live", async (t) => {
  const { page } = await watched(t, { change: ({ cameras }) => Object.assign(cameras[0], { problem: "no camera found" }) });
  await untilItMoves(page);
  await badge(page, "No camera found: test card");
  assert.ok(!await isGreen(page), "the dot");
  await picture(page, "stand-in");
  await assertAccessible(page, "a test card that stands in");
});

test("a test card that was asked for is a picture like any other", async (t) => {
  const { page } = await watched(t);
  await untilItMoves(page);
  await condition(page, "live");
  await until("a green dot", () => isGreen(page));
});

for (const [how, end] of [["gone", (server) => server.kill()], ["silent", (server) => server.fallSilent()]]) {
  test(`the sound meter of a server that is ${how} shows no level`, async (t) => {
    const { server, page } = await watched(t, { sections: TWO, viewport: PHONE });
    const meter = page.getByLabel("Sound level of room");
    await until("a level", () => meter.evaluate(({ value }) => value > -45));
    await end(server);
    await page.locator("#microphones").getByText("the server does not answer").waitFor();
    await page.locator(".microphone.unknown").waitFor();
    assert.equal(await meter.evaluate(({ value, min }) => value - min), 0);
    await picture(page, `meter-${how}`);
    if (how === "silent") server.speakAgain();
  });
}

test("a meter shows no level while no sound arrives", async (t) => {
  const { page } = await watched(t, { sections: TWO });
  await page.getByRole("button", { name: "Listen to room" }).click();
  await page.getByText("you are listening").waitFor();
  await page.locator(".microphone:not(.unknown)").waitFor();
  await page.evaluate(() => window.hold());
  await page.clock.fastForward(3000);
  await page.getByText("no sound arrives now").waitFor();
  await page.locator(".microphone.unknown").waitFor();
  await page.evaluate(() => window.release());
  await page.getByText("you are listening").waitFor();
  await page.locator(".microphone:not(.unknown)").waitFor();
});

test("sound that returns many times adds no listeners", async (t) => {
  const { page } = await watched(t, {
    sections: TWO,
    before: (page) => page.addInitScript(() => {
      window.listeners = 0;
      const add = window.addEventListener;
      window.addEventListener = (kind, work, options) => {
        if (kind === "click" && options?.signal) {
          window.listeners += 1;
          options.signal.addEventListener("abort", () => { window.listeners -= 1; });
        }
        return add.call(window, kind, work, options);
      };
    }),
  });
  await page.getByRole("button", { name: "Listen to room" }).click();
  for (let count = 0; count < 3; count += 1) {
    await page.getByText("you are listening").waitFor();
    await page.evaluate(() => window.cut());
    await page.getByText("the sound was cut off").waitFor();
  }
  await page.getByText("you are listening").waitFor();
  assert.equal(await page.evaluate(() => window.listeners), 1);
});

const FAULTS = {
  "drawing fails": () => {
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    CanvasRenderingContext2D.prototype.drawImage = function (...what) {
      if (window.isBroken) throw new Error("as a canvas that is lost");
      return draw.apply(this, what);
    };
  },
  "decoding fails": () => {
    const decode = window.createImageBitmap;
    window.createImageBitmap = (...what) => {
      if (window.isBroken) throw new Error("as a browser without memory");
      return decode(...what);
    };
  },
};

for (const [how, fault] of Object.entries(FAULTS)) {
  test(`a picture goes on after ${how}, and what was not shown is counted`, async (t) => {
    const { page } = await watched(t, { before: (page) => page.addInitScript(fault) });
    await camera(page).locator(".picture").click();
    await untilItMoves(page);
    await page.evaluate(() => { window.isBroken = true; });
    // The stream comes all the time; that it brings bytes is no picture.
    await camera(page).getByText("Frozen").waitFor();
    await page.evaluate(() => { window.isBroken = false; });
    await untilItMoves(page);
    await camera(page).locator(".state").getByText(/pictures? could not be shown/).waitFor();
  });
}

test("an undecodable stream is opened again with the reason", async (t) => {
  const { page } = await watched(t, { before: (page) => page.addInitScript(FAULTS["decoding fails"]) });
  await untilItMoves(page);
  let asked = 0;
  page.on("request", (request) => { asked += Number(request.url().includes("/video/")); });
  await page.evaluate(() => { window.isBroken = true; });
  await camera(page).getByText("Frozen").waitFor();
  await page.clock.fastForward(6000);
  await camera(page).getByText(/could not be shown; trying again/).waitFor();
  await until("another stream", () => asked > 0);
  await page.evaluate(() => { window.isBroken = false; });
  await untilItMoves(page);
});

test("a picture that is never decoded delays no others", async (t) => {
  const { page } = await watched(t, {
    before: (page) => page.addInitScript(() => {
      const decode = window.createImageBitmap;
      window.createImageBitmap = (...what) => (window.isBroken ? new Promise(() => {}) : decode(...what));
    }),
  });
  await untilItMoves(page);
  await page.evaluate(() => { window.isBroken = true; });
  await camera(page).getByText("Frozen").waitFor();
  await page.evaluate(() => { window.isBroken = false; });
  await page.clock.fastForward(5000);
  await untilItMoves(page);
});

test("an image that the browser loads by itself is not called live", async (t) => {
  const { page } = await watched(t, { before: (page) => page.addInitScript(() => { delete window.createImageBitmap; }) });
  await badge(page, "cannot tell whether it is live");
  assert.ok(!await isGreen(page), "the dot");
});
