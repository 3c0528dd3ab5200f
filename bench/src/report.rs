//! The table for people and the JSON for programs.

use std::fmt::Write;

use miniserde::Serialize;

use crate::compare::{Row, Scenario, Values};

/// One column of the table: its head, its decimals, and the value it shows.
type Column = (&'static str, usize, fn(&Values) -> Option<f64>);

const COLUMNS: [Column; 12] = [
    ("CPU us/frame", 1, |v| v.cpu_us_per_frame),
    ("CPU %", 2, |v| v.cpu_percent),
    ("fps", 1, |v| v.fps),
    ("least fps", 1, |v| v.fps_least),
    ("p50 ms", 2, |v| v.p50_ms),
    ("p99 ms", 2, |v| v.p99_ms),
    ("PSS KiB", 0, |v| v.pss_kib),
    ("anon KiB", 0, |v| v.anonymous_kib),
    ("threads", 0, |v| v.threads),
    ("recorder %", 2, |v| v.recorder_percent),
    ("client us", 1, |v| v.client_us_per_frame),
    ("others %", 0, |v| v.others_percent),
];

/// Only what is the server's own doing is worth a ratio.
const COLUMNS_WITH_RATIO: usize = 8;

/// A table with, for each scenario, the servers and their ratios to others.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut last = None;
    for row in rows {
        if last != Some(row.scenario) {
            last = Some(row.scenario);
            let of_scenario: Vec<&Row> = rows.iter().filter(|other| other.scenario == row.scenario).collect();
            scenario_table(&mut text, row.scenario, &of_scenario).expect("a String takes every write");
        }
    }
    text
}

/// The same rows as an array of objects; absent values are null.
pub fn json(rows: &[Row]) -> String {
    let entries: Vec<Entry> = rows.iter().map(Entry::new).collect();
    miniserde::json::to_string(&entries)
}

fn scenario_table(text: &mut String, scenario: Scenario, rows: &[&Row]) -> std::fmt::Result {
    write!(text, "{} viewers", scenario.viewers)?;
    if scenario.stalled > 0 {
        write!(text, " beside {} that never read", scenario.stalled)?;
    }
    write!(text, "\n{:36}", "")?;
    for (head, _, _) in COLUMNS {
        write!(text, "{head:>13}")?;
    }
    writeln!(text)?;
    for row in rows {
        write!(text, "  {:34}", row.kind.name())?;
        for (_, decimals, value) in COLUMNS {
            cell(text, value(&row.values), decimals)?;
        }
        writeln!(text)?;
    }
    for row in rows {
        let yardsticks = row.kind.yardsticks().iter();
        for yardstick in yardsticks.filter_map(|kind| rows.iter().find(|row| row.kind == *kind)) {
            ratios(text, row, yardstick)?;
        }
    }
    writeln!(text)
}

/// A row divided by another one.
fn ratios(text: &mut String, row: &Row, yardstick: &Row) -> std::fmt::Result {
    write!(text, "  {:34}", format!("{}/{}", row.kind.name(), yardstick.kind.name()))?;
    for (_, _, value) in &COLUMNS[..COLUMNS_WITH_RATIO] {
        let pair = value(&row.values).zip(value(&yardstick.values));
        cell(text, pair.filter(|(_, by)| *by > 0.0).map(|(ours, by)| ours / by), 2)?;
    }
    writeln!(text)
}

fn cell(text: &mut String, value: Option<f64>, decimals: usize) -> std::fmt::Result {
    match value {
        Some(value) => write!(text, "{value:>13.decimals$}"),
        None => write!(text, "{:>13}", "-"),
    }
}

#[derive(Serialize)]
struct Entry {
    server: &'static str,
    viewers: u32,
    stalled: u32,
    cpu_us_per_frame: Option<f64>,
    cpu_percent: Option<f64>,
    recorder_percent: Option<f64>,
    fps: Option<f64>,
    fps_least: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    pss_kib: Option<f64>,
    anonymous_kib: Option<f64>,
    threads: Option<f64>,
    client_us_per_frame: Option<f64>,
    others_percent: Option<f64>,
}

impl Entry {
    fn new(row: &Row) -> Self {
        let Values {
            cpu_us_per_frame,
            cpu_percent,
            recorder_percent,
            fps,
            fps_least,
            p50_ms,
            p99_ms,
            pss_kib,
            anonymous_kib,
            threads,
            client_us_per_frame,
            others_percent,
        } = row.values;
        Self {
            server: row.kind.name(),
            viewers: row.scenario.viewers,
            stalled: row.scenario.stalled,
            cpu_us_per_frame,
            cpu_percent,
            recorder_percent,
            fps,
            fps_least,
            p50_ms,
            p99_ms,
            pss_kib,
            anonymous_kib,
            threads,
            client_us_per_frame,
            others_percent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;

    #[test]
    fn ratios_are_ours_by_theirs() {
        let row = |kind, cpu| Row {
            scenario: Scenario { viewers: 1, stalled: 0 },
            kind,
            values: Values { cpu_us_per_frame: Some(cpu), ..Values::default() },
        };
        let text = table(&[row(Kind::Ustreamer, 50.0), row(Kind::DefenderTls, 40.0)]);
        let ratios = text.lines().find(|line| line.contains("defender-tls/ustreamer")).unwrap();
        assert_eq!(ratios.split_whitespace().nth(1), Some("0.80"), "{text}");
        let text = table(&[row(Kind::DefenderTls, 40.0), row(Kind::Unix, 50.0)]);
        let ratios = text.lines().find(|line| line.contains("defender-unix/defender-tls")).unwrap();
        assert_eq!(ratios.split_whitespace().nth(1), Some("1.25"), "{text}");
    }
}
