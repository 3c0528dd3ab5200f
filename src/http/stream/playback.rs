//! Playback: sends footage to one viewer as `/video` sends frames, at any speed, forwards and backwards.
//!
//! Frames are sent no faster than they were captured, whatever the speed is: at a higher speed frames are left out. So bytes a second stay
//! about those of the live stream. Gaps are skipped. Frames are also left out for a viewer whose link is too slow for all of them: who plays
//! a minute has seen it a minute later.
//!
//! Where footage ends in the present, the stream goes on with live frames. These are collected from the moment at which the end was reached, until
//! what was written meanwhile has been sent: nothing is missing between them.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::multipart;
use crate::codec::part;
use crate::gate::{Client, Job};
use crate::http::reply::ResponseContext;
use crate::hub::{CameraFeed, Reader, Wait};
use crate::media::{Frame, Pace};
use crate::memory::{Account, Lease};
use crate::record::Player;

/// The longest sleep: after it, it is checked whether the viewer is still there.
const CHECK_EVERY: Duration = Duration::from_millis(250);

/// A shorter gap between two frames is not skipped.
const GAP: Duration = Duration::from_secs(3);

/// Least time between two frames of a viewer.
const LEAST_INTERVAL: Duration = Duration::from_millis(20);

/// Who has been late for so long gets the newest frame, or the sound, that is due: else it would be later and later. A
/// shorter delay is made up for without a loss.
pub(super) const MAX_LAG: Duration = Duration::from_secs(1);

/// Time between frames of a fast playback at the most, however slow the camera was.
const SLOW_INTERVAL: Duration = Duration::from_millis(200);

/// Pause before it is looked for more footage.
const POLL: Duration = Duration::from_millis(100);

/// How long it is waited for footage that is being written before live frames are sent without it.
const LATEST_FOOTAGE: Duration = Duration::from_secs(8);

/// Most bytes of live frames that are collected meanwhile.
const MOST_LIVE_BYTES: usize = 8 << 20;

/// What is played.
pub struct Playback {
    /// Where it begins.
    pub player: Player,
    /// The last moment, in microseconds since 1970.
    pub to_us: Option<u64>,
    /// How much faster than it was captured; below 0: backwards.
    pub speed: f64,
    /// The least time between two frames.
    pub interval: Option<Duration>,
    /// The camera, where the stream may go on with live frames.
    pub camera: Option<Arc<CameraFeed>>,
    /// Whose memory a frame takes.
    pub memory: Arc<Account>,
}

impl Playback {
    fn is_forward(&self) -> bool {
        self.speed > 0.0
    }
}

/// The job that plays; only the head of the response if `head_only`.
pub fn stream(playback: Playback, head_only: bool, context: ResponseContext) -> Job {
    multipart::stream(head_only, context, move |client| {
        let prompt = Instant::now();
        Sender { playback, buffer: Vec::new(), lease: None, base: None, prompt, live: None }.run(client)
    })
}

struct Sender {
    playback: Playback,
    buffer: Vec<u8>,
    /// For the buffer, with its bytes.
    lease: Option<(usize, Lease)>,
    /// A frame's time, and when it was sent: from it follows when others are due.
    base: Option<(u64, Instant)>,
    /// When a frame was last sent before it was due, or waited for: the viewer is not late.
    prompt: Instant,
    live: Option<Live>,
}

/// Live frames that wait for the end of the footage.
struct Live {
    reader: Reader<Frame>,
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    /// For those bytes: a viewer who reads slowly holds frames that nobody else has any more.
    lease: Lease,
    /// There is no room for more of them.
    is_full: bool,
    since: Instant,
}

impl Sender {
    fn run(&mut self, client: &mut Client) -> io::Result<()> {
        let mut sent = None;
        // Frames are distinguished by their numbers: two may have been captured in the same millisecond.
        loop {
            if self.is_over() {
                return Ok(());
            }
            self.send(client)?;
            let last = self.playback.player.number();
            if last == sent {
                return Ok(());
            }
            sent = last;
            if !self.next(client)? {
                return Ok(());
            }
            if self.live_has_begun() {
                return self.send_live(client);
            }
        }
    }

    fn is_over(&self) -> bool {
        let at = self.playback.player.wall_us();
        let (Some(at), Some(to)) = (at, self.playback.to_us) else { return at.is_none() };
        if self.playback.is_forward() { at > to } else { at < to }
    }

    /// Sends the player's frame. One whose file is gone is left out.
    fn send(&mut self, client: &mut Client) -> io::Result<()> {
        let player = &self.playback.player;
        let Some(at) = player.wall_us() else { return Ok(()) };
        let bytes = player.bytes() as usize;
        if self.lease.as_ref().is_none_or(|(leased, _)| *leased < bytes) {
            self.lease = None;
            let lease = self.playback.memory.lease(bytes).ok_or(io::ErrorKind::OutOfMemory)?;
            self.lease = Some((bytes, lease));
        }
        let built = part::build_at(&mut self.buffer, at, bytes, |out| player.read(out));
        if built.is_ok() {
            client.write_all(&self.buffer)?;
        }
        self.base.get_or_insert((at, Instant::now()));
        Ok(())
    }

    /// Goes to the frame that is to be sent next, and waits until it is due; false where there is none, or the viewer is gone.
    fn next(&mut self, client: &mut Client) -> io::Result<bool> {
        let Some(before_us) = self.playback.player.wall_us() else { return Ok(false) };
        let before = self.playback.player.spot();
        while !self.step() {
            if self.playback.player.lacks_memory() {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            // The end, of what there is now.
            if !self.may_go_live() || !self.wait_for_more(client) {
                return Ok(false);
            }
            self.prompt = Instant::now();
            if self.live_has_begun() {
                return Ok(true);
            }
        }
        let after = self.playback.player.wall_us().unwrap_or(before_us);
        let native = Duration::from_micros(before_us.abs_diff(after));
        let interval = self.playback.interval.unwrap_or(LEAST_INTERVAL).max(LEAST_INTERVAL);
        let Some((base_us, base)) = self.base else { return Ok(true) };
        if native > GAP && self.playback.player.is_apart_from(before.as_ref()) {
            // What comes behind a gap is due at once.
            self.base = Some((after, Instant::now() + interval));
            return Ok(self.wait_until(Instant::now() + interval, client));
        }
        self.skip(native.min(SLOW_INTERVAL).max(interval));
        let after = self.playback.player.wall_us().unwrap_or(after);
        let passed = Duration::from_micros(base_us.abs_diff(after)).div_f64(self.playback.speed.abs());
        let due = base + passed;
        if due >= Instant::now() {
            self.prompt = due;
        }
        Ok(self.wait_until(due, client))
    }

    /// One frame on in the direction of play.
    fn step(&mut self) -> bool {
        let is_forward = self.playback.is_forward();
        let player = &mut self.playback.player;
        if is_forward { player.forward() } else { player.back() }
    }

    /// Leaves frames out: the next frame is the last one that will be due `least` from now.
    fn skip(&mut self, least: Duration) {
        let Some((base_us, base)) = self.base else { return };
        let is_each_wanted = self.playback.speed.abs() <= 1.0 && self.playback.interval.is_none();
        if is_each_wanted && self.prompt.elapsed() < MAX_LAG {
            return;
        }
        let reach = (base.elapsed() + least).mul_f64(self.playback.speed.abs()).as_micros() as u64;
        let is_forward = self.playback.is_forward();
        let player = &mut self.playback.player;
        let Some(here) = player.wall_us() else { return };
        let target = if is_forward { base_us.saturating_add(reach) } else { base_us.saturating_sub(reach) };
        let is_behind = |other: u64| if is_forward { other < here } else { other > here };
        if target == here || is_behind(target) {
            return;
        }
        // A gap between here and there is not jumped over: the frame before it is shown, and then the gap is skipped.
        player.seek(target);
        if player.wall_us().is_none_or(is_behind) {
            player.seek(here);
        }
    }

    fn wait_until(&self, due: Instant, client: &mut Client) -> bool {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(CHECK_EVERY));
            if left > CHECK_EVERY && client.is_gone() {
                return false;
            }
        }
    }

    fn may_go_live(&self) -> bool {
        self.playback.is_forward() && self.playback.to_us.is_none() && self.playback.camera.is_some()
    }

    /// Collects live frames while more footage may come; false if the viewer or the camera is gone.
    fn wait_for_more(&mut self, client: &mut Client) -> bool {
        let Some(camera) = &self.playback.camera else { return false };
        if self.live.is_none() {
            let (Some(reader), Some(lease)) = (camera.frames().subscribe(), self.playback.memory.lease(0))
            else {
                return false;
            };
            self.live = Some(Live::new(reader, lease));
        }
        let Some(live) = &mut self.live else { return false };
        !client.is_gone() && live.collect(POLL)
    }

    /// Whether the footage has reached the first live frame, or will not.
    fn live_has_begun(&self) -> bool {
        let Some(live) = &self.live else { return false };
        let reached = self.playback.player.wall_us().zip(live.frames.front()).is_some_and(|(at, first)| {
            // Footage has its times to the millisecond.
            at + 2000 >= first.captured().wall_us()
        });
        reached || live.since.elapsed() >= LATEST_FOOTAGE || live.is_full
    }

    fn send_live(&mut self, client: &mut Client) -> io::Result<()> {
        let Some(mut live) = self.live.take() else { return Ok(()) };
        let after = self.playback.player.wall_us().unwrap_or(0) + 1999;
        let mut pace = Pace::new(self.playback.interval);
        let began = Instant::now();
        while let Some(frame) = live.frames.pop_front() {
            // They are sent at once: on a slow link the rest would keep the viewer from the present.
            if began.elapsed() >= MAX_LAG {
                break;
            }
            if frame.captured().wall_us() > after && pace.takes(frame.captured()) {
                client.write_all(frame.part())?;
            }
        }
        live.frames.clear();
        live.lease.resize(0);
        loop {
            match live.reader.wait_newer(CHECK_EVERY) {
                Wait::Fresh { value: frame, .. } => {
                    if pace.takes(frame.captured()) {
                        client.write_all(frame.part())?;
                    } else if client.is_gone() {
                        return Ok(());
                    }
                }
                Wait::TimedOut if client.is_gone() => return Ok(()),
                Wait::TimedOut => {}
                Wait::Closed => return Ok(()),
            }
        }
    }
}

impl Live {
    fn new(reader: Reader<Frame>, lease: Lease) -> Self {
        Self { reader, frames: VecDeque::new(), bytes: 0, lease, is_full: false, since: Instant::now() }
    }

    /// Takes the frames that come within `wait`, at least one of them if there is one; false if there will be none.
    fn collect(&mut self, wait: Duration) -> bool {
        let end = Instant::now() + wait;
        loop {
            match self.reader.wait_newer(end.saturating_duration_since(Instant::now())) {
                Wait::Fresh { value: frame, .. } => {
                    let bytes = self.bytes + frame.memory_bytes();
                    if bytes > MOST_LIVE_BYTES || !self.lease.resize(bytes) {
                        self.is_full = true;
                        return true;
                    }
                    self.bytes = bytes;
                    self.frames.push_back(frame);
                    if Instant::now() >= end {
                        return true;
                    }
                }
                Wait::TimedOut => return true,
                Wait::Closed => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::latest;
    use crate::media::Timestamp;
    use crate::memory::Memory;

    #[test]
    fn waiting_live_frames_take_no_more_memory_than_there_is() {
        const FRAME_BYTES: usize = 4000;
        // 16 KiB for requests, of which three quarters are for footage.
        let memory = Memory::new(64 * 1024);
        let (mut publisher, frames) = latest(4);
        let mut live = Live::new(frames.subscribe().unwrap(), memory.for_footage().lease(0).unwrap());
        for number in 0..9 {
            let write = |out: &mut Vec<u8>| {
                out.resize(out.len() + FRAME_BYTES, 7);
                Ok::<(), ()>(())
            };
            let at = Timestamp::from_micros(number * 40_000);
            publisher.publish(part::build(Vec::new(), at, (64, 48), write).unwrap());
            assert!(live.collect(Duration::ZERO));
        }
        let held: usize = live.frames.iter().map(|frame| frame.memory_bytes()).sum();
        assert!(live.is_full && (FRAME_BYTES..=12 * 1024).contains(&held), "{held}");
        assert_eq!(memory.usage()[1].1.used_bytes, held);
    }
}
