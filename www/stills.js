// Stills of recordings for lists: each is fetched when it comes into sight, few at a time, because a browser has six
// connections to a server.

import { address, answer } from "./api.js";

const AT_A_TIME = 2;

const waiting = new Set();
let fetching = 0;

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) waiting.add(target); else waiting.delete(target);
  }
  next();
}, { rootMargin: "100px" });

// Puts the picture of a camera at a moment into an image, once that is seen. It has the class `none` while there is none.
export function showStill(image, camera, at) {
  image.classList.remove("none");
  image.dataset.url = address(`api/1.0/recordings/${encodeURIComponent(camera)}/frame?at=${at}`);
  seen.observe(image);
}

export function forgetStill(image) {
  seen.unobserve(image);
  waiting.delete(image);
}

async function next() {
  const [image] = waiting;
  if (!image || fetching >= AT_A_TIME) return;
  forgetStill(image);
  fetching += 1;
  try {
    const picture = URL.createObjectURL(await answer(image.dataset.url, (response) => response.blob()));
    image.src = picture;
    await image.decode();
    URL.revokeObjectURL(picture);
  } catch {
    // Nothing is recorded there, or it is gone.
    image.classList.add("none");
  }
  fetching -= 1;
  next();
}
