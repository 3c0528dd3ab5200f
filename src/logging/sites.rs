//! A limit for each place in the code that logs, so that no camera, remote or client fills the log with a line
//! that it can cause at will. Lines from `main` and `reload` are exempt: they are about what the owner configured.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use log::{Level, Record};

use super::limit::{Count, Limit};
use crate::base::lock;

/// Lines of one place by threads of one name (`camera-front`), lines of one place in all, and the window. At most
/// 141 lines of 200 bytes in ten minutes, 0.2 MB an hour.
const SITE: (u32, u32, Duration) = (20, 120, Duration::from_secs(600));

/// The same for levels `debug` and `trace`, which are for a look of some minutes: at most 321 lines of 512 bytes a
/// minute, 10 MB an hour.
const SITE_DEBUG: (u32, u32, Duration) = (100, 300, Duration::from_secs(60));

/// Threads whose lines no peer can cause.
const OWNERS: [&str; 2] = ["main", "reload"];

/// A file and a line of the source, and the target: one line may log for several modules. There are as many as
/// there are calls of `log`'s macros and targets of the program.
type Site = (&'static str, u32, String);

static LIMITS: Mutex<Option<HashMap<Site, &'static Limit>>> = Mutex::new(None);

/// Whether a line is to be written, and the counts of lines that were not.
pub(super) fn admit(record: &Record<'_>) -> (bool, Vec<Count>) {
    let (Some(file), Some(line)) = (record.file_static(), record.line()) else { return (true, Vec::new()) };
    let current = thread::current();
    let thread = current.name().unwrap_or("?");
    if OWNERS.contains(&thread) {
        return (true, Vec::new());
    }
    let site = (file, line, record.target().to_owned());
    limit_of(site, record.level()).admit(thread, record.level(), record.target(), Instant::now())
}

fn limit_of(site: Site, level: Level) -> &'static Limit {
    let mut limits = lock(&LIMITS);
    let what = format!("lines of {}:{}", site.0, site.1);
    limits.get_or_insert_default().entry(site).or_insert_with(|| {
        let (each, total, window) = if level <= Level::Info { SITE } else { SITE_DEBUG };
        Box::leak(Box::new(Limit::new(Box::leak(what.into_boxed_str()), each, total, window)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_limited_for_each_thread_but_the_owners() {
        let admitted = |name: &str| {
            let many = || {
                let record = || Record::builder().file_static(Some("a.rs")).line(Some(1)).build();
                (0..1000).filter(|_| admit(&record()).0).count()
            };
            thread::Builder::new().name(name.to_owned()).spawn(many).unwrap().join().unwrap()
        };
        assert_eq!(admitted("camera-a"), 20);
        assert_eq!(admitted("camera-b"), 20);
        assert_eq!(admitted("reload"), 1000);
    }

    #[test]
    fn a_line_that_logs_for_two_modules_has_a_limit_for_each() {
        let admitted = |target: &'static str| {
            let many = move || {
                let record =
                    || Record::builder().file_static(Some("b.rs")).line(Some(1)).target(target).build();
                (0..1000).filter(|_| admit(&record()).0).count()
            };
            thread::Builder::new().name("camera-c".to_owned()).spawn(many).unwrap().join().unwrap()
        };
        assert_eq!((admitted("relay"), admitted("v4l2")), (20, 20));
    }
}
