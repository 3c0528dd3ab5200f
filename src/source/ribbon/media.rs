//! Camera sensors that the kernel's media devices show (Linux media documentation, part IV, "Media Controller API").
//! Opening a media device starts nothing. USB cameras have media devices as well, and are left out.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::ioctl::{self, Opcode, Updater};

/// The sensors of a machine, as far as its media devices can be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::source) struct Sensors {
    /// Their names, such as `imx219 10-0010`, in the order of the media devices.
    pub(in crate::source) names: Vec<String>,
    /// Why a media device could not be asked; there may be more sensors then.
    pub(in crate::source) problem: Option<String>,
}

/// Looks for sensors in every media device.
pub(in crate::source) fn sensors() -> Sensors {
    let mut found = Sensors::default();
    for node in nodes(Path::new("/dev")) {
        match sensors_of(&node) {
            Ok(names) => found.names.extend(names),
            // A driver that is just being unloaded.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => found.problem = Some(format!("{}: {error}", node.display())),
        }
    }
    found
}

/// The driver of USB cameras, whose sensors are no ribbon cameras.
const USB_DRIVER: &str = "uvcvideo";

/// A bound on the entities of one device.
const ENTITIES_MAX: usize = 256;

/// The size of `struct media_device_info` and of `struct media_entity_desc`.
const REPLY_BYTES: usize = 256;

/// Either structure. Fields are read at their offsets.
type Reply = [u8; REPLY_BYTES];

/// `MEDIA_IOC_DEVICE_INFO`
const DEVICE_INFO: Opcode = ioctl::opcode::read_write::<Reply>(b'|', 0);

/// `MEDIA_IOC_ENUM_ENTITIES`
const ENUM_ENTITIES: Opcode = ioctl::opcode::read_write::<Reply>(b'|', 1);

/// `MEDIA_ENT_ID_FLAG_NEXT`: asks for the entity after this one.
const NEXT: u32 = 1 << 31;

/// `MEDIA_ENT_F_CAM_SENSOR`
const CAMERA_SENSOR: u32 = 0x0002_0001;

/// What this module uses of an entity.
#[derive(Debug, PartialEq, Eq)]
struct Entity {
    id: u32,
    name: String,
    function: u32,
}

/// The media devices in `folder`, in the order of their numbers.
fn nodes(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.strip_prefix("media")?.parse::<u32>().ok();
    let mut numbered: Vec<_> =
        entries.filter_map(|entry| Some((number(&entry.path())?, entry.path()))).collect();
    numbered.sort();
    numbered.into_iter().map(|(_, node)| node).collect()
}

fn sensors_of(node: &Path) -> io::Result<Vec<String>> {
    let device = File::open(node)?;
    let driver = driver(&call::<DEVICE_INFO>(device.as_fd(), [0; REPLY_BYTES])?);
    let mut names = Vec::new();
    let mut id = 0;
    for _ in 0..ENTITIES_MAX {
        let mut request = [0; REPLY_BYTES];
        request[..4].copy_from_slice(&(id | NEXT).to_ne_bytes());
        // The kernel says EINVAL behind the last one.
        let Ok(reply) = call::<ENUM_ENTITIES>(device.as_fd(), request) else { break };
        let entity = entity(&reply);
        if entity.function == CAMERA_SENSOR {
            log::debug!("{}: {driver} has the sensor {}", node.display(), entity.name);
            names.push(entity.name);
        }
        id = entity.id;
    }
    if driver == USB_DRIVER {
        names.clear();
    }
    Ok(names)
}

/// Makes a call and returns its argument as the kernel left it.
fn call<const OPCODE: Opcode>(device: BorrowedFd<'_>, mut argument: Reply) -> io::Result<Reply> {
    // SAFETY: each number above names the size of its argument, which is that of `Reply`, and any bytes are a
    // `Reply`. A file that is no media device refuses numbers of the class '|'.
    #[allow(unsafe_code)]
    unsafe {
        ioctl::ioctl(device, Updater::<OPCODE, Reply>::new(&mut argument))?;
    }
    Ok(argument)
}

/// The driver's name in a `struct media_device_info`.
fn driver(reply: &Reply) -> String {
    text(&reply[..16])
}

/// What this module uses of a `struct media_entity_desc`.
fn entity(reply: &Reply) -> Entity {
    Entity { id: number_at(reply, 0), name: text(&reply[4..36]), function: number_at(reply, 36) }
}

fn number_at(reply: &Reply, at: usize) -> u32 {
    u32::from_ne_bytes([reply[at], reply[at + 1], reply[at + 2], reply[at + 3]])
}

/// The text before the first zero byte.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_are_those_of_the_kernel() {
        assert_eq!((u64::from(DEVICE_INFO), u64::from(ENUM_ENTITIES)), (0xc100_7c00, 0xc100_7c01));
    }

    #[test]
    fn an_entity_is_read_at_the_offsets_of_the_kernel() {
        let mut reply = [0xee; REPLY_BYTES];
        reply[..4].copy_from_slice(&7u32.to_ne_bytes());
        reply[4..36].fill(0);
        reply[4..18].copy_from_slice(b"imx219 10-0010");
        reply[36..40].copy_from_slice(&CAMERA_SENSOR.to_ne_bytes());
        let name = "imx219 10-0010".to_owned();
        assert_eq!(entity(&reply), Entity { id: 7, name, function: CAMERA_SENSOR });
        reply[4..36].fill(b'x');
        assert_eq!(entity(&reply).name.len(), 32, "a name that fills its field has no zero byte");
    }

    #[test]
    fn media_devices_are_ordered_by_their_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["media10", "media2", "media", "video0"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = nodes(folder.path());
        let names: Vec<_> = found.iter().map(|node| node.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["media2", "media10"]);
    }

    #[test]
    fn a_file_that_is_no_media_device_is_a_problem() {
        assert!(sensors_of(Path::new("/dev/null")).is_err());
    }
}
