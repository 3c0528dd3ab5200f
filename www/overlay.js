// What lies over a camera's live picture while something of it is edited.

// Lays elements over the picture. `shape` is called with the ratio of its sides, now and when it changes. Escape takes back
// what is being moved if `cancel` does, or else leaves by the link `done`, but for fields. What comes back takes all of it away.
export function layOver(camera, elements, { shape, cancel, done }) {
  const canvas = camera.element.querySelector(".surface");
  const fit = () => shape((canvas.width / canvas.height) || 4 / 3);
  const shapes = new MutationObserver(fit);
  shapes.observe(canvas, { attributeFilter: ["width", "height"] });
  const escape = (event) => {
    if (event.key !== "Escape" || event.target.closest?.("dialog") || document.documentElement.classList.contains("wall")) return;
    const isBack = cancel();
    if (!isBack && event.target.closest?.("input, select")) return;
    event.stopPropagation();
    // Else the key would close the question that it asks.
    event.preventDefault();
    if (!isBack) done.click();
  };
  document.addEventListener("keydown", escape);
  camera.element.querySelector(".picture").after(...elements);
  fit();
  return () => {
    shapes.disconnect();
    document.removeEventListener("keydown", escape);
    for (const element of elements) element.remove();
  };
}
