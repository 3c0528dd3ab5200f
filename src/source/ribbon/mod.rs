//! Cameras that libcamera reads, such as those on the ribbon cable of a Raspberry Pi. A unit of the package runs
//! rpicam-vid for each connection to its socket; Defender connects, and starts no program.
//!
//! What belongs here: finding out what a board has and lacks, the request that the unit reads, and messages for people.
//! What must not: the bytes of the stream.

mod auto;
mod board;
mod camera;
mod media;
mod request;
mod sensor;
#[cfg(test)]
mod tests;

pub(super) use auto::AutoCamera;
pub(super) use board::Board;
pub(super) use camera::{RibbonCamera, probe};

use std::path::PathBuf;

use crate::media::RibbonDevice;

/// The socket of the ribbon camera `number`.
pub(super) fn socket(board: &Board, number: u8) -> PathBuf {
    board.socket(number)
}

/// The file in which the unit of the first ribbon camera finds what it is asked for; that of the others is beside it.
pub fn request_file() -> PathBuf {
    Board::this().request(0)
}

/// The ribbon cameras of this machine whose sensors the kernel shows. Starts none.
pub fn cameras() -> Vec<RibbonDevice> {
    Board::this().cameras()
}

/// Whether `source`, the text of a camera's state, is the ribbon camera `number`.
pub fn is_source(source: &str, number: u8) -> bool {
    source.starts_with(&camera::device(number))
}

/// The ribbon cameras of this machine and what they lack, for people, one in each text.
pub fn list() -> Vec<String> {
    Board::this().list()
}
