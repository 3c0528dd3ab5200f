// The smallest size of motion that is reported: a number, and a slider whose steps look alike.

import { field, make, setWrong } from "./dom.js";
import { percentWords } from "./happenings.js";

// What the slider offers; the server takes more.
const [LEAST, MOST] = [0.1, 20];
// Each step of the slider is so many times as large as the one before.
const STEPS = 100;
const percentAt = (step) => Number((LEAST * (MOST / LEAST) ** (step / STEPS)).toPrecision(2));
const stepOf = (percent) => Math.round((Math.log(percent / LEAST) / Math.log(MOST / LEAST)) * STEPS);

// The field, its input and its value in percent. `changed` is called when somebody changes it.
export function sizeField(changed) {
  const slider = make("input", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": "Smallest size" });
  const input = make("input", { type: "number", name: "size_percent", min: 0.01, max: 100, step: "any", required: true });
  const follow = () => {
    if (!input.validity.valid) return;
    slider.value = stepOf(input.valueAsNumber);
    slider.setAttribute("aria-valuetext", `${percentWords(input.valueAsNumber)} of the picture`);
  };
  slider.addEventListener("input", () => {
    input.value = percentAt(slider.valueAsNumber);
    slider.setAttribute("aria-valuetext", `${percentWords(input.valueAsNumber)} of the picture`);
    setWrong(input, "");
    changed();
  });
  input.addEventListener("input", () => {
    follow();
    changed();
  });
  return {
    input,
    element: make("div", { class: "size" }, field("Smallest size, in percent of the picture", input), slider,
      make("p", { class: "quiet" }, "What is smaller than the square on the picture is not reported.")),
    get value() {
      return input.valueAsNumber;
    },
    set value(percent) {
      input.value = percent;
      follow();
    },
  };
}
