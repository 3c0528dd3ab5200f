// The colours that were chosen on this device, before anything is painted. "": as the system has them.
try {
  document.documentElement.dataset.theme = localStorage.getItem("theme") ?? "";
} catch {
  // A browser that keeps nothing for us shows the system's.
}

// A browser that is too old for the page's own script, or cannot load it, gets a plainer one.
addEventListener("load", function () {
  if (document.documentElement.dataset.runs) return;
  var plainer = document.createElement("script");
  plainer.src = document.getElementsByTagName("script")[0].src.replace("theme.js", "old.js");
  document.head.appendChild(plainer);
});
