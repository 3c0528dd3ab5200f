// What is lost comes back by itself, and the page says what is wrong until then.

import assert from "node:assert/strict";

import { Server, camera, fillIn, picture, signedIn, standIn, until, untilItMoves, test } from "./support.js";

test("a lost camera is told with its problem, and is back when it is back", async (t) => {
  const server = new Server(t);
  const fault = standIn(server);
  await server.start();
  const page = await signedIn(server, "eve");
  await untilItMoves(page);
  fault("unplug");
  await camera(page).getByText("No signal").waitFor();
  const why = await camera(page).locator(".words span").textContent();
  assert.ok(why.length > 5, why);
  await picture(page, "camera-lost");
  fault("");
  await untilItMoves(page);
});

test("a server that is gone is waited for, and a new one asks who is there", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { path: "/?camera=front", expected: /401|ERR_/ });
  await untilItMoves(page);
  await server.kill();
  await page.locator("#trouble").getByText("The server does not answer.").waitFor();
  await picture(page, "server-gone");
  await server.start();
  await page.getByText("You were signed out. Sign in to go on.").waitFor();
  await fillIn(page, "eve");
  await untilItMoves(page);
  assert.equal(page.url(), server.url("/?camera=front"));
});

test("a stream that breaks or stalls is opened anew while the session holds", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve", { expected: /401|ERR_/ });
  await untilItMoves(page);
  // The network is gone for this browser, and comes back.
  await page.context().setOffline(true);
  await page.locator("#trouble").getByText("The server does not answer.").waitFor();
  await page.context().setOffline(false);
  await untilItMoves(page);
  await until("nothing to complain of", async () => (await page.locator("#trouble").textContent()) === "");
});

test("a server without the newer parts of the API still shows its cameras and settings", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "ada", { expected: /401|404/ });
  const none = (route) => route.fulfill({ status: 404, json: { error: "there is nothing here" } });
  for (const part of ["cameras/**", "services", "logs**", "logging"]) await page.route(`**/api/1.0/${part}`, none);
  await untilItMoves(page);
  await camera(page).locator(".picture").click();
  await untilItMoves(page);
  await page.getByRole("link", { name: "Settings" }).click();
  await page.getByRole("link", { name: "Services" }).click();
  await page.getByText("This server cannot stop its services.").waitFor();
  await page.getByRole("link", { name: "Log" }).click();
  await page.getByText("This server does not show its log here.").waitFor();
});
