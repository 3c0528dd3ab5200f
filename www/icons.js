// The icons of recordings, which the page's first view does not need. They join those of the document.

const SHAPES = {
  record: "M12 5a7 7 0 1 0 0 14a7 7 0 1 0 0-14z",
  star: "M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.8-5.2-2.8-5.2 2.8 1-5.8-4.3-4.1 5.9-.8z",
  delete: "M4 7h16M9.5 7V4h5v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5",
  play: "M7 4.5v15l12-7.5z",
  pause: "M8 5v14M16 5v14",
};

const sprite = document.querySelector(".icons");
for (const [name, d] of Object.entries(SHAPES)) {
  const [symbol, shape] = ["symbol", "path"].map((tag) => document.createElementNS(sprite.namespaceURI, tag));
  symbol.setAttribute("id", `i-${name}`);
  symbol.setAttribute("viewBox", "0 0 24 24");
  shape.setAttribute("d", d);
  symbol.append(shape);
  sprite.append(symbol);
}

export { icon } from "./dom.js";
