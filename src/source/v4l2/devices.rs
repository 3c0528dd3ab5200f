//! Which cameras this machine has, and what they offer: for lists, for checks, and for `auto`.
//!
//! A size is looked up before it is asked for, because drivers silently give the nearest one. A camera that is
//! not open, or does not list its sizes, is not asked.

use std::fs;
use std::path::{Path, PathBuf};

use super::calls::FrameSizes;
use super::camera::{Camera, OfferedFormat};
use super::error::DeviceError;
use super::format::fourcc_text;
use super::negotiate::choose;

use crate::media::{CameraDevice, DeviceFormat, DeviceSize, PixelFormat};
use crate::source::settings::CameraSettings;
use crate::source::video::VideoError;

/// Every camera, in the order of the nodes' numbers, and every node that may be one and cannot be
/// opened. Nodes that do not capture, and parts of ribbon-cable cameras, are left out. Disturbs no camera that is in use.
pub fn list() -> Vec<CameraDevice> {
    let (by_id, by_path) = (links(Path::new("/dev/v4l/by-id")), links(Path::new("/dev/v4l/by-path")));
    let look = |node: PathBuf| {
        let (by_id, by_path) = (leading_to(&node, &by_id), leading_to(&node, &by_path));
        let described = Camera::open(&node).and_then(|camera| Ok((formats(&camera)?, camera)));
        let (camera, formats, problem) = match described {
            Ok((_, camera)) if camera.is_pipeline_part() => return None,
            Ok((formats, camera)) => (Some(camera), formats, None),
            Err(error) if error.is_no_camera() && !matches!(error, DeviceError::MultiPlanar(_)) => {
                return None;
            }
            Err(error) => (None, Vec::new(), Some(error.to_string())),
        };
        let (card, driver) =
            camera.map(|camera| (camera.card().to_owned(), camera.driver().to_owned())).unwrap_or_default();
        Some(CameraDevice { node, card, driver, by_id, by_path, formats, problem })
    };
    nodes().into_iter().filter_map(look).collect()
}

/// The sizes that a camera offers in the format that `settings` choose, to be named to people; none
/// where it does not list them. Disturbs no camera that is in use.
pub fn sizes_offered(node: &Path, settings: &CameraSettings) -> Vec<(u32, u32)> {
    sizes(&frame_sizes(node, settings))
}

/// Whether a camera has the size that `settings` ask for. True where it does not list its sizes.
///
/// # Errors
/// The sizes it has that are nearest, nearest first.
pub fn check_size(node: &Path, settings: &CameraSettings) -> Result<(), Vec<(u32, u32)>> {
    fitting(&frame_sizes(node, settings), (settings.width, settings.height))
}

/// The name of a camera for people.
pub(super) fn name(camera: &Camera) -> String {
    format!("{} ({})", camera.node().display(), camera.card())
}

/// Every video node, in the order of their numbers.
fn nodes() -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let mut numbered: Vec<_> =
        entries.filter_map(|entry| Some((node_number(&entry.path())?, entry.path()))).collect();
    numbered.sort();
    numbered.into_iter().map(|(_, node)| node).collect()
}

/// The video nodes that may be cameras by themselves: not the parts of a ribbon-cable camera.
pub(super) fn whole_cameras() -> Vec<PathBuf> {
    let is_part = |node: &PathBuf| Camera::open(node).is_ok_and(|camera| camera.is_pipeline_part());
    nodes().into_iter().filter(|node| !is_part(node)).collect()
}

/// The first of `nodes` that `open` succeeds with. `last_resort` is the one that just failed: it
/// is tried after all others, so that a camera that opens and then fails does not hide them.
///
/// # Errors
/// [`VideoError::NoCamera`] with the problem of the first one that may be a camera.
pub(super) fn first<T>(
    nodes: &[PathBuf],
    last_resort: Option<&Path>,
    mut open: impl FnMut(&Path) -> Result<T, DeviceError>,
) -> Result<T, VideoError> {
    let (last, others): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| Some(node.as_path()) == last_resort);
    let mut problem = None;
    for node in others.into_iter().chain(last) {
        match open(node) {
            Ok(opened) => return Ok(opened),
            Err(error) if error.is_no_camera() => log::debug!("auto passes over {error}"),
            Err(error) => {
                log::debug!("auto passes over {error}");
                problem.get_or_insert(Box::new(error.into()));
            }
        }
    }
    Err(VideoError::NoCamera { problem })
}

/// The number of a video node; `None` for another file.
fn node_number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix("video")?.parse().ok()
}

/// The links in `folder` with the files they lead to.
fn links(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut links: Vec<_> =
        entries.filter_map(|entry| Some((entry.path(), fs::canonicalize(entry.path()).ok()?))).collect();
    links.sort();
    links
}

/// Those of `links` that lead to `node`.
fn leading_to(node: &Path, links: &[(PathBuf, PathBuf)]) -> Vec<PathBuf> {
    links.iter().filter(|(_, target)| target == node).map(|(link, _)| link.clone()).collect()
}

/// What the driver lists for the format that `settings` choose; nothing where it cannot be asked.
fn frame_sizes(node: &Path, settings: &CameraSettings) -> Vec<FrameSizes> {
    let asked = Camera::open(node).and_then(|camera| {
        let chosen = choose(settings.format, &camera.formats()?);
        Ok(chosen.map(|fourcc| camera.sizes(fourcc)).unwrap_or_default())
    });
    asked.unwrap_or_else(|refused| {
        log::debug!("cannot list sizes: {refused}");
        Vec::new()
    })
}

/// How many of the nearest sizes are named.
const NEAREST: usize = 3;

fn fitting(listed: &[FrameSizes], (width, height): (u32, u32)) -> Result<(), Vec<(u32, u32)>> {
    let nearest = |answer: &FrameSizes| match *answer {
        FrameSizes::One(width, height) => (width, height),
        FrameSizes::Within { width: range, height: rows } => {
            (nearest_in(width, range), nearest_in(height, rows))
        }
    };
    let mut sizes: Vec<_> = listed.iter().map(nearest).collect();
    if sizes.is_empty() || sizes.contains(&(width, height)) {
        return Ok(());
    }
    sizes.sort_by_key(|size| (size.0.abs_diff(width) + size.1.abs_diff(height), *size));
    sizes.dedup();
    sizes.truncate(NEAREST);
    Err(sizes)
}

/// The side in the range of (least, greatest, step) that is nearest to `side`.
fn nearest_in(side: u32, (least, greatest, step): (u32, u32, u32)) -> u32 {
    let (step, side) = (step.max(1), side.clamp(least, greatest.max(least)));
    let below = side - (side - least) % step;
    let above = below.saturating_add(step);
    if above <= greatest && above - side < side - below { above } else { below }
}

fn formats(camera: &Camera) -> Result<Vec<DeviceFormat>, DeviceError> {
    let describe = |offered: OfferedFormat| {
        let sizes = sizes(&camera.sizes(offered.fourcc));
        let sizes = sizes.into_iter().map(|(width, height)| DeviceSize {
            width,
            height,
            rates_fps: camera.rates_fps(offered.fourcc, (width, height)),
        });
        DeviceFormat {
            fourcc: fourcc_text(offered.fourcc),
            usable: PixelFormat::from_fourcc(offered.fourcc).is_some(),
            sizes: sizes.collect(),
            description: offered.description,
        }
    };
    Ok(camera.formats()?.into_iter().map(describe).collect())
}

/// The sizes to name of what a driver lists.
fn sizes(listed: &[FrameSizes]) -> Vec<(u32, u32)> {
    const USUAL: [(u32, u32); 8] = [
        (160, 120),
        (320, 240),
        (640, 480),
        (800, 600),
        (1280, 720),
        (1920, 1080),
        (2560, 1440),
        (3840, 2160),
    ];
    let mut sizes = Vec::new();
    for answer in listed {
        match *answer {
            FrameSizes::One(width, height) => sizes.push((width, height)),
            FrameSizes::Within { width, height } => {
                sizes.extend(USUAL.into_iter().filter(|size| fits(size.0, width) && fits(size.1, height)));
                sizes.push((width.1, height.1));
            }
        }
    }
    sizes.dedup();
    sizes
}

/// Whether `side` lies in the range of (least, greatest, step).
fn fits(side: u32, (least, greatest, step): (u32, u32, u32)) -> bool {
    (least..=greatest).contains(&side) && (side - least).is_multiple_of(step.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_ordered_by_their_number() {
        assert_eq!(node_number(Path::new("/dev/video10")), Some(10));
        assert_eq!(node_number(Path::new("/dev/video")), None);
        assert_eq!(node_number(Path::new("/dev/videodev")), None);
        assert_eq!(node_number(Path::new("/dev/v4l-subdev0")), None);
    }

    #[test]
    fn auto_takes_the_first_free_camera() {
        let nodes: Vec<PathBuf> = ["/dev/video0", "/dev/video1", "/dev/video2"].map(PathBuf::from).into();
        let open = |node: &Path| match node.to_str() {
            Some("/dev/video0") => Err(DeviceError::NotCapture(node.to_owned())),
            Some("/dev/video1") => Err(DeviceError::Busy(node.to_owned())),
            _ => Ok(node.to_owned()),
        };
        assert_eq!(first(&nodes, None, open).unwrap(), nodes[2]);
        let error = first(&nodes[..2], None, open).unwrap_err().to_string();
        assert_eq!(error, "no camera can be used: /dev/video1: busy, another program is using it");
        assert_eq!(first(&nodes[..1], None, open).unwrap_err().to_string(), "no camera found");
    }

    #[test]
    fn auto_tries_the_camera_that_just_failed_last() {
        let nodes: Vec<PathBuf> = ["/dev/video0", "/dev/video1"].map(PathBuf::from).into();
        let open = |node: &Path| Ok(node.to_owned());
        assert_eq!(first(&nodes, Some(&nodes[0]), open).unwrap(), nodes[1]);
        assert_eq!(first(&nodes[..1], Some(&nodes[0]), open).unwrap(), nodes[0]);
    }

    #[test]
    fn a_range_is_listed_by_usual_sizes_and_the_greatest() {
        let range = FrameSizes::Within { width: (48, 1296, 16), height: (32, 972, 4) };
        assert_eq!(
            sizes(&[range]),
            [(160, 120), (320, 240), (640, 480), (800, 600), (1280, 720), (1296, 972)]
        );
        let stepless = FrameSizes::Within { width: (640, 640, 0), height: (480, 480, 0) };
        assert_eq!(sizes(&[stepless]), [(640, 480)]);
        assert_eq!(sizes(&[FrameSizes::One(352, 288), FrameSizes::One(176, 144)]), [(352, 288), (176, 144)]);
    }

    #[test]
    fn a_missing_size_is_reported_with_the_nearest() {
        let listed = [(1280, 720), (640, 480), (320, 240), (640, 360)].map(|(w, h)| FrameSizes::One(w, h));
        assert_eq!(fitting(&listed, (640, 480)), Ok(()));
        assert_eq!(fitting(&listed, (641, 480)), Err(vec![(640, 480), (640, 360), (320, 240)]));
        assert_eq!(fitting(&[], (641, 480)), Ok(()), "a driver that does not list them");
        let range = [FrameSizes::Within { width: (48, 1296, 16), height: (32, 972, 4) }];
        assert_eq!(fitting(&range, (640, 480)), Ok(()));
        assert_eq!(fitting(&range, (641, 479)), Err(vec![(640, 480)]));
        assert_eq!(fitting(&range, (1, 9999)), Err(vec![(48, 972)]));
        assert_eq!(
            fitting(&[FrameSizes::Within { width: (8, 0, 0), height: (0, 0, 0) }], (7, 0)),
            Err(vec![(8, 0)])
        );
    }

    #[test]
    fn links_lead_to_the_node() {
        let (nodes, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let node = fs::canonicalize(nodes.path()).unwrap().join("video0");
        fs::write(&node, "").unwrap();
        let link = folder.path().join("usb-camera-index0");
        std::os::unix::fs::symlink(&node, &link).unwrap();
        let found = links(folder.path());
        assert!(found.contains(&(link.clone(), node.clone())));
        assert!(leading_to(&node, &found).contains(&link));
        assert!(leading_to(Path::new("/dev/video1"), &found).is_empty());
        assert!(links(&folder.path().join("by-id")).is_empty());
    }
}
