//! What Defender uses of the kernel's `linux/videodev2.h`: structures, constants and the numbers of requests, under the
//! names of that header. Nothing else belongs here; [`super::calls`] makes the requests.
//!
//! They are written down instead of generated: a generator needs libclang on every machine that compiles Defender, and
//! takes long to compile itself. The kernel never changes them. [`sizes`] compares them with its numbers.
#![allow(non_camel_case_types)]

use std::ffi::c_int;

use rustix::ioctl::{Opcode, opcode};

pub(super) const V4L2_BUF_TYPE_VIDEO_CAPTURE: u32 = 1;
pub(super) const V4L2_MEMORY_MMAP: u32 = 1;
pub(super) const V4L2_FIELD_NONE: u32 = 1;

pub(super) const V4L2_CAP_VIDEO_CAPTURE: u32 = 0x0000_0001;
pub(super) const V4L2_CAP_VIDEO_OUTPUT: u32 = 0x0000_0002;
pub(super) const V4L2_CAP_VIDEO_CAPTURE_MPLANE: u32 = 0x0000_1000;
pub(super) const V4L2_CAP_VIDEO_OUTPUT_MPLANE: u32 = 0x0000_2000;
pub(super) const V4L2_CAP_VIDEO_M2M_MPLANE: u32 = 0x0000_4000;
pub(super) const V4L2_CAP_VIDEO_M2M: u32 = 0x0000_8000;
#[cfg(test)]
pub(super) const V4L2_CAP_META_CAPTURE: u32 = 0x0080_0000;
pub(super) const V4L2_CAP_STREAMING: u32 = 0x0400_0000;
pub(super) const V4L2_CAP_DEVICE_CAPS: u32 = 0x8000_0000;

pub(super) const V4L2_FMT_FLAG_EMULATED: u32 = 0x0002;
pub(super) const V4L2_FRMSIZE_TYPE_DISCRETE: u32 = 1;
pub(super) const V4L2_FRMIVAL_TYPE_DISCRETE: u32 = 1;
pub(super) const V4L2_BUF_FLAG_ERROR: u32 = 0x0000_0040;

pub(super) const V4L2_COLORSPACE_JPEG: u32 = 7;
#[cfg(test)]
pub(super) const V4L2_COLORSPACE_SRGB: u32 = 8;
pub(super) const V4L2_QUANTIZATION_FULL_RANGE: u32 = 1;
pub(super) const V4L2_QUANTIZATION_LIM_RANGE: u32 = 2;

pub(super) const V4L2_CTRL_TYPE_INTEGER: u32 = 1;
pub(super) const V4L2_CTRL_TYPE_BOOLEAN: u32 = 2;
pub(super) const V4L2_CTRL_TYPE_MENU: u32 = 3;
pub(super) const V4L2_CTRL_TYPE_BUTTON: u32 = 4;
pub(super) const V4L2_CTRL_TYPE_INTEGER_MENU: u32 = 9;
pub(super) const V4L2_CTRL_FLAG_DISABLED: u32 = 0x0001;
pub(super) const V4L2_CTRL_FLAG_READ_ONLY: u32 = 0x0004;
pub(super) const V4L2_CTRL_FLAG_INACTIVE: u32 = 0x0010;
pub(super) const V4L2_CTRL_FLAG_WRITE_ONLY: u32 = 0x0040;
pub(super) const V4L2_CTRL_FLAG_NEXT_CTRL: u32 = 0x8000_0000;

const CLASS: u8 = b'V';

pub(super) const VIDIOC_QUERYCAP: Opcode = opcode::read::<v4l2_capability>(CLASS, 0);
pub(super) const VIDIOC_ENUM_FMT: Opcode = opcode::read_write::<v4l2_fmtdesc>(CLASS, 2);
pub(super) const VIDIOC_G_FMT: Opcode = opcode::read_write::<v4l2_format>(CLASS, 4);
pub(super) const VIDIOC_S_FMT: Opcode = opcode::read_write::<v4l2_format>(CLASS, 5);
pub(super) const VIDIOC_REQBUFS: Opcode = opcode::read_write::<v4l2_requestbuffers>(CLASS, 8);
pub(super) const VIDIOC_QUERYBUF: Opcode = opcode::read_write::<v4l2_buffer>(CLASS, 9);
pub(super) const VIDIOC_QBUF: Opcode = opcode::read_write::<v4l2_buffer>(CLASS, 15);
pub(super) const VIDIOC_DQBUF: Opcode = opcode::read_write::<v4l2_buffer>(CLASS, 17);
pub(super) const VIDIOC_STREAMON: Opcode = opcode::write::<c_int>(CLASS, 18);
pub(super) const VIDIOC_STREAMOFF: Opcode = opcode::write::<c_int>(CLASS, 19);
pub(super) const VIDIOC_G_PARM: Opcode = opcode::read_write::<v4l2_streamparm>(CLASS, 21);
pub(super) const VIDIOC_S_PARM: Opcode = opcode::read_write::<v4l2_streamparm>(CLASS, 22);
pub(super) const VIDIOC_G_CTRL: Opcode = opcode::read_write::<v4l2_control>(CLASS, 27);
pub(super) const VIDIOC_S_CTRL: Opcode = opcode::read_write::<v4l2_control>(CLASS, 28);
pub(super) const VIDIOC_QUERYCTRL: Opcode = opcode::read_write::<v4l2_queryctrl>(CLASS, 36);
pub(super) const VIDIOC_QUERYMENU: Opcode = opcode::read_write::<v4l2_querymenu>(CLASS, 37);
pub(super) const VIDIOC_TRY_FMT: Opcode = opcode::read_write::<v4l2_format>(CLASS, 64);
pub(super) const VIDIOC_ENUM_FRAMESIZES: Opcode = opcode::read_write::<v4l2_frmsizeenum>(CLASS, 74);
pub(super) const VIDIOC_ENUM_FRAMEINTERVALS: Opcode = opcode::read_write::<v4l2_frmivalenum>(CLASS, 75);

/// What a device is.
#[repr(C)]
pub(super) struct v4l2_capability {
    pub(super) driver: [u8; 16],
    pub(super) card: [u8; 32],
    bus_info: [u8; 32],
    version: u32,
    pub(super) capabilities: u32,
    pub(super) device_caps: u32,
    reserved: [u32; 3],
}

/// One of the formats that a device has.
#[repr(C)]
pub(super) struct v4l2_fmtdesc {
    pub(super) index: u32,
    pub(super) type_: u32,
    pub(super) flags: u32,
    pub(super) description: [u8; 32],
    pub(super) pixelformat: u32,
    mbus_code: u32,
    reserved: [u32; 3],
}

/// A fraction.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct v4l2_fract {
    pub(super) numerator: u32,
    pub(super) denominator: u32,
}

/// One of the sizes of a format.
#[repr(C)]
pub(super) struct v4l2_frmsizeenum {
    pub(super) index: u32,
    pub(super) pixel_format: u32,
    pub(super) type_: u32,
    pub(super) sizes: v4l2_frmsizes,
    reserved: [u32; 2],
}

/// Which member counts is in [`v4l2_frmsizeenum::type_`].
#[repr(C)]
pub(super) union v4l2_frmsizes {
    pub(super) discrete: v4l2_frmsize_discrete,
    pub(super) stepwise: v4l2_frmsize_stepwise,
}

/// One size.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct v4l2_frmsize_discrete {
    pub(super) width: u32,
    pub(super) height: u32,
}

/// All sizes between two.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct v4l2_frmsize_stepwise {
    pub(super) min_width: u32,
    pub(super) max_width: u32,
    pub(super) step_width: u32,
    pub(super) min_height: u32,
    pub(super) max_height: u32,
    pub(super) step_height: u32,
}

/// One of the frame intervals of a format and size.
#[repr(C)]
pub(super) struct v4l2_frmivalenum {
    pub(super) index: u32,
    pub(super) pixel_format: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) type_: u32,
    pub(super) intervals: v4l2_frmivals,
    reserved: [u32; 2],
}

/// Which member counts is in [`v4l2_frmivalenum::type_`].
#[repr(C)]
pub(super) union v4l2_frmivals {
    pub(super) discrete: v4l2_fract,
    pub(super) stepwise: v4l2_frmival_stepwise,
}

/// All intervals between two.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct v4l2_frmival_stepwise {
    pub(super) min: v4l2_fract,
    pub(super) max: v4l2_fract,
    step: v4l2_fract,
}

/// The format of a buffer, of the kind in `type_`.
#[repr(C)]
pub(super) struct v4l2_format {
    pub(super) type_: u32,
    pub(super) fmt: v4l2_format_of_type,
}

/// The member for [`V4L2_BUF_TYPE_VIDEO_CAPTURE`]. Others have pointers, which decide where the union begins.
#[repr(C)]
pub(super) union v4l2_format_of_type {
    pub(super) pix: v4l2_pix_format,
    raw_data: [u8; 200],
    pointers: [usize; 0],
}

/// The format of a picture in one plane.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct v4l2_pix_format {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) pixelformat: u32,
    pub(super) field: u32,
    pub(super) bytesperline: u32,
    pub(super) sizeimage: u32,
    pub(super) colorspace: u32,
    private: u32,
    flags: u32,
    ycbcr_enc: u32,
    pub(super) quantization: u32,
    xfer_func: u32,
}

/// Parameters of a stream, of the kind in `type_`.
#[repr(C)]
pub(super) struct v4l2_streamparm {
    pub(super) type_: u32,
    pub(super) parm: v4l2_parm_of_type,
}

/// The member for [`V4L2_BUF_TYPE_VIDEO_CAPTURE`].
#[repr(C)]
pub(super) union v4l2_parm_of_type {
    pub(super) capture: v4l2_captureparm,
    raw_data: [u8; 200],
}

/// Parameters of capture.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct v4l2_captureparm {
    capability: u32,
    capturemode: u32,
    pub(super) timeperframe: v4l2_fract,
    extendedmode: u32,
    readbuffers: u32,
    reserved: [u32; 4],
}

/// How many buffers there are to be.
#[repr(C)]
pub(super) struct v4l2_requestbuffers {
    pub(super) count: u32,
    pub(super) type_: u32,
    pub(super) memory: u32,
    capabilities: u32,
    flags: u8,
    reserved: [u8; 3],
}

/// A buffer.
#[repr(C)]
pub(super) struct v4l2_buffer {
    pub(super) index: u32,
    pub(super) type_: u32,
    pub(super) bytesused: u32,
    pub(super) flags: u32,
    field: u32,
    pub(super) timestamp: v4l2_timeval,
    timecode: v4l2_timecode,
    pub(super) sequence: u32,
    pub(super) memory: u32,
    pub(super) m: v4l2_place,
    pub(super) length: u32,
    reserved2: u32,
    request_fd: i32,
}

/// A time. The kernel has taken 64 bits from 32-bit programs since Linux 5.6.
#[repr(C)]
pub(super) struct v4l2_timeval {
    pub(super) tv_sec: i64,
    pub(super) tv_usec: i64,
}

/// A timecode.
#[repr(C)]
pub(super) struct v4l2_timecode {
    type_: u32,
    flags: u32,
    numbers: [u8; 8],
}

/// Where a buffer lies: the member for [`V4L2_MEMORY_MMAP`].
#[repr(C)]
pub(super) union v4l2_place {
    pub(super) offset: u32,
    userptr: usize,
}

/// The value of a control.
#[repr(C)]
pub(super) struct v4l2_control {
    pub(super) id: u32,
    pub(super) value: i32,
}

/// What a control is.
#[repr(C)]
pub(super) struct v4l2_queryctrl {
    pub(super) id: u32,
    pub(super) type_: u32,
    pub(super) name: [u8; 32],
    pub(super) minimum: i32,
    pub(super) maximum: i32,
    pub(super) step: i32,
    pub(super) default_value: i32,
    pub(super) flags: u32,
    reserved: [u32; 2],
}

/// A choice of a menu.
#[repr(C, packed)]
pub(super) struct v4l2_querymenu {
    pub(super) id: u32,
    pub(super) index: u32,
    pub(super) choice: v4l2_menu_choice,
    reserved: u32,
}

/// Which member counts is in the type of the menu.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) union v4l2_menu_choice {
    pub(super) name: [u8; 32],
    pub(super) value: i64,
}

/// The kernel's numbers of requests, which have the sizes of the structures in them. Some sizes differ between 32 and
/// 64 bits. Where a number is wrong, nothing is compiled.
mod sizes {
    use std::mem::{offset_of, size_of};

    use super::*;

    const IS_64_BIT: bool = size_of::<usize>() == 8;
    const FORMAT: Opcode = if IS_64_BIT { 0xC0D0_5600 } else { 0xC0CC_5600 };
    const BUFFER: Opcode = if IS_64_BIT { 0xC058_5600 } else { 0xC050_5600 };

    const _: () = {
        assert!(VIDIOC_QUERYCAP == 0x8068_5600);
        assert!(VIDIOC_ENUM_FMT == 0xC040_5602);
        assert!(VIDIOC_G_FMT == FORMAT + 4 && VIDIOC_S_FMT == FORMAT + 5 && VIDIOC_TRY_FMT == FORMAT + 64);
        assert!(VIDIOC_REQBUFS == 0xC014_5608);
        assert!(VIDIOC_QUERYBUF == BUFFER + 9 && VIDIOC_QBUF == BUFFER + 15 && VIDIOC_DQBUF == BUFFER + 17);
        assert!(VIDIOC_STREAMON == 0x4004_5612 && VIDIOC_STREAMOFF == 0x4004_5613);
        assert!(VIDIOC_G_PARM == 0xC0CC_5615 && VIDIOC_S_PARM == 0xC0CC_5616);
        assert!(VIDIOC_G_CTRL == 0xC008_561B && VIDIOC_S_CTRL == 0xC008_561C);
        assert!(VIDIOC_QUERYCTRL == 0xC044_5624 && VIDIOC_QUERYMENU == 0xC02C_5625);
        assert!(VIDIOC_ENUM_FRAMESIZES == 0xC02C_564A && VIDIOC_ENUM_FRAMEINTERVALS == 0xC034_564B);
    };

    const _: () = {
        assert!(offset_of!(v4l2_capability, capabilities) == 84);
        assert!(offset_of!(v4l2_fmtdesc, pixelformat) == 44);
        assert!(offset_of!(v4l2_format, fmt) == size_of::<usize>());
        assert!(size_of::<v4l2_pix_format>() == 48 && offset_of!(v4l2_pix_format, quantization) == 40);
        assert!(offset_of!(v4l2_streamparm, parm) == 4 && size_of::<v4l2_captureparm>() == 40);
        assert!(offset_of!(v4l2_buffer, timestamp) == 24 && offset_of!(v4l2_buffer, sequence) == 56);
        assert!(
            offset_of!(v4l2_buffer, m) == 64 && offset_of!(v4l2_buffer, length) == 64 + size_of::<usize>()
        );
        assert!(offset_of!(v4l2_queryctrl, flags) == 56);
    };
}
