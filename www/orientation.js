// How a camera's picture is turned: `rotate` degrees clockwise, then flipped. Points of a picture are fractions of its
// width and height.

const QUARTERS = [0, 90, 180, 270];
const FLIPS = ["none", "horizontal", "vertical"];

// Columns of a matrix for points about the middle, y downwards: where (1, 0) and (0, 1) come to lie.
const TURNS = { 0: [1, 0, 0, 1], 90: [0, 1, -1, 0], 180: [-1, 0, 0, -1], 270: [0, -1, 1, 0] };
const MIRRORS = { none: [1, 0, 0, 1], horizontal: [-1, 0, 0, 1], vertical: [1, 0, 0, -1] };

// First `b`, then `a`.
const product = (a, b) => [
  a[0] * b[0] + a[2] * b[1], a[1] * b[0] + a[3] * b[1], a[0] * b[2] + a[2] * b[3], a[1] * b[2] + a[3] * b[3],
];
const matrix = ({ rotate = 0, flip = "none" }) => product(MIRRORS[flip], TURNS[rotate]);

// The settings of a picture that is turned or flipped once more, as it is seen.
export function turnedAgain(settings, { rotate, flip }) {
  const wanted = product(matrix({ rotate, flip }), matrix(settings)).join();
  const all = FLIPS.flatMap((mirror) => QUARTERS.map((degrees) => ({ rotate: degrees, flip: mirror })));
  return all.find((each) => matrix(each).join() === wanted);
}

// Where a point that the camera sends is seen, and the other way about. Trimmed is what a turned picture lacks at the
// right and at the bottom: `kept` are the parts of width and height that are left.
export function seenAt([x, y], settings, kept = [1, 1]) {
  return about(matrix(settings), [x / kept[0], y / kept[1]]);
}

export function sentAt(point, settings, kept = [1, 1]) {
  const [a, b, c, d] = matrix(settings);
  // The inverse of a turn is its transpose.
  const [x, y] = about([a, c, b, d], point);
  return [x * kept[0], y * kept[1]];
}

const about = ([a, b, c, d], [x, y]) => [a * (x - 0.5) + c * (y - 0.5) + 0.5, b * (x - 0.5) + d * (y - 0.5) + 0.5];

export const isOnItsSide = ({ rotate = 0 }) => rotate % 180 !== 0;

// The parts of a sent picture's width and height that are left when it is turned: sides that are no multiple of the
// blocks are trimmed, as the camera's status says.
export function keptParts(settings, { width, height, trimmed_columns = 0, trimmed_rows = 0 }) {
  const kept = [width / (width + trimmed_columns), height / (height + trimmed_rows)].map((part) => part || 1);
  return isOnItsSide(settings) ? kept.reverse() : kept;
}
