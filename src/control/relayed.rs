//! Further streams of cameras of other Defenders. Each runs as a camera of its own, called `CAMERA/STREAM`, because it is
//! read from the network as one is; but it is listed among the streams of its camera, and not as a camera.

use std::sync::Arc;

use crate::hub::{CameraFeed, FeedList, Named, StreamFeed, StreamState};
use crate::media::StreamSettings;
use crate::source::{CameraSettings, DeviceChoice, RemoteDevice};

/// Adds what captures the streams of relayed cameras to `cameras`.
pub(super) fn with_streams(cameras: Vec<CameraSettings>) -> Vec<CameraSettings> {
    let streams: Vec<_> = cameras.iter().flat_map(streams_of).collect();
    cameras.into_iter().chain(streams).collect()
}

/// Whether these settings are those of a camera of another Defender, or of a stream of one.
pub(super) fn is_relayed(settings: &CameraSettings) -> bool {
    matches!(settings.device, DeviceChoice::Remote(_))
}

/// Whether these settings are those of a stream's capture.
pub(super) fn is_stream(settings: &CameraSettings) -> bool {
    matches!(&settings.device, DeviceChoice::Remote(device) if device.stream.is_some())
}

/// Lists the streams of the camera of `settings` in `streams`; each is captured by one of `feeds`.
pub(super) fn list_streams(
    settings: &CameraSettings,
    streams: &FeedList<StreamFeed>,
    feeds: &[Arc<CameraFeed>],
) {
    let listed = settings.streams.iter().filter_map(|stream| {
        let name = name_of(&settings.name, stream);
        feeds.iter().find(|feed| feed.name() == name).map(|feed| Arc::new(listed(stream, feed)))
    });
    streams.replace(listed.collect());
}

/// The settings of what captures the streams of one camera; none for one that is not relayed.
fn streams_of(camera: &CameraSettings) -> impl Iterator<Item = CameraSettings> {
    let device = match &camera.device {
        DeviceChoice::Remote(device) if device.stream.is_none() => Some(device),
        _ => None,
    };
    device.into_iter().flat_map(move |device| {
        camera.streams.iter().map(move |stream| {
            let (width, height) = stream.scale.of((camera.width, camera.height));
            CameraSettings {
                name: name_of(&camera.name, stream),
                device: DeviceChoice::Remote(RemoteDevice {
                    stream: Some(stream.name.clone()),
                    ..device.clone()
                }),
                width,
                height,
                fps: stream.fps.unwrap_or(camera.fps),
                streams: Vec::new(),
                ..camera.clone()
            }
        })
    })
}

/// No camera can have such a name: a slash is not in one.
fn name_of(camera: &str, stream: &StreamSettings) -> String {
    format!("{camera}/{}", stream.name)
}

fn listed(stream: &StreamSettings, feed: &Arc<CameraFeed>) -> StreamFeed {
    let source = Arc::clone(feed);
    let state = move || {
        let state = source.state();
        let has_size = state.width > 0 && state.height > 0;
        StreamState { size: has_size.then_some((state.width, state.height)), problem: state.problem }
    };
    StreamFeed::captured(stream, feed.frames().clone(), (feed.published.clone(), feed.sent.clone()), state)
}
