//! What the kernel says a process costs: CPU time from schedstat, memory from smaps. What the
//! stand-in camera causes inside the process is distinguished by its names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;

/// The camera's driver thread, and the start of the names of its mappings (see standin.c).
const STANDIN: &str = "standin";

/// Defender's threads that write what is recorded, and delete it.
const RECORDERS: [&str; 2] = ["recorder", "keeper"];

/// CPU time of every thread of a process, at one moment.
pub struct ThreadTimes {
    /// By thread id, in ns. Without the camera's driver thread.
    by_id: BTreeMap<u32, u64>,
    /// The threads that do nothing but recording.
    recorders: BTreeSet<u32>,
}

impl ThreadTimes {
    /// As of now, of several processes together.
    pub fn of_all(pids: &[u32]) -> Result<Self, Failure> {
        let mut all = Self { by_id: BTreeMap::new(), recorders: BTreeSet::new() };
        for pid in pids {
            let Self { by_id, recorders } = Self::of(*pid)?;
            all.by_id.extend(by_id);
            all.recorders.extend(recorders);
        }
        Ok(all)
    }

    fn of(pid: u32) -> Result<Self, Failure> {
        let tasks = format!("/proc/{pid}/task");
        let (mut by_id, mut recorders) = (BTreeMap::new(), BTreeSet::new());
        let listed = fs::read_dir(&tasks).map_err(Failure::while_doing(format!("reading {tasks}")))?;
        for task in listed.flatten() {
            let id = task.file_name().to_string_lossy().parse();
            // A thread may end between the listing and the reading.
            let read = (fs::read_to_string(task.path().join("comm")), read_run_ns(&task.path()));
            if let (Ok(id), (Ok(name), Some(run_ns))) = (id, read)
                && name.trim_end() != STANDIN
            {
                by_id.insert(id, run_ns);
                if RECORDERS.contains(&name.trim_end()) {
                    recorders.insert(id);
                }
            }
        }
        if by_id.is_empty() {
            return Err(Failure::Usage(format!("{tasks}: no schedstat in this kernel")));
        }
        Ok(Self { by_id, recorders })
    }

    /// How many threads there are.
    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    /// CPU time used since `earlier`. What a thread used that ended in between is lost; a server
    /// with steady viewers ends none.
    pub fn since(&self, earlier: &Self) -> Duration {
        self.used(earlier, |_| true)
    }

    /// The part of [`Self::since`] that the threads used which do nothing but recording.
    pub fn of_recorders_since(&self, earlier: &Self) -> Duration {
        self.used(earlier, |id| self.recorders.contains(id))
    }

    fn used(&self, earlier: &Self, counts: impl Fn(&u32) -> bool) -> Duration {
        let used = self.by_id.iter().filter(|(id, _)| counts(id));
        let used = used.map(|(id, ns)| ns - earlier.by_id.get(id).copied().unwrap_or(0).min(*ns));
        Duration::from_nanos(used.sum())
    }
}

/// Memory of a process at one moment, without the camera's object, film and named memory.
#[derive(Debug, Default, PartialEq)]
pub struct Memory {
    /// All of it, each shared page divided among the processes that share it (PSS).
    pub pss_kib: u64,
    /// Heap, stacks and changed data: what no other process can share.
    pub anonymous_kib: u64,
}

impl Memory {
    /// As of now, of several processes together. The paths are as the kernel names them.
    pub fn of_all(pids: &[u32], standin: &Path, film: &Path) -> Result<Self, Failure> {
        let mut all = Self::default();
        for pid in pids {
            let memory = Self::of(*pid, standin, film)?;
            all.pss_kib += memory.pss_kib;
            all.anonymous_kib += memory.anonymous_kib;
        }
        Ok(all)
    }

    fn of(pid: u32, standin: &Path, film: &Path) -> Result<Self, Failure> {
        let path = format!("/proc/{pid}/smaps");
        let smaps = fs::read_to_string(&path).map_err(Failure::while_doing(format!("reading {path}")))?;
        Ok(Self::sum(&smaps, |name| {
            name.starts_with("/memfd:standin") || Path::new(name) == standin || Path::new(name) == film
        }))
    }

    fn sum(smaps: &str, excluded: impl Fn(&str) -> bool) -> Self {
        let mut memory = Self::default();
        let mut counted = true;
        for line in smaps.lines() {
            let mut fields = line.split_whitespace();
            let first = fields.next().unwrap_or("");
            if !first.ends_with(':') {
                counted = !excluded(fields.nth(4).unwrap_or(""));
                continue;
            }
            let sum_kib = match first {
                "Pss:" if counted => &mut memory.pss_kib,
                "Anonymous:" if counted => &mut memory.anonymous_kib,
                _ => continue,
            };
            *sum_kib += fields.next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
        }
        memory
    }
}

/// CPU time all cores together spent on anything but idling.
pub fn machine_busy() -> Result<Duration, Failure> {
    let stat = fs::read_to_string("/proc/stat").map_err(Failure::while_doing("reading /proc/stat"))?;
    let ticks = stat.lines().next().unwrap_or("").split_whitespace().skip(1);
    let ticks: Vec<u64> = ticks.filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is part of user (proc(5)).
    let busy = [0, 1, 2, 5, 6, 7].iter().filter_map(|field| ticks.get(*field)).sum::<u64>();
    let ticks_per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_millis(busy * 1000 / ticks_per_second))
}

/// The first field of schedstat: time spent on a CPU, in ns.
fn read_run_ns(task: &Path) -> Option<u64> {
    fs::read_to_string(task.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_camera_s_memory_is_not_counted() {
        let smaps = "\
55d0-55d1 r-xp 00000000 fe:00 7  /usr/bin/server\nRss: 9 kB\nPss: 4 kB\nPss_Dirty: 1 kB\n\
7f00-7f01 rw-s 00000000 00:01 8  /memfd:standin-state (deleted)\nPss: 90 kB\nAnonymous: 90 kB\n\
7f02-7f03 rw-p 00000000 00:00 0 \nPss: 3 kB\nAnonymous: 2 kB\nVmFlags: rd wr\n";
        let memory = Memory::sum(smaps, |name| name.starts_with("/memfd:standin"));
        assert_eq!(memory, Memory { pss_kib: 7, anonymous_kib: 2 });
    }

    #[test]
    fn threads_that_came_later_count_in_full() {
        let times = |pairs: &[(u32, u64)]| ThreadTimes {
            by_id: pairs.iter().copied().collect(),
            recorders: BTreeSet::from([3]),
        };
        let (before, after) = (times(&[(1, 400), (2, 9)]), times(&[(1, 500), (3, 70)]));
        assert_eq!(after.since(&before), Duration::from_nanos(170));
        assert_eq!(after.of_recorders_since(&before), Duration::from_nanos(70));
    }
}
