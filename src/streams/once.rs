//! One picture made smaller for one request.

use std::sync::{Arc, Mutex};

use super::ENCODING;
use super::convert::{Converter, Refused};
use crate::base::lock;
use crate::jpeg::error::JpegError;
use crate::media::{Frame, Scale};
use crate::memory::{Account, Lease};

/// Held while a frame is made smaller for one request: one core that works on requests one after another is as fast as all
/// of them at once, and the others stay free for live pictures.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The JPEG of a frame made smaller, as soon as no other request is at that, and its share of the memory; `None` if
/// there is no memory for it or for making it.
///
/// # Errors
/// Why that is not possible.
pub fn shrink(
    frame: &Frame,
    scale: Scale,
    memory: &Arc<Account>,
) -> Result<Option<(Vec<u8>, Lease)>, JpegError> {
    let _alone = lock(&ONE_AT_A_TIME);
    let mut converter = Converter::new(scale, None, ENCODING);
    // A smaller picture is hardly ever larger.
    let bytes = frame.jpeg().len();
    let (Some(mut lease), Some(beside)) = (memory.lease(bytes), memory.lease(0)) else { return Ok(None) };
    converter.count_in(beside);
    let mut out = Vec::with_capacity(bytes);
    match converter.convert(frame.jpeg(), frame.size(), &mut out) {
        Ok(_) => {
            drop(converter);
            out.shrink_to_fit();
            Ok(lease.resize(out.capacity()).then_some((out, lease)))
        }
        Err(Refused::NoMemory) => Ok(None),
        Err(Refused::Unchangeable(why) | Refused::Broken(why)) => Err(why),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::base::patience::asleep;
    use crate::codec::part;
    use crate::media::Timestamp;
    use crate::memory::Memory;

    fn noise(side: u16) -> Frame {
        part::build(Vec::new(), Timestamp::now(), (side.into(), side.into()), |out| {
            out.extend_from_slice(&crate::codec::jpeg::noise(side));
            Ok::<(), ()>(())
        })
        .unwrap()
    }

    #[test]
    fn what_making_a_picture_takes_is_counted() {
        let frame = noise(512);
        let bytes = frame.jpeg().len();
        let memory = |bytes: usize| Memory::new(4 * bytes);
        let used = |memory: &Memory| memory.usage()[1].1.used_bytes;
        for too_little in [bytes / 2, bytes + 8_000] {
            let memory = memory(too_little);
            assert!(shrink(&frame, Scale::Half, memory.for_requests()).unwrap().is_none());
            assert_eq!(used(&memory), 0);
        }
        let memory = memory(bytes + (2 << 20));
        let (jpeg, lease) = shrink(&frame, Scale::Half, memory.for_requests()).unwrap().unwrap();
        assert_eq!(used(&memory), jpeg.capacity());
        drop(lease);
        assert_eq!(used(&memory), 0);
    }

    #[test]
    fn requests_for_smaller_pictures_take_turns() {
        let frame = part::build(Vec::new(), Timestamp::now(), (8, 8), |_| Ok::<(), ()>(())).unwrap();
        let first = lock(&ONE_AT_A_TIME);
        thread::scope(|scope| {
            let second = asleep(scope, || shrink(&frame, Scale::Half, &Account::unlimited()).is_err());
            assert!(!second.is_finished(), "it did not wait");
            drop(first);
            assert!(second.join().unwrap(), "no JPEG is made smaller than none");
        });
    }
}
