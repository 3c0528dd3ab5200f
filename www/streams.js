// Which of a camera's streams a picture on the page takes.

// A smaller stream has to be so much wider than needed before a picture changes to it: a window that is resized
// would otherwise open streams to and fro.
const SHRINK_RESERVE = 1.1;

// The name of the smallest stream that is at least `needed` device pixels wide, "" for the camera itself. `current`
// is what the picture has now, undefined where it has none. A stream with a problem is not taken, nor one that is
// as wide as the camera.
export function smallestStream({ width, streams = [] }, needed, current) {
  // While the size is not known, what is shown goes on.
  if (!width) return streams.some(({ name }) => name === current) ? current : "";
  const smaller = streams.filter((stream) => !stream.problem && stream.width && stream.width < width);
  const all = [...smaller, { name: "", width }].sort((one, other) => one.width - other.width);
  const now = all.find(({ name }) => name === current);
  const least = (stream) => (now && stream.width < now.width ? needed * SHRINK_RESERVE : needed);
  const found = all.find((stream) => stream.width >= least(stream));
  return (found?.width === now?.width ? now : found)?.name ?? "";
}
