// Browsers in which the page's own scripts do not run.

import assert from "node:assert/strict";

import { PHONE, Server, assertNotWide, fillIn, open, picture, until, test } from "./support.js";

test("a browser too old for the page sees the first camera", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server, { viewport: PHONE, expected: /401|ERR_/ });
  for (const script of ["sign-in/sign-in.js", "app.js"]) await page.route(`**/${script}`, (route) => route.abort());
  await page.goto(server.url("/"));
  await page.waitForFunction(() => document.forms[0].onsubmit);
  await fillIn(page, "eve", "not her password");
  await page.getByText("Wrong name or password.").waitFor();
  await fillIn(page, "eve");
  await page.getByText("This browser is too old").waitFor();
  await until("the picture", () => page.getByAltText("Live picture of the first camera").evaluate(({ naturalWidth }) => naturalWidth === 640));
  await assertNotWide(page, "the picture");
  await picture(page, "phone-old");
});

test("without scripts the page shows the first camera", async (t) => {
  const server = await new Server(t).start();
  const first = await open(server);
  await first.goto(server.url("/"));
  await fillIn(first, "eve");
  await first.locator("#sign-out").waitFor();
  const page = await open(server, { javaScriptEnabled: false, storageState: await first.context().storageState() });
  await page.goto(server.url("/"), { waitUntil: "commit" });
  await page.locator("noscript p", { hasText: "without JavaScript" }).waitFor();
  const box = await until("the picture", async () => {
    const found = await page.locator("noscript img").boundingBox();
    return found?.width === 640 && found;
  });
  assert.equal(box.height, 480);
});
