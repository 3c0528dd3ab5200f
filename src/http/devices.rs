//! What is plugged in, whether it is used or not.

use miniserde::Serialize;

use crate::control::{cameras_plugged_in, microphones_plugged_in};

use super::reply::Reply;

#[derive(Serialize)]
struct Devices {
    cameras: Vec<Camera>,
    microphones: Vec<Microphone>,
}

#[derive(Serialize)]
struct Camera {
    node: String,
    by_id: Vec<String>,
    card: String,
    driver: String,
    problem: Option<String>,
    formats: Vec<Format>,
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

#[derive(Serialize)]
struct Microphone {
    pcm: String,
    label: String,
    problem: Option<String>,
    least_rate_hz: u32,
    most_rate_hz: u32,
    least_channels: u32,
    most_channels: u32,
}

/// `GET /api/1.0/devices`.
pub fn list() -> Reply {
    let cameras = cameras_plugged_in().into_iter().map(|found| Camera {
        node: found.node.display().to_string(),
        by_id: found.by_id.iter().map(|link| link.display().to_string()).collect(),
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
    let microphones = microphones_plugged_in().into_iter().map(|found| Microphone {
        pcm: found.pcm,
        label: found.label,
        problem: found.problem,
        least_rate_hz: found.rates_hz.0,
        most_rate_hz: found.rates_hz.1,
        least_channels: found.channels.0,
        most_channels: found.channels.1,
    });
    Reply::json(200, &Devices { cameras: cameras.collect(), microphones: microphones.collect() })
}
