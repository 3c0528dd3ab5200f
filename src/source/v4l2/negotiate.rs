//! What to ask a camera for, and what to make of its answer.

use std::fmt;
use std::path::Path;

use super::camera::{Camera, OfferedFormat};
use super::error::DeviceError;
use super::format::{ActiveFormat, format_name};
use crate::media::{PixelFormat, Range601};
use crate::source::settings::CameraSettings;

/// What a camera delivers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mode {
    /// How the pixels lie.
    pub(super) format: PixelFormat,
    /// Pixels in a row.
    pub(super) width: u32,
    /// Rows.
    pub(super) height: u32,
    /// Bytes from one row to the next; means nothing for MJPEG.
    pub(super) stride_bytes: u32,
    /// Meaning of the code values; means nothing for MJPEG and RGB.
    pub(super) range: Range601,
    /// Frames a second as promised; zero when the driver does not report it.
    pub(super) fps: f32,
}

/// Sets the camera to what `settings` ask for, as near as it can, and returns what that is.
///
/// # Errors
/// When it has no such format, or refuses to be set.
pub(super) fn negotiate(camera: &Camera, settings: &CameraSettings) -> Result<Mode, DeviceError> {
    let fourcc = chosen(camera, settings)?;
    let given = camera.set_format(fourcc, (settings.width, settings.height))?;
    // The rates there are depend on the format and size, so the rate comes last.
    let fps = camera.set_rate(settings.fps);
    accept(camera.node(), settings, given, fps)
}

/// What [`negotiate`] would come to, as far as the driver says without being set to anything.
///
/// # Errors
/// As those of [`negotiate`].
pub(super) fn predict(camera: &Camera, settings: &CameraSettings) -> Result<Mode, DeviceError> {
    let fourcc = chosen(camera, settings)?;
    let given = camera.try_format(fourcc, (settings.width, settings.height))?;
    let fps = camera.nearest_rate_fps(fourcc, (given.width, given.height), settings.fps);
    accept(camera.node(), settings, given, fps)
}

/// The code of the camera's format to ask for.
fn chosen(camera: &Camera, settings: &CameraSettings) -> Result<[u8; 4], DeviceError> {
    let offered = camera.formats()?;
    choose(settings.format, &offered).ok_or_else(|| DeviceError::NotOffered {
        node: camera.node().to_owned(),
        wanted: settings.format,
        offered: offered.iter().map(|format| format_name(format.fourcc)).collect(),
    })
}

/// The mode of a format the driver has in force.
///
/// # Errors
/// When that is not the one asked for, or not one Defender can use.
pub(super) fn accept(
    node: &Path,
    settings: &CameraSettings,
    given: ActiveFormat,
    fps: f32,
) -> Result<Mode, DeviceError> {
    let format = PixelFormat::from_fourcc(given.fourcc);
    let wanted = settings.format.or(format).unwrap_or(PixelFormat::Mjpeg);
    if format != Some(wanted) {
        let given = format_name(given.fourcc);
        return Err(DeviceError::OtherFormat { node: node.to_owned(), wanted, given });
    }
    Ok(Mode {
        format: wanted,
        width: given.width,
        height: given.height,
        stride_bytes: given.stride_bytes,
        range: given.range,
        fps,
    })
}

impl Mode {
    /// Says where this is not what `settings` ask for; `None` where it is.
    pub(super) fn difference(&self, settings: &CameraSettings) -> Option<String> {
        let same_size = (self.width, self.height) == (settings.width, settings.height);
        // Drivers round: 29.97 is 30 for everybody but a clock.
        let same_rate = self.fps == 0.0 || (self.fps - settings.fps as f32).abs() < 0.5;
        if same_size && same_rate {
            return None;
        }
        Some(format!("asked for {}x{} at {} fps", settings.width, settings.height, settings.fps))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} {}", self.width, self.height, self.format)?;
        if self.fps == 0.0 {
            return Ok(());
        }
        // At most two decimals, and none where they would be zeros.
        write!(f, " at {} fps", (self.fps * 100.0).round() / 100.0)
    }
}

/// The code to ask for: of the usable formats the most preferred, what the hardware gives before
/// what is converted in software.
pub(super) fn choose(wanted: Option<PixelFormat>, offered: &[OfferedFormat]) -> Option<[u8; 4]> {
    let rank = |offered: &&OfferedFormat| {
        let place = PixelFormat::ALL
            .iter()
            .position(|format| Some(*format) == PixelFormat::from_fourcc(offered.fourcc));
        // MJPG and JPEG are the same to us, but cameras with both mean the first for video.
        let lesser_twin = place.is_some_and(|place| PixelFormat::ALL[place].fourcc() != offered.fourcc);
        (offered.emulated, place, lesser_twin)
    };
    offered
        .iter()
        .filter(|offered| match (PixelFormat::from_fourcc(offered.fourcc), wanted) {
            (Some(format), Some(wanted)) => format == wanted,
            (format, _) => format.is_some(),
        })
        .min_by_key(rank)
        .map(|offered| offered.fourcc)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::DeviceChoice;

    fn offered(codes: &[(&[u8; 4], bool)]) -> Vec<OfferedFormat> {
        codes
            .iter()
            .map(|(fourcc, emulated)| OfferedFormat {
                fourcc: **fourcc,
                description: String::new(),
                emulated: *emulated,
            })
            .collect()
    }

    #[test]
    fn auto_takes_mjpeg_first_and_else_the_most_preferred() {
        let choose = |codes: &[(&[u8; 4], bool)]| choose(None, &offered(codes));
        assert_eq!(choose(&[(b"YUYV", false), (b"H264", false), (b"MJPG", false)]), Some(*b"MJPG"));
        assert_eq!(choose(&[(b"JPEG", false), (b"MJPG", false)]), Some(*b"MJPG"));
        assert_eq!(choose(&[(b"YUYV", false), (b"JPEG", false)]), Some(*b"JPEG"));
        assert_eq!(choose(&[(b"GREY", false), (b"UYVY", false)]), Some(*b"UYVY"));
        assert_eq!(choose(&[(b"MJPG", true), (b"YUYV", false)]), Some(*b"YUYV"));
        assert_eq!(choose(&[(b"NV12", true)]), Some(*b"NV12"));
        assert_eq!(choose(&[(b"H264", false)]), None);
        assert_eq!(choose(&[]), None);
    }

    #[test]
    fn a_format_asked_for_is_taken_or_nothing_is() {
        let list = offered(&[(b"MJPG", false), (b"YUYV", true)]);
        assert_eq!(choose(Some(PixelFormat::Yuyv), &list), Some(*b"YUYV"));
        assert_eq!(choose(Some(PixelFormat::Nv12), &list), None);
    }

    fn settings(format: Option<PixelFormat>) -> CameraSettings {
        CameraSettings {
            name: "front".to_owned(),
            device: DeviceChoice::Auto,
            raw_size: None,
            format,
            width: 640,
            height: 480,
            fps: 30,
            quality: 80,
            chroma: crate::media::Chroma::AsCaptured,
            on_demand: false,
            login_file: None,
            fingerprint: None,
            edits: Default::default(),
            controls: Vec::new(),
            streams: Vec::new(),
            record: crate::media::RecordChoice::default(),
            motion: Default::default(),
        }
    }

    #[test]
    fn another_format_is_refused_and_another_size_is_taken() {
        let given = |fourcc| ActiveFormat {
            fourcc,
            width: 800,
            height: 600,
            stride_bytes: 1600,
            range: Range601::Full,
        };
        let accept =
            |format, fourcc| accept(Path::new("/dev/video0"), &settings(format), given(fourcc), 30.0);
        let mode = accept(Some(PixelFormat::Yuyv), *b"YUYV").unwrap();
        assert_eq!(
            (mode.width, mode.height, mode.stride_bytes, mode.range),
            (800, 600, 1600, Range601::Full)
        );
        assert_eq!(accept(None, *b"JPEG").unwrap().format, PixelFormat::Mjpeg);
        assert!(accept(None, *b"H264").is_err());
        let error = accept(Some(PixelFormat::Mjpeg), *b"YUYV").unwrap_err().to_string();
        assert_eq!(error, "/dev/video0: was asked for mjpeg and gives yuyv");
    }

    #[test]
    fn a_mode_names_differences_but_not_rounding() {
        let settings = settings(None);
        let mode = Mode {
            format: PixelFormat::Yuyv,
            width: 640,
            height: 480,
            stride_bytes: 1280,
            range: Range601::Limited,
            fps: 29.97,
        };
        assert_eq!(mode.difference(&settings), None);
        assert_eq!(mode.to_string(), "640x480 yuyv at 29.97 fps");
        let unknown = Mode { fps: 0.0, ..mode };
        assert_eq!(unknown.difference(&settings), None);
        assert_eq!(unknown.to_string(), "640x480 yuyv");
        let slow = Mode { fps: 15.0, ..mode };
        assert_eq!(slow.difference(&settings).as_deref(), Some("asked for 640x480 at 30 fps"));
        assert!(Mode { width: 800, ..mode }.difference(&settings).is_some());
    }
}
