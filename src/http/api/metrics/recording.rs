//! Metrics of recording.

use super::text::Text;
use crate::http::state::AppState;
use crate::record::{CameraStatus, State};
use crate::users::Scope;

/// Those of the cameras that a user may see that are to be recorded; nothing where there is none.
pub fn cameras(text: &mut Text, state: &AppState, scope: &Scope) {
    let all = state.recordings.status();
    let own: Vec<_> = all.iter().filter(|status| scope.sees(&status.camera)).collect();
    let mut each = |kind, name: &str, help: &str, value: &dyn Fn(&CameraStatus) -> u64| {
        let values: Vec<_> =
            own.iter().map(|status| (vec![("camera", status.camera.as_str())], value(status))).collect();
        text.family(kind, name, help, &values);
    };
    each(
        "gauge",
        "defender_recording_up",
        "1 while frames are written, or would be at an event.",
        &|status| u64::from(matches!(status.state, State::Recording | State::Waiting)),
    );
    each("counter", "defender_recorded_frames_total", "Frames written to disk.", &|status| status.frames);
    each(
        "counter",
        "defender_recorded_bytes_total",
        "Bytes of pictures and sound written to disk.",
        &|status| status.bytes,
    );
    each(
        "counter",
        "defender_recording_missed_frames_total",
        "Frames that came faster than the disk.",
        &|status| status.missed,
    );
}

/// Those of all footage together; nothing where no camera is recorded.
pub fn footage(text: &mut Text, state: &AppState) {
    let recordings = &state.recordings;
    if recordings.status().is_empty() {
        return;
    }
    text.gauge("defender_footage_bytes", "Bytes of all files with footage.", recordings.bytes());
    let sacrificed = recordings.sacrificed();
    let deleted: Vec<_> = sacrificed
        .deleted
        .iter()
        .map(|(reason, segments, _)| (vec![("reason", reason.name())], *segments))
        .collect();
    text.family("counter", "defender_segments_deleted_total", "Files that retention deleted.", &deleted);
    text.counter("defender_segments_thinned_total", "Files that retention thinned.", sacrificed.thinned.0);
    if let Some(loss) = recordings.loss() {
        let help = "Seconds until footage is deleted too early, at the present rate.";
        text.gauge("defender_footage_loss_seconds", help, loss.in_s);
    }
}
