// Every view: accessible in light and dark, on a desk and on a phone; and how much the first visit loads.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { DESK, PHONE, Server, assertAccessible, assertNotWide, camera, fillIn, open, picture, signedIn, untilItMoves, withControls, test } from "./support.js";

const MOST_GZIPPED_BYTES = 40_000;
const MOST_BYTES = 90_000;
// All that anybody may ever load, gzipped: it is a part of the program.
const MOST_TOGETHER_BYTES = 90 * 1024;

const sections = '[camera.front]\ndevice = "test"\n[camera.yard]\ndevice = "test"\n[microphone.room]\ndevice = "test"\n';

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`every view at a ${name} keeps nobody out`, async (t) => {
    const server = await new Server(t, { sections }).start();
    const page = await open(server, { viewport });
    const look = async (view) => {
      await assertAccessible(page, view);
      await assertNotWide(page, view);
      await picture(page, `${name}-${view}`);
      await page.emulateMedia({ colorScheme: "dark" });
      await picture(page, `${name}-${view}-dark`);
      await page.emulateMedia({ colorScheme: null });
    };
    await page.goto(server.url("/"));
    await look("sign-in");
    await fillIn(page, "ada");
    await untilItMoves(page);
    await page.getByText("Mbit/s").first().waitFor();
    await look("grid");
    await withControls(page);
    await camera(page).locator(".picture").click();
    await page.getByLabel("Brightness").waitFor();
    await untilItMoves(page);
    await look("single");
    for (const panel of ["Account", "Sessions", "Users", "Services", "Log"]) {
      await page.getByRole("link", { name: panel === "Account" ? "Settings" : panel, exact: true }).click();
      await page.getByRole("heading", { name: panel, exact: true }).waitFor();
      if (panel === "Users") await page.locator("summary").first().click();
      await look(panel.toLowerCase());
    }
  });
}

test("the page is small and loads nothing from elsewhere", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  const loaded = [];
  page.on("response", (response) => {
    const isFile = ["document", "script", "stylesheet", "image", "other"].includes(response.request().resourceType());
    if (isFile) loaded.push(response);
  });
  await page.goto(server.url("/"));
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  const ofForm = await weigh(loaded.splice(0));
  await fillIn(page, "eve");
  await untilItMoves(page);
  const ofPage = await weigh(loaded);
  t.diagnostic(`the form: ${describe(ofForm)}; the page: ${describe(ofPage)}`);
  assert.ok(ofForm.gzipped + ofPage.gzipped < MOST_GZIPPED_BYTES && ofPage.raw < MOST_BYTES, "too heavy");
  assert.ok([...ofForm.urls, ...ofPage.urls].every((url) => url.startsWith(server.url("/"))), "from elsewhere");
});

test("all files of the page together are small", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve");
  const weight = (body) => gzipSync(body, { level: 9 }).length;
  const files = (folder) => readdirSync(folder, { withFileTypes: true }).filter((each) => each.isFile());
  // Documents of the form are made for each request.
  let sum = files("www/sign-in").reduce((total, { path, name }) => total + weight(readFileSync(join(path, name))), 0);
  for (const { name } of files("www")) {
    const response = await page.request.get(server.url(`/${name}`));
    assert.equal(response.status(), 200, name);
    sum += weight(await response.body());
  }
  t.diagnostic(`${sum} bytes gzipped`);
  assert.ok(sum < MOST_TOGETHER_BYTES, `${sum} bytes gzipped`);
});

const describe = ({ urls, raw, gzipped }) => `${urls.length} requests, ${raw} bytes, ${gzipped} gzipped`;

async function weigh(responses) {
  const sum = { urls: [], raw: 0, gzipped: 0 };
  for (const response of responses) {
    // A 304 brings nothing. What came while the form left the window is asked for again.
    const again = async () => (await response.frame().page().request.get(response.url())).body();
    const body = response.status() === 304 ? Buffer.alloc(0) : await response.body().catch(again);
    sum.urls.push(response.url());
    sum.raw += body.length;
    sum.gzipped += body.length && gzipSync(body, { level: 9 }).length;
  }
  return sum;
}
