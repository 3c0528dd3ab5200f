// Motion detection of a camera, as an admin sets it on the live picture.

import assert from "node:assert/strict";

import { DESK, PHONE, Server, apply, assertAccessible, assertNotWide, camera, fillIn, finger, open, picture, retell, signedIn, test, until, untilItMoves } from "./support.js";

const SQUARE = [[0.1, 0.2], [0.3, 0.2], [0.3, 0.4], [0.1, 0.4]];
const DOOR = { name: "door", points: SQUARE };
const MOTION = { size_percent: 0.5, looks: 5, zones: [], masks: [], armed: "always" };

// A look of 8 x 6 blocks, of which the first, the tenth and the last count.
const LOOK = {
  at: "2026-11-29T15:00:00Z", state: "watching", width: 8, height: 6,
  blocks: Buffer.from([0b1, 0b10, 0, 0, 0, 0b1000_0000]).toString("base64"), boxes: [[0, 0, 0.25, 0.34]],
};

// A window on a camera whose changes are collected; `hand` says what the server answers.
async function opened(t, { path = "/?camera=front&edit=motion", motion = {}, settings = {}, more = {}, ...options } = {}) {
  const server = await new Server(t).start();
  const page = await open(server, { expected: /401|400|409/, ...options });
  const found = {
    name: "front", ...more, controls: [], sizes: [],
    settings: { width: 640, height: 480, fps: 10, rotate: 0, flip: "none", masks: [], ...settings, motion: motion && { ...MOTION, ...motion } },
  };
  const hand = { page, server, found, changes: [], tries: [], look: LOOK, replay: {}, events: [], refuse: undefined };
  await page.route("**/api/1.0/cameras/front", (route) => {
    const change = route.request().postDataJSON();
    if (change && hand.refuse) return route.fulfill({ status: 400, json: { error: hand.refuse } });
    if (change) hand.changes.push(change);
    if (change?.motion) found.settings.motion = change.motion.armed === "off" ? null : { ...MOTION, ...found.settings.motion, ...change.motion };
    return route.fulfill({ json: found });
  });
  await page.route("**/cameras/front/motion/live", (route) => route.fulfill({
    contentType: "text/event-stream", body: `retry: 200\n\nevent: look\ndata: ${JSON.stringify(hand.look)}\n\n`,
  }));
  await page.route("**/cameras/front/motion/replay", (route) => {
    hand.tries.push(route.request().postDataJSON());
    return route.fulfill({ json: hand.replay });
  });
  await page.route("**/api/1.0/events?*", (route) => route.fulfill({ json: { events: hand.events } }));
  await page.route("**/api/1.0/recordings", (route) => route.fulfill({ json: { cameras: hand.recordings ?? [] } }));
  await retell(page, (status) => {
    Object.assign(status.cameras[0], more);
    Object.assign(status.cameras[0].settings ?? {}, found.settings);
  });
  await page.goto(server.url(path));
  await fillIn(page, "ada");
  await untilItMoves(page);
  return hand;
}

const frame = (page, kind = "Zones") => page.getByRole("group", { name: `${kind} on the picture of front` });
const detected = (page) => frame(page, "Masks of the detection");

// A place on the picture, by fractions, in the window.
async function place(page, [x, y], where = frame(page)) {
  const box = await where.boundingBox();
  return [box.x + x * box.width, box.y + y * box.height];
}

async function drag(page, from, to, where = frame(page)) {
  await page.mouse.move(...await place(page, from, where));
  await page.mouse.down();
  await page.mouse.move(...await place(page, to, where), { steps: 5 });
  await page.mouse.up();
}

function assertNear(found, wanted, what) {
  assert.equal(found.length, wanted.length, what);
  found.forEach((each, at) => each.forEach((value, axis) =>
    assert.ok(Math.abs(value - wanted[at][axis]) < 0.01, `${what}: ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`)));
}

test("the blocks that count lie over the live picture", async (t) => {
  const hand = await opened(t);
  const { page } = hand;
  await page.getByText("3 blocks count, 6.3 % of the picture, 1 box.").waitFor();
  await page.getByText("Watching.").waitFor();
  // Whether the middle of a block is painted, on a canvas that has the shape of the grid.
  const painted = (column, row) => page.locator(".blocks canvas").evaluate((canvas, [x, y]) => {
    const at = (part, all, whole) => Math.floor(((part + 0.5) / all) * whole);
    return canvas.getContext("2d").getImageData(at(x, 8, canvas.width), at(y, 6, canvas.height), 1, 1).data[3] > 0;
  }, [column, row]);
  for (const [column, row, wanted] of [[0, 0, true], [1, 0, false], [1, 1, true], [0, 1, false], [7, 5, true], [6, 5, false]]) {
    assert.equal(await painted(column, row), wanted, `${column}, ${row}`);
  }
  const [over, below] = [await page.locator(".blocks canvas").boundingBox(), await frame(page).boundingBox()];
  assert.deepEqual(over, below, "as large as the picture");
  for (const [state, words] of [["learning", "Learning how"], ["settling", "The light changes."], ["disarmed", "Disarmed."]]) {
    hand.look = { ...LOOK, state };
    await page.getByText(words).waitFor();
  }
  // Looks are asked for only where they are seen.
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("heading", { name: "Account" }).waitFor();
  let asked = 0;
  page.on("request", (request) => { asked += Number(request.url().endsWith("motion/live")); });
  // Each answer ends at once, and the next one is asked for after 0.2 s: here in vain, for three statuses.
  for (let statuses = 0; statuses < 3; statuses += 1) await page.waitForResponse(/status/);
  assert.equal(asked, 0);
  await page.goBack();
  await page.waitForRequest(/motion\/live/);
  await page.getByRole("link", { name: "Done" }).click();
  await page.getByRole("link", { name: "Motion", exact: true }).waitFor();
  assert.equal(await page.locator(".blocks").count(), 0);
});

test("without looks it is said that nothing is known", async (t) => {
  const { page } = await opened(t);
  await page.getByText("3 blocks count").waitFor();
  await page.unroute("**/cameras/front/motion/live");
  await page.getByText("Nothing comes from the detector").waitFor();
  assert.equal(await page.locator(".blocks canvas").evaluate(({ width }) => width), 0, "no block is painted");
});

test("the smallest size is set with a slider, beside a square of it", async (t) => {
  const { page, changes } = await opened(t);
  const part = async () => {
    const [square, whole] = [await page.locator(".square").boundingBox(), await frame(page).boundingBox()];
    assert.ok(Math.abs(square.width - square.height) < 2, JSON.stringify(square));
    return (square.width * square.height) / (whole.width * whole.height);
  };
  assert.ok(Math.abs(await part() - 0.005) < 0.002, `${await part()}`);
  const slider = page.getByRole("slider", { name: "Smallest size" });
  await slider.press("End");
  assert.equal(await page.getByLabel("Smallest size, in percent").inputValue(), "20");
  assert.ok(Math.abs(await part() - 0.2) < 0.02, `${await part()}`);
  await slider.press("Home");
  assert.equal(await page.getByLabel("Smallest size, in percent").inputValue(), "0.1");
  await page.getByLabel("Smallest size, in percent").fill("1.41");
  await until("the slider to follow", async () => (await slider.inputValue()) === "50");
  await page.getByText("Not applied yet.").waitFor();
  assert.deepEqual(changes, []);
  await apply(page);
  assert.deepEqual(changes, [{ motion: { size_percent: 1.41 } }], "only what was changed");
  await page.getByLabel("Smallest size, in percent").fill("0");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("alert").getByText("Expected a number from 0.01 to 100.").waitFor();
  await page.getByRole("button", { name: "Undo changes" }).click();
  assert.equal(await page.getByLabel("Smallest size, in percent").inputValue(), "1.41");
  assert.equal(changes.length, 1);
});

test("zones and masks are drawn with a mouse, and named", async (t) => {
  const { page, changes } = await opened(t);
  await drag(page, [0.2, 0.2], [0.6, 0.5]);
  await drag(page, [0.7, 0.1], [0.9, 0.5]);
  await page.getByLabel("Name of zone 1").fill("street");
  await page.getByLabel("Name of zone 2").fill("Street");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("alert").getByText("Another zone has this name.").waitFor();
  await page.getByLabel("Name of zone 2").fill("my door");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("alert").getByText("Expected 1 to 32 letters").waitFor();
  await page.getByLabel("Name of zone 2").fill("door");
  await frame(page).getByRole("button", { name: "Zone street, 4 points" }).click();
  await page.getByRole("button", { name: "Remove zone street" }).click();
  await page.getByText("Masks: there motion never counts").click();
  await drag(page, [0.1, 0.6], [0.3, 0.9], detected(page));
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Saved for the next start").waitFor();
  const [{ motion: { zones, masks }, save }] = changes;
  assert.ok(save && zones.length === 1 && zones[0].name === "door", JSON.stringify(zones));
  assertNear(zones[0].points, [[0.7, 0.1], [0.9, 0.1], [0.9, 0.5], [0.7, 0.5]], "the second one is left");
  assertNear(masks[0], [[0.1, 0.6], [0.3, 0.6], [0.3, 0.9], [0.1, 0.9]], "a mask");
});

test("zones and masks are drawn with the keyboard alone", async (t) => {
  const { page, changes } = await opened(t, { motion: { zones: [DOOR] } });
  await page.getByRole("button", { name: "Add a zone" }).press("Enter");
  const focus = () => page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  await until("the new zone's point", async () => /^Zone zone-1, point 1/.test(await focus()));
  await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("Escape");
  await page.getByText("Taken back").waitFor();
  await page.keyboard.press("Shift+ArrowLeft");
  await frame(page).getByRole("button", { name: "Zone door, 4 points" }).press("Delete");
  await page.getByText("Zone door is removed").waitFor();
  await page.getByRole("radio", { name: /^Zones/ }).press("ArrowDown");
  await page.getByRole("button", { name: "Add a mask" }).press("Enter");
  await until("the new mask's point", async () => /^Mask 1, point 1/.test(await focus()));
  await page.getByRole("button", { name: "Apply" }).press("Enter");
  await page.getByText("Applied", { exact: true }).waitFor();
  const [{ motion: { zones, masks } }] = changes;
  assert.deepEqual([zones.map(({ name }) => name), masks.length], [["zone-1"], 1]);
  assertNear([zones[0].points[0]], [[0.31 - 0.05, 0.31]], "moved");
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Edit masks" }).waitFor();
});

test("zones are drawn with a finger", async (t) => {
  const { page, changes } = await opened(t, { viewport: PHONE });
  const slide = await finger(page);
  await slide(await place(page, [0.2, 0.2]), await place(page, [0.6, 0.7]));
  await page.getByText("Not applied yet.").waitFor();
  await slide(await place(page, [0.6, 0.2]), await place(page, [0.8, 0.1]));
  await page.getByRole("button", { name: "Apply" }).tap();
  await page.getByText("Applied", { exact: true }).waitFor();
  assertNear(changes[0].motion.zones[0].points, [[0.2, 0.2], [0.8, 0.1], [0.6, 0.7], [0.2, 0.7]], "drawn, a point moved");
});

test("zones stay on the scene when the picture is turned", async (t) => {
  const { page, changes } = await opened(t, { settings: { rotate: 90 }, motion: { zones: [DOOR] } });
  const outline = await page.locator(".masks.zones polygon").evaluate((element) =>
    element.getAttribute("points").split(" ").map((each) => each.split(",").map(Number)));
  assertNear(outline, SQUARE.map(([x, y]) => [1 - y, x]), "a quarter clockwise");
  await frame(page).getByRole("button", { name: "Zone door, 4 points" }).click();
  await frame(page).getByRole("button", { name: "Zone door, point 1:" }).press("ArrowDown");
  await apply(page);
  assertNear(changes[0].motion.zones[0].points, [[0.11, 0.2], ...SQUARE.slice(1)], "as it is sent");
});

test("motion is armed at times of a list", async (t) => {
  const { page, changes } = await opened(t, { motion: { armed: ["sat,sun 00:00-24:00", "mon 22:00-00:00"] } });
  assert.equal(await page.getByLabel("Days of period 1").inputValue(), "sat,sun");
  assert.equal(await page.getByText("Not applied yet.").count(), 0);
  await page.getByRole("button", { name: "Add a period" }).press("Enter");
  await page.getByText("of the next day").waitFor();
  await page.getByLabel("Days of period 3").selectOption("Monday to Friday");
  await page.getByLabel("End of period 3").fill("22:00");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("alert").getByText("The end must differ from the start.").waitFor();
  assert.ok(await page.getByLabel("End of period 3").evaluate((element) => element === document.activeElement));
  await page.getByLabel("End of period 3").fill("");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("alert").getByText("Enter the hour and the minute.").waitFor();
  await assertAccessible(page, "a wrong time");
  await page.getByLabel("End of period 3").fill("06:30");
  await apply(page);
  await page.getByRole("button", { name: "Remove period 1" }).click();
  await apply(page);
  await page.getByLabel("Never", { exact: true }).check();
  await apply(page);
  assert.deepEqual(changes.map(({ motion }) => motion.armed),
    [["sat,sun 00:00-24:00", "mon 22:00-00:00", "mon-fri 22:00-06:30"], ["mon 22:00-00:00", "mon-fri 22:00-06:30"], "never"]);
});

test("a trial shows what other settings would have reported", async (t) => {
  const hand = await opened(t, { motion: { zones: [DOOR] } });
  const { page } = hand;
  const moment = (seconds) => new Date(Date.UTC(2026, 10, 29, 15, 0, seconds)).toISOString();
  const event = (from, to, score, more = {}) => ({
    id: from, camera: "front", kind: "motion", start: moment(from), end: to && moment(to), score, area: [0, 0, 0.1, 0.1], zone: null, best: null,
    kept: false, interrupted: false, note: "", by: "", ...more,
  });
  hand.replay = { from: null, to: null, looks: 0, source: "memory", events: [] };
  await page.getByRole("button", { name: "Try" }).click();
  await page.getByText("The detector has not examined this camera yet.").waitFor();
  hand.replay = { from: moment(0), to: moment(300), looks: 1500, source: "memory", events: [event(61, 70, 36, { zone: "door" }), event(200, null, 26)] };
  hand.events = [event(120, 121, 15), event(60, 72, 36)];
  hand.recordings = [{ name: "front", state: "recording", first: Date.parse(moment(0)) / 1000, last: Date.parse(moment(150)) / 1000, problem: null }];
  await page.getByLabel("Smallest size, in percent").fill("0.9");
  await page.getByRole("button", { name: "Try" }).click();
  await page.getByText(/^5 min until .* \(1500 examined pictures kept in memory\)\. Reported: 2\. With these settings: 2\.$/).waitFor();
  assert.deepEqual(hand.tries[1], { motion: { ...MOTION, size_percent: 0.9, zones: [DOOR] } });
  assert.deepEqual(hand.changes, [], "nothing is applied");
  const rows = await page.locator(".trial tbody tr").evaluateAll((all) => all.map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent)));
  assert.deepEqual(rows, [["12 s, 2 %", "9 s, 2 %, door"], ["1 s, 0.34 %", "no"], ["no", "goes on, 1 %"]]);
  const link = page.locator(".trial a").first();
  const [recording] = await Promise.all([page.context().waitForEvent("page"), link.click()]);
  await recording.waitForURL(/at=/);
  assert.equal(new URL(recording.url()).search.replaceAll("%3A", ":"), `?camera=front&at=${moment(58).replace(".000", "")}`);
  await recording.close();
  await page.getByText("The settings were changed since.").waitFor({ state: "hidden" });
  await page.getByLabel("Smallest size, in percent").fill("0.8");
  await page.getByText("The settings were changed since.").waitFor();
  await assertAccessible(page, "a trial");
  await page.locator(".trial").scrollIntoViewIfNeeded();
  await picture(page, "desk-trial");
});

test("motion detection is turned on, and off", async (t) => {
  const { page, changes } = await opened(t, { motion: null });
  await page.getByText("Motion detection is off at this camera.").waitFor();
  await assertAccessible(page, "no detection");
  await page.getByRole("button", { name: "Turn motion detection on" }).click();
  await page.getByText("3 blocks count").waitFor();
  await page.getByRole("button", { name: "Turn motion detection off" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Turn off" }).click();
  await page.getByText("Motion detection is off at this camera.").waitFor();
  assert.equal(await page.locator(".masks").count(), 0);
  assert.deepEqual(changes, [{ motion: { armed: "always" }, save: true }, { motion: { armed: "off" }, save: true }]);
});

test("unapplied settings of motion are not left unasked, or overwritten", async (t) => {
  const hand = await opened(t, { path: "/?camera=front" });
  const { page, changes, found } = hand;
  await page.getByRole("link", { name: "Motion", exact: true }).click();
  await page.getByLabel("Pictures examined per second").fill("3");
  await page.goBack();
  await page.getByRole("dialog").getByText("not applied").waitFor();
  await page.keyboard.press("Escape");
  hand.refuse = "looks is 3; expected a whole number from 5 to 10";
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("alert").getByText("Looks is 3; expected").waitFor();
  await page.getByRole("button", { name: "Undo changes" }).click();
  // What another admin applies is shown, because nothing is changed here.
  found.settings.motion = { ...MOTION, looks: 7, zones: [DOOR] };
  await until("the other admin's looks", async () => (await page.getByLabel("Pictures examined per second").inputValue()) === "7");
  assert.equal(await page.getByLabel("Name of zone 1").inputValue(), "door");
  await page.keyboard.press("Escape");
  assert.deepEqual(changes, []);
});

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`motion at a ${name} keeps nobody out`, async (t) => {
    const { page } = await opened(t, { viewport, motion: { size_percent: 3, zones: [DOOR, { name: "garden", points: [[0.5, 0.5], [0.9, 0.6], [0.6, 0.9]] }], masks: [[[0.7, 0.1], [0.9, 0.1], [0.8, 0.3]]], armed: ["22:00-06:00", "mon-fri 08:00-18:00"] } });
    await page.getByText("3 blocks count").waitFor();
    await frame(page).getByRole("button", { name: "Zone door, 4 points" }).click();
    await assertAccessible(page, "motion");
    await assertNotWide(page, "motion");
    await picture(page, `${name}-motion`);
    await page.getByText("Which setting for which nuisance").click();
    await assertNotWide(page, "motion's help");
    await page.getByRole("group", { name: "Armed" }).scrollIntoViewIfNeeded();
    await picture(page, `${name}-motion-armed`);
    await page.getByRole("button", { name: "Turn motion detection off" }).scrollIntoViewIfNeeded();
    await picture(page, `${name}-motion-foot`);
  });
}

test("a viewer has no settings of motion", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { path: "/?camera=front&edit=motion" });
  const loaded = [];
  page.on("request", (request) => loaded.push(new URL(request.url()).pathname));
  await untilItMoves(page);
  await camera(page).getByText("viewer").first().waitFor();
  assert.equal(await page.locator(".masks").count(), 0);
  assert.ok(!loaded.some((path) => /tune|blocks|motion/.test(path)), "nothing of it is loaded");
});
