// The colours that were chosen on this device, before anything is painted. "": as the system has them.
try {
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "";
} catch {
  // A browser that keeps nothing for us shows the system's.
}
