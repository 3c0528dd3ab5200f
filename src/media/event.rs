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
    /// The picture has lost its detail.
    Defocused,
    /// The camera gives no pictures.
    CameraLost,
    /// Somebody failed to sign in.
    LoginFailed,
    /// Nothing can be recorded.
    Disk,
    /// The board has too little voltage, or is too hot.
    Board,
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
    pub const ALL: [EventKind; 12] = [
        EventKind::Motion,
        EventKind::Sound,
        EventKind::Covered,
        EventKind::Dark,
        EventKind::Frozen,
        EventKind::Moved,
        EventKind::Defocused,
        EventKind::CameraLost,
        EventKind::LoginFailed,
        EventKind::Disk,
        EventKind::Board,
        EventKind::Manual,
    ];

    /// By the names in the API and on disk, in the order of [`Self::ALL`].
    const NAMES: [&'static str; 12] = [
        "motion",
        "sound",
        "covered",
        "dark",
        "frozen",
        "moved",
        "defocused",
        "camera-lost",
        "login-failed",
        "disk",
        "board",
        "manual",
    ];

    /// Its name in the API and on disk.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Whether it is something that happens in front of a camera for as long as it goes on, rather than a state.
    pub fn is_happening(self) -> bool {
        matches!(self, Self::Motion | Self::Sound | Self::Manual)
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl CameraName {
    /// Longest name, in bytes: that of a camera of another Defender, which is two names with a hyphen between them
    /// (`base::names::is_full_name`).
    pub const MAX_BYTES: usize = 65;

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
    fn a_camera_name_holds_65_bytes() {
        let longest = "x".repeat(65);
        for name in ["", "front", &longest] {
            assert_eq!(CameraName::new(name).unwrap().as_str(), name);
        }
        assert_eq!(CameraName::new(&"x".repeat(66)), None);
    }

    #[test]
    fn kinds_are_found_by_their_names() {
        assert!(EventKind::ALL.into_iter().all(|kind| EventKind::from_name(kind.name()) == Some(kind)));
        assert_eq!((EventKind::CameraLost.name(), EventKind::from_name("Motion")), ("camera-lost", None));
    }

    #[test]
    fn kinds_are_listed_in_the_order_of_their_discriminants() {
        assert!(EventKind::ALL.iter().enumerate().all(|(at, kind)| *kind as usize == at));
    }
}
