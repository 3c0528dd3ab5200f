//! Whether a camera is one that sends its pictures without EOI. No I/O and no clocks.

/// What is known of the ends of one camera's frames.
#[derive(Debug, Default)]
pub(super) struct Endings {
    /// Rises with each frame that had its EOI, and falls with each that had none.
    confidence: u8,
    was_completed: bool,
}

/// So many frames in turn without EOI make a camera one that sends none.
const CONFIDENCE_MAX: u8 = 4;

impl Endings {
    /// A frame ended with EOI.
    pub(super) fn ended(&mut self) {
        self.confidence = (self.confidence + 1).min(CONFIDENCE_MAX);
    }

    /// A frame has no EOI: whether it is worth decoding to learn if it is whole all the same. A camera
    /// whose frames usually end well has lost a part of this one.
    pub(super) fn may_be_whole_without_end(&mut self) -> bool {
        let usually_ends = self.confidence > 0;
        self.confidence = self.confidence.saturating_sub(1);
        !usually_ends
    }

    /// A frame was given the EOI it lacked; whether it is the first one.
    pub(super) fn completed(&mut self) -> bool {
        !std::mem::replace(&mut self.was_completed, true)
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

    #[test]
    fn the_first_completed_frame_is_told_once() {
        let mut endings = Endings::default();
        assert!(endings.completed() && !endings.completed());
    }
}
