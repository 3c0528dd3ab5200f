//! What happened at a camera.

use std::fmt;

use super::Timestamp;

/// Something that happened: its start when it is posted first, its end as well when it is posted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The same for all posts of one event.
    pub id: u32,
    /// The camera; empty for an event that belongs to none.
    pub camera: CameraName,
    /// What kind of event it is.
    pub kind: EventKind,
    /// When it began.
    pub start: Timestamp,
    /// When it ended; `None` while it goes on.
    pub end: Option<Timestamp>,
    /// Its strength, from 0 to 255; the meaning depends on the kind.
    pub score: u8,
    /// Where in the picture it happened.
    pub area: Option<Area>,
}

/// The kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Something moved in the picture.
    Motion,
    /// A microphone was loud.
    Sound,
    /// The lens was covered.
    Covered,
    /// There was too little light.
    Dark,
    /// The camera repeats one picture.
    Frozen,
    /// The camera was turned or moved.
    Moved,
    /// The camera gives no pictures.
    CameraLost,
    /// Somebody failed to sign in.
    LoginFailed,
    /// A user asked for it.
    Manual,
}

/// A rectangle in a picture of any size: each side in units of 1/65535 of the width or height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// Distance of the left side from the picture's left edge.
    pub left: u16,
    /// Distance of the top side from the picture's top edge.
    pub top: u16,
    /// Distance of the right side from the picture's left edge.
    pub right: u16,
    /// Distance of the bottom side from the picture's top edge.
    pub bottom: u16,
}

/// The name of a camera, held in place: a value that has one needs no memory of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CameraName {
    bytes: [u8; Self::MAX_BYTES],
    length: u8,
}

impl EventKind {
    /// Every kind, in the order of their discriminants.
    pub const ALL: [EventKind; 9] = [
        EventKind::Motion,
        EventKind::Sound,
        EventKind::Covered,
        EventKind::Dark,
        EventKind::Frozen,
        EventKind::Moved,
        EventKind::CameraLost,
        EventKind::LoginFailed,
        EventKind::Manual,
    ];
}

impl CameraName {
    /// Longest name, in bytes: what defender.conf allows.
    pub const MAX_BYTES: usize = 32;

    /// The name `name`; `None` when it is too long.
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; Self::MAX_BYTES];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self { bytes, length: name.len() as u8 })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("it was made from a text")
    }
}

impl fmt::Debug for CameraName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_name_holds_32_bytes() {
        let longest = "x".repeat(32);
        for name in ["", "front", &longest] {
            assert_eq!(CameraName::new(name).unwrap().as_str(), name);
        }
        assert_eq!(CameraName::new(&"x".repeat(33)), None);
    }

    #[test]
    fn kinds_are_listed_in_the_order_of_their_discriminants() {
        assert!(EventKind::ALL.iter().enumerate().all(|(at, kind)| *kind as usize == at));
    }
}
