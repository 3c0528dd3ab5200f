//! What is recorded, where to, and for how long it fits.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use rustix::fs::{Access, access};

use super::{Report, disk};
use crate::base::disk::folder_of;
use crate::base::volume;
use crate::config::{Config, estimated_frame_bytes};
use crate::media::{RecordSettings, RecordSound, RecordStore, RecordWhen};
use crate::source::{CameraSettings, MicrophoneSettings};

const HOUR_S: u64 = 3600;

/// Folders below that of recordings: of a camera, and of a day.
const DEPTH: u32 = 2;

/// About how many bytes a second a camera's recording takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rate {
    /// Between events.
    idle: u64,
    /// During events.
    full: u64,
}

impl Report {
    /// The lines about recording; none where nothing is recorded.
    pub(super) fn recordings(&mut self, config: &Config, tries_disk: bool) {
        if !config.records() && !tries_disk {
            return;
        }
        let mut sum = Rate::default();
        for camera in &config.cameras {
            let Some(record) = camera.record.active() else { continue };
            let rate = rate(camera, record, &config.microphones);
            sum = Rate { idle: sum.idle + rate.idle, full: sum.full + rate.full };
            self.line(&format!("records {}", camera.name), described(record, rate));
        }
        for remote in config.remotes.iter().filter(|remote| remote.record.is_on) {
            let when = remote.record.settings.when.name();
            self.line(&format!("records {}", remote.name), format_args!("all its cameras: {when}"));
        }
        if let Err(why) = self.place(&config.record, sum) {
            self.is_unrecorded = true;
            self.line("recordings", format_args!("NOT RECORDED now: {}: {why}", config.record.dir.display()));
        } else if tries_disk {
            self.disk(&config.record.dir, sum);
        }
    }

    /// The folder of recordings.
    fn place(&mut self, store: &RecordStore, rate: Rate) -> io::Result<()> {
        let dir = &store.dir;
        if store.is_mount {
            volume::check_mounted(dir)?;
        }
        // A missing one is made at the start, and lies where the one above it does.
        let (found, what) =
            if dir.exists() { (dir.as_path(), "") } else { (folder_of(dir), ", made at the start") };
        access(found, Access::WRITE_OK | Access::EXEC_OK)?;
        let (space, kind) = (volume::space(found)?, volume::kind(found)?);
        let name = kind.map_or("a file system that is not known here", |kind| kind.name);
        let free = format!("{} free of {}", gigabytes(space.free), gigabytes(space.total));
        self.line("recordings", format_args!("{}{what} ({name}, {free})", dir.display()));
        if let Some(risk) = kind.and_then(|kind| kind.risk) {
            self.line("warning", format_args!("{} is on {name}: {risk}", dir.display()));
        }
        if store.min_free_bytes >= space.total {
            let message =
                format!("min_free_gb is {}, and the disk has no more", gigabytes(store.min_free_bytes));
            self.line("warning", message);
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                "min_free_gb leaves no space for recordings",
            ));
        }
        self.line("fits", fitting(store, space.free, used(found, DEPTH, dir.exists()), rate));
        Ok(())
    }

    /// How fast the disk is, beside what it has to take.
    fn disk(&mut self, dir: &Path, rate: Rate) {
        let speed = match disk::try_out(dir) {
            Ok(speed) => speed,
            Err(why) => return self.line("disk", format_args!("cannot be tried: {why}")),
        };
        let longest_ms = speed.longest.as_millis();
        self.line(
            "disk",
            format_args!(
                "takes {} a second in pieces of 1 MiB, each in {longest_ms} ms or less",
                megabytes(speed.bytes_per_s)
            ),
        );
        if speed.bytes_per_s < 2 * rate.full {
            let needed = megabytes(rate.full);
            self.line(
                "warning",
                format_args!("that is too slow for recordings of {needed} a second: lower fps or the size"),
            );
        }
    }
}

/// By the size that was asked for. Once there are recordings, their own bytes would tell it better.
fn rate(camera: &CameraSettings, record: &RecordSettings, microphones: &[MicrophoneSettings]) -> Rate {
    let frame = estimated_frame_bytes(camera);
    let named = |microphone: &&MicrophoneSettings| Some(&microphone.name) == record.microphone.as_ref();
    let samples = microphones
        .iter()
        .find(named)
        .map_or(0, |microphone| u64::from(microphone.format.rate_hz) * u64::from(microphone.format.channels));
    let sound = match record.sound {
        RecordSound::Pcm => samples * 2,
        RecordSound::Flac => samples,
    };
    let full = frame * u64::from(camera.fps) + sound;
    let idle = match record.when {
        RecordWhen::Always => full,
        RecordWhen::Events => 0,
        RecordWhen::IdleAndEvents => frame * u64::from(record.idle_fps.min(camera.fps)),
    };
    Rate { idle, full }
}

/// In words, how a camera is recorded.
fn described(record: &RecordSettings, rate: Rate) -> String {
    let mut words = record.when.name().to_owned();
    match record.when {
        RecordWhen::Always => {}
        RecordWhen::Events | RecordWhen::IdleAndEvents => {
            let (pre, post) = (record.pre.as_secs(), record.post.as_secs());
            let _ = write!(words, ", from {pre} s before an event to {post} s after it");
        }
    }
    match &record.microphone {
        Some(name) => {
            let _ = write!(words, ", with microphone {name}");
        }
        None => words.push_str(", without sound"),
    }
    if rate.idle > 0 {
        let _ = write!(words, "; about {} a day", gigabytes(rate.idle * 24 * HOUR_S));
    }
    if rate.idle != rate.full {
        let _ = write!(words, "; about {} an hour in events", gigabytes(rate.full * HOUR_S));
    }
    words
}

/// How long recordings fit.
fn fitting(store: &RecordStore, free: u64, used: u64, rate: Rate) -> String {
    let by_disk = (free + used).saturating_sub(store.min_free_bytes);
    let room = store.max_bytes.map_or(by_disk, |most| most.min(by_disk));
    let mut words = format!("{} of recordings", gigabytes(room));
    if let Some(hours) = room.checked_div(rate.idle * HOUR_S) {
        let events = if rate.idle == rate.full { "" } else { " without events" };
        let _ = match hours {
            1 => write!(words, ", about an hour{events}"),
            0..72 => write!(words, ", about {hours} hours{events}"),
            _ => write!(words, ", about {} days{events}", hours / 24),
        };
    }
    if rate.idle != rate.full {
        let _ =
            write!(words, ", about {} hours of events", room.checked_div(rate.full * HOUR_S).unwrap_or(0));
    }
    words
}

/// The bytes of recordings that there are.
fn used(folder: &Path, depth: u32, is_there: bool) -> u64 {
    let Some(entries) = fs::read_dir(folder).ok().filter(|_| is_there) else { return 0 };
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() && depth > 0 => used(&entry.path(), depth - 1, true),
        Ok(found) if found.is_file() => found.len(),
        _ => 0,
    };
    entries.filter_map(Result::ok).map(bytes).sum()
}

/// With one decimal place.
fn gigabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000_000) / 100_000_000;
    format!("{}.{} GB", tenths / 10, tenths % 10)
}

/// With one decimal place.
fn megabytes(bytes: u64) -> String {
    let tenths = (bytes + 50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_fit_come_from_the_settings() {
        let text = "[record]\nmax_gb = 20\n[camera.a]\nfps = 15\n[camera.a.record]\nwhen = \"always\"\n\
                    [camera.b]\n[camera.b.record]\nwhen = \"idle+events\"\nidle_fps = 2\n[microphone.b]\n\
                    [camera.c]\n[camera.c.record]\nsound = \"pcm\"\nmicrophone = \"b\"\n";
        let config = Config::of_text(text, Path::new("d.conf")).unwrap();
        let rates: Vec<Rate> = config
            .cameras
            .iter()
            .map(|camera| rate(camera, camera.record.active().unwrap(), &config.microphones))
            .collect();
        let frame = 640 * 480 / 9;
        assert_eq!(rates[0], Rate { idle: 15 * frame, full: 15 * frame });
        assert_eq!(rates[1], Rate { idle: 2 * frame, full: 30 * frame + 32_000 });
        assert_eq!(rates[2], Rate { idle: 0, full: 30 * frame + 64_000 });
        let fits = |at: usize, free| fitting(&config.record, free, 1_000_000_000, rates[at]);
        assert_eq!(fits(0, 9_000_000_000), "8.0 GB of recordings, about 4 hours");
        assert_eq!(fits(0, 900_000_000_000), "20.0 GB of recordings, about 10 hours");
        let always = Rate { idle: 100_000, full: 100_000 };
        assert_eq!(
            fitting(&config.record, 90_000_000_000, 0, always),
            "20.0 GB of recordings, about 55 hours"
        );
        assert_eq!(
            fits(1, 90_000_000_000),
            "20.0 GB of recordings, about 3 days without events, about 5 hours of events"
        );
        assert_eq!(fits(2, 0), "0.0 GB of recordings, about 0 hours of events");
        let described = described(config.cameras[1].record.active().unwrap(), rates[1]);
        assert!(
            described.contains("with microphone b; about 5.9 GB a day; about 3.8 GB an hour"),
            "{described}"
        );
    }

    #[test]
    fn what_there_is_counts_three_folders_deep() {
        let folder = tempfile::tempdir().unwrap();
        let day = folder.path().join("front/2026-11-28");
        fs::create_dir_all(day.join("deeper")).unwrap();
        for (file, bytes) in [("catalog", 1), ("front/x", 20), ("front/2026-11-28/y", 300)] {
            fs::write(folder.path().join(file), vec![0; bytes]).unwrap();
        }
        fs::write(day.join("deeper/z"), "no recording").unwrap();
        std::os::unix::fs::symlink("/proc", folder.path().join("link")).unwrap();
        assert_eq!(used(folder.path(), DEPTH, true), 321);
    }
}
