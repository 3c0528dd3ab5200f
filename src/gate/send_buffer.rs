//! The size of the kernel's send buffer for a live stream: what the client receives in [`BUFFERED`].
//!
//! A stream writes the newest picture, and waits until the send buffer has accepted it. Older bytes in the
//! buffer are sent first, so the buffer's size in bytes divided by the rate of the link is the delay of the
//! picture. The buffer starts small and follows the rate: a client on a slow link gets fewer pictures, each of
//! them new. A buffer that accepts whole frames at once is not changed, so a fast client costs no system call.
//!
//! The buffer begins at 16 KiB and grows until a frame fits. After a sudden drop of the rate, what was already
//! in the buffer arrives first, once.

use std::time::{Duration, Instant};

/// How long the content of the buffer may take on the link; together with a frame less than a second. It must
/// be longer than the round trip, or the buffer would slow the stream down.
const BUFFERED: Duration = Duration::from_millis(600);

/// A measurement ends with the first write that waits after this time, so that a link that became slow is
/// noticed although a large buffer takes long to drain.
const WINDOW: Duration = Duration::from_millis(1200);

/// Initial size, in bytes, while nothing is known about the link.
const INITIAL_BYTES: usize = 16 * 1024;

/// Smallest size, in bytes: the kernel's own minimum.
const MIN_BYTES: usize = 2304;

/// Largest size, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// How many times its size the buffer holds at most: the kernel allocates twice the requested size, and for
/// small packets, as on slow links, its bookkeeping uses half of that.
const MAX_HELD: usize = 2;

/// After a longer pause between writes (a camera of few frames a second) the buffer may have drained, and the
/// bytes that left it say nothing about the link.
const IDLE: Duration = Duration::from_millis(250);

/// A write that takes longer has waited for space in the buffer.
const WAITED: Duration = Duration::from_millis(1);

/// Chooses the size of one client's send buffer.
pub(super) struct SendBuffer {
    bytes: usize,
    /// The current measurement, which begins with a write that left the buffer full; `None` while no write waits.
    window: Option<Window>,
}

struct Window {
    began: Instant,
    /// The buffer's size when it began, in bytes.
    held: usize,
    sent: usize,
    /// When the last write ended.
    last: Instant,
}

impl SendBuffer {
    /// A small buffer.
    pub(super) fn new() -> Self {
        Self { bytes: INITIAL_BYTES, window: None }
    }

    /// Its size for `SO_SNDBUF`, in bytes.
    pub(super) fn option(&self) -> usize {
        self.bytes
    }

    /// Updates the size by a write of `sent` bytes; returns whether it changed.
    pub(super) fn learn(&mut self, sent: usize, began: Instant, ended: Instant) -> bool {
        let took = ended.saturating_duration_since(began);
        let pause = |window: &Window| began.saturating_duration_since(window.last);
        self.window = self.window.take().filter(|window| pause(window) <= IDLE);
        if took < WAITED && sent <= self.bytes {
            self.count(sent, ended);
            return false;
        }
        // The buffer accepted no more than fits; the rest left it while the write waited.
        let at_least = in_buffered(sent.saturating_sub(MAX_HELD * self.bytes), took);
        let Some(target) = self.measure(sent, ended) else { return self.resize(at_least.max(self.bytes)) };
        // A lost packet stalls a stream for a moment, so shrink in steps.
        self.resize(target.max(at_least).max(self.bytes * 7 / 10))
    }

    /// Counts a write that did not wait. Over a long round trip acknowledgements arrive in bursts, and a burst
    /// makes space for several frames, so such a write does not end a measurement. If no write waits for long,
    /// the link is fast enough, and there is nothing to measure.
    fn count(&mut self, sent: usize, ended: Instant) {
        if let Some(window) = &mut self.window {
            window.sent += sent;
            window.last = ended;
            if ended.saturating_duration_since(window.began) > 2 * WINDOW {
                self.window = None;
            }
        }
    }

    /// What the link carries in [`BUFFERED`], once enough was sent to measure it: the kernel wakes a writer when a
    /// third of the buffer is free, so that one write says little.
    fn measure(&mut self, sent: usize, ended: Instant) -> Option<usize> {
        let next = Window { began: ended, held: self.bytes, sent: 0, last: ended };
        let Some(window) = &mut self.window else {
            self.window = Some(next);
            return None;
        };
        window.sent += sent;
        window.last = ended;
        let took = ended.saturating_duration_since(window.began);
        if window.sent < MAX_HELD * self.bytes && took < WINDOW {
            return None;
        }
        // Between two full buffers as many bytes left as were written, minus the change of its size.
        let left = (window.sent + window.held).saturating_sub(self.bytes);
        self.window = Some(next);
        Some(in_buffered(left, took))
    }

    fn resize(&mut self, target: usize) -> bool {
        let next = target.min(self.bytes * 4).clamp(MIN_BYTES, MAX_BYTES);
        // Small steps are not worth a system call.
        if next.abs_diff(self.bytes) <= self.bytes / 8 {
            return false;
        }
        self.bytes = next;
        true
    }
}

/// The bytes that move in [`BUFFERED`] if `bytes` move in `time`.
fn in_buffered(bytes: usize, time: Duration) -> usize {
    let micros = time.as_micros().max(1);
    usize::try_from(bytes as u128 * BUFFERED.as_micros() / micros).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link of `rate` bytes a second with acknowledgements after `round_trip`, and a camera of one frame size and
    /// interval; the greatest age of a frame's first byte on arrival once `settled` frames were sent,
    /// and the greatest rate, in bytes a second.
    fn stream(
        rate: f64,
        round_trip: f64,
        frame: usize,
        interval: f64,
        frames: usize,
    ) -> (f64, f64, SendBuffer) {
        let start = Instant::now();
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        let mut buffer = SendBuffer::new();
        let (mut now, mut queued, mut oldest, mut fastest) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
        for number in 0..frames {
            // What leaves the buffer is bounded by the link, and by what may be under way.
            let leaves = rate.min(buffer.bytes as f64 / round_trip.max(1e-6));
            let age = (queued / leaves - round_trip / 2.0).max(0.0) + round_trip / 2.0;
            if number > frames / 2 {
                oldest = oldest.max(age);
            }
            let room = buffer.bytes as f64 - queued;
            let waits = ((frame as f64 - room) / leaves).max(0.0);
            let ended = now + waits;
            fastest = if number > frames / 2 { fastest.max(frame as f64 / waits.max(interval)) } else { 0.0 };
            queued = (queued + frame as f64 - waits * leaves).max(0.0);
            buffer.learn(frame, at(now), at(ended));
            // The camera's next frame.
            let next = ended.max(((ended / interval + 1e-6).floor() + 1.0) * interval);
            queued = (queued - (next - ended) * leaves).max(0.0);
            now = next;
        }
        (oldest, fastest, buffer)
    }

    #[test]
    fn at_any_rate_and_delay_frames_arrive_within_a_second() {
        for rate in [6_000.0, 41_000.0, 125_000.0, 1_000_000.0, 12_500_000.0, 1e9] {
            for round_trip in [0.0, 0.1, 0.4] {
                for frame in [5_000, 20_000, 100_000, 400_000] {
                    let (oldest, ..) = stream(rate, round_trip, frame, 1.0 / 30.0, 400);
                    let limit = 0.8;
                    assert!(oldest <= limit, "{rate} B/s, {round_trip} s, {frame} B: {oldest:.2} s");
                }
            }
        }
    }

    #[test]
    fn a_long_round_trip_does_not_make_a_link_slow() {
        for round_trip in [0.0, 0.1, 0.4] {
            let (_, fastest, _) = stream(125_000.0, round_trip, 20_000, 1.0 / 30.0, 400);
            assert!(fastest > 100_000.0, "{round_trip} s: {fastest:.0} B/s");
        }
    }

    #[test]
    fn bursts_of_acknowledgements_do_not_keep_the_buffer_small() {
        let mut buffer = SendBuffer::new();
        let mut now = Instant::now();
        for _ in 0..20 {
            // A burst, once a round trip, makes space for as much as the buffer holds: with the doubling
            // by the kernel and its bookkeeping, some more than its size.
            let frames = buffer.bytes * 5 / 4 / 5_000;
            now += Duration::from_millis(400);
            buffer.learn(5_000, now - Duration::from_millis(400), now);
            for _ in 1..frames {
                now += Duration::from_micros(100);
                buffer.learn(5_000, now - Duration::from_micros(50), now);
            }
        }
        assert!(buffer.bytes > 100_000, "{}", buffer.bytes);
    }

    #[test]
    fn a_link_that_becomes_slow_gets_a_small_buffer_soon() {
        let mut buffer = SendBuffer { bytes: MAX_BYTES, window: None };
        let mut now = Instant::now();
        let mut sent = 0;
        while buffer.bytes > 40_000 {
            let began = now;
            now += Duration::from_millis(300);
            buffer.learn(12_000, began, now);
            sent += 12_000;
        }
        assert!(sent < MAX_BYTES * 2, "{sent} bytes at 40,000 a second");
    }

    #[test]
    fn a_camera_of_few_frames_does_not_make_the_link_seem_slow() {
        let mut buffer = SendBuffer { bytes: 100_000, window: None };
        let mut now = Instant::now();
        for _ in 0..20 {
            buffer.learn(100_000, now, now + Duration::from_millis(2));
            now += Duration::from_secs(1);
        }
        assert!(buffer.bytes >= 100_000, "{}", buffer.bytes);
    }

    #[test]
    fn a_fast_client_is_left_alone_once_a_frame_fits() {
        let (_, _, mut buffer) = stream(1e9, 0.0005, 100_000, 1.0 / 30.0, 10);
        assert!(buffer.bytes >= 100_000, "{}", buffer.bytes);
        let now = Instant::now();
        for _ in 0..1000 {
            assert!(!buffer.learn(100_000, now, now + Duration::from_micros(50)));
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A buffer of `bytes` in a measurement that began at `began`.
    fn measuring(bytes: usize, held: usize, began: Instant) -> SendBuffer {
        SendBuffer { bytes, window: Some(Window { began, held, sent: 0, last: began }) }
    }

    #[test]
    fn small_steps_are_left_out_and_large_ones_bounded() {
        assert_eq!(SendBuffer::new().option(), INITIAL_BYTES);
        for (target, bytes) in [
            (18_000, 16_000),
            (18_001, 18_001),
            (14_000, 16_000),
            (13_999, 13_999),
            (1_000_000, 64_000),
            (0, MIN_BYTES),
        ] {
            let mut buffer = SendBuffer { bytes: 16_000, window: None };
            assert_eq!((buffer.resize(target), buffer.option()), (bytes != 16_000, bytes), "to {target}");
        }
        let mut large = SendBuffer { bytes: 200_000, window: None };
        assert!(large.resize(usize::MAX) && large.option() == MAX_BYTES);
    }

    #[test]
    fn a_write_waited_if_it_took_long_or_did_not_fit() {
        let begin = Instant::now();
        for (sent, took, waited) in [
            (16_000, WAITED - Duration::from_nanos(1), false),
            (16_000, WAITED, true),
            (16_001, Duration::ZERO, true),
        ] {
            let mut buffer = SendBuffer { bytes: 16_000, window: None };
            buffer.learn(sent, begin, begin + took);
            assert_eq!(buffer.window.is_some(), waited, "{sent} bytes in {took:?}");
        }
    }

    #[test]
    fn what_left_during_one_write_makes_the_buffer_larger() {
        let begin = Instant::now();
        let mut buffer = SendBuffer { bytes: 4_000, window: None };
        // 12,000 bytes in 1.2 s.
        assert!(buffer.learn(20_000, begin, begin + ms(1200)));
        assert_eq!(buffer.option(), 6_000);
        assert_eq!(in_buffered(7, Duration::ZERO), 7 * 600_000, "a time that is too short to be measured");
    }

    #[test]
    fn a_measurement_ends_with_enough_bytes_or_time() {
        let begin = Instant::now();
        let after = |sent: usize, took: Duration| {
            let mut buffer = measuring(10_000, 10_000, begin);
            let target = buffer.measure(sent, begin + took);
            let window = buffer.window.unwrap();
            assert_eq!(window.last, begin + took);
            (target, (window.began, window.sent))
        };
        assert_eq!(after(19_999, ms(1199)), (None, (begin, 19_999)));
        assert_eq!(after(20_000, ms(600)), (Some(20_000), (begin + ms(600), 0)));
        assert_eq!(after(4_000, ms(1200)), (Some(2_000), (begin + ms(1200), 0)));
        // Not all that was written has left a buffer that became larger.
        let mut larger = measuring(10_000, 8_000, begin);
        assert_eq!(larger.measure(22_000, begin + ms(600)), Some(20_000));
        assert_eq!(larger.window.unwrap().held, 10_000);
        let mut first = SendBuffer { bytes: 10_000, window: None };
        assert_eq!(first.measure(5_000, begin), None);
        assert_eq!(first.window.unwrap().sent, 0);
    }

    #[test]
    fn a_slow_link_shrinks_the_buffer_in_steps() {
        let begin = Instant::now();
        let mut buffer = measuring(10_000, 10_000, begin);
        assert!(buffer.learn(1, begin, begin + WINDOW));
        assert_eq!(buffer.option(), 7_000);
    }

    #[test]
    fn a_pause_ends_a_measurement() {
        let begin = Instant::now();
        for (pause, sent) in [(IDLE, 100), (IDLE + Duration::from_nanos(1), 0)] {
            let mut buffer = measuring(10_000, 10_000, begin);
            buffer.learn(100, begin + pause, begin + pause + ms(2));
            assert_eq!(buffer.window.unwrap().sent, sent, "{pause:?}");
        }
    }

    #[test]
    fn a_measurement_in_which_no_write_waits_is_given_up() {
        let begin = Instant::now();
        for (at, goes_on) in [(2 * WINDOW, true), (2 * WINDOW + Duration::from_nanos(1), false)] {
            let mut buffer = measuring(10_000, 10_000, begin);
            buffer.count(300, begin + at);
            let counted = buffer.window.map(|window| (window.sent, window.last));
            assert_eq!(counted, goes_on.then_some((300, begin + at)), "{at:?}");
        }
    }
}
