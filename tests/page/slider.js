// What an admin does to a camera's picture, at a server that somebody else has started: signs in, and
// moves the slider of its brightness.
//
//     node slider.js URL NAME PASSWORD VALUE

import { close, elsewhere, fillIn, open } from "./support.js";

const [url, name, password, value] = process.argv.slice(2);
const server = elsewhere(url);
try {
  const page = await open(server);
  await page.goto(server.url("/?camera=front"));
  await fillIn(page, name, password);
  const answered = page.waitForResponse((response) => response.request().method() === "PUT");
  await page.getByLabel("Brightness").fill(value);
  console.log((await answered).status());
} finally {
  await close();
}
