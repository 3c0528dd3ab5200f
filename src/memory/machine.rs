//! How much memory the machine has, or the control group that the server runs in (proc(5), and
//! Documentation/admin-guide/cgroup-v2.rst of Linux).

use std::fs;
use std::path::Path;

/// Bytes of memory that this process may use at the most; `None` where the system does not say.
pub fn installed_bytes() -> Option<u64> {
    let of_machine = fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(total_bytes);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    of_machine.into_iter().chain(group_bytes(Path::new("/sys/fs/cgroup"), &groups)).min()
}

/// `MemTotal` of /proc/meminfo.
fn total_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The lowest limit of the groups named in /proc/self/cgroup and of those above them; "max" is none.
fn group_bytes(mounted: &Path, groups: &str) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next()?, parts.next()?);
        let (root, file) = match controllers {
            "" => (mounted.to_owned(), "memory.max"),
            named if named.split(',').any(|name| name == "memory") => {
                (mounted.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let group = root.join(group.trim_start_matches('/'));
        let levels = group.ancestors().take_while(|level| level.starts_with(&root));
        levels.filter_map(|level| fs::read_to_string(level.join(file)).ok()?.trim().parse().ok()).min()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_the_machine_is_read() {
        assert_eq!(total_bytes("MemTotal:         438004 kB\nMemFree: 1 kB\n"), Some(438_004 * 1024));
        assert_eq!(total_bytes("MemFree: 1 kB\n"), None);
        assert!(installed_bytes().is_some_and(|bytes| bytes > 0));
    }

    #[test]
    fn the_lowest_limit_of_a_group_and_those_above_it_counts() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("system.slice/defender.service/memory.max", "max\n");
        write("system.slice/memory.max", "134217728\n");
        write("memory/box/memory.limit_in_bytes", "9223372036854771712\n");
        let read = |groups| group_bytes(folder.path(), groups);
        assert_eq!(read("0::/system.slice/defender.service\n"), Some(134_217_728));
        assert_eq!(read("4:memory:/box\n3:cpu:/box\n"), Some(9_223_372_036_854_771_712));
        assert_eq!(read("0::/elsewhere\n"), None);
        assert_eq!(read(""), None);
    }
}
