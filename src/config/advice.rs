//! Settings of recording that are allowed and make no sense together.

use super::Config;
use crate::media::{RecordSettings, RecordStore};
use crate::source::CameraSettings;

/// Pixels for each byte of a JPEG, measured: 33 KB at 640x480, 100 KB at 1280x720.
const PIXELS_PER_BYTE: u64 = 9;

impl Config {
    /// What is probably a mistake in the settings of recording.
    pub(super) fn record_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for camera in &self.cameras {
            let Some(record) = camera.record.active() else { continue };
            let section = format!("[camera.{}.record]", camera.name);
            let own =
                [name(&camera.name), idle_rate(record, camera), recent(record, camera)].into_iter().flatten();
            let own = own.chain(room(record.max_bytes, &self.record));
            warnings.extend(own.chain(days(record)).map(|what| format!("{section}: {what}")));
        }
        for remote in &self.remotes {
            let Some(record) = remote.record.active() else { continue };
            warnings.extend(days(record).map(|what| format!("[remote.{}.record]: {what}", remote.name)));
        }
        if self.records() {
            warnings
                .extend(room(self.record.max_bytes, &self.record).map(|what| format!("[record]: {what}")));
        }
        warnings
    }
}

/// About how many bytes a picture of this camera has.
pub fn estimated_frame_bytes(camera: &CameraSettings) -> u64 {
    let (width, height) = camera.raw_size.unwrap_or((camera.width, camera.height));
    u64::from(width) * u64::from(height) / PIXELS_PER_BYTE
}

fn name(camera: &str) -> Option<String> {
    RecordStore::TAKEN_NAMES.contains(&camera).then(|| {
        format!(
            "a camera named {camera} is not recorded: the name is reserved in the folder of recordings; rename \
             the camera"
        )
    })
}

/// Of a limit, one file is being written and one has to stay.
fn room(most_bytes: Option<u64>, store: &RecordStore) -> Option<String> {
    let two = 2 * store.segment_bytes;
    most_bytes.filter(|most| *most < two).map(|_| {
        let segment_mb = store.segment_bytes >> 20;
        format!("max_gb is less than two files of segment_mb = {segment_mb}, so nothing recorded would stay")
    })
}

fn idle_rate(record: &RecordSettings, camera: &CameraSettings) -> Option<String> {
    let (idle, fps) = (record.idle_fps, camera.fps);
    (idle > fps).then(|| format!("idle_fps is {idle}, but the camera has {fps} fps, so all frames are kept"))
}

/// The frames of `pre` are kept in memory, and that is limited.
fn recent(record: &RecordSettings, camera: &CameraSettings) -> Option<String> {
    let bytes_per_s = estimated_frame_bytes(camera) * u64::from(camera.fps);
    let most = RecordSettings::MOST_RECENT_BYTES as u64;
    (bytes_per_s.saturating_mul(record.pre.as_secs()) > most).then(|| {
        format!(
            "pre_s is {}, but about {} s of {}x{} at {} fps fit into the {} MiB of memory for it; a smaller picture or \
             fewer frames make it longer",
            record.pre.as_secs(),
            most / bytes_per_s.max(1),
            camera.width,
            camera.height,
            camera.fps,
            most >> 20,
        )
    })
}

fn days(record: &RecordSettings) -> impl Iterator<Item = String> {
    let RecordSettings { days, event_days, thin_after_days, .. } = record;
    let thinned = days.zip(*thin_after_days).filter(|(days, thin)| thin >= days).map(|(days, thin)| {
        format!("thin_after_days is {thin}, but days is {days}, so nothing is thinned before it is deleted")
    });
    let events = days.zip(*event_days).filter(|(days, event)| event < days).map(|(days, event)| {
        format!(
            "event_days is {event}, but days is {days}: footage with an event goes before footage without one"
        )
    });
    [thinned, events].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn warnings(text: &str) -> String {
        Config::of_text(text, Path::new("d.conf")).unwrap().record_warnings().join("\n")
    }

    #[test]
    fn settings_that_make_no_sense_together_are_named() {
        let remote = "[remote.attic]\nurl = \"https://attic/\"\ntoken = \"t\"\n[remote.attic.record]\n";
        for (text, expected) in [
            (
                "[camera.front]\nfps = 5\n[camera.front.record]\nidle_fps = 6\n",
                "idle_fps is 6, but the camera has 5 fps",
            ),
            ("[camera.front.record]\ndays = 7\nthin_after_days = 7\n", "thin_after_days is 7, but days is 7"),
            ("[camera.front.record]\ndays = 7\nevent_days = 6\n", "event_days is 6, but days is 7"),
            (
                "[camera.front]\nwidth = 1280\nheight = 720\n[camera.front.record]\n",
                "about 5 s of 1280x720 at 30 fps fit",
            ),
            (&format!("{remote}days = 7\nevent_days = 6\n"), "[remote.attic.record]: event_days is 6"),
            ("[camera.pool.record]\n", "a camera named pool is not recorded"),
            (
                "[camera.front.record]\nmax_gb = 0.06\n",
                "[camera.front.record]: max_gb is less than two files",
            ),
            (
                "[record]\nmax_gb = 0.01\n[camera.front.record]\n",
                "[record]: max_gb is less than two files of segment_mb = 32",
            ),
        ] {
            let found = warnings(text);
            assert!(found.contains(expected) && found.lines().count() == 1, "{expected}: {found}");
            assert_eq!(warnings(&text.replace(".record]\n", ".record]\nwhen = \"off\"\n")), "", "{text}");
        }
    }

    #[test]
    fn settings_that_make_sense_cause_no_warning() {
        assert_eq!(warnings("[camera.front.record]\ndays = 7\nevent_days = 7\nthin_after_days = 6\n"), "");
        assert_eq!(
            warnings("[camera.front]\nfps = 1\n[camera.front.record]\nevent_days = 1\nthin_after_days = 9\n"),
            ""
        );
    }
}
