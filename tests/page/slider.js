// What an admin does to a camera's picture, at a server that somebody else has started: signs in, and
// moves the slider of its brightness.
//
//     node slider.js URL NAME PASSWORD VALUE

import { createRequire } from "node:module";

const { chromium } = createRequire(process.env.PAGE_MODULES)("playwright-core");
const [url, name, password, value] = process.argv.slice(2);
const PATIENCE_MS = 300_000;

const browser = await chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  await page.goto(`${url}/?camera=front`);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  const answered = page.waitForResponse((response) => response.request().method() === "PUT");
  await page.getByLabel("Brightness").fill(value);
  console.log((await answered).status());
} finally {
  await browser.close();
}
