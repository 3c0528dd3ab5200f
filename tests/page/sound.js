// Listening.

import assert from "node:assert/strict";

import { PHONE, Server, fillIn, open, picture, signedIn, until, test } from "./support.js";

test("a click starts the sound, with level and volume", async (t) => {
  const server = await new Server(t, { sections: '[microphone.room]\ndevice = "test"\n' }).start();
  const page = await signedIn(server, "eve", { viewport: PHONE });
  const level = page.getByLabel("Sound level of room");
  const meter = () => level.evaluate(({ value }) => value);
  await until("the level without listening", async () => (await meter()) > -45);
  const button = page.getByRole("button", { name: "Listen to room" });
  await button.click();
  await page.getByText("you are listening").waitFor();
  await until("the server to know", () => server.status().microphones[0].listeners === 1);
  const seen = new Set();
  await until("the level to move", async () => seen.add(await meter()).size > 2);
  await page.getByLabel("Volume of room").fill("0.2");
  await picture(page, "phone-sound");
  assert.equal(await button.getAttribute("aria-pressed"), "true");
  await button.click();
  await until("the stream to end", () => server.status().microphones[0].listeners === 0);
});

test("a browser that needs a click to play is asked for one", async (t) => {
  const server = await new Server(t, { sections: '[microphone.room]\ndevice = "test"\n' }).start();
  const first = await signedIn(server, "eve");
  // A window that no person touched. Playwright's own questions would count as touches.
  const page = await first.context().newPage();
  await page.goto(server.url("/"));
  const devtools = await first.context().newCDPSession(page);
  const evaluate = async (expression) => (await devtools.send("Runtime.evaluate", { expression })).result.value;
  await until("the button", () => evaluate("document.querySelector('.listen')?.click() === undefined && document.querySelector('.listen') !== null"));
  await until("the page to ask for a click", () => evaluate("document.querySelector('.sound').textContent.includes('click anywhere on the page')"));
  await page.getByRole("heading", { name: "Defender" }).click();
  await page.getByText("you are listening").waitFor();
});

test("an audio element plays every codec and hears the tone", async (t) => {
  const server = await new Server(t, { sections: '[microphone.room]\ndevice = "test"\n' }).start();
  const page = await signedIn(server, "eve");
  const hear = async (codec) => {
    const sound = await page.evaluateHandle((wanted) => {
      const element = new Audio(`/audio?codec=${wanted}`);
      element.play();
      const context = new AudioContext();
      const analyser = new AnalyserNode(context, { fftSize: 8192 });
      context.createMediaElementSource(element).connect(analyser).connect(context.destination);
      return { element, analyser };
    }, codec);
    await page.waitForFunction(({ element }) => element.currentTime > 1, sound);
    // The strongest frequency in what is played is that of the test tone.
    await page.waitForFunction(({ analyser }) => {
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      const at = bins.indexOf(Math.max(...bins));
      const hz = (at * analyser.context.sampleRate) / analyser.fftSize;
      return bins[at] > -90 && hz > 430 && hz < 450;
    }, sound);
  };
  await Promise.all(["wav", "ulaw", "flac"].map(hear));
});

test("the volume changes what is heard, not what the meter shows", async (t) => {
  const server = await new Server(t, { sections: '[microphone.room]\ndevice = "test"\n' }).start();
  const page = await open(server);
  await page.addInitScript(() => {
    // A tap on what goes to the loudspeaker.
    const connect = AudioNode.prototype.connect;
    AudioNode.prototype.connect = function (to, ...more) {
      if (to instanceof AudioDestinationNode) {
        window.tap = new AnalyserNode(this.context, { fftSize: 2048 });
        connect.call(this, window.tap);
      }
      return connect.call(this, to, ...more);
    };
  });
  await page.goto(server.url("/"));
  await fillIn(page, "eve");
  await page.getByRole("button", { name: "Listen to room" }).click();
  await page.getByText("you are listening").waitFor();
  // The highest level that is heard until it is as `wanted`.
  const heard = (wanted) => until("sound as loud as wanted", async () => wanted(await page.evaluate(async () => {
    let peak = 0;
    const samples = new Float32Array(window.tap.fftSize);
    for (let count = 0; count < 20; count += 1) {
      window.tap.getFloatTimeDomainData(samples);
      peak = Math.max(peak, ...samples.map(Math.abs));
      await new Promise((rest) => setTimeout(rest, 20));
    }
    return peak;
  })));
  let loud;
  await heard((peak) => { loud = peak; return peak > 0.01; });
  await page.getByLabel("Volume of room").fill("0");
  await heard((peak) => peak === 0);
  await page.getByLabel("Volume of room").fill("0.5");
  await heard((peak) => peak > 0.3 * loud && peak < 0.7 * loud);
  const shown = page.getByLabel("Sound level of room");
  // Each is of another moment, and the tone is louder at the start of a second.
  const level = () => server.status().microphones[0].rms_dbfs;
  await until("a meter near the level at the server", async () => Math.abs(await shown.evaluate(({ value }) => value) - level()) < 6);
});
