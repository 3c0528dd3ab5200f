// Every test of the page, in one browser. They mostly wait, so several go on at a time.

import { after, describe, it } from "node:test";

import { close, tests } from "./support.js";
import "./sign_in.js";
import "./watch.js";
import "./present.js";
import "./times.js";
import "./forms.js";
import "./sideways.js";
import "./sound.js";
import "./admin.js";
import "./controls.js";
import "./keyboard.js";
import "./old.js";
import "./outage.js";
import "./many.js";
import "./streams.js";
import "./kinds.js";
import "./masks.js";
import "./motion.js";
import "./detected.js";
import "./looks.js";
import "./places.js";
import "./recordings.js";

describe("the page", { concurrency: 3 }, () => {
  after(close);
  for (const [name, body] of tests) it(name, body);
});
