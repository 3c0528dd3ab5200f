//! The words of an [`Event`].

use super::Packed;
use crate::media::{Area, CameraName, Event, EventKind, Timestamp};

/// Bits of the second word beside the kind, the score and the length of the name.
const HAS_END: u32 = 1 << 24;
const HAS_AREA: u32 = 1 << 25;

impl Packed for Event {
    type Words = [u32; 25];

    fn pack(&self) -> Self::Words {
        let mut words = [0; 25];
        let name = self.camera.as_str().as_bytes();
        words[0] = self.id;
        words[1] = self.kind as u32 | u32::from(self.score) << 8 | (name.len() as u32) << 16;
        words[2..4].copy_from_slice(&halves(self.start));
        if let Some(end) = self.end {
            words[1] |= HAS_END;
            words[4..6].copy_from_slice(&halves(end));
        }
        if let Some(Area { left, top, right, bottom }) = self.area {
            words[1] |= HAS_AREA;
            words[6] = u32::from(left) << 16 | u32::from(top);
            words[7] = u32::from(right) << 16 | u32::from(bottom);
        }
        for (word, bytes) in words[8..].iter_mut().zip(name.chunks(4)) {
            *word = u32::from_le_bytes(std::array::from_fn(|at| bytes.get(at).copied().unwrap_or(0)));
        }
        words
    }

    fn unpack(words: &Self::Words) -> Self {
        let (kind, score) = (words[1] & 0xff, (words[1] >> 8) as u8);
        let name: Vec<u8> = words[8..].iter().flat_map(|word| word.to_le_bytes()).collect();
        let name = &name[..(words[1] >> 16) as usize & 0xff];
        let camera = str::from_utf8(name).ok().and_then(CameraName::new);
        let area = Area {
            left: (words[6] >> 16) as u16,
            top: words[6] as u16,
            right: (words[7] >> 16) as u16,
            bottom: words[7] as u16,
        };
        Self {
            id: words[0],
            camera: camera.expect("the name was one when it was packed"),
            kind: EventKind::ALL[kind as usize],
            start: moment(words[2], words[3]),
            end: (words[1] & HAS_END != 0).then(|| moment(words[4], words[5])),
            score,
            area: (words[1] & HAS_AREA != 0).then_some(area),
        }
    }
}

fn halves(moment: Timestamp) -> [u32; 2] {
    [moment.as_micros() as u32, (moment.as_micros() >> 32) as u32]
}

fn moment(low: u32, high: u32) -> Timestamp {
    Timestamp::from_micros(u64::from(high) << 32 | u64::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_unpacked_as_it_was_packed() {
        for (number, kind) in (1_u32..).zip(EventKind::ALL) {
            for name in ["", "yard", "front", "a-name-of-thirty-two-letters-big", &"x".repeat(65)] {
                let event = Event {
                    id: number << 28 | number,
                    camera: CameraName::new(name).unwrap(),
                    kind,
                    start: Timestamp::from_micros((7 << 32) + 1),
                    end: None,
                    score: 255,
                    area: None,
                };
                let ended = Event { end: Some(Timestamp::from_micros((7 << 32) + 2)), ..event };
                let area = Some(Area { left: 1, top: 0xfffe, right: 0xffff, bottom: 2 });
                for event in [event, ended, Event { area, ..event }, Event { area, ..ended }] {
                    assert_eq!(Event::unpack(&event.pack()), event);
                }
            }
        }
    }
}
