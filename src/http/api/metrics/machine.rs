//! What the kernel reports of this process and of the board. Metrics that it does not report are left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::text::{Label, Text};
use crate::base::clock;

/// The clock of /proc/PID/stat: 100 Hz on all architectures that Defender supports.
const TICKS_A_SECOND: f64 = 100.0;

/// Metrics of the process, with the names that Prometheus' client libraries use.
pub fn process(text: &mut Text, running_for: Duration) {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    if let Some((cpu_s, threads)) = cpu_and_threads(&stat) {
        text.counter("process_cpu_seconds_total", "User and system time.", cpu_s);
        text.gauge("process_threads", "Threads.", threads);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if let Some(bytes) = kilobytes(&status, "VmRSS:").map(|kilobytes| kilobytes * 1024) {
        text.gauge("process_resident_memory_bytes", "Memory in use.", bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // Without the descriptor of this folder itself.
        text.gauge("process_open_fds", "Open file descriptors.", open.count().saturating_sub(1));
    }
    let started = clock::since_epoch().saturating_sub(running_for).as_secs();
    text.gauge("process_start_time_seconds", "Start by the wall clock.", started);
}

/// Metrics of the board from the folder `sys`: temperatures, clocks, and whether it had to slow down.
pub fn board(text: &mut Text, sys: &Path) {
    let zones = zones(&sys.join("class/thermal"));
    let labels = |zone: &Zone| owned([("zone", &zone.number), ("type", &zone.kind)]);
    let values: Vec<_> = zones.iter().map(|zone| (labels(zone), zone.celsius)).collect();
    text.owned("gauge", "defender_board_temperature_celsius", "Temperature of a thermal zone.", &values);
    slowed(text, sys);
    clocks(text, &sys.join("devices/system/cpu"));
}

/// A zone of the kernel's thermal framework.
struct Zone {
    number: String,
    kind: String,
    celsius: f64,
}

/// The reasons for which a Raspberry Pi's firmware slows it down, in the order of their bits for now. The bits for
/// since the boot are 16 higher (raspberrypi.com, "vcgencmd get_throttled").
const REASONS: [&str; 4] = ["under_voltage", "frequency_capped", "throttled", "temperature_limit"];

/// Whether the board slows down, from the Raspberry Pi kernel's own file, or from the voltage alarm that the
/// mainline kernel has.
fn slowed(text: &mut Text, sys: &Path) {
    let help = "1 while the board slows down for it.";
    let throttled = read(&sys.join("devices/platform/soc/soc:firmware/get_throttled"));
    let bits = throttled.and_then(|hex| u32::from_str_radix(hex.trim_start_matches("0x"), 16).ok());
    let Some(bits) = bits else {
        // The driver raspberrypi-hwmon: 1 if the voltage was too low since its last measurement.
        let monitors = numbered(&sys.join("class/hwmon"), "hwmon");
        let mut volts =
            monitors.into_iter().filter(|(_, path)| read(&path.join("name")).as_deref() == Some("rpi_volt"));
        let alarm = volts.find_map(|(_, path)| number(&path.join("in0_lcrit_alarm")));
        if let Some(alarm) = alarm {
            let now = [(vec![("reason", REASONS[0])] as Vec<Label<'_>>, alarm)];
            text.family("gauge", "defender_board_slowed", help, &now);
        }
        return;
    };
    let of = |shift: u32| -> Vec<(Vec<Label<'_>>, u32)> {
        let bit = |(at, reason): (u32, &'static str)| (vec![("reason", reason)], bits >> (at + shift) & 1);
        (0..).zip(REASONS).map(bit).collect()
    };
    text.family("gauge", "defender_board_slowed", help, &of(0));
    text.family("gauge", "defender_board_slowed_since_boot", "1 once it did.", &of(16));
}

/// Each processor's clock, and how often it slowed down because of its temperature if it counts that.
fn clocks(text: &mut Text, folder: &Path) {
    let cpus = numbered(folder, "cpu");
    let each = |file: &str, unit: f64| -> Vec<_> {
        let value = |(cpu, path): &(u32, PathBuf)| {
            Some((owned([("cpu", &cpu.to_string())]), number(&path.join(file))? * unit))
        };
        cpus.iter().filter_map(value).collect()
    };
    let mut family = |kind: &str, name: &str, help: &str, file: &str, unit: f64| {
        text.owned(kind, name, help, &each(file, unit));
    };
    let (now, most) = ("defender_cpu_frequency_hertz", "defender_cpu_frequency_max_hertz");
    family("gauge", now, "The clock now.", "cpufreq/scaling_cur_freq", 1000.0);
    family("gauge", most, "The most it may be.", "cpufreq/scaling_max_freq", 1000.0);
    let (throttled, help) = ("defender_cpu_throttled_total", "Times it was slowed down for its heat.");
    family("counter", throttled, help, "thermal_throttle/core_throttle_count", 1.0);
}

/// The zones with a temperature, by number.
fn zones(folder: &Path) -> Vec<Zone> {
    let zone = |(zone, path): (u32, PathBuf)| {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let kind = read(&path.join("type"))?.chars().map(plain).collect();
        Some(Zone { number: zone.to_string(), kind, celsius: number(&path.join("temp"))? / 1000.0 })
    };
    numbered(folder, "thermal_zone").into_iter().filter_map(zone).collect()
}

/// The entries of `folder` that are named `name` and a number, by number.
fn numbered(folder: &Path, name: &str) -> Vec<(u32, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |path: PathBuf| {
        let number = path.file_name()?.to_str()?.strip_prefix(name)?.parse().ok()?;
        Some((number, path))
    };
    let mut found: Vec<_> = entries.filter_map(|entry| number(entry.path())).collect();
    found.sort();
    found
}

/// The content of a kernel file of one line.
fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(path: &Path) -> Option<f64> {
    read(path)?.parse::<i64>().ok().map(|number| number as f64)
}

fn owned<const N: usize>(labels: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
    labels.map(|(label, value)| (label, value.to_owned())).into()
}

/// CPU seconds and threads from /proc/PID/stat (proc_pid_stat(5)). The second field is a name that may hold any
/// character, so fields are counted from its end.
fn cpu_and_threads(stat: &str) -> Option<(f64, u32)> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let cpu_s = (ticks(11)? + ticks(12)?) as f64 / TICKS_A_SECOND;
    Some((cpu_s, fields.get(17)?.parse().ok()?))
}

fn kilobytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 9 0 0 0 150 50 0 0 20 0 12 0 99 1 2";
        assert_eq!(cpu_and_threads(stat), Some((2.0, 12)));
        assert_eq!(cpu_and_threads(""), None);
    }

    /// The board's metrics from these files.
    fn metrics(files: &[(&str, &str)]) -> String {
        let sys = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = sys.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{content}\n")).unwrap();
        }
        let mut text = Text::default();
        board(&mut text, sys.path());
        text.0
    }

    #[track_caller]
    fn holds(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.contains(&format!("{line}\n")), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn a_pi_reports_heat_and_low_voltage() {
        let text = metrics(&[
            ("class/thermal/thermal_zone0/type", "cpu-thermal"),
            ("class/thermal/thermal_zone0/temp", "81250"),
            ("devices/platform/soc/soc:firmware/get_throttled", "50008"),
            ("class/hwmon/hwmon1/name", "rpi_volt"),
            ("class/hwmon/hwmon1/in0_lcrit_alarm", "1"),
        ]);
        let lines = [
            "defender_board_temperature_celsius{zone=\"0\",type=\"cpu_thermal\"} 81.25",
            "defender_board_slowed{reason=\"temperature_limit\"} 1",
            "defender_board_slowed{reason=\"under_voltage\"} 0",
            "defender_board_slowed_since_boot{reason=\"under_voltage\"} 1",
            "defender_board_slowed_since_boot{reason=\"throttled\"} 1",
        ];
        holds(&text, &lines);
        assert_eq!(text.matches("under_voltage").count(), 2, "each once:\n{text}");
    }

    #[test]
    fn a_pi_with_a_mainline_kernel_reports_voltage_and_clock() {
        let text = metrics(&[
            ("class/hwmon/hwmon0/name", "cpu_thermal"),
            ("class/hwmon/hwmon1/name", "rpi_volt"),
            ("class/hwmon/hwmon1/in0_lcrit_alarm", "1"),
            ("devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "600000"),
            ("devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "1500000"),
            ("devices/system/cpu/cpufreq/boost", "1"),
        ]);
        let lines = [
            "defender_board_slowed{reason=\"under_voltage\"} 1",
            "defender_cpu_frequency_hertz{cpu=\"0\"} 600000000",
            "defender_cpu_frequency_max_hertz{cpu=\"0\"} 1500000000",
        ];
        holds(&text, &lines);
        assert!(!text.contains("since_boot") && !text.contains("throttled"), "not reported:\n{text}");
    }

    #[test]
    fn zones_of_one_kind_and_processors_are_distinguished() {
        let text = metrics(&[
            ("class/thermal/thermal_zone2/type", "acpitz"),
            ("class/thermal/thermal_zone2/temp", "27800"),
            ("class/thermal/thermal_zone10/type", "acpitz"),
            ("class/thermal/thermal_zone10/temp", "-5000"),
            ("class/thermal/thermal_zone11/type", "iwlwifi_1"),
            ("class/thermal/cooling_device0/type", "Processor"),
            ("devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "7"),
            ("devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "0"),
        ]);
        let expected = "# HELP defender_board_temperature_celsius Temperature of a thermal zone.\n\
                        # TYPE defender_board_temperature_celsius gauge\n\
                        defender_board_temperature_celsius{zone=\"2\",type=\"acpitz\"} 27.8\n\
                        defender_board_temperature_celsius{zone=\"10\",type=\"acpitz\"} -5\n\
                        # HELP defender_cpu_throttled_total Times it was slowed down for its heat.\n\
                        # TYPE defender_cpu_throttled_total counter\n\
                        defender_cpu_throttled_total{cpu=\"0\"} 7\n\
                        defender_cpu_throttled_total{cpu=\"1\"} 0\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_machine_without_sensors_has_no_metrics() {
        let mut text = Text::default();
        board(&mut text, Path::new("/nowhere"));
        assert_eq!(text.0, "");
    }
}
