//! The devices that are plugged in, whether they are used or not.

use std::path::PathBuf;

use miniserde::Serialize;

use crate::control::{cameras_plugged_in, microphones_plugged_in, ribbon_cameras_found};
use crate::http::reply::Reply;
use crate::http::state::AppState;
use crate::hub::{FeedList, Named};

#[derive(Serialize)]
struct Devices {
    cameras: Vec<Camera>,
    ribbon_cameras: Vec<RibbonCamera>,
    microphones: Vec<Microphone>,
}

/// `used_by` is the camera of this server that uses the device.
#[derive(Serialize)]
struct Camera {
    node: String,
    by_id: Vec<String>,
    by_path: Vec<String>,
    card: String,
    driver: String,
    problem: Option<String>,
    used_by: Option<String>,
    formats: Vec<Format>,
}

/// A camera that libcamera reads, by its name in `device`. `problem` says what it lacks to give a picture, and what to do.
#[derive(Serialize)]
struct RibbonCamera {
    device: String,
    sensor: String,
    problem: Option<String>,
    used_by: Option<String>,
}

#[derive(Serialize)]
struct Format {
    fourcc: String,
    description: String,
    usable: bool,
    sizes: Vec<Size>,
}

#[derive(Serialize)]
struct Size {
    width: u32,
    height: u32,
    rates_fps: Vec<f32>,
}

/// `used_by` is the microphone of this server that uses the device. Such a device cannot always be opened for its
/// properties; that is not reported as a problem.
#[derive(Serialize)]
struct Microphone {
    pcm: String,
    label: String,
    problem: Option<String>,
    used_by: Option<String>,
    least_rate_hz: u32,
    most_rate_hz: u32,
    least_channels: u32,
    most_channels: u32,
}

/// `GET /api/1.0/devices`.
pub fn list(state: &AppState) -> Reply {
    let cameras = cameras_plugged_in().into_iter().map(|found| Camera {
        used_by: user(&state.cameras, |feed| feed.state().node.as_ref() == Some(&found.node)),
        node: found.node.display().to_string(),
        by_id: links(&found.by_id),
        by_path: links(&found.by_path),
        card: found.card,
        driver: found.driver,
        problem: found.problem,
        formats: found
            .formats
            .into_iter()
            .map(|format| Format {
                fourcc: format.fourcc,
                description: format.description,
                usable: format.usable,
                sizes: format
                    .sizes
                    .into_iter()
                    .map(|size| Size { width: size.width, height: size.height, rates_fps: size.rates_fps })
                    .collect(),
            })
            .collect(),
    });
    let ribbon_cameras = ribbon_cameras_found().into_iter().map(|found| RibbonCamera {
        device: format!("ribbon:{}", found.number),
        sensor: found.sensor,
        problem: Some(found.problems.join("; ")).filter(|problem| !problem.is_empty()),
        used_by: user(&state.cameras, |feed| state.control.has_ribbon(feed, found.number)),
    });
    let microphones = microphones_plugged_in().into_iter().map(|found| {
        let used_by = user(&state.microphones, |feed| feed.state().pcm.as_ref() == Some(&found.pcm));
        Microphone {
            pcm: found.pcm,
            label: found.label,
            problem: found.problem.filter(|_| used_by.is_none()),
            used_by,
            least_rate_hz: found.rates_hz.0,
            most_rate_hz: found.rates_hz.1,
            least_channels: found.channels.0,
            most_channels: found.channels.1,
        }
    });
    Reply::json(
        200,
        &Devices {
            cameras: cameras.collect(),
            ribbon_cameras: ribbon_cameras.collect(),
            microphones: microphones.collect(),
        },
    )
}

fn links(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|link| link.display().to_string()).collect()
}

/// The name of the first feed that uses a device.
fn user<F: Named>(feeds: &FeedList<F>, has_it: impl Fn(&F) -> bool) -> Option<String> {
    feeds.all().iter().find(|feed| has_it(feed)).map(|feed| feed.name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{MicrophoneFeed, MicrophoneState};
    use crate::media::SoundFormat;
    use std::sync::Arc;

    #[test]
    fn a_device_is_used_by_the_feed_that_opened_it() {
        let feed = |name: &str, pcm: Option<&str>| {
            let (_, feed) = MicrophoneFeed::new(name, SoundFormat { rate_hz: 8000, channels: 1 });
            feed.set_state(MicrophoneState { pcm: pcm.map(str::to_owned), ..Default::default() });
            Arc::new(feed)
        };
        let feeds = FeedList::default();
        feeds.replace(vec![feed("lost", None), feed("desk", Some("plughw:CARD=C210,DEV=0"))]);
        let used = |pcm: &str| user(&feeds, |feed| feed.state().pcm.as_deref() == Some(pcm));
        assert_eq!(used("plughw:CARD=C210,DEV=0").as_deref(), Some("desk"));
        assert_eq!(used("plughw:CARD=C210,DEV=1"), None);
    }
}
