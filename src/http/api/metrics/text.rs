//! The text format of Prometheus, version 0.0.4: metric families with their help and type.

use std::fmt::{Display, Write};

use crate::hub::{BOUNDS_US, Histogram};

/// The name and the value of a label. Values need no escaping: they are the program's own words, or names from
/// defender.conf, which consist of letters, digits, `-` and `_`.
pub type Label<'a> = (&'static str, &'a str);

/// The text so far.
#[derive(Default)]
pub struct Text(pub String);

impl Text {
    /// A value that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family("gauge", name, help, &[(Vec::new(), value)]);
    }

    /// A value that only goes up, from zero at each start.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family("counter", name, help, &[(Vec::new(), value)]);
    }

    /// A family of metrics, each with its labels; nothing if there are none.
    pub fn family<V: Display>(&mut self, kind: &str, name: &str, help: &str, values: &[(Vec<Label<'_>>, V)]) {
        if values.is_empty() {
            return;
        }
        self.head(name, kind, help);
        for (labels, value) in values {
            self.line(name, labels, value);
        }
    }

    /// As [`Text::family`], for labels whose values come from the kernel.
    pub fn owned<V: Display>(
        &mut self,
        kind: &str,
        name: &str,
        help: &str,
        values: &[(Vec<(&'static str, String)>, V)],
    ) {
        let values: Vec<_> = values.iter().map(|(labels, value)| (borrowed(labels), value)).collect();
        self.family(kind, name, help, &values);
    }

    /// A family of histograms in seconds, each with its label.
    pub fn histograms(&mut self, name: &str, help: &str, values: &[(Label<'_>, Histogram)]) {
        if values.is_empty() {
            return;
        }
        self.head(name, "histogram", help);
        for (label, histogram) in values {
            let mut total = 0;
            let bounds = BOUNDS_US.iter().map(|bound| seconds(*bound)).chain(["+Inf".to_owned()]);
            for (count, bound) in histogram.counts.iter().zip(bounds) {
                total += count;
                self.line(&format!("{name}_bucket"), &[*label, ("le", &bound)], total);
            }
            self.line(&format!("{name}_sum"), &[*label], seconds(histogram.sum_us));
            self.line(&format!("{name}_count"), &[*label], total);
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn line(&mut self, name: &str, labels: &[Label<'_>], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{}}} {value}", labels.join(",")),
        };
    }
}

fn borrowed<'l>(labels: &'l [(&'static str, String)]) -> Vec<Label<'l>> {
    labels.iter().map(|(label, value)| (*label, value.as_str())).collect()
}

/// Microseconds as seconds.
pub fn seconds(micros: u64) -> String {
    format!("{}", micros as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_bucket_counts_all_smaller_values() {
        let mut histogram = Histogram::default();
        for micros in [400, 900, 9_000_000] {
            histogram.count(Duration::from_micros(micros));
        }
        let mut text = Text::default();
        text.histograms("x_seconds", "X.", &[(("camera", "front"), histogram)]);
        for line in [
            "# TYPE x_seconds histogram\n",
            "x_seconds_bucket{camera=\"front\",le=\"0.0005\"} 1\n",
            "x_seconds_bucket{camera=\"front\",le=\"2.5\"} 2\n",
            "x_seconds_bucket{camera=\"front\",le=\"+Inf\"} 3\n",
            "x_seconds_sum{camera=\"front\"} 9.0013\n",
            "x_seconds_count{camera=\"front\"} 3\n",
        ] {
            assert!(text.0.contains(line), "{line} is missing in\n{}", text.0);
        }
    }
}
