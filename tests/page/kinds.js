// One camera of each kind side by side: a socket, a stream and snapshots of the network, another Defender, the test card, a ribbon
// camera; and some that give nothing, with the reason.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { join, resolve } from "node:path";

import { DESK, PHONE, Server, addToken, assertNotWide, camera, picture, signedIn, until, untilItMoves, test } from "./support.js";

// The pictures of two seconds, in colours of their own.
function film(folder, hue) {
  const frames = join(folder, `film${hue}`);
  mkdirSync(frames);
  execFileSync("ffmpeg", ["-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=640x480:rate=10", "-t", "2",
    "-vf", `hue=h=${hue}`, "-q:v", "6", join(frames, "%02d.jpg")]);
  return readdirSync(frames).sort().map((name) => readFileSync(join(frames, name)));
}

// Calls `send` with one picture after another, ten times a second, until `ended` comes.
function play(frames, connection, send) {
  let number = 0;
  const timer = setInterval(() => send(frames[number++ % frames.length]), 100);
  connection.on("close", () => clearInterval(timer));
  connection.on("error", () => clearInterval(timer));
}

// A program that listens, and ends with `t`.
async function listening(t, server, ...address) {
  const sockets = new Set();
  server.on("connection", (socket) => sockets.add(socket.on("close", () => sockets.delete(socket))));
  await new Promise((go) => server.listen(...address, go));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server.address();
}

const socket = (t, path, connected) => listening(t, net.createServer(connected), path);

// A camera of the network with a stream at `/stream` and a picture at `/snapshot`.
async function network(t, frames) {
  let number = 0;
  const answer = (request, response) => {
    if (request.url === "/snapshot") {
      const jpeg = frames[number++ % frames.length];
      response.writeHead(200, { "Content-Type": "image/jpeg", "Content-Length": jpeg.length });
      response.end(jpeg);
      return;
    }
    response.writeHead(200, { "Content-Type": "multipart/x-mixed-replace; boundary=frame" });
    play(frames, response, (jpeg) => {
      response.write(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`);
      response.write(jpeg);
      response.write("\r\n");
    });
  };
  const { port } = await listening(t, http.createServer(answer), 0, "127.0.0.1");
  return `http://127.0.0.1:${port}`;
}

// Another Defender, and the section that leads to it.
async function attic(t) {
  const board = await new Server(t, { sections: '[camera.roof]\ndevice = "test"\nfps = 10\n' }).start();
  const fingerprint = await until("its key", () => /sha256:[0-9a-f]{64}/.exec(board.log())?.[0]);
  const section = `[remote.attic]\nurl = "${board.url("/")}"\ntoken = "${addToken(board, "eve")}"\nfingerprint = "${fingerprint}"\n`;
  return section;
}

// The socket of a ribbon camera is in /run. A server has a /run of its own where this command may do that, which needs root.
const OWN_RUN = ["unshare", "--mount", "sh", "-c", 'mount --bind run /run && exec "$0" "$@"'];
const hasRibbon = spawnSync("unshare", ["--mount", "true"]).status === 0;
if (!hasRibbon) console.error("no ribbon camera is tested: a /run of its own needs root");

// The section of a ribbon camera, whose socket the package's script feeds from a stand-in for rpicam-vid.
async function ribbon(t, server) {
  const [run, bin, pictures] = ["run", "bin", "pictures"].map((name) => join(server.folder, name));
  for (const folder of [join(run, "defender"), bin, pictures]) mkdirSync(folder, { recursive: true });
  symlinkSync(resolve("tests/packaging/rpicam-vid"), join(bin, "rpicam-vid"));
  film(server.folder, 240).forEach((jpeg, number) => writeFileSync(join(pictures, `640x480-${10 + number}.jpg`), jpeg));
  const programs = new Set();
  // The program has the connection alone, as in a unit with Accept=yes.
  const feed = (connection) => {
    const program = spawn("sh", ["packaging/ribbon", "defender-ribbon", run], {
      env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, STANDIN_FOLDER: pictures },
      stdio: [connection, connection, "ignore"],
    });
    programs.add(program.once("exit", () => programs.delete(program)));
    connection.destroy();
  };
  await listening(t, net.createServer({ pauseOnConnect: true }, feed), join(run, "defender-ribbon"));
  t.after(() => programs.forEach((program) => program.kill()));
  server.under = OWN_RUN;
  return '[camera.nest]\ndevice = "ribbon"\nfps = 10\n';
}

const NAMES = ["door", "gate", "street", "card", "attic-roof", ...(hasRibbon ? ["nest"] : [])];

// A server with a camera of each kind, that all give pictures.
async function everyKind(t) {
  const server = new Server(t);
  const path = join(server.folder, "door");
  const frames = film(server.folder, 0);
  await socket(t, path, (connection) => play(frames, connection, (jpeg) => connection.write(jpeg)));
  const url = await network(t, film(server.folder, 120));
  const device = (name, named, more = "") => `[camera.${name}]\ndevice = "${named}"\nfps = 10\n${more}`;
  server.sections = device("door", `unix:${path}`) + device("gate", `${url}/stream`) + device("street", `${url}/snapshot`)
    + device("card", "test") + await attic(t) + (hasRibbon ? await ribbon(t, server) : "");
  return server.start();
}

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`cameras of every kind are seen at a ${name}`, async (t) => {
    const server = await everyKind(t);
    await until("the camera of the attic", () => server.status().cameras.length === NAMES.length);
    const page = await signedIn(server, "ada", { viewport });
    for (const each of NAMES) {
      // On a phone, a tile out of sight rests.
      await camera(page, each).scrollIntoViewIfNeeded();
      await untilItMoves(page, each);
    }
    await page.evaluate(() => scrollTo(0, 0));
    await untilItMoves(page, NAMES[0]);
    await assertNotWide(page, "kinds");
    await picture(page, `kinds-${name}`);
    for (const each of NAMES) {
      await camera(page, each).locator(".picture").click();
      await camera(page, each).getByRole("link", { name: "All cameras" }).waitFor();
      await untilItMoves(page, each);
      await assertNotWide(page, each);
      if (each !== "attic-roof") {
        // Only what has an effect on the pictures can be set.
        await page.getByRole("heading", { name: "Image" }).waitFor();
        assert.equal(await page.getByLabel("JPEG quality").count(), ["card", "nest"].includes(each) ? 1 : 0, each);
      }
      await picture(page, `kinds-${name}-${each}`);
      await camera(page, each).getByRole("link", { name: "All cameras" }).click();
      await page.locator(".camera").nth(NAMES.length - 1).waitFor();
    }
  });
}

// What is wrong with a camera, and the words of it on the page.
const WRONG = {
  endless: "it has no end (no FF D9 in 8 MiB)",
  silent: "connected, but nothing comes",
  missing: "no such socket; start the program that feeds it",
  page: "the address answers with a web page",
};

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`cameras that give nothing say why at a ${name}`, async (t) => {
    const server = new Server(t);
    const at = (file) => join(server.folder, file);
    const [jpeg] = film(server.folder, 0);
    rmSync(at("film0"), { recursive: true });
    await socket(t, at("endless"), (connection) => {
      connection.on("error", () => {});
      connection.write(jpeg.subarray(0, -2));
      const more = () => { while (!connection.destroyed && connection.write(Buffer.alloc(65_536, 0x55))); };
      connection.on("drain", more);
      more();
    });
    await socket(t, at("silent"), (connection) => connection.on("error", () => {}));
    const { port } = await listening(t, http.createServer((_, response) => {
      response.writeHead(200, { "Content-Type": "text/html" });
      response.end("<form>sign in</form>");
    }), 0, "127.0.0.1");
    const devices = Object.keys(WRONG).map((each) => [each, each === "page" ? `http://127.0.0.1:${port}/` : `unix:${at(each)}`]);
    server.sections = devices.map(([each, device]) => `[camera.${each}]\ndevice = "${device}"\n`).join("");
    await server.start();
    await until("the reasons", () => {
      const problems = Object.fromEntries(server.status().cameras.map(({ name: each, problem }) => [each, problem ?? ""]));
      return Object.entries(WRONG).every(([each, why]) => problems[each].includes(why));
    });
    const page = await signedIn(server, "ada", { viewport, expected: /503|401/ });
    for (const [each, why] of Object.entries(WRONG)) {
      await camera(page, each).scrollIntoViewIfNeeded();
      await camera(page, each).getByText(why).first().waitFor();
    }
    await page.evaluate(() => scrollTo(0, 0));
    await assertNotWide(page, "reasons");
    await picture(page, `kinds-${name}-reasons`);
    assert.equal(await page.locator(".camera").count(), devices.length);
  });
}
