//! The driver's numbers and texts for formats, as values.

use v4l::v4l_sys as sys;

use crate::media::{PixelFormat, Range601};

/// The format a driver has in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ActiveFormat {
    /// Its four character code.
    pub(super) fourcc: [u8; 4],
    /// Pixels in a row.
    pub(super) width: u32,
    /// Rows.
    pub(super) height: u32,
    /// Bytes from one row to the next.
    pub(super) stride_bytes: u32,
    /// Which code values stand for black and white.
    pub(super) range: Range601,
}

/// The name of a four character code: Defender's for a format it can use, else the code itself.
pub(super) fn format_name(fourcc: [u8; 4]) -> String {
    match PixelFormat::from_fourcc(fourcc) {
        Some(format) => format.name().to_owned(),
        None => fourcc_text(fourcc),
    }
}

/// A four character code as people write it.
pub(super) fn fourcc_text(fourcc: [u8; 4]) -> String {
    // The highest bit of the last character means big-endian.
    let [a, b, c, d] = fourcc;
    let code = [a, b, c, d & 0x7F].escape_ascii().to_string();
    let big_endian = if d & 0x80 == 0 { "" } else { "-BE" };
    format!("{}{big_endian}", code.trim_end())
}

/// The format in force, by the driver's answer.
pub(super) fn active_format(format: &sys::v4l2_pix_format) -> ActiveFormat {
    let fourcc = format.pixelformat.to_le_bytes();
    ActiveFormat {
        fourcc,
        width: format.width,
        height: format.height,
        // Some drivers leave it zero, and mean that nothing lies between two rows.
        stride_bytes: format.bytesperline.max(row_bytes(fourcc, format.width)),
        range: range(fourcc, format.colorspace, format.quantization),
    }
}

/// The bytes of a row's pixels in the first plane; zero for a format without rows.
fn row_bytes(fourcc: [u8; 4], width: u32) -> u32 {
    match PixelFormat::from_fourcc(fourcc) {
        Some(PixelFormat::Yuyv | PixelFormat::Uyvy) => width.next_multiple_of(2).saturating_mul(2),
        Some(PixelFormat::Nv12 | PixelFormat::I420 | PixelFormat::Grey) => width,
        Some(PixelFormat::Rgb3) => width.saturating_mul(3),
        Some(PixelFormat::Mjpeg) | None => 0,
    }
}

/// The range of the code values: what the driver says, and where it says nothing, what V4L2 takes
/// for granted ("Colorspaces", default quantization): full for JPEG, limited for other Y'CbCr.
/// Grey is no Y'CbCr: sensors give its whole range.
fn range(fourcc: [u8; 4], colorspace: u32, quantization: u32) -> Range601 {
    match quantization {
        sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE => Range601::Full,
        sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE => Range601::Limited,
        _ if colorspace == sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG => Range601::Full,
        _ if fourcc == PixelFormat::Grey.fourcc() => Range601::Full,
        _ => Range601::Limited,
    }
}

/// Frames a second of a time per frame; zero when it says nothing.
pub(super) fn rate_fps(interval: sys::v4l2_fract) -> f32 {
    if interval.numerator == 0 {
        return 0.0;
    }
    (f64::from(interval.denominator) / f64::from(interval.numerator)) as f32
}

/// The text in a fixed field of the kernel's, up to its zero byte; whatever would disturb a log
/// line is replaced.
pub(super) fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    let text = String::from_utf8_lossy(&field[..end]);
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::v4l2::calls;

    #[test]
    fn the_range_a_driver_reports_overrides_the_rule() {
        let (jpeg, srgb) =
            (sys::v4l2_colorspace_V4L2_COLORSPACE_JPEG, sys::v4l2_colorspace_V4L2_COLORSPACE_SRGB);
        let full = sys::v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE;
        let limited = sys::v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE;
        assert_eq!(range(*b"YUYV", srgb, 0), Range601::Limited);
        assert_eq!(range(*b"YUYV", jpeg, 0), Range601::Full);
        assert_eq!(range(*b"GREY", srgb, 0), Range601::Full);
        assert_eq!(range(*b"YUYV", srgb, full), Range601::Full);
        assert_eq!(range(*b"YUYV", jpeg, limited), Range601::Limited);
    }

    #[test]
    fn rows_without_a_reported_length_are_not_padded() {
        let given = |fourcc: &[u8; 4], bytesperline| {
            let mut format = calls::blank_format();
            format.pixelformat = u32::from_le_bytes(*fourcc);
            (format.width, format.height, format.bytesperline) = (322, 240, bytesperline);
            active_format(&format).stride_bytes
        };
        assert_eq!(given(b"YUYV", 0), 644);
        assert_eq!(given(b"NV12", 0), 322);
        assert_eq!(given(b"RGB3", 0), 966);
        assert_eq!(given(b"YUYV", 704), 704, "padded rows");
        assert_eq!(given(b"MJPG", 0), 0);
    }

    #[test]
    fn a_rate_is_the_inverse_of_the_interval_and_zero_when_unknown() {
        let rate = |numerator, denominator| rate_fps(sys::v4l2_fract { numerator, denominator });
        assert_eq!(rate(1, 30), 30.0);
        assert!((rate(1001, 30_000) - 29.97).abs() < 0.001);
        assert_eq!(rate(0, 30), 0.0);
        assert_eq!(rate(1, 0), 0.0);
    }

    #[test]
    fn names_from_a_driver_cannot_break_a_log_line() {
        assert_eq!(text(b"Cam\nera \x1b[1m\0rest"), "Cam?era ?[1m");
        assert_eq!(fourcc_text(*b"Y16\xA0"), "Y16-BE");
        assert_eq!(fourcc_text(*b"\x01\x02AB"), "\\x01\\x02AB");
    }
}
