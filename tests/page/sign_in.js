// The form, who can sign in with it, and for how long.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:https";
import { once } from "node:events";

import { RECORDED, Server, camera, fillIn, hide, open, signedIn, until, untilItMoves, test } from "./support.js";

test("signing in at the form leads to the requested page", async (t) => {
  const server = await new Server(t).start();
  // To a bare picture the browser adds styles of its own, which the page's policy keeps out.
  const page = await open(server, { expected: /401|inline style/ });
  const answer = await page.goto(server.url("/?camera=front"));
  assert.equal(answer.status(), 401);
  assert.equal(answer.headers()["www-authenticate"], undefined);
  await fillIn(page, "eve", "not her password");
  await page.getByText("Wrong name or password.").waitFor();
  await fillIn(page, "eve");
  await camera(page).and(page.locator(".live")).waitFor();
  assert.equal(page.url(), server.url("/?camera=front"));
  assert.equal(await page.evaluate(() => document.cookie), "", "the cookie is the browser's alone");
  await page.locator("#sign-out").click();
  await page.getByText("You are signed out.").waitFor();
  await page.goto(server.url("/video"));
  await fillIn(page, "eve");
  // The browser makes a document of its own for a bare stream, and may be about to when it is asked.
  const isShown = () => document.images?.[0]?.naturalWidth === 640;
  await until("the picture", () => page.evaluate(isShown).catch(() => false));
});

test("a return address of two slashes stays on this server", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server, { expected: /401|404/ });
  await page.goto(server.url("//elsewhere.example/"));
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.request().isNavigationRequest()),
    fillIn(page, "eve"),
  ]);
  assert.equal(answer.url(), server.url("//elsewhere.example/"));
});

test("a guesser sees how long to wait", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server, { expected: /401|429/ });
  await page.goto(server.url("/"));
  // The first wait is a second, which may be over before the button and the answer are looked at.
  await page.locator("form button").evaluate((button) => {
    [window.labels, window.answers] = [[], []];
    const note = () => window.labels.push(button.textContent);
    new MutationObserver(note).observe(button, { childList: true, characterData: true, subtree: true });
    const error = document.querySelector("#error");
    const hear = () => error.textContent && window.answers.push(error.textContent);
    new MutationObserver(hear).observe(error, { childList: true, characterData: true, subtree: true });
  });
  for (let known = 0; ; known += 1) {
    await fillIn(page, "eve", "a wrong guess at it");
    const answer = await until("an answer", () => page.evaluate((at) => window.answers[at], known));
    if (/Too many failed attempts\. Try again in \d+ seconds\./.test(answer)) break;
  }
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  const labels = await page.evaluate(() => window.labels);
  assert.ok(labels.some((label) => /^Wait \d+ s$/.test(label)), `it showed ${labels}`);
});

test("a link from elsewhere shows a signed-in user no form", async (t) => {
  const server = await new Server(t).start();
  const page = await signedIn(server, "eve");
  // The browser holds back the cookie when another site sends it here, as a mail's link would.
  await page.route("https://elsewhere.example/", (route) =>
    route.fulfill({ contentType: "text/html", body: `<a href="${server.url("/?camera=front")}">look</a>` }));
  await page.goto("https://elsewhere.example/");
  await page.getByRole("link", { name: "look" }).click();
  await camera(page).and(page.locator(".live")).waitFor();
});

test("an ended session leads to the form, which says so", async (t) => {
  const server = await new Server(t, { keys: "session_max_s = 20" }).start();
  const page = await signedIn(server, "eve", { path: "/?camera=front" });
  await page.getByText("You were signed out. Sign in to go on.").waitFor();
  await fillIn(page, "eve");
  await camera(page).and(page.locator(".live")).waitFor();
});

// A reverse proxy that shows `server` below /cam/, as nginx does with `proxy_pass https://board/;`.
async function proxy(t, server) {
  const [key, cert] = ["key.pem", "server.pem"].map((name) => readFileSync(`${server.folder}/${name}`));
  const proxied = createServer({ key, cert }, (asked, answer) => {
    if (!asked.url.startsWith("/cam/")) return answer.writeHead(404).end();
    const { method, headers } = asked;
    const onwards = request(server.url(asked.url.slice(4)), { method, headers, rejectUnauthorized: false }, (got) => {
      answer.writeHead(got.statusCode, got.headers);
      got.pipe(answer);
    });
    onwards.on("error", () => answer.destroy());
    answer.on("close", () => onwards.destroy());
    asked.pipe(onwards);
  });
  proxied.listen(0, "127.0.0.1");
  await once(proxied, "listening");
  t.after(() => proxied.closeAllConnections());
  t.after(() => proxied.close());
  return (path) => `https://127.0.0.1:${proxied.address().port}${path}`;
}

test("signing in works below a reverse proxy's path", async (t) => {
  const server = await new Server(t).start();
  const url = await proxy(t, server);
  const page = await open(server, { expected: /401/ });
  await page.goto(url("/cam/video/front?fps=5"));
  await until("the form's script", () => page.evaluate(() => document.documentElement.dataset.runs));
  const has = await page.evaluate(() => [document.styleSheets[0].cssRules.length, document.images[0].naturalWidth]);
  assert.ok(has.every((count) => count > 0), `rules of style, width of the icon: ${has}`);
  await page.goto(url("/cam/"));
  await fillIn(page, "eve");
  await camera(page).and(page.locator(".live")).waitFor();
  assert.equal(page.url(), url("/cam/"));
});

test("events, recordings and the CA are found below a reverse proxy's path", async (t) => {
  const server = await new Server(t, { sections: RECORDED }).start();
  const url = await proxy(t, server);
  const page = await open(server, { expected: /401|404/ });
  await page.goto(url("/cam/?events"));
  await fillIn(page, "eve");
  await page.getByText("No events").waitFor();
  const found = (path) => page.evaluate(async (asked) => (await fetch(asked)).status, path);
  await until("footage", async () => (await found(`api/1.0/recordings/front/clip.mkv?from=${Date.now() / 1000 - 3}&to=${Date.now() / 1000}`)) === 200);
  await page.goto(url(`/cam/?camera=front&at=${Date.now() / 1000 - 2}`));
  await page.locator(".past:is([data-state=playing], [data-state=paused])").waitFor();
  await page.goto(url("/cam/trust"));
  const links = await page.evaluate(() => [...document.querySelectorAll("a[href], link[href], img[src], script[src]")].map((each) => each.href || each.src));
  assert.ok(links.length > 3 && links.every((each) => each.startsWith(url("/cam/")) || !each.startsWith(url("/"))), `${links}`);
});

test("a custom web folder is behind the same form", async (t) => {
  const server = new Server(t, { keys: 'www = "site"' });
  mkdirSync(`${server.folder}/site`);
  writeFileSync(`${server.folder}/site/index.html`, "<title>Mine</title><h1>My own page</h1>");
  await server.start();
  const page = await open(server, { expected: /401|404/ });
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await page.getByRole("heading", { name: "My own page" }).waitFor();
});

test("a watching user is not idle, a hidden page is", async (t) => {
  const idle_s = 8;
  const server = await new Server(t, { keys: `session_idle_s = ${idle_s}` }).start();
  const page = await signedIn(server, "eve", { expected: /401|ERR_/ });
  const longerThanIdle = () => {
    const end = Date.now() + (idle_s + 2) * 1000;
    return until("more than the idle time", () => Date.now() > end);
  };
  await untilItMoves(page);
  await longerThanIdle();
  await untilItMoves(page);
  await hide(page);
  await longerThanIdle();
  await hide(page, "visible");
  await page.getByText("You were signed out. Sign in to go on.").waitFor();
});
