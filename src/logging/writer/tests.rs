use super::*;
use std::fs;

fn writer(folder: &std::path::Path) -> (&'static Writer, std::path::PathBuf) {
    let path = folder.join("log");
    let stderr: &'static Writer = Box::leak(Box::new(Writer::new("log", Output::stderr())));
    let file = RotatingFile::open(&path, 100_000_000).unwrap();
    (Box::leak(Box::new(Writer::new("log-file", Output::File(file, stderr)))), path)
}

/// A line without time, level and target.
fn plain(message: &str) -> Line {
    let text = format!("{message}\n");
    Line { level: Level::Info, target: String::new(), text, message_at: 0 }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

#[test]
fn a_full_queue_keeps_room_for_audit_lines() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, path) = writer(folder.path());
    let line = |number: usize| plain(&format!("{number:0>100}"));
    // As much as fills it ten times over: the thread, which is not started, is as good as one that waits.
    let fits = MOST_BYTES / cost(&line(0));
    (0..10 * fits).for_each(|number| writer.push(line(number), false));
    writer.push(plain("audit"), true);
    (0..5).for_each(|number| writer.push(line(number), false));
    (0..10 * fits).for_each(|number| writer.push(line(number), true));
    let bytes: usize = writer
        .lock()
        .items
        .iter()
        .map(|item| match item {
            Item::Line(line) => cost(line),
            _ => 0,
        })
        .sum();
    assert!(bytes <= MOST_BYTES_IMPORTANT && bytes == writer.lock().bytes);
    writer.start().unwrap();
    writer.flush(far());
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!((0..fits).all(|number| lines[number] == line(number).text()), "in order");
    assert!(lines[fits].contains(&format!("{} lines were dropped here:", 9 * fits)), "{}", lines[fits]);
    assert_eq!(lines[fits + 1], "audit");
    assert!(lines[fits + 2].contains(" 5 lines were dropped here:"), "{}", lines[fits + 2]);
    assert!(lines.last().unwrap().contains("of them audit lines or errors"), "{:?}", lines.last());
}

#[test]
fn lines_queued_before_the_thread_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, path) = writer(folder.path());
    writer.push(plain("first"), false);
    writer.flush(far());
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");
    writer.push(plain("second"), false);
    writer.start().unwrap();
    writer.push(plain("third"), false);
    writer.flush(far());
    assert_eq!(fs::read_to_string(&path).unwrap(), "first\nsecond\nthird\n");
}

#[test]
fn a_file_is_opened_again_behind_the_lines_that_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, path) = writer(folder.path());
    let moved = folder.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    writer.push(plain("before"), false);
    writer.reopen();
    writer.push(plain("after"), false);
    writer.start().unwrap();
    writer.flush(far());
    assert_eq!(fs::read_to_string(&moved).unwrap(), "before\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
}

#[test]
fn a_line_the_file_refuses_goes_to_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, path) = writer(folder.path());
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    writer.push(plain("lost?"), false);
    writer.flush(far());
    let output = writer.output.lock().unwrap();
    let Output::File(_, other) = &*output else { panic!() };
    let queue = other.lock();
    let Some(Item::Line(line)) = queue.items.front() else { panic!("nothing was passed on") };
    let message = line.message();
    assert!(message.starts_with("lost? (and this goes to standard error because of"), "{message}");
    assert!(message.contains("No space left"), "{message}");
}
