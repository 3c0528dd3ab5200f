//! What the kernel tells of this process and of the board it runs on. What it does not tell is left
//! out.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::text::{Label, Text};

/// The clock of /proc/PID/stat; Linux tells programs no other on any architecture Defender runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// The process, by the names that Prometheus' own clients use.
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
        // One of them is this very look.
        text.gauge("process_open_fds", "Open file descriptors.", open.count().saturating_sub(1));
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let started = now.saturating_sub(running_for).as_secs();
    text.gauge("process_start_time_seconds", "Start by the wall clock.", started);
}

/// The board under the folder `sys`: temperatures, and whether it had to slow down.
pub fn board(text: &mut Text, sys: &Path) {
    let zones = zones(&sys.join("class/thermal"));
    let values: Vec<_> = zones
        .iter()
        .map(|(zone, celsius)| (vec![("zone", zone.as_str())] as Vec<Label<'_>>, celsius))
        .collect();
    text.family("gauge", "defender_board_temperature_celsius", "Where the kernel tells.", &values);
    // The Raspberry Pi's firmware: bits for now, and the same 16 higher for since the boot
    // (raspberrypi.com, "vcgencmd get_throttled").
    let told = fs::read_to_string(sys.join("devices/platform/soc/soc:firmware/get_throttled"));
    let bits = told.ok().and_then(|hex| u32::from_str_radix(hex.trim().trim_start_matches("0x"), 16).ok());
    if let Some(bits) = bits {
        let of = |bit: u32| (bits >> bit & 1, bits >> (bit + 16) & 1);
        let reasons = [
            ("under_voltage", of(0)),
            ("frequency_capped", of(1)),
            ("throttled", of(2)),
            ("temperature_limit", of(3)),
        ];
        let now = reasons.map(|(reason, (now, _))| (vec![("reason", reason)] as Vec<Label<'_>>, now));
        text.family("gauge", "defender_board_slowed", "1 while the board slows down for it.", &now);
        let ever = reasons.map(|(reason, (_, ever))| (vec![("reason", reason)] as Vec<Label<'_>>, ever));
        text.family("gauge", "defender_board_slowed_since_boot", "1 once it did.", &ever);
    }
}

/// Each zone's name and temperature; of zones of one name, the first.
fn zones(folder: &Path) -> Vec<(String, f64)> {
    let mut zones: Vec<(String, f64)> = Vec::new();
    let mut paths: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|zone| zone.path()).collect();
    paths.sort();
    for path in paths {
        let read = |name: &str| fs::read_to_string(path.join(name)).ok();
        let (Some(kind), Some(milli)) = (read("type"), read("temp")) else { continue };
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = kind.trim().chars().map(plain).collect();
        let Ok(milli) = milli.trim().parse::<i32>() else { continue };
        if zones.iter().all(|(known, _)| *known != name) {
            zones.push((name, f64::from(milli) / 1000.0));
        }
    }
    zones
}

/// CPU seconds and threads of a line of /proc/PID/stat (proc_pid_stat(5)): its second field is a name
/// that may hold anything, so fields are counted from behind it.
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

    #[test]
    fn a_pi_that_is_hot_and_had_too_little_power_says_so() {
        let sys = tempfile::tempdir().unwrap();
        let zone = sys.path().join("class/thermal/thermal_zone0");
        let firmware = sys.path().join("devices/platform/soc/soc:firmware");
        fs::create_dir_all(&zone).unwrap();
        fs::create_dir_all(&firmware).unwrap();
        fs::write(zone.join("type"), "cpu-thermal\n").unwrap();
        fs::write(zone.join("temp"), "81250\n").unwrap();
        fs::write(firmware.join("get_throttled"), "50008\n").unwrap();
        let mut text = Text::default();
        board(&mut text, sys.path());
        for line in [
            "defender_board_temperature_celsius{zone=\"cpu_thermal\"} 81.25\n",
            "defender_board_slowed{reason=\"temperature_limit\"} 1\n",
            "defender_board_slowed{reason=\"under_voltage\"} 0\n",
            "defender_board_slowed_since_boot{reason=\"under_voltage\"} 1\n",
            "defender_board_slowed_since_boot{reason=\"throttled\"} 1\n",
        ] {
            assert!(text.0.contains(line), "{line} is missing in\n{}", text.0);
        }
    }

    #[test]
    fn a_machine_that_tells_nothing_gives_nothing() {
        let mut text = Text::default();
        board(&mut text, Path::new("/nowhere"));
        assert_eq!(text.0, "");
    }
}
