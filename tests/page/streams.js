// Which of a camera's streams the page asks for.

import assert from "node:assert/strict";

import { Server, camera, retell, signedIn, until, untilItMoves, withStreamsInHand, open, fillIn, test } from "./support.js";

const device = (name, more = "") => `[camera.${name}]\ndevice = "test"\nwidth = 640\nheight = 480\nfps = 10\n${more}`;
const stream = (name, scale) => `[camera.front.stream.${name}]\nscale = "${scale}"\n`;
const SECTIONS = device("front", stream("half", "1/2") + stream("eighth", "1/8")) + device("yard");

// The paths of the camera's streams that a window asked for, in their order.
function asked(page, kind = "video") {
  const paths = [];
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith(`/${kind}/front`)) paths.push(pathname);
  });
  return paths;
}

const width = (page) => camera(page).locator("canvas").evaluate((canvas) => canvas.width);
const canvasIs = (page, wanted) => until(`a picture ${wanted} pixels wide`, async () => (await width(page)) === wanted);

test("a tile takes the smallest stream that fills it, and a camera alone the full one", async (t) => {
  const server = await new Server(t, { sections: SECTIONS }).start();
  const page = await open(server, { viewport: { width: 680, height: 500 } });
  const paths = asked(page);
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await untilItMoves(page);
  await canvasIs(page, 320);
  assert.deepEqual(paths, ["/video/front/half"]);
  await camera(page).locator(".picture").click();
  await canvasIs(page, 640);
  await untilItMoves(page);
  assert.deepEqual(paths, ["/video/front/half", "/video/front"]);
  await page.getByRole("link", { name: "All cameras" }).click();
  await canvasIs(page, 320);
  await page.getByRole("button", { name: "front in full screen" }).click();
  await canvasIs(page, 640);
  assert.deepEqual(paths, ["/video/front/half", "/video/front", "/video/front/half", "/video/front"]);
  await until("the small stream's end", () => server.status().cameras[0].streams.every(({ viewers }) => viewers === 0));
});

test("a display with more pixels takes a larger stream", async (t) => {
  const server = await new Server(t, { sections: SECTIONS }).start();
  const page = await open(server, { viewport: { width: 680, height: 500 }, deviceScaleFactor: 2 });
  const paths = asked(page);
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await untilItMoves(page);
  await canvasIs(page, 640);
  assert.deepEqual(paths, ["/video/front"]);
});

test("resizing a window to and fro does not change the stream each time", async (t) => {
  const server = await new Server(t, { sections: SECTIONS }).start();
  const page = await open(server, { viewport: { width: 320, height: 2000 } });
  const paths = asked(page);
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await canvasIs(page, 320);
  // One above the other, a picture is as wide as the window but for its margins.
  const picture_px = () => camera(page).locator(".picture").evaluate(({ clientWidth }) => clientWidth);
  const margins_px = 320 - await picture_px();
  const resize = async (wanted) => {
    await page.setViewportSize({ width: wanted + margins_px, height: 2000 });
    await until(`a tile of ${wanted} pixels`, async () => (await picture_px()) === wanted);
  };
  await resize(340);
  await canvasIs(page, 640);
  for (const wanted of [316, 330, 300, 340]) {
    await resize(wanted);
    await untilItMoves(page);
  }
  assert.deepEqual(paths, ["/video/front/half", "/video/front"]);
  await resize(280);
  await canvasIs(page, 320);
});

test("a picture stays until the first one of another stream is there", async (t) => {
  const server = await new Server(t, { sections: SECTIONS }).start();
  const page = await open(server, { viewport: { width: 680, height: 500 } });
  await withStreamsInHand(page);
  await page.clock.install();
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await untilItMoves(page);
  // The clock stands from here on: on a busy machine the old picture would be frozen before anybody looks.
  await page.clock.pauseAt(await page.evaluate(() => Date.now() + 4000));
  await untilItMoves(page);
  await page.evaluate(() => window.hold());
  await page.getByRole("button", { name: "front in full screen" }).click();
  await until("the full stream", () => server.status().cameras[0].viewers === 1);
  assert.equal(await width(page), 320, "the old picture");
  assert.ok(await camera(page).evaluate((element) => element.classList.contains("live")), "it is not dimmed");
  await page.evaluate(() => window.release());
  await canvasIs(page, 640);
});

test("a stream with a problem is not taken", async (t) => {
  const server = await new Server(t, { sections: SECTIONS }).start();
  const page = await open(server, { viewport: { width: 280, height: 500 } });
  const paths = asked(page);
  let problem = "it cannot be made";
  await retell(page, (status) => { status.cameras[0].streams.find(({ name }) => name === "half").problem = problem; });
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await canvasIs(page, 640);
  assert.deepEqual(paths, ["/video/front"]);
  problem = null;
  await canvasIs(page, 320);
});

test("stills are those of the stream that fills the tile", async (t) => {
  const names = ["attic", "cellar", "door", "east"];
  const server = await new Server(t, { sections: names.map((name) => device(name)).join("") + SECTIONS }).start();
  const page = await signedIn(server, "eve", { viewport: { width: 1000, height: 700 } });
  await page.reload();
  const paths = asked(page, "snapshot");
  await until("a still", () => paths.length > 0);
  assert.equal(paths[0], "/snapshot/front/half");
});
