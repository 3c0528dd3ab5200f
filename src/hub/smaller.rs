//! Raw pictures of a camera, made smaller, on their way from its capture thread to the threads of its further streams.

use std::sync::Mutex;

use super::{Flag, Latest, Publisher, Reader, latest};
use crate::base::{limits, lock};
use crate::media::{RawPicture, Scale};

/// The scales at which raw pictures are handed on. One of full size is not: the camera's JPEG is made lighter instead.
const SCALES: [Scale; 3] = [Scale::Half, Scale::Quarter, Scale::Eighth];

/// The newest smaller raw picture of each scale. Made while there are readers of that scale.
pub struct SmallerPictures {
    pictures: [Latest<RawPicture>; SCALES.len()],
    /// Locked by the capture thread alone, which is one of a time: no lock that it could wait for.
    writer: Mutex<Writer>,
    /// Whether the camera gives raw pictures now.
    pub are_given: Flag,
}

struct Writer {
    publishers: [Publisher<RawPicture>; SCALES.len()],
    /// The memory of old pictures that nobody reads any more.
    spare: [Vec<u8>; SCALES.len()],
}

impl Default for SmallerPictures {
    fn default() -> Self {
        let [half, quarter, eighth] = SCALES.map(|_| latest(limits::STREAMS as u32));
        Self {
            pictures: [half.1, quarter.1, eighth.1],
            writer: Mutex::new(Writer {
                publishers: [half.0, quarter.0, eighth.0],
                spare: Default::default(),
            }),
            are_given: Flag::default(),
        }
    }
}

impl SmallerPictures {
    /// A reader of pictures of this scale; `None` for full size, and while there are too many readers.
    pub fn subscribe(&self, scale: Scale) -> Option<Reader<RawPicture>> {
        let at = SCALES.iter().position(|known| *known == scale)?;
        self.pictures[at].subscribe()
    }

    /// How many readers there are now.
    pub fn readers(&self) -> u32 {
        self.pictures.iter().map(Latest::readers).sum()
    }

    /// Publishes what `make` makes of the scales that have readers, in the memory that it is given. For the capture thread.
    ///
    /// # Errors
    /// That of `make`.
    pub fn publish<E>(&self, mut make: impl FnMut(Scale, Vec<u8>) -> Result<RawPicture, E>) -> Result<(), E> {
        let mut held = lock(&self.writer);
        let Writer { publishers, spare } = &mut *held;
        for ((scale, publisher), spare) in SCALES.iter().zip(publishers).zip(spare) {
            if publisher.readers() > 0 {
                let picture = make(*scale, std::mem::take(spare))?;
                *spare = publisher.publish(picture).map(|old| old.pixels).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Forgets the pictures and their memory: the source was closed, or what may be seen has changed.
    pub fn clear(&self) {
        self.are_given.set(false);
        let mut held = lock(&self.writer);
        held.publishers.iter_mut().for_each(Publisher::retract);
        held.spare = Default::default();
    }
}
