//! The plan of a run: every server meets the same crowds, one server after the other, and each
//! other round in reverse order, so that a drift of the machine touches all alike.

use std::time::Duration;

use crate::failure::Failure;
use crate::kind::Kind;
use crate::options::Options;
use crate::process::{Memory, ThreadTimes, machine_busy};
use crate::servers::{Server, absolute};
use crate::viewers::{Crowd, Seen};

/// Streams settle, and the buffers of stalled viewers fill, before anything is measured.
const WARM_UP: Duration = Duration::from_secs(3);

/// Readers beside the viewers that never read.
const BESIDE_STALLED: u32 = 10;

/// Who watches during one measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Viewers that read as fast as they can.
    pub viewers: u32,
    /// Viewers that never read.
    pub stalled: u32,
}

/// What one server cost and gave in one scenario: the median of the rounds, value by value.
#[derive(Clone, Debug)]
pub struct Row {
    pub scenario: Scenario,
    pub kind: Kind,
    pub values: Values,
}

/// One measurement. `None` where there is nothing to divide by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values {
    /// CPU time of the server for each picture that arrived somewhere.
    pub cpu_us_per_frame: Option<f64>,
    /// CPU time of the server, 100 being one core.
    pub cpu_percent: Option<f64>,
    /// The part of it that Defender's threads take which do nothing but recording.
    pub recorder_percent: Option<f64>,
    /// New pictures a second, mean of the viewers.
    pub fps: Option<f64>,
    /// The same, of the viewer that had the fewest.
    pub fps_least: Option<f64>,
    /// From the camera's stamp to the last byte at the viewer.
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Memory without the camera's, at the end of the measurement.
    pub pss_kib: Option<f64>,
    /// The part of it that is never shared.
    pub anonymous_kib: Option<f64>,
    /// Threads without the camera's.
    pub threads: Option<f64>,
    /// CPU time of this program for each picture.
    pub client_us_per_frame: Option<f64>,
    /// CPU time of everything else on the machine, 100 being one core.
    pub others_percent: Option<f64>,
}

/// Runs all rounds and takes the medians.
pub fn run(options: &Options) -> Result<Vec<Row>, Failure> {
    let scenarios = scenarios(options);
    let mut rows = Vec::new();
    for round in 0..options.rounds {
        let mut kinds = options.kinds.clone();
        if round % 2 == 1 {
            kinds.reverse();
        }
        for kind in kinds {
            eprintln!("round {} of {}: {}", round + 1, options.rounds, kind.name());
            let server = Server::start(kind, options, Duration::ZERO)?;
            for scenario in &scenarios {
                let values =
                    measure(&server, *scenario, options).map_err(|failure| server.explain(failure))?;
                rows.push(Row { scenario: *scenario, kind, values });
            }
        }
    }
    Ok(medians(&scenarios, &options.kinds, &rows))
}

fn scenarios(options: &Options) -> Vec<Scenario> {
    let mut all: Vec<_> = options.viewers.iter().map(|n| Scenario { viewers: *n, stalled: 0 }).collect();
    if options.stalled > 0 {
        let alone = Scenario { viewers: BESIDE_STALLED, stalled: 0 };
        if !all.contains(&alone) {
            all.push(alone);
        }
        all.push(Scenario { viewers: BESIDE_STALLED, stalled: options.stalled });
    }
    all
}

fn measure(server: &Server, scenario: Scenario, options: &Options) -> Result<Values, Failure> {
    let mut crowd = Crowd::new()?;
    for endpoint in server.endpoints() {
        crowd.join(endpoint, scenario.viewers)?;
        crowd.join_stalled(endpoint, scenario.stalled)?;
    }
    crowd.watch(WARM_UP)?;
    let (machine, before) = (machine_busy()?, ThreadTimes::of_all(&server.pids())?);
    let seen = crowd.watch(options.duration)?;
    let after = ThreadTimes::of_all(&server.pids())?;
    let machine = machine_busy()?.saturating_sub(machine);
    let memory = Memory::of_all(&server.pids(), &absolute(&options.standin)?, &absolute(&options.film)?)?;
    let cpu = after.since(&before);
    let others = machine.saturating_sub(cpu + seen.client_cpu);
    Ok(Values {
        pss_kib: Some(memory.pss_kib as f64),
        anonymous_kib: Some(memory.anonymous_kib as f64),
        threads: Some(after.count() as f64),
        cpu_percent: Some(percent(cpu, options.duration)),
        recorder_percent: Some(percent(after.of_recorders_since(&before), options.duration)),
        others_percent: Some(percent(others, options.duration)),
        ..of_pictures(seen, cpu, options.duration)
    })
}

fn of_pictures(mut seen: Seen, cpu: Duration, duration: Duration) -> Values {
    let frames = seen.latencies_us.len() as f64;
    if seen.frames.is_empty() {
        return Values::default();
    }
    let fps_of = |frames: f64| frames / duration.as_secs_f64();
    let least = seen.frames.iter().min().copied().unwrap_or(0);
    seen.latencies_us.sort_unstable();
    let per_frame = |time: Duration| (frames > 0.0).then(|| time.as_secs_f64() * 1e6 / frames);
    Values {
        cpu_us_per_frame: per_frame(cpu),
        fps: Some(fps_of(frames / seen.frames.len() as f64)),
        fps_least: Some(fps_of(least.into())),
        p50_ms: percentile(&seen.latencies_us, 0.50).map(|us| us / 1e3),
        p99_ms: percentile(&seen.latencies_us, 0.99).map(|us| us / 1e3),
        client_us_per_frame: per_frame(seen.client_cpu),
        ..Values::default()
    }
}

fn percent(part: Duration, whole: Duration) -> f64 {
    part.as_secs_f64() * 100.0 / whole.as_secs_f64()
}

/// By nearest rank: a value that was really seen.
fn percentile(sorted: &[u32], fraction: f64) -> Option<f64> {
    let rank = (sorted.len() as f64 * fraction).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map(|value| (*value).into())
}

fn medians(scenarios: &[Scenario], kinds: &[Kind], rows: &[Row]) -> Vec<Row> {
    let mut medians = Vec::new();
    for scenario in scenarios {
        for kind in kinds {
            let of_rounds = rows.iter().filter(|row| row.scenario == *scenario && row.kind == *kind);
            let rounds: Vec<Values> = of_rounds.map(|row| row.values).collect();
            let of = |pick: fn(&Values) -> Option<f64>| median(rounds.iter().filter_map(pick).collect());
            let values = Values {
                cpu_us_per_frame: of(|v| v.cpu_us_per_frame),
                cpu_percent: of(|v| v.cpu_percent),
                recorder_percent: of(|v| v.recorder_percent),
                fps: of(|v| v.fps),
                fps_least: of(|v| v.fps_least),
                p50_ms: of(|v| v.p50_ms),
                p99_ms: of(|v| v.p99_ms),
                pss_kib: of(|v| v.pss_kib),
                anonymous_kib: of(|v| v.anonymous_kib),
                threads: of(|v| v.threads),
                client_us_per_frame: of(|v| v.client_us_per_frame),
                others_percent: of(|v| v.others_percent),
            };
            medians.push(Row { scenario: *scenario, kind: *kind, values });
        }
    }
    medians
}

/// The middle one of some values, or between the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().wrapping_sub(1) / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_even_and_odd_counts() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let sorted: Vec<u32> = (1..=200).collect();
        assert_eq!(percentile(&sorted, 0.50), Some(100.0));
        assert_eq!(percentile(&sorted, 0.99), Some(198.0));
        assert_eq!(percentile(&[7], 0.99), Some(7.0));
        assert_eq!(percentile(&[], 0.99), None);
    }
}
