// What a viewer sees of a USB camera, at a server that somebody else has started. Says each state of it in a line, for
// who pulls the plug then and puts it back: a red camera, none, a blue one.
//
//     node plug.js URL NAME PASSWORD

import assert from "node:assert/strict";

import { camera, close, elsewhere, fillIn, open, picture, until } from "./support.js";

// Sums of the colours at the left and at the right, which the webcam sends brighter than the left.
const sides = (page) => camera(page).locator("canvas.surface").evaluate((canvas) => {
  const width = canvas.width / 8;
  const sums = (x) => {
    const { data } = canvas.getContext("2d").getImageData(x, 0, width, canvas.height);
    return [0, 1, 2].map((colour) => data.reduce((sum, value, at) => sum + (at % 4 === colour ? value : 0), 0));
  };
  return [sums(0), sums(canvas.width - width)];
});

const isRed = ([red, , blue]) => red > 2 * blue;
const isBlue = ([red, , blue]) => blue > 2 * red;

// Waits for the camera's own picture, and for its name with nothing to complain of.
async function untilItIsShown(page, hasColour) {
  await until("the camera's picture", async () => {
    if (await camera(page).and(page.locator(".live")).count() === 0) return false;
    const [left, right] = await sides(page);
    return hasColour(left.map((sum, colour) => sum + right[colour])) && right[1] > 2 * left[1];
  });
  await until("its words", async () => {
    const [state, words] = await Promise.all([".state", ".words"].map((part) => camera(page).locator(part).textContent()));
    return /\(Test Camera\)\s· 320 × 240\s· mjpeg\s· 1 viewer$/.test(state) && words.trim() === "";
  });
  assert.equal(await page.locator("#trouble").textContent(), "");
}

const [url, name, password] = process.argv.slice(2);
const server = elsewhere(url);
try {
  const page = await open(server, { expected: /401|503/ });
  await page.goto(server.url("/?camera=front"));
  await fillIn(page, name, password);
  await untilItIsShown(page, isRed);
  await page.evaluate(() => { window.isTheSame = true; });
  await picture(page, "usb-live");
  console.log("red");
  await camera(page).getByText("No signal").waitFor();
  await camera(page).getByText(/Test_Camera_A1-video-index0: no such device/).first().waitFor();
  await picture(page, "usb-pulled");
  console.log("none");
  await untilItIsShown(page, isBlue);
  assert.ok(await page.evaluate(() => window.isTheSame), "the page was loaded again");
  await picture(page, "usb-back");
  console.log("blue");
  for (const closeWindow of server.windows) await closeWindow();
} finally {
  await close();
}
