// How the cameras share the window, and the six connections a browser has to a server.

const MOST_STREAMS = 4;
// One connection is left for the API, one for stills where there are some.
const CONNECTIONS_FOR_STREAMS = 5;
const LEAST_TILE_PX = 300;
const GAP_PX = 12;
const PHONE_PX = 480;

// Which of the cameras on the screen, in their order, are streamed ("stream"), and which are
// refreshed one after the other ("stills"), while `listening` connections bring sound.
export function modesOf(count, listening) {
  const room = CONNECTIONS_FOR_STREAMS - listening;
  const all = Math.min(MOST_STREAMS, Math.max(1, room));
  const streams = count <= all ? count : Math.min(MOST_STREAMS, Math.max(1, room - 1));
  return Array.from({ length: count }, (_, at) => (at < streams ? "stream" : "stills"));
}

// The number of columns that makes `count` tiles largest in a room, and their width; `caption` is what
// is under a picture, in pixels. Tiles that would
// become too small are as wide as they like, and the page scrolls; on a wall display nothing does.
export function layout(count, room, { aspect, caption, isWall }) {
  const gap = isWall ? 4 : GAP_PX;
  let best = { columns: 1, width: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const byWidth = (room.width - gap * (columns - 1)) / columns;
    const byHeight = ((room.height - gap * (rows - 1)) / rows - caption) * aspect;
    const width = Math.floor(Math.min(byWidth, byHeight));
    // Few columns where more would gain next to nothing: nine are three by three.
    if (width > best.width * 1.05) best = { columns, width };
  }
  // On a phone a gap at the sides would gain nothing.
  if (!isWall && best.columns === 1 && room.width < PHONE_PX) return { columns: 1, width: room.width };
  if (isWall || best.width >= Math.min(LEAST_TILE_PX, room.width)) return best;
  const columns = Math.max(1, Math.min(count, Math.floor((room.width + gap) / (LEAST_TILE_PX + gap))));
  return { columns, width: Math.floor((room.width - gap * (columns - 1)) / columns) };
}
