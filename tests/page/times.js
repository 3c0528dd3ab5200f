// Times are those of who reads them.

import assert from "node:assert/strict";

import { RECORDED, Server, signedIn, test, until } from "./support.js";

// No whole hours from UTC, and never summer.
const timezoneId = "Asia/Kolkata";

test("a snapshot is named by the time of the browser's zone", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { timezoneId });
  const [download, response] = await Promise.all([
    page.waitForEvent("download"),
    page.waitForResponse((response) => response.url().endsWith("/snapshot/front")),
    page.getByRole("button", { name: "Snapshot of front" }).click(),
  ]);
  const captured_ms = Math.floor(Number(response.headers()["x-timestamp"])) * 1000;
  const there = new Date(captured_ms + 5.5 * 3_600_000).toISOString().slice(0, 19).replaceAll(":", "-");
  assert.equal(download.suggestedFilename(), `front-${there}+0530.jpg`);
});

test("events and recordings have the times of the browser's zone, which they and files name", async (t) => {
  const server = await new Server(t, { sections: RECORDED }).start();
  const page = await signedIn(server, "eve", { path: "/?events", timezoneId, expected: /401|404/ });
  const isNamed = () => page.getByText(/Asia\/(Kolkata|Calcutta), now UTC\+05:30/).waitFor();
  await isNamed();
  const from = await until("two seconds of footage", async () => {
    const { cameras } = await page.evaluate(async () => (await fetch("api/1.0/recordings")).json());
    return cameras[0].first && cameras[0].last - cameras[0].first > 2 ? Math.ceil(cameras[0].first) : undefined;
  });
  await page.goto(server.url(`/?camera=front&from=${from}&to=${from + 1}`));
  await isNamed();
  const there = new Date(from * 1000 + 5.5 * 3_600_000).toISOString().slice(0, 19);
  const [clip] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download MKV" }).click()]);
  // A reply that is an error, or none, has no name.
  assert.equal(await clip.failure(), null, "the download");
  // The first frame lies at the moment or behind it.
  assert.match(clip.suggestedFilename(), new RegExp(`^front-${there.slice(0, 17).replaceAll(":", "")}\\d\\d\\+0530.mkv$`));
  const [picture] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save picture" }).click()]);
  assert.match(picture.suggestedFilename(), /^front-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\+0530.jpg$/);
});

test("the log has the times of the browser's zone, which it names", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { path: "/?settings=log", timezoneId });
  const lines = {
    lines: ["2026-11-28T18:40:05.123Z INFO  [defender] of the server", "2026-11-28T23:59:59Z WARN  [defender] of the next day", "a second line"],
  };
  await page.route("**/api/1.0/logs**", (route) => route.fulfill({ json: lines }));
  const log = page.getByRole("log");
  await log.getByText("2026-11-29 00:10:05 INFO").waitFor();
  await log.getByText("2026-11-29 05:29:59 WARN").waitFor();
  await log.getByText("a second line").waitFor();
  await page.getByText(/Asia\/(Kolkata|Calcutta), now UTC\+05:30/).waitFor();
  await page.getByLabel("Only lines with").fill("00:10:05");
  await log.getByText("next day").waitFor({ state: "detached" });
  await log.getByText("of the server").waitFor();
});
