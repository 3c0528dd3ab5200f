// What an admin does to a whole picture: turning it, and drawing masks.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DESK, PHONE, Server, apply, assertAccessible, assertNotWide, camera, fillIn, finger, open, picture, until, untilItMoves, test } from "./support.js";

const SQUARE = [[0.1, 0.2], [0.3, 0.2], [0.3, 0.4], [0.1, 0.4]];

// A window on a camera whose changes are collected and not made; `refuse` is what the next ones are refused with.
async function opened(t, { path = "/?camera=front&edit=masks", settings = {}, more = {}, ...options } = {}) {
  const server = await new Server(t).start();
  const page = await open(server, { expected: /401|400/, ...options });
  const found = {
    name: "front",
    ...more,
    settings: { width: 640, height: 480, fps: 10, rotate: 0, flip: "none", stamp: "", masks: [], ...settings },
    controls: [],
    sizes: [],
  };
  const hand = { page, server, found, changes: [], refuse: undefined };
  await page.route("**/api/1.0/cameras/front", (route) => {
    const change = route.request().postDataJSON();
    if (change && hand.refuse) return route.fulfill({ status: 400, json: { error: hand.refuse } });
    if (change) {
      hand.changes.push(change);
      const { save, ...changed } = change;
      Object.assign(found.settings, changed);
    }
    return route.fulfill({ json: found });
  });
  await page.route("**/api/1.0/status", async (route) => {
    try {
      const answer = await route.fetch();
      const status = await answer.json();
      if (answer.ok()) {
        Object.assign(status.cameras[0], more);
        Object.assign(status.cameras[0].settings ?? {}, found.settings);
      }
      await route.fulfill({ response: answer, json: status });
    } catch {
      await route.abort().catch(() => {});
    }
  });
  await page.goto(server.url(path));
  await fillIn(page, "ada");
  await untilItMoves(page);
  return hand;
}

const frame = (page) => page.getByRole("group", { name: "Masks on the picture of front" });
const point = (page, number, mask = 1) => frame(page).getByRole("button", { name: `Mask ${mask}, point ${number}:` });

// A place on the picture, by fractions, in the window.
async function place(page, [x, y]) {
  const box = await frame(page).boundingBox();
  return [box.x + x * box.width, box.y + y * box.height];
}

function assertNear(found, wanted, what) {
  assert.equal(found.length, wanted.length, what);
  found.forEach((each, at) => each.forEach((value, axis) =>
    assert.ok(Math.abs(value - wanted[at][axis]) < 0.01, `${what}: ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`)));
}

test("buttons turn and flip a picture as it is seen, and save it", async (t) => {
  const { page, changes } = await opened(t, { path: "/?camera=front" });
  const press = async (name, rotate, flip) => {
    await page.getByRole("button", { name, exact: true }).press("Enter");
    await until(`${name}`, () => changes.length > 0);
    assert.deepEqual(changes.pop(), { rotate, flip }, name);
    await until("the form", async () => (await page.locator('[name="rotate"]').inputValue()) === String(rotate)
      && (await page.locator('[name="flip"]').inputValue()) === flip);
  };
  await press("Turn right", 90, "none");
  await press("Turn right", 180, "none");
  await press("Turn left", 90, "none");
  await press("Flip horizontally", 90, "horizontal");
  // A picture that is flipped after it was turned, seen one quarter further.
  await press("Turn right", 0, "horizontal");
  await press("Flip vertically", 180, "none");
  await assertAccessible(page, "turning");
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Saved for the next start").waitFor();
  assert.deepEqual(changes.pop(), { save: true });
});

// A camera of 4:2:2, as cheap USB cameras are, turned to its side: its pictures become 4:4:0.
test("the browser shows turned pictures of each sampling", async (t) => {
  const kinds = ["yuvj422p", "yuvj420p", "yuvj444p", "yuvj411p", "gray"];
  const fill = (x, y, colour) => `drawbox=x=${x}:y=${y}:w=160:h=120:color=${colour}:t=fill`;
  const quarters = [fill(0, 0, "white"), fill(160, 0, "gray"), fill(0, 120, "black"), fill(160, 120, "black")].join();
  const folder = mkdtempSync(join(tmpdir(), "defender-cameras-"));
  const sections = kinds.map((kind) => {
    const jpeg = execFileSync("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "color=black:size=320x240", "-vf", quarters,
      "-frames:v", "1", "-pix_fmt", kind, "-q:v", "2", "-f", "mjpeg", "-"]);
    const feeder = createServer((socket) => {
      const timer = setInterval(() => socket.write(jpeg), 100);
      socket.on("error", () => {}).on("close", () => clearInterval(timer));
    }).listen(join(folder, kind));
    t.after(() => feeder.close());
    return `[camera.${kind}]\ndevice = "unix:${join(folder, kind)}"\nrotate = 90\n[camera.${kind}.stream.small]\nscale = "1/2"\n`;
  });
  const server = await new Server(t, { sections: sections.join("") }).start();
  t.after(() => rmSync(folder, { recursive: true }));
  const page = await open(server);
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await page.locator("canvas").first().waitFor();
  for (const path of kinds.flatMap((kind) => [kind, `${kind}/small`])) {
    const brightness = () => page.evaluate(async (asked) => {
      const answer = await fetch(`snapshot/${asked}`);
      if (!answer.ok) return undefined;
      const picture = await createImageBitmap(await answer.blob());
      const { width, height } = picture;
      const context = new OffscreenCanvas(width, height).getContext("2d");
      context.drawImage(picture, 0, 0);
      const at = (x, y) => context.getImageData(Math.floor(x * width), Math.floor(y * height), 1, 1).data[0];
      return [width, height, at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75), at(0.75, 0.75)];
    }, path);
    const [width, height, ...seen] = await until(`a picture of ${path}`, brightness);
    assert.deepEqual([width, height], path.endsWith("small") ? [120, 160] : [240, 320], path);
    // What was left and above is right and above.
    [0, 255, 0, 128].forEach((wanted, quarter) =>
      assert.ok(Math.abs(seen[quarter] - wanted) < 12, `${path}: ${seen}`));
  }
});

test("lettering, rotation and flip have fields; masks have their editor", async (t) => {
  const { page, changes } = await opened(t, { path: "/?camera=front", settings: { masks: [SQUARE] } });
  await page.getByLabel("Lettering", { exact: true }).fill("%H:%M door");
  await page.getByLabel("Turn clockwise").selectOption("180");
  await page.locator('[name="flip"]').selectOption("vertical");
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByText("Applied", { exact: true }).waitFor();
  assert.deepEqual(changes, [{ stamp: "%H:%M door", rotate: 180, flip: "vertical" }]);
  assert.equal(await page.locator('form.settings [name="masks"]').count(), 0);
  await page.getByText("1 mask", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Edit masks" }).click();
  await frame(page).getByRole("button", { name: "Mask 1, 4 points" }).waitFor();
  assert.equal(new URL(page.url()).search, "?camera=front&edit=masks");
});

for (const [name, viewport] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`masks at a ${name} keep nobody out`, async (t) => {
    const { page } = await opened(t, { viewport, settings: { masks: [SQUARE, [[0.5, 0.5], [0.9, 0.6], [0.6, 0.9]]] } });
    await frame(page).getByRole("button", { name: "Mask 1, 4 points" }).click();
    await point(page, 1).waitFor();
    await assertAccessible(page, "masks");
    await assertNotWide(page, "masks");
    await picture(page, `${name}-masks`);
    await page.getByRole("link", { name: "Done" }).click();
    await page.getByRole("button", { name: "Turn left" }).waitFor();
    await picture(page, `${name}-turn`);
    await assertNotWide(page, "turning");
  });
}

test("masks are drawn and changed with a mouse", async (t) => {
  const { page, changes, found } = await opened(t);
  const drag = async (from, to) => {
    await page.mouse.move(...await place(page, from));
    await page.mouse.down();
    await page.mouse.move(...await place(page, to), { steps: 5 });
    await page.mouse.up();
  };
  await page.getByText("No masks").waitFor();
  await drag([0.2, 0.2], [0.6, 0.5]);
  await page.getByText("1 mask, not applied yet").waitFor();
  assert.deepEqual(changes, [], "nothing is sent yet");
  await apply(page);
  assertNear(changes[0].masks[0], [[0.2, 0.2], [0.6, 0.2], [0.6, 0.5], [0.2, 0.5]], "a rectangle");
  await drag([0.6, 0.5], [0.8, 0.9]);
  await drag([0.2, 0.35], [0.1, 0.4]);
  await apply(page);
  assertNear(changes[1].masks[0], [[0.2, 0.2], [0.6, 0.2], [0.8, 0.9], [0.2, 0.5], [0.1, 0.4]], "a point moved, another added");
  await page.getByRole("button", { name: "Remove point 5" }).click();
  // A click is no rectangle, and a tiny one is taken back.
  await page.mouse.click(...await place(page, [0.9, 0.1]));
  await drag([0.9, 0.1], [0.91, 0.11]);
  await page.getByRole("button", { name: "Add a mask" }).click();
  await page.getByText("2 masks, not applied yet").waitFor();
  // Escape takes back what is being dragged.
  const label = () => point(page, 1, 2).getAttribute("aria-label");
  const before = await label();
  await page.mouse.move(...await place(page, [0.31, 0.31]));
  await page.mouse.down();
  await page.mouse.move(...await place(page, [0.1, 0.1]), { steps: 3 });
  assert.notEqual(await label(), before);
  await page.keyboard.press("Escape");
  await page.mouse.up();
  assert.equal(await label(), before);
  await frame(page).getByRole("button", { name: "Mask 2, 4 points" }).click();
  await page.getByRole("button", { name: "Remove mask 2" }).click();
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Saved for the next start").waitFor();
  assert.equal(changes[2].save, true);
  assertNear(changes[2].masks[0], [[0.2, 0.2], [0.6, 0.2], [0.8, 0.9], [0.2, 0.5]], "without the point");
  assert.equal(found.settings.masks.length, 1);
});

test("masks are drawn and changed with the keyboard alone", async (t) => {
  const { page, changes } = await opened(t);
  await page.getByRole("button", { name: "Add a mask" }).press("Enter");
  const focus = () => page.evaluate(() => document.activeElement.getAttribute("aria-label"));
  await until("the first mask's middle or point", async () => /^Mask 1/.test(await focus()));
  await point(page, 1).focus();
  const place_1 = await focus();
  await page.keyboard.press("ArrowRight");
  await page.getByRole("status").filter({ hasText: "Point 1: " }).waitFor();
  assert.notEqual(await focus(), place_1);
  await page.keyboard.press("Escape");
  assert.equal(await focus(), place_1, "taken back");
  for (let count = 0; count < 30; count += 1) await page.keyboard.press("Shift+ArrowLeft");
  await page.keyboard.press("ArrowDown");
  // To the side after the point, and a point more there.
  await page.keyboard.press("Tab");
  assert.equal(await focus(), "Add a point after point 1 of mask 1");
  await page.keyboard.press("Enter");
  assert.match(await focus(), /^Mask 1, point 2: /);
  await page.keyboard.press("Delete");
  assert.match(await focus(), /^Mask 1, point 2: /);
  await page.keyboard.press("Delete");
  await page.getByRole("button", { name: "Apply" }).press("Enter");
  await page.getByText("Applied", { exact: true }).waitFor();
  const [left, right, top] = [0.27, 0.57, 0.27];
  assertNear(changes[0].masks[0], [[0, top + 0.01], [right, right], [left, right]], "three are left");
  await point(page, 2).press("Delete");
  await page.getByText("No masks, not applied yet").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.name), "add", "the focus is not lost");
  // Changes that are not applied are not thrown away by a key.
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").getByText("not applied").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Undo changes" }).press("Enter");
  await page.getByText("1 mask", { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Edit masks" }).waitFor();
  assert.equal(changes.length, 1);
});

test("a mask that is added and undone leaves nothing behind", async (t) => {
  const { page, changes } = await opened(t);
  await page.getByRole("button", { name: "Add a mask" }).press("Enter");
  await page.getByRole("button", { name: "Undo changes" }).press("Enter");
  await page.getByText("No masks", { exact: true }).waitFor();
  assert.equal(await page.getByRole("button", { name: /^Remove/ }).count(), 0);
  await page.getByRole("button", { name: "Add a mask" }).press("Enter");
  await apply(page);
  assert.equal(changes[0].masks.length, 1);
});

test("masks are drawn and changed with a finger", async (t) => {
  const { page, changes } = await opened(t, { viewport: PHONE });
  const slide = await finger(page);
  const drag = async (from, to) => slide(await place(page, from), await place(page, to));
  await drag([0.2, 0.2], [0.6, 0.7]);
  await page.getByText("1 mask, not applied yet").waitFor();
  await drag([0.6, 0.2], [0.8, 0.1]);
  await drag([0.45, 0.425], [0.55, 0.525]);
  await page.getByRole("button", { name: "Apply" }).tap();
  await page.getByText("Applied", { exact: true }).waitFor();
  assertNear(changes[0].masks[0], [[0.3, 0.3], [0.9, 0.2], [0.7, 0.8], [0.3, 0.8]], "drawn, a point moved, all moved");
  await frame(page).getByRole("button", { name: "Add a point after point 4 of mask 1" }).tap();
  await page.getByRole("button", { name: "Remove point 5" }).tap();
  await page.getByRole("button", { name: "Remove mask 1" }).tap();
  await page.getByText("No masks, not applied yet").waitFor();
});

test("masks stay on the scene when the picture is turned", async (t) => {
  const { page, changes, found } = await opened(t, { settings: { masks: [SQUARE] } });
  const outline = () => page.locator(".masks polygon").evaluate((element) =>
    element.getAttribute("points").split(" ").map((each) => each.split(",").map(Number)));
  assertNear(await outline(), SQUARE, "as it is sent");
  found.settings.rotate = 90;
  await until("the turned outline", async () => Math.abs((await outline())[0][0] - 0.8) < 0.01);
  assertNear(await outline(), SQUARE.map(([x, y]) => [1 - y, x]), "a quarter clockwise");
  found.settings.flip = "horizontal";
  await until("the flipped outline", async () => Math.abs((await outline())[0][0] - 0.2) < 0.01);
  assertNear(await outline(), SQUARE.map(([x, y]) => [y, x]), "and flipped");
  await frame(page).getByRole("button", { name: "Mask 1, 4 points" }).click();
  await point(page, 1).press("ArrowDown");
  await apply(page);
  assertNear(changes[0].masks[0], [[0.11, 0.2], ...SQUARE.slice(1)], "down as it is seen is to the right as it is sent");
});

test("masks of a picture that a turn has trimmed lie where they are seen", async (t) => {
  // Of 200 x 100 pixels blocks of 16 leave 192 x 96; more are gone here, so that an error would be seen. The size that is
  // configured is not what the camera sends.
  const kept = [176 / 200, 80 / 100];
  const { page, changes } = await opened(t, {
    settings: { width: 180, height: 90, rotate: 180, masks: [SQUARE] },
    more: { width: 176, height: 80, trimmed_columns: 24, trimmed_rows: 20 },
  });
  const outline = await page.locator(".masks polygon").evaluate((element) =>
    element.getAttribute("points").split(" ").map((each) => each.split(",").map(Number)));
  assertNear(outline, SQUARE.map(([x, y]) => [1 - x / kept[0], 1 - y / kept[1]]), "shown");
  await page.mouse.move(...await place(page, [0.1, 0.1]));
  await page.mouse.down();
  await page.mouse.move(...await place(page, [0.5, 0.4]), { steps: 5 });
  await page.mouse.up();
  await page.getByText("2 masks, not applied yet").waitFor();
  await apply(page);
  const drawn = [[0.1, 0.1], [0.5, 0.1], [0.5, 0.4], [0.1, 0.4]];
  assertNear(changes[0].masks[1], drawn.map(([x, y]) => [(1 - x) * kept[0], (1 - y) * kept[1]]), "sent");
});

test("nothing leaves the editor with unapplied masks unasked", async (t) => {
  const { page, changes } = await opened(t, { path: "/" });
  const edits = () => new URL(page.url()).search === "?camera=front&edit=masks";
  await page.getByRole("link", { name: "front" }).first().click();
  await page.getByRole("link", { name: "Edit masks" }).click();
  await page.getByRole("button", { name: "Add a mask" }).click();
  const question = page.getByRole("dialog").getByText("not applied");
  for (const leave of [
    () => page.goBack(),
    () => page.getByRole("link", { name: "Settings" }).click(),
    () => page.getByRole("link", { name: "Done" }).click(),
  ]) {
    await leave();
    await question.waitFor();
    assert.ok(edits(), page.url());
    await page.keyboard.press("Escape");
    await page.getByText("1 mask, not applied yet").waitFor();
  }
  await page.goBack();
  await question.waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Leave" }).click();
  await page.getByRole("link", { name: "Edit masks" }).waitFor();
  assert.equal(new URL(page.url()).search, "?camera=front");
  assert.deepEqual(changes, []);
  await page.goBack();
  await until("all cameras", () => new URL(page.url()).search === "");
});

test("a mask that is saved hides the picture, also when it is turned", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  await page.goto(server.url("/?camera=front&edit=masks"));
  await fillIn(page, "ada");
  await untilItMoves(page);
  // How many colours a part of the picture has, left, top, width and height in parts of it.
  const colours = (part) => camera(page).locator("canvas").evaluate((canvas, [left, top, width, height]) => {
    const [x, y] = [canvas.width, canvas.height];
    const { data } = canvas.getContext("2d").getImageData(left * x, top * y, width * x, height * y);
    return new Set(new Uint32Array(data.buffer)).size;
  }, part);
  assert.ok(await colours([0.4, 0.4, 0.2, 0.2]) > 1, "there is something in the middle");
  await page.getByRole("button", { name: "Add a mask" }).click();
  await frame(page).getByRole("button", { name: "Mask 1, 4 points" }).focus();
  await page.getByRole("button", { name: "Save changes" }).click();
  await page.getByText("Saved for the next start").waitFor();
  await until("a flat middle", async () => await colours([0.4, 0.4, 0.15, 0.15]) === 1);
  await page.getByRole("link", { name: "Done" }).click();
  await page.getByText("Masks: 1 item, saved by ada").waitFor();
  await page.getByRole("button", { name: "Turn left" }).click();
  await until("a tall picture", () => camera(page).locator("canvas").evaluate(({ width, height }) => width === 480 && height === 640));
  // What was above the middle is left of it.
  await until("a flat place there", async () => await colours([0.3, 0.45, 0.15, 0.15]) === 1);
  assert.match(readFileSync(`${server.folder}/overrides.conf`, "utf8"), /camera\.front\.masks/);
});

test("masks that the server refuses stay, with the reason", async (t) => {
  const hand = await opened(t, { more: { keeps: false } });
  const { page, changes } = hand;
  assert.equal(await page.getByRole("button", { name: "Save changes" }).count(), 0, "it cannot save");
  await page.getByRole("button", { name: "Add a mask" }).click();
  hand.refuse = "masks: the camera sends no pictures that can be masked";
  await page.getByRole("button", { name: "Apply" }).click();
  await page.getByRole("alert").getByText("Masks: the camera sends no pictures that can be masked.").waitFor();
  await assertAccessible(page, "refused masks");
  await page.getByText("1 mask, not applied yet").waitFor();
  hand.refuse = undefined;
  await apply(page);
  assert.equal(changes.length, 1);
  assert.equal(await page.getByText("can be masked.").count(), 0);
});

test("a viewer finds neither the editor nor the buttons", async (t) => {
  const server = await new Server(t).start();
  const page = await open(server);
  const loaded = [];
  page.on("request", (request) => loaded.push(new URL(request.url()).pathname));
  await page.goto(server.url("/?camera=front&edit=masks"));
  await fillIn(page, "eve");
  await untilItMoves(page);
  await camera(page).getByText("viewer").first().waitFor();
  assert.equal(await page.locator(".masks").count(), 0);
  assert.ok(!loaded.some((path) => /masks|drawing|controls/.test(path)), "nothing of it is loaded");
});
