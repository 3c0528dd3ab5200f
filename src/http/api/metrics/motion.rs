//! Metrics of detection.

use std::sync::Arc;

use super::text::Text;
use crate::http::state::AppState;
use crate::hub::Named;
use crate::motion::Watch;
use crate::users::Scope;

/// Those of the cameras that a user may see at which motion is looked for; nothing where there is none.
pub fn cameras(text: &mut Text, state: &AppState, scope: &Scope) {
    let all = state.cameras.all();
    let own: Vec<(&str, Arc<Watch>)> = all
        .iter()
        .filter(|feed| scope.sees(feed.name()))
        .filter_map(|feed| Some((feed.name(), state.motion.watch(feed.name())?)))
        .collect();
    let mut each = |name: &str, help: &str, value: fn(&Watch) -> u32| {
        let values: Vec<_> =
            own.iter().map(|(camera, watch)| (vec![("camera", *camera)], value(watch))).collect();
        text.family("counter", name, help, &values);
    };
    each("defender_looks_total", "Frames that motion was looked for in.", |watch| watch.looks.get());
    each("defender_looks_skipped_total", "Looks that were left out for lack of time.", |watch| {
        watch.skipped.get()
    });
    let events: Vec<_> = own
        .iter()
        .flat_map(|(camera, watch)| {
            let row = |(kind, count): (crate::media::EventKind, u32)| {
                (vec![("camera", *camera), ("kind", kind.name())], count)
            };
            watch.events().map(row).collect::<Vec<_>>()
        })
        .collect();
    text.family("counter", "defender_detections_total", "Events that detection began.", &events);
}
