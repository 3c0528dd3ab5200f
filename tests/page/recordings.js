// What was recorded: recording by hand, events, and a camera at another time.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

import { DESK, PHONE, Server, assertAccessible, assertNotWide, camera, fillIn, open, picture, signedIn, test, until, untilItMoves } from "./support.js";

const device = (name, record) => `[camera.${name}]\ndevice = "test"\nwidth = 320\nheight = 240\nfps = 10\n[camera.${name}.record]\n${record}\n`;
const STORE = "[record]\nmin_free_gb = 0\nsegment_mb = 4\nflush_s = 1\n";
const ALWAYS = `${STORE}${device("front", 'when = "always"')}`;
const AT_EVENTS = `${STORE}${device("front", 'when = "events"\npre_s = 2\npost_s = 1')}`;

const viewers = { nan: ":past=no", bob: ":cameras=yard" };

const api = (page, method, path, body) => page.evaluate(async ([verb, where, what]) => {
  const response = await fetch(`api/1.0/${where}`, { method: verb, body: what && JSON.stringify(what), headers: { "X-Requested-With": "fetch" } });
  return response.status === 204 ? undefined : response.json();
}, [method, path, body]);

const dot = (page, name = "front") => camera(page, name).locator(".rec").getAttribute("data-state");
const record = (page, name = "front") => page.getByRole("button", { name: `Record ${name}` });
const isPressed = async (page) => (await record(page).getAttribute("aria-pressed")) === "true";
const stateOf = (page) => page.locator(".past").getAttribute("data-state");
const isState = (page, ...wanted) => until(`the recording to be ${wanted}`, async () => wanted.includes(await stateOf(page)));

// The moment of the picture that is shown, in seconds of the day.
async function shownAt(page) {
  const [, hours, minutes, seconds] = /(\d\d):(\d\d):([\d.]+)/.exec(await page.locator(".time strong").textContent());
  return hours * 3600 + minutes * 60 + Number(seconds);
}

// Does what shows another picture, and gives the moment of that one: the page shows no more than tenths of a second, and on a
// busy machine two pictures are of the same.
async function momentAfter(page, work) {
  const [response] = await Promise.all([page.waitForResponse(/\/frame\?at=/), work()]);
  await isState(page, "paused");
  const moment = Number(response.headers()["x-timestamp"]);
  const isNear = (seconds) => Math.abs((moment - seconds + 30) % 60 - 30) < 0.15;
  await until("its moment", async () => isNear(await shownAt(page)));
  return moment;
}

// Waits until so much of the camera is recorded, and gives the moments between which that is.
async function recorded(page, seconds, name = "front") {
  return until(`${seconds} s of ${name}`, async () => {
    const found = (await api(page, "GET", "recordings")).cameras.find((each) => each.name === name);
    return found?.first && found.last - found.first >= seconds ? found : undefined;
  });
}

test("two admins see the same recording, which either ends", async (t) => {
  const server = await new Server(t, { sections: AT_EVENTS }).start();
  const [one, other] = [await signedIn(server, "ada"), await signedIn(server, "ada")];
  await until("the dot of one that waits", async () => (await dot(one)) === "waiting");
  await record(one).click();
  await one.getByText(/Recording since \d\d:\d\d:\d\d/).waitFor();
  await until("the dot of one that is recorded", async () => (await dot(one)) === "recording");
  await other.getByText(/Recording since \d\d:\d\d:\d\d/).waitFor();
  assert.ok(await isPressed(other));
  await picture(one, "recording");
  await record(other).press("Enter");
  await until("the end at the other", async () => !await isPressed(one));
  await until("the dot that waits again", async () => (await dot(one)) === "waiting");
});

test("while the server is silent it is unknown whether a camera is recorded", async (t) => {
  const server = await new Server(t, { sections: ALWAYS }).start();
  const page = await signedIn(server, "eve", { expected: /401|404|ERR_/ });
  await until("the dot of one that is recorded", async () => (await dot(page)) === "recording");
  server.fallSilent();
  await until("a dot that does not say so", async () => (await dot(page)) === "unknown");
  await picture(page, "recording-unknown");
  server.speakAgain();
  await until("the dot again", async () => (await dot(page)) === "recording");
});

test("an event is listed at once, played from before it, kept, noted and deleted", async (t) => {
  const server = await new Server(t, { sections: ALWAYS }).start();
  const page = await signedIn(server, "ada", { path: "/?events", expected: /401|404/ });
  await recorded(page, 4);
  await page.getByText("No events").waitFor();
  const { id, start } = await api(page, "POST", "events", { camera: "front", kind: "manual", running: true });
  const event = page.locator(".event");
  await event.getByText(/since/).waitFor();
  await api(page, "PUT", `events/${id}`, { ended: true });
  await event.getByText(/^\d\d:\d\d:\d\d/).waitFor();
  await event.getByRole("button", { name: /^Keep/ }).click();
  await page.getByText("Kept", { exact: true }).waitFor();
  assert.equal((await api(page, "GET", `events/${id}`)).kept, true);
  await page.reload();
  await event.locator("img[src]").waitFor();
  await event.getByRole("link", { name: /Reported/ }).click();
  await isState(page, "playing", "paused", "ended");
  assert.equal(new URL(page.url()).search, `?event=${id}`);
  const first = await shownAt(page);
  const begin = new Date(start);
  const before = begin.getHours() * 3600 + begin.getMinutes() * 60 + begin.getSeconds() + begin.getMilliseconds() / 1000 - first;
  // The time is shown in whole seconds.
  assert.ok(before <= 3.2, `it begins ${before} s before the event`);
  await page.getByLabel("Note").fill("the postman");
  await page.getByRole("button", { name: "Save note" }).click();
  await page.getByText("Note saved").waitFor();
  await page.goBack();
  await event.getByText("the postman").waitFor();
  await event.getByRole("button", { name: /^Delete/ }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("No events").waitFor();
});

test("what is chosen of the events is in the address, and Back undoes it", async (t) => {
  const server = await new Server(t, { sections: ALWAYS + device("yard", 'when = "events"') }).start();
  // A still is asked for that may not be on the disk yet.
  const page = await signedIn(server, "ada", { expected: /401|404/ });
  for (const name of ["front", "yard"]) await api(page, "POST", "events", { camera: name, kind: "manual" });
  await page.getByRole("link", { name: "Events" }).click();
  const events = page.locator(".event");
  await until("two events", async () => (await events.count()) === 2);
  await page.getByLabel("camera", { exact: true }).selectOption("yard");
  await until("one event", async () => (await events.count()) === 1);
  assert.equal(new URL(page.url()).search, "?events&camera=yard");
  await page.getByLabel("kind", { exact: true }).selectOption("motion");
  await page.getByText("No events").waitFor();
  await page.goBack();
  await until("one event again", async () => (await events.count()) === 1);
  await page.goBack();
  await until("both again", async () => (await events.count()) === 2);
  await page.goForward();
  await until("one event once more", async () => (await events.count()) === 1);
});

test("new events are counted beside the word, until they are looked at", async (t) => {
  const server = await new Server(t, { sections: AT_EVENTS }).start();
  const page = await signedIn(server, "ada", { path: "/?events" });
  await page.getByText("No events").waitFor();
  await page.getByRole("link", { name: "Live" }).click();
  await api(page, "POST", "events", { camera: "front", kind: "manual" });
  await page.getByRole("link", { name: "Events 1 new" }).click();
  await page.locator(".event").waitFor();
  await page.getByRole("link", { name: "Events", exact: true }).waitFor();
});

for (const [kind, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`at a ${kind}, a recording is played, paused and stepped through`, async (t) => {
    const server = await new Server(t, { sections: `${ALWAYS}[microphone.room]\ndevice = "test"\n` }).start();
    const page = await signedIn(server, "eve", { viewport, expected: /401|404/ });
    await untilItMoves(page);
    await recorded(page, 5);
    await camera(page).locator(".picture").click();
    await page.getByRole("link", { name: "Recordings" }).click();
    await isState(page, "playing");
    const before = await shownAt(page);
    await until("the time to go on", async () => (await shownAt(page)) > before);
    const press = (name) => () => page.getByRole("button", { name }).click();
    const paused = await momentAfter(page, press("Pause"));
    assert.ok(await momentAfter(page, press("Previous picture")) < paused, "the picture before");
    assert.equal(await momentAfter(page, press("Next picture")), paused, "the same picture again");
    await assertNotWide(page, "a recording");
    await assertAccessible(page, "a recording");
    await picture(page, `${kind}-recording`);
    await page.reload();
    await isState(page, "playing", "ended");
    await page.locator(".stretches [aria-current] button").first().waitFor();
    await page.getByRole("link", { name: "Live", exact: true }).last().click();
    await untilItMoves(page);
    assert.equal(new URL(page.url()).search, "?camera=front");
  });
}

test("a recording is used without a mouse, and Escape leaves it", async (t) => {
  const server = await new Server(t, { sections: ALWAYS }).start();
  const page = await signedIn(server, "eve", { expected: /401|404/ });
  const { first } = await recorded(page, 4);
  await page.goto(server.url(`/?camera=front&at=${first}`));
  await isState(page, "playing");
  const key = (name) => () => page.keyboard.press(name);
  const paused = await momentAfter(page, key("Space"));
  assert.ok(await momentAfter(page, key(".")) > paused, "the next picture");
  assert.equal(await momentAfter(page, key(",")), paused, "the one before");
  await page.keyboard.press("Escape");
  await untilItMoves(page);
  assert.equal(new URL(page.url()).search, "?camera=front");
});

test("a part of a recording is saved as a film, as pictures, and one picture", async (t) => {
  const server = await new Server(t, { sections: ALWAYS }).start();
  const page = await signedIn(server, "eve", { expected: /401|404/ });
  const { first } = await recorded(page, 6);
  await page.goto(server.url(`/?camera=front&from=${first + 1}&to=${first + 3}`));
  await isState(page, "playing", "ended");
  for (const kind of ["MKV", "MOV"]) {
    const [film] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: `Download ${kind}` }).click()]);
    assert.match(film.suggestedFilename(), new RegExp(`front.*\\.${kind.toLowerCase()}$`));
    const count = execFileSync("ffprobe", ["-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", await film.path()]);
    assert.ok(Number(String(count).split(",")[0]) > 0, `${kind}: ${count}`);
  }
  const [zip] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download ZIP" }).click()]);
  assert.match(zip.suggestedFilename(), /^front.*\.zip$/);
  execFileSync("unzip", ["-tqq", await zip.path()]);
  const [still] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save picture" }).click()]);
  assert.match(still.suggestedFilename(), /^front-\d{4}-\d\d-\d\dT[\d-]+[+-]\d{4}\.jpg$/);
});

test("marks make a clip, and its address", async (t) => {
  const server = await new Server(t, { sections: ALWAYS }).start();
  const page = await signedIn(server, "eve", { expected: /401|404/ });
  const { first } = await recorded(page, 6);
  await page.goto(server.url(`/?camera=front&at=${first}`));
  await isState(page, "playing");
  await page.getByRole("button", { name: "Pause" }).click();
  await isState(page, "paused");
  await page.getByRole("button", { name: "Clip starts here" }).click();
  await page.getByRole("button", { name: "Play", exact: true }).click();
  const start = await shownAt(page);
  await until("two seconds", async () => (await shownAt(page)) >= start + 2);
  await page.getByRole("button", { name: "Pause" }).click();
  await isState(page, "paused");
  await page.getByRole("button", { name: "Clip ends here" }).click();
  await page.getByRole("button", { name: "Download MKV" }).waitFor();
  assert.match(new URL(page.url()).search, /^\?camera=front&from=[^&]+Z&to=[^&]+Z$/);
});

test("a user without the right to the past sees the present alone", async (t) => {
  const server = await new Server(t, { sections: ALWAYS, viewers }).start();
  const page = await signedIn(server, "nan");
  await untilItMoves(page);
  await until("the dot", async () => (await dot(page)) === "recording");
  assert.equal(await page.getByRole("link", { name: "Events" }).count(), 0);
  await camera(page).locator(".picture").click();
  assert.equal(await page.getByRole("link", { name: "Recordings" }).count(), 0);
  for (const path of ["/?events", "/?camera=front&at=0"]) {
    await page.goto(server.url(path));
    await page.getByText("You may not see recordings").waitFor();
  }
});

test("a confined user sees events of their cameras only", async (t) => {
  const server = await new Server(t, { sections: ALWAYS + device("yard", 'when = "events"'), viewers }).start();
  const page = await signedIn(server, "ada");
  for (const name of ["front", "yard"]) await api(page, "POST", "events", { camera: name, kind: "manual" });
  const theirs = await signedIn(server, "bob", { path: "/?events" });
  await theirs.locator(".event").first().waitFor();
  assert.deepEqual(await theirs.locator(".event .what > :first-child").allTextContents(), ["Reported yard"]);
  assert.equal(await theirs.getByRole("button", { name: /^Delete/ }).count(), 0, "a viewer deletes nothing");
  assert.deepEqual(await theirs.getByLabel("camera", { exact: true }).locator("option").allTextContents(), ["All cameras", "yard"]);
});

test("an admin sets, stops and starts recording", async (t) => {
  const server = await new Server(t, { sections: ALWAYS }).start();
  const page = await signedIn(server, "ada", { path: "/?settings=recording" });
  const card = page.locator("details[data-name=front]");
  await card.getByText("Being recorded").waitFor();
  await card.locator("summary").first().click();
  await card.locator('[name="when"]').selectOption("events");
  await card.getByLabel("Days that recordings are kept").fill("7");
  await card.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved", { exact: true }).waitFor();
  await card.getByText("Waiting for an event").waitFor();
  await card.getByText(/Days that recordings are kept: 7, saved by ada/).waitFor();
  await page.getByRole("button", { name: "Stop recording" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop recording" }).click();
  await page.getByText("Nothing is recorded: ada stopped it").waitFor();
  await page.getByRole("link", { name: "Live" }).click();
  await until("the dot", async () => (await dot(page)) === "stopped");
  await page.goBack();
  await page.getByRole("button", { name: "Start recording" }).click();
  await page.getByText("Recording is running").waitFor();
  await until("no problem", async () => (await page.locator(".problems p").count()) === 0);
});

test("an admin is warned of what will be deleted too early", async (t) => {
  const sections = ALWAYS.replace("min_free_gb = 0", "min_free_gb = 0\nmax_gb = 0.021").replace('"always"', '"always"\ndays = 14')
    .replace("width = 320\nheight = 240", "width = 640\nheight = 480\nquality = 95");
  const server = await new Server(t, { sections }).start();
  const page = await signedIn(server, "ada", { path: "/?settings=recording" });
  await page.locator(".problems").getByText(/^At the present rate, footage of camera front .* is deleted .*\.$/).waitFor();
});

for (const [kind, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`at a ${kind}, events and the settings of recording keep nobody out`, async (t) => {
    const server = await new Server(t, { sections: ALWAYS }).start();
    const page = await open(server, { viewport, expected: /401|404/ });
    await page.goto(server.url("/"));
    await fillIn(page, "ada");
    await page.locator("#sign-out").waitFor();
    await recorded(page, 3);
    const { id } = await api(page, "POST", "events", { camera: "front", kind: "manual" });
    await api(page, "PUT", `events/${id}`, { note: "a long note that takes more than a line on a phone, as people write them" });
    const look = async (view) => {
      await assertAccessible(page, view);
      await assertNotWide(page, view);
      await picture(page, `${kind}-${view}`);
    };
    await page.getByRole("link", { name: "Events" }).click();
    await page.locator(".event img[src]").waitFor();
    await look("events");
    await page.goto(server.url("/?settings=recording"));
    await page.locator("details[data-name=front] summary").first().click();
    await page.getByText("More").click();
    await look("settings-recording");
  });
}

test("playing goes on behind a gap", async (t) => {
  const server = await new Server(t, { sections: AT_EVENTS }).start();
  const page = await signedIn(server, "ada", { expected: /401|404/ });
  const starts = [];
  for (const name of ["front", "front"]) {
    await until("a camera that waits", async () => (await dot(page)) === "waiting");
    const { id, start } = await api(page, "POST", "events", { camera: name, kind: "manual", running: true });
    starts.push(start);
    await until("the recording", async () => (await dot(page)) === "recording");
    await api(page, "PUT", `events/${id}`, { ended: true });
    // What is after an event and what is before the next one must not meet.
    const ended = Date.now();
    await until("a gap", async () => Date.now() - ended > 6000);
  }
  await until("two stretches", async () => (await api(page, "GET", "recordings/front")).stretches.length === 2);
  await page.goto(server.url(`/?camera=front&at=${starts[0]}`));
  await isState(page, "playing");
  const second = new Date(starts[1]);
  const wanted = second.getHours() * 3600 + second.getMinutes() * 60 + second.getSeconds();
  await until("the second stretch", async () => (await shownAt(page)) >= wanted);
});
