//! Slow links to viewers, and what arrives over them. The links are pairs of virtual interfaces between
//! network namespaces, shaped by the kernel (tc), which needs root. The test VM runs this as well: its
//! kernel has `sch_netem`.

use std::collections::HashMap;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::{Background, PASSWORD, Setup, USER, add_token, add_user, fingerprint, wait_for};

/// How long a viewer looks before and while ages are taken.
pub const SETTLE: Duration = Duration::from_secs(4);
pub const MEASURE: Duration = Duration::from_secs(16);

/// The promise: this and the time that the frame takes on the link.
pub const PROMISED: Duration = Duration::from_secs(1);

/// What a busy machine may add.
pub const SLACK: Duration = Duration::from_millis(1500);

/// A link to a viewer: bits a second, one way's delay, lost packets in a hundred.
pub struct Link {
    rate_kbit: u32,
    delay_ms: u32,
    loss: u32,
}

const fn link(rate_kbit: u32, delay_ms: u32, loss: u32) -> Link {
    Link { rate_kbit, delay_ms, loss }
}

/// By `tbf`, which most kernels have.
pub const NEAR: [Link; 3] = [link(330, 0, 0), link(1000, 0, 0), link(8000, 0, 0)];

/// By `netem`. Few, because the emulated machine that tries them has to log in and encrypt for each.
const FAR: [Link; 4] = [link(330, 400, 0), link(330, 100, 1), link(1000, 400, 1), link(8000, 400, 1)];

/// Viewers on links without delay see the present; an error says why that cannot be tried.
pub fn try_near() -> Result<(), String> {
    try_links("near", &NEAR)
}

/// Viewers on links with delay and loss see the present; an error says why that cannot be tried.
pub fn try_far() -> Result<(), String> {
    try_links("far", &FAR)
}

/// A namespace; what is in it goes with it.
pub struct Namespace(pub String);

impl Namespace {
    pub fn new(name: &str) -> Result<Self, String> {
        let name = format!("defender-{}-{name}", std::process::id());
        run("ip", &["netns", "add", &name])?;
        Ok(Self(name))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run("ip", &["netns", "del", &self.0]);
    }
}

pub fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let ran =
        Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let said =
        || format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&ran.stderr).trim());
    if ran.status.success() { Ok(()) } else { Err(said()) }
}

/// Joins a viewer's namespace to the server's; the server's address on this link.
pub fn join(server: &Namespace, viewer: &Namespace, number: usize, link: &Link) -> Result<String, String> {
    let (here, there) = (format!("s{number}"), format!("v{number}"));
    let (near, far) = (format!("10.201.{number}.1"), format!("10.201.{number}.2"));
    let in_server = |words: &[&str]| run("ip", &[&["-n", &server.0], words].concat());
    let in_viewer = |words: &[&str]| run("ip", &[&["-n", &viewer.0], words].concat());
    in_server(&["link", "add", "name", &here, "type", "veth", "peer", "name", &there, "netns", &viewer.0])?;
    in_server(&["addr", "add", &format!("{near}/24"), "dev", &here])?;
    in_viewer(&["addr", "add", &format!("{far}/24"), "dev", &there])?;
    // One packet is one packet, as on a real link.
    in_server(&["link", "set", &here, "up", "gso_max_segs", "1"])?;
    in_viewer(&["link", "set", &there, "up"])?;
    let (rate, delay) = (format!("{}kbit", link.rate_kbit), format!("{}ms", link.delay_ms));
    let loss = format!("{}%", link.loss);
    let mut tc = vec!["netns", "exec", &server.0, "tc", "qdisc", "add", "dev", &here, "root"];
    if link.delay_ms == 0 {
        tc.extend(["tbf", "rate", &rate, "burst", "4000", "latency", "200ms"]);
    } else {
        tc.extend(["netem", "rate", &rate, "delay", &delay, "loss", &loss, "limit", "1000"]);
    }
    run("ip", &tc)?;
    Ok(near)
}

/// A part of a stream, and when it was whole here.
struct Part {
    arrived: Duration,
    captured: Duration,
    /// With its head.
    bytes: usize,
    jpeg: Vec<u8>,
}

/// The parts that a viewer gets for `time`.
fn watch(viewer: &Namespace, url: &str, time: Duration) -> Vec<Part> {
    let login = format!("{USER}:{PASSWORD}");
    let mut child = Command::new("ip")
        .args(["netns", "exec", &viewer.0, "curl", "-skN", "-u", &login, url])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl runs");
    let mut stream = child.stdout.take().expect("piped");
    let _curl = Background::of(child);
    let (mut received, mut chunk) = (Vec::new(), [0; 65_536]);
    // The login takes long where the processor is slow.
    let (mut parts, mut began) = (Vec::new(), None::<Instant>);
    while began.is_none_or(|began| began.elapsed() < time) {
        let got = stream.read(&mut chunk).expect("the stream goes on");
        assert!(got > 0, "the stream ended");
        let arrived = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        received.extend_from_slice(&chunk[..got]);
        while let Some(part) = take_part(&mut received, arrived) {
            began.get_or_insert_with(Instant::now);
            parts.push(part);
        }
    }
    parts
}

/// Takes a whole part off the front.
fn take_part(received: &mut Vec<u8>, arrived: Duration) -> Option<Part> {
    let head_end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&received[..head_end]).into_owned();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let Some(length) = field("Content-Length: ").and_then(|text| text.parse::<usize>().ok()) else {
        // The response's own head.
        received.drain(..head_end);
        return None;
    };
    let bytes = head_end + length;
    if received.len() < bytes {
        return None;
    }
    let jpeg = received.drain(..bytes).skip(head_end).collect();
    let captured = field("X-Timestamp: ")?.parse().ok().map(Duration::from_secs_f64)?;
    Some(Part { arrived, captured, bytes, jpeg })
}

/// The ages of the parts on arrival once the stream has settled, each with the part's bytes.
fn ages(parts: &[Part]) -> Vec<(Duration, usize)> {
    let from = parts.first().map_or(Duration::ZERO, |part| part.arrived) + SETTLE;
    let settled = parts.iter().filter(|part| part.arrived > from);
    settled.map(|part| (part.arrived.saturating_sub(part.captured), part.bytes)).collect()
}

/// Whether nine of ten frames are as new as promised on each link, or why that cannot be tried.
fn try_links(name: &str, links: &[Link]) -> Result<(), String> {
    let inside = Namespace::new(&format!("{name}-server"))?;
    run("ip", &["-n", &inside.0, "link", "set", "lo", "up"])?;
    let mut viewers = Vec::new();
    for (number, link) in links.iter().enumerate() {
        let viewer = Namespace::new(&format!("{name}-viewer-{number}"))?;
        let address = join(&inside, &viewer, number, link)?;
        viewers.push((viewer, address, link));
    }
    let server = Setup::new()
        .server("address = \"0.0.0.0\"")
        .sections("[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\nfps = 25\n")
        .under(&["ip", "netns", "exec", &inside.0])
        .start();
    let port = server.port;
    let late: Vec<String> = thread::scope(|scope| {
        let watching: Vec<_> = viewers
            .iter()
            .map(|(viewer, address, link)| {
                let url = format!("https://{address}:{port}/video");
                scope.spawn(move || (ages(&watch(viewer, &url, SETTLE + MEASURE)), *link))
            })
            .collect();
        let judged = |(ages, link): (Vec<_>, &Link)| judge(&ages, link);
        watching.into_iter().filter_map(|thread| judged(thread.join().expect("watched"))).collect()
    });
    assert!(late.is_empty(), "frames older than promised:\n{}", late.join("\n"));
    Ok(())
}

/// What is wrong with the frames that came over a link.
fn judge(ages: &[(Duration, usize)], link: &Link) -> Option<String> {
    let Link { rate_kbit, delay_ms, loss } = link;
    let on_link = |bytes: usize| Duration::from_micros(bytes as u64 * 8_000 / u64::from(*rate_kbit));
    let delay = Duration::from_millis((*delay_ms).into());
    let as_promised =
        ages.iter().filter(|(age, bytes)| *age <= PROMISED + on_link(*bytes) + delay / 2 + SLACK).count();
    let mut sorted: Vec<_> = ages.iter().map(|(age, _)| *age).collect();
    sorted.sort_unstable();
    let at = |part: usize| sorted.get(sorted.len() * part / 100).copied().unwrap_or_default();
    let bytes = ages.iter().map(|(_, bytes)| *bytes).sum::<usize>();
    let seen = format!(
        "{rate_kbit} kbit/s, {delay_ms} ms, {loss} % lost: {} frames, {bytes} bytes, ages {:?} (median), {:?} (90 of 100), {:?} (most)",
        ages.len(),
        at(50),
        at(90),
        at(99)
    );
    println!("{seen}");
    (ages.is_empty() || as_promised * 10 < ages.len() * 9).then_some(seen)
}

/// Who plays a recording on a slow link is no later than the recording, and sees the present behind it; an error says
/// why that cannot be tried.
pub fn try_playback() -> Result<(), String> {
    let link = &NEAR[0];
    let (inside, viewer) = (Namespace::new("recorder")?, Namespace::new("past")?);
    run("ip", &["-n", &inside.0, "link", "set", "lo", "up"])?;
    let address = join(&inside, &viewer, 0, link)?;
    let server = Setup::new()
        .server("address = \"0.0.0.0\"")
        .sections(
            "[record]\nmin_free_gb = 0\nflush_s = 1\n[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\n\
             fps = 25\n[camera.front.record]\nwhen = \"always\"\n",
        )
        .under(&["ip", "netns", "exec", &inside.0])
        .start();
    let port = server.port;
    let path = "api/1.0/recordings/front";
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let play = |from: Duration, speed: u32| {
        let (from, at) = (from.as_secs_f64(), format!("https://{address}:{port}/{path}"));
        watch(&viewer, &format!("{at}/stream?from={from:.3}&speed={speed}"), SETTLE + MEASURE)
    };
    wait_for("some seconds on the disk", || {
        let (from, to) = (begun + SETTLE, begun + SETTLE * 2);
        let query = format!("from={:.3}&to={:.3}", from.as_secs_f64(), to.as_secs_f64());
        let clip = format!("https://127.0.0.1:{port}/{path}/clip.mkv?{query}");
        let login = format!("{USER}:{PASSWORD}");
        let head = ["netns", "exec", &inside.0, "curl", "-skfI", "-u", &login, &clip];
        run("ip", &head).is_ok().then_some(())
    });
    let seen = play(begun, 4);
    let late = judge(&ages(&seen), link);
    assert!(late.is_none(), "older than promised behind a recording: {}", late.unwrap_or_default());
    let seen = play(begun, 1);
    let (first, last) = (&seen[0], &seen[seen.len() - 1]);
    let (took, played) = (last.arrived - first.arrived, last.captured - first.captured);
    assert!(played + PROMISED + SLACK >= took, "{took:?} for {played:?} of a recording");
    Ok(())
}

/// A relay's viewer sees the present when the way to the relay is slow; an error says why that cannot be
/// tried. The relay's own stamps count from the fastest frame, so the pictures themselves say when they
/// were captured.
pub fn try_relay() -> Result<(), String> {
    let link = &NEAR[0];
    let (inside, beyond) = (Namespace::new("board")?, Namespace::new("relay")?);
    run("ip", &["-n", &inside.0, "link", "set", "lo", "up"])?;
    run("ip", &["-n", &beyond.0, "link", "set", "lo", "up"])?;
    let address = join(&inside, &beyond, 0, link)?;
    let setup = Setup::new()
        .server("address = \"0.0.0.0\"")
        .sections("[camera.front]\ndevice = \"test\"\nwidth = 320\nheight = 240\nfps = 25\n")
        .under(&["ip", "netns", "exec", &inside.0]);
    add_user(setup.path(), USER, "viewer");
    let token = add_token(setup.path());
    let board = setup.keep_users().start();
    let remote = format!(
        "[remote.attic]\nurl = \"https://{address}:{}/\"\ntoken = \"{token}\"\nfingerprint = \"{}\"\n",
        board.port,
        fingerprint(&board)
    );
    let relay = Setup::new()
        .server("mode = \"server\"")
        .sections(&remote)
        .under(&["ip", "netns", "exec", &beyond.0])
        .start();
    let relayed = format!("https://127.0.0.1:{}/video/attic-front", relay.port);
    wait_for("the relayed camera", || {
        let head =
            ["netns", "exec", &beyond.0, "curl", "-skfI", "-u", &format!("{USER}:{PASSWORD}"), &relayed];
        run("ip", &head).is_ok().then_some(())
    });
    let there = format!("https://127.0.0.1:{}/video", board.port);
    let (seen_there, mut seen_here) = thread::scope(|scope| {
        let there = scope.spawn(|| watch(&inside, &there, SETTLE + MEASURE));
        let here = watch(&beyond, &relayed, SETTLE + MEASURE);
        (there.join().expect("watched"), here)
    });
    let captured: HashMap<_, _> = seen_there.iter().map(|part| (&part.jpeg, part.captured)).collect();
    // A notice while the relay connects is no picture of the board.
    seen_here.retain_mut(|part| {
        captured.get(&part.jpeg).is_some_and(|captured| {
            part.captured = *captured;
            true
        })
    });
    let late = judge(&ages(&seen_here), link);
    assert!(late.is_none(), "frames older than promised: {}", late.unwrap_or_default());
    Ok(())
}
