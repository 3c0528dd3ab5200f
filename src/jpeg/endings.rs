//! Whether a camera ends its pictures with EOI. Some never do, and a picture without EOI of another one lacks a part.

/// Whether one camera's frames end with EOI.
#[derive(Debug, Default)]
pub(super) struct Endings {
    /// Rises with each frame that had an EOI, and falls with each that had none.
    confidence: u8,
}

/// After so many frames in turn without EOI, the camera is one that sends none.
const CONFIDENCE_MAX: u8 = 4;

impl Endings {
    /// Records a frame that ended with EOI.
    pub(super) fn ended(&mut self) {
        self.confidence = (self.confidence + 1).min(CONFIDENCE_MAX);
    }

    /// Records a frame without EOI, and whether it may still be whole. If the camera usually sends EOI, a part of the
    /// frame is lost.
    pub(super) fn may_be_whole_without_end(&mut self) -> bool {
        let usually_ends = self.confidence > 0;
        self.confidence = self.confidence.saturating_sub(1);
        !usually_ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_frame_without_eoi_of_a_new_camera_is_looked_at() {
        assert!(Endings::default().may_be_whole_without_end());
    }

    #[test]
    fn an_odd_frame_of_a_camera_that_ends_well_is_not() {
        let mut endings = Endings::default();
        for _ in 0..100 {
            endings.ended();
            assert!(!endings.may_be_whole_without_end());
        }
    }

    #[test]
    fn a_camera_that_stops_to_send_eoi_is_found_out_soon() {
        let mut endings = Endings::default();
        (0..1000).for_each(|_| endings.ended());
        let dropped = (0..100).filter(|_| !endings.may_be_whole_without_end()).count();
        assert_eq!(dropped, usize::from(CONFIDENCE_MAX));
    }
}
