// What detection reports, in the list of events; and arming it at all cameras.

import assert from "node:assert/strict";

import { DESK, PHONE, RECORDED, Server, assertAccessible, assertNotWide, fillIn, open, picture, retell, test, until, untilItMoves } from "./support.js";

const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();

let ids = 0;
function event(kind, { from = 60, to = 50, ...more } = {}) {
  ids += 1;
  return {
    id: ids, camera: "front", kind, start: ago(from), end: to === null ? null : ago(to), score: 0, area: null, zone: null, best: null,
    kept: false, interrupted: false, note: "", by: "", ...more,
  };
}

// A window on the list of these events, as `hand` has them; stills are asked of the real server.
async function listed(t, events, { path = "/?events", zones = [], ...options } = {}) {
  const server = await new Server(t, { sections: RECORDED }).start();
  const page = await open(server, { expected: /401|404/, ...options });
  const hand = { page, server, events, news: "", asked: [], stills: [] };
  await page.route("**/api/1.0/events?*", (route) => {
    const query = new URL(route.request().url()).searchParams;
    hand.asked.push(Object.fromEntries(query));
    const found = hand.events.filter((event) => ["kind", "zone"].every((key) => !query.has(key) || event[key] === query.get(key)));
    return route.fulfill({ json: { events: found } });
  });
  await page.route("**/api/1.0/events/live", (route) => route.fulfill({ contentType: "text/event-stream", body: `retry: 300\n\n${hand.news}` }));
  page.on("request", (request) => {
    if (/\/frame\?/.test(request.url())) hand.stills.push(new URL(request.url()).searchParams.get("at"));
  });
  await retell(page, (status) => {
    if (status.cameras[0].settings) status.cameras[0].settings.motion = { zones: zones.map((name) => ({ name, points: [] })) };
  });
  await page.goto(server.url(path));
  await fillIn(page, "ada");
  await page.locator("#sign-out").waitFor();
  return hand;
}

// Waits until the camera is recorded for so long.
const recorded = (page, seconds) => until(`${seconds} s of recording`, () => page.evaluate(async (wanted) => {
  const { cameras: [found] } = await (await fetch("api/1.0/recordings", { headers: { "X-Requested-With": "fetch" } })).json();
  return found.first && found.last - found.first >= wanted ? found : undefined;
}, seconds));

const entry = (page, words) => page.locator(".event").filter({ hasText: words });

test("motion is shown at its best moment, with its box, zone and size", async (t) => {
  const hand = await listed(t, [], { path: "/" });
  const { page } = hand;
  const { last } = await recorded(page, 4);
  const moment = (at) => new Date(Math.round(at * 1000)).toISOString();
  hand.events = [event("motion", { start: moment(last - 3), end: moment(last - 1), best: moment(last - 2), score: 36, area: [0.25, 0.1, 0.75, 0.6], zone: "door" })];
  await page.getByRole("link", { name: /^Events/ }).click();
  const one = entry(page, "Motion front, door");
  await one.getByText(/2 s\s· 2 % of the picture/).waitFor();
  await one.locator("rect").first().waitFor();
  assert.deepEqual(hand.stills, [moment(last - 2).replace(".000", "")], "the best moment");
  // The box lies on the picture as it is painted: all of it, in the middle of its place.
  const [place, box] = [await one.locator("img").boundingBox(), await one.locator(".line").boundingBox()];
  const width = Math.min(place.width, place.height * 4 / 3);
  const left = place.x + (place.width - width) / 2 + width / 4;
  assert.equal(await one.locator("img").evaluate((image) => getComputedStyle(image).objectFit), "contain");
  assert.ok(Math.abs(box.x - left) < 3 && Math.abs(box.width - width / 2) < 5, JSON.stringify([place, box]));
});

test("motion that goes on is shown so, and changes in place", async (t) => {
  const running = event("motion", { from: 20, to: null, score: 10 });
  const hand = await listed(t, [running]);
  const { page } = hand;
  const one = entry(page, "Motion front");
  await one.and(page.locator(".running")).getByText(/^Going on since \d\d:\d\d:\d\d/).waitFor();
  await one.getByRole("button", { name: /^Keep/ }).focus();
  hand.events = [{ ...running, end: new Date(Date.parse(running.start) + 15_000).toISOString(), score: 36 }];
  hand.news = `event: end\ndata: ${JSON.stringify(hand.events[0])}\n\n`;
  await one.getByText(/^\d\d:\d\d:\d\d, 15 s/).waitFor();
  assert.equal(await page.locator(".event").count(), 1);
  assert.ok(!/running/.test(await one.getAttribute("class")));
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Keep/, "the focus stays");
});

test("an event of which nothing is recorded says so", async (t) => {
  const { page } = await listed(t, [event("motion", { from: 90_000, to: 89_000, area: [0, 0, 1, 1] }), event("defocused"), event("disk", { camera: null }), event("board", { camera: null })], { path: "/" });
  // Before the first footage anything may be recorded.
  await recorded(page, 1);
  await page.getByRole("link", { name: /^Events/ }).click();
  await entry(page, "Out of focus").waitFor();
  await entry(page, "Recording stopped by the disk").waitFor();
  await entry(page, "Board hot or short of power").waitFor();
  const old = entry(page, "Motion front");
  await old.getByText("Not recorded").waitFor();
  assert.equal(await old.locator("img").count(), 0);
  assert.equal(await old.getByRole("link").count(), 0);
});

test("events are chosen by zone", async (t) => {
  const hand = await listed(t, [event("motion", { zone: "door" }), event("motion", { zone: "garden" }), event("motion")], { zones: ["roof"] });
  const { page } = hand;
  await until("three events", async () => (await page.locator(".event").count()) === 3);
  const choice = page.getByLabel("zone", { exact: true });
  assert.deepEqual(await choice.locator("option").allTextContents(), ["All zones", "roof", "door", "garden"]);
  await choice.selectOption("garden");
  await until("one event", async () => (await page.locator(".event").count()) === 1);
  await entry(page, "garden").waitFor();
  assert.equal(new URL(page.url()).search, "?events&zone=garden");
  await choice.selectOption("roof");
  await page.getByText("No events").waitFor();
  await page.goBack();
  await entry(page, "garden").waitFor();
  await page.getByRole("link", { name: "Show all" }).click();
  await until("three again", async () => (await page.locator(".event").count()) === 3);
});

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`detected events at a ${name} keep nobody out`, async (t) => {
    const hand = await listed(t, [], { path: "/", viewport, zones: ["door"] });
    const { page } = hand;
    const { last } = await recorded(page, 4);
    const moment = (at) => new Date(Math.round(at * 1000)).toISOString();
    hand.events = [
      event("motion", { start: moment(last - 1), end: null, score: 20, area: [0.1, 0.1, 0.3, 0.8] }),
      event("motion", { start: moment(last - 3), end: moment(last - 2), best: moment(last - 2.5), score: 36, area: [0.5, 0.3, 0.9, 0.9], zone: "door" }),
      event("sound", { from: 400, to: 390, score: 72 }),
      event("motion", { from: 90_000, to: 89_990, score: 30, area: [0, 0, 1, 1], zone: "door" }),
      event("board", { from: 95_000, to: 94_000, camera: null }),
    ];
    await page.getByRole("link", { name: /^Events/ }).click();
    await page.locator(".event rect").nth(2).waitFor();
    await entry(page, "Sound").getByText("18 dB above the noise").waitFor();
    await assertAccessible(page, "detected events");
    await assertNotWide(page, "detected events");
    await picture(page, `${name}-detected`);
  });
}

test("an admin disarms and arms all cameras, and it is said at the pictures", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  let isArmed = true;
  const changes = [];
  await retell(page, (status) => { status.services.motion = isArmed; });
  await page.route("**/api/1.0/services", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...await answer.json(), motion: { running: isArmed, stopped_by: isArmed ? null : "ada" } } });
  });
  await page.route("**/api/1.0/services/motion", (route) => {
    changes.push(route.request().postDataJSON());
    isArmed = changes.at(-1).running;
    return route.fulfill({ json: { running: isArmed, stopped_by: isArmed ? null : "ada" } });
  });
  await page.goto(server.url("/"));
  await fillIn(page, "ada");
  await untilItMoves(page);
  const said = page.getByText("Disarmed: motion and noise are not reported.");
  assert.equal(await said.isVisible(), false);
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("link", { name: "Services" }).click();
  await page.getByRole("button", { name: "Disarm motion and noise" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Disarm motion and noise" }).click();
  await page.getByText("Disarmed. Motion and noise are not reported").waitFor();
  await assertAccessible(page, "disarmed");
  await picture(page, "desk-disarmed-services");
  assert.equal(await said.isVisible(), false, "it is said at the pictures only");
  await page.getByRole("link", { name: "Live" }).click();
  await said.waitFor();
  await assertAccessible(page, "disarmed, live");
  await picture(page, "desk-disarmed");
  await page.goBack();
  await page.getByRole("button", { name: "Arm motion and noise" }).click();
  await page.getByText("Armed.", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Live" }).click();
  await said.waitFor({ state: "hidden" });
  assert.deepEqual(changes, [{ running: false }, { running: true }]);
});
