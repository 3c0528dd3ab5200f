// Buttons that turn and flip a camera's picture, as it is seen.

import { act, make } from "./dom.js";
import { turnedAgain } from "./orientation.js";

const TURNS = [
  ["Turn left", "turned", { rotate: 270, flip: "none" }],
  ["Turn right", "turned", { rotate: 90, flip: "none" }],
  ["Flip horizontally", "flipped", { rotate: 0, flip: "horizontal" }],
  ["Flip vertically", "flipped", { rotate: 0, flip: "vertical" }],
];

// `settings` gives how the camera is turned now, `send` makes it so.
export function turnButtons(settings, send) {
  const buttons = TURNS.map(([label, words, turn]) => {
    const button = make("button", { type: "button" }, label);
    button.addEventListener("click", () => act(button, async () => {
      await send(turnedAgain(settings(), turn));
      return words;
    }));
    return button;
  });
  return make("div", { class: "row", role: "group", "aria-label": "Turn and flip" }, buttons);
}
