//! The calls about a camera's controls (Linux media documentation, "User Controls").

use std::io;
use std::os::fd::BorrowedFd;

use v4l::v4l_sys as sys;

use super::{GET_CONTROL, QUERY_CONTROL, QUERY_MENU, SET_CONTROL, blank, call};

/// VIDIOC_QUERYCTRL: the control behind the one with the number `after`, 0 for the first; EINVAL
/// behind the last one.
pub(in crate::source::v4l2) fn query_control_after(
    device: BorrowedFd<'_>,
    after: u32,
) -> io::Result<sys::v4l2_queryctrl> {
    let mut control: sys::v4l2_queryctrl = blank();
    control.id = after | sys::V4L2_CTRL_FLAG_NEXT_CTRL;
    call(device, QUERY_CONTROL, control)
}

/// What a choice of a menu is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source::v4l2) enum MenuItem {
    /// It has a name.
    Named([u8; 32]),
    /// It has a number, as those of V4L2_CTRL_TYPE_INTEGER_MENU.
    Number(i64),
}

/// VIDIOC_QUERYMENU: the choice number `index` of a menu; EINVAL where there is none.
pub(in crate::source::v4l2) fn query_menu(
    device: BorrowedFd<'_>,
    id: u32,
    index: u32,
    has_numbers: bool,
) -> io::Result<MenuItem> {
    let mut item: sys::v4l2_querymenu = blank();
    (item.id, item.index) = (id, index);
    let item = call(device, QUERY_MENU, item)?;
    // SAFETY: both members are plain integers, for which any bits are valid.
    #[allow(unsafe_code)]
    let (name, value) = unsafe { (item.__bindgen_anon_1.name, item.__bindgen_anon_1.value) };
    Ok(if has_numbers { MenuItem::Number(value) } else { MenuItem::Named(name) })
}

/// VIDIOC_G_CTRL: the value of a control.
pub(in crate::source::v4l2) fn get_control(device: BorrowedFd<'_>, id: u32) -> io::Result<i32> {
    call(device, GET_CONTROL, sys::v4l2_control { id, value: 0 }).map(|control| control.value)
}

/// VIDIOC_S_CTRL: sets a control; the answer is the value in force.
pub(in crate::source::v4l2) fn set_control(device: BorrowedFd<'_>, id: u32, value: i32) -> io::Result<i32> {
    call(device, SET_CONTROL, sys::v4l2_control { id, value }).map(|control| control.value)
}
