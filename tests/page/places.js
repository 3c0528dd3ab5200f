// The places of the page, their addresses, and the way between them.

import assert from "node:assert/strict";

import { PHONE, Server, camera, fillIn, open, retell, signedIn, test, until, untilItMoves } from "./support.js";

// What a server that records says beyond the others.
const records = (state) => (status) => {
  status.services.recording = true;
  for (const each of status.cameras) each.recording = state;
};

// A window on a server that keeps no events yet.
async function withoutEvents(page, change) {
  await retell(page, change);
  await page.route("**/api/1.0/events?*", (route) => route.fulfill({ json: { events: [] } }));
  await page.route("**/api/1.0/events/live", (route) => route.fulfill({ contentType: "text/event-stream", body: "" }));
}

const isAt = (page, word) => page.locator("header nav [aria-current]").and(page.getByRole("link", { name: word })).waitFor();

test("places have addresses, and the browser goes back and on between them", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  await withoutEvents(page, records("recording"));
  await page.route("**/api/1.0/recordings", (route) => route.fulfill({ json: { cameras: [] } }));
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await untilItMoves(page);
  await camera(page).locator(".picture").click();
  await page.getByRole("link", { name: "Events" }).click();
  await page.getByText("No events").waitFor();
  await isAt(page, "Events");
  assert.equal(await page.title(), "Events · Defender");
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("heading", { name: "Account" }).waitFor();
  await isAt(page, "Settings");
  await page.goBack();
  await page.getByText("No events").waitFor();
  await page.goBack();
  await untilItMoves(page);
  await isAt(page, "Live");
  assert.equal(new URL(page.url()).search, "?camera=front");
  await page.goForward();
  await page.getByText("No events").waitFor();
  await page.reload();
  await page.getByText("No events").waitFor();
});

test("a server that keeps no events has no place for them", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  await retell(page, (status) => { delete status.services.recording; });
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await untilItMoves(page);
  assert.equal(await page.getByRole("link", { name: "Events" }).count(), 0);
  assert.equal(await camera(page).locator(".rec").count(), 0);
});

test("on a phone the places are at the foot, and cover nothing", async (t) => {
  const server = await new Server(t, { sections: '[camera.front]\ndevice = "test"\nfps = 10\n[microphone.room]\ndevice = "test"\n' }).start();
  const page = await signedIn(server, "eve", { viewport: PHONE });
  await untilItMoves(page);
  const bar = await page.getByRole("navigation", { name: "Main" }).boundingBox();
  assert.ok(Math.abs(bar.y + bar.height - PHONE.height) < 1 && bar.width === PHONE.width, JSON.stringify(bar));
  const last = page.locator(".microphone");
  await last.scrollIntoViewIfNeeded();
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await until("the last card above the bar", async () => {
    const { y, height } = await last.boundingBox();
    return y + height <= bar.y;
  });
});

test("why a camera is not recorded is said beside its picture", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  let state = "waiting";
  await withoutEvents(page, (status) => records(state)(status));
  await page.route("**/api/1.0/recordings", (route) => route.fulfill({ json: { problem: null, cameras: [{ name: "front", problem: "the disk is full" }] } }));
  await page.goto(server.url("/?camera=front"));
  await fillIn(page, "eve");
  await untilItMoves(page);
  const heading = camera(page).getByRole("heading");
  await until("a ring", async () => /recorded at events/.test(await heading.textContent()));
  state = "failed";
  await page.getByText("Recording failed: the disk is full").waitFor();
  assert.match(await heading.textContent(), /recording failed/);
  state = "recording";
  await until("a disc", async () => /, recording$/.test(await heading.textContent()));
  await until("that nothing failed", async () => await page.getByText("Recording failed").count() === 0);
  assert.equal(await page.getByRole("button", { name: "Record front" }).count(), 0, "a viewer does not record");
});
