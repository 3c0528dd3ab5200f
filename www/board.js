// How the cameras share the window, and the six connections a browser has to a server: all its
// windows together.
//
// Web Locks share the streams among the windows. A camera without a lock shows stills.

const MOST_STREAMS = 4;
// One connection is left for the API, one for stills where there are some.
const CONNECTIONS_FOR_STREAMS = 5;
const LEAST_TILE_PX = 300;
const GAP_PX = 12;
const PHONE_PX = 480;

const streams = namedLocks("defender stream");
const sounds = namedLocks(`defender sound ${Math.random()}`);

// Which of the cameras on the screen, in their order, are streamed ("stream"), and which are
// refreshed one after the other ("stills"), while this window listens to `listening` microphones, or holds as many other
// connections. Other windows may have taken streams before, and listen too.
export async function modesOf(count, listening) {
  sounds.limit(listening, listening);
  await sounds.take(listening, listening);
  const free = CONNECTIONS_FOR_STREAMS - await soundsEverywhere(listening);
  const all = Math.min(MOST_STREAMS, Math.max(1, free));
  const wanted = count <= all ? count : Math.min(MOST_STREAMS, Math.max(1, free - 1));
  streams.limit(wanted, all);
  await streams.take(wanted, all);
  return Array.from({ length: count }, (_, at) => (at < streams.count ? "stream" : "stills"));
}

async function soundsEverywhere(here) {
  // Some browsers do not answer this query.
  const found = await navigator.locks?.query().catch(() => undefined);
  return found?.held.filter(({ name }) => name.startsWith("defender sound")).length ?? here;
}

// Locks of a browser's windows, `KIND 0`, `KIND 1` and so on, each held by one window. Where a browser
// has none it is as if there were no other window.
function namedLocks(kind) {
  const held = new Map();
  const ask = (at) => new Promise((done) => {
    if (!navigator.locks) {
      held.set(at, () => {});
      return done();
    }
    navigator.locks.request(`${kind} ${at}`, { ifAvailable: true }, (lock) => {
      if (!lock) return done();
      return new Promise((release) => {
        held.set(at, release);
        done();
      });
    }).catch(done);
  });
  return {
    get count() {
      return held.size;
    },
    // Releases those from number `end` on, and those beyond `most`.
    limit(most, end) {
      for (const [at, release] of [...held].reverse()) {
        if (at < end && held.size <= most) continue;
        held.delete(at);
        release();
      }
    },
    // Takes what is free below number `end` until `most` are held.
    async take(most, end) {
      for (let at = 0; at < end && held.size < most; at += 1) if (!held.has(at)) await ask(at);
    },
  };
}

// The number of columns that makes `count` tiles largest in a space, and their width; `caption` is what
// is under a picture, in pixels. Tiles that would become too small are as wide as they like, and the page
// scrolls; on a wall display nothing does.
export function layout(count, space, { aspect, caption, isWall }) {
  const gap = isWall ? 4 : GAP_PX;
  let best = { columns: 1, width: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const byWidth = (space.width - gap * (columns - 1)) / columns;
    const byHeight = ((space.height - gap * (rows - 1)) / rows - caption) * aspect;
    const width = Math.floor(Math.min(byWidth, byHeight));
    // Few columns where more would gain next to nothing: nine are three by three.
    if (width > best.width * 1.05) best = { columns, width };
  }
  // On a phone a gap at the sides would gain nothing.
  if (!isWall && best.columns === 1 && space.width < PHONE_PX) return { columns: 1, width: space.width };
  if (isWall || best.width >= Math.min(LEAST_TILE_PX, space.width)) return best;
  const columns = Math.max(1, Math.min(count, Math.floor((space.width + gap) / (LEAST_TILE_PX + gap))));
  return { columns, width: Math.floor((space.width - gap * (columns - 1)) / columns) };
}
