//! The loops over every pixel: they copy samples from a camera's order into rows, and convert the camera's range to
//! JPEG's. Each is simple enough for the compiler to vectorise it on every architecture.

/// From a camera's code values to those of JPEG.
pub(super) trait Sample {
    fn luma(value: u8) -> u8;
    fn chroma(value: u8) -> u8;
}

/// Full range already.
pub(super) struct Plain;

/// Limited range (BT.601): Y from 16 to 235, chroma from 16 to 240 about 128. Other values
/// are clamped.
pub(super) struct Widened;

impl Sample for Plain {
    fn luma(value: u8) -> u8 {
        value
    }

    fn chroma(value: u8) -> u8 {
        value
    }
}

/// Computed in 16 bits, of which vector units process twice as many at once as of 32. The error is a fiftieth of a
/// step.
impl Sample for Widened {
    /// 255/219 is nearly 149/128.
    fn luma(value: u8) -> u8 {
        let above = u16::from(value.clamp(16, 235) - 16);
        ((above * 149 + 68) >> 7) as u8
    }

    /// 255/224 is nearly 1 + 283/2048. The constant rounds 128 - 127.5 up with the rest.
    fn chroma(value: u8) -> u8 {
        let above = u16::from(value.clamp(16, 240) - 16);
        (above + ((above * 283 + 2092) >> 11)) as u8
    }
}

/// Fills `out` from the bytes number `AT` of each `STEP` of `row`.
pub(super) fn spread<const STEP: usize, const AT: usize>(row: &[u8], out: &mut [u8], map: impl Fn(u8) -> u8) {
    for (out, group) in out.iter_mut().zip(row.as_chunks::<STEP>().0) {
        *out = map(group[AT]);
    }
}

/// Fills `out` from the bytes number `AT` of each four of `row` and of the row `below`, averaged.
pub(super) fn averaged<const AT: usize>(row: &[u8], below: &[u8], out: &mut [u8], map: impl Fn(u8) -> u8) {
    let (row, below) = (row.as_chunks::<4>().0, below.as_chunks::<4>().0);
    for ((out, group), below) in out.iter_mut().zip(row).zip(below) {
        *out = map((u16::from(group[AT]) + u16::from(below[AT])).div_ceil(2) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_widened_to_the_nearest_but_for_a_tie_or_two() {
        let off = |found: u8, exact: f64| (f64::from(found) - exact).abs();
        for value in 16..=235 {
            let exact = f64::from(value - 16) * 255.0 / 219.0;
            assert!(off(Widened::luma(value), exact) <= 0.53, "luma {value}, exactly {exact}");
        }
        for value in 16..=240 {
            let exact = 128.0 + (f64::from(value) - 128.0) * 255.0 / 224.0;
            assert!(off(Widened::chroma(value), exact) <= 0.53, "chroma {value}, exactly {exact}");
        }
        assert_eq!([0, 16, 235, 255].map(Widened::luma), [0, 0, 255, 255]);
        assert_eq!([0, 16, 128, 240, 255].map(Widened::chroma), [1, 1, 128, 255, 255], "128 stays");
    }
}
