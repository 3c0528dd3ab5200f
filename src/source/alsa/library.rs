//! Readies libasound: keeps it from writing to standard error, and configures it on machines without its files.
//!
//! libasound knows not even `hw:0` by itself: every name is defined in /usr/share/alsa, which comes
//! with the library's Debian package. The static binary carries the library without those files, so
//! it brings the few definitions it needs. If the files exist, they are used instead.

use std::ffi::CStr;
use std::ptr;
use std::sync::Once;

use alsa::Output;
use alsa_sys::{
    snd_config_load, snd_config_search, snd_config_t, snd_config_unref, snd_config_update_ref,
    snd_input_buffer_open, snd_input_close,
};
use log::debug;

/// A name that every configuration defines.
const KNOWN: &CStr = c"pcm.plughw";

/// `hw:CARD,DEV`, `plughw:CARD,DEV`, `default` and the control device of a card.
const DEFINITIONS: &str = "\
pcm.hw {
  @args [ CARD DEV SUBDEV ]
  @args.CARD { type string default '0' }
  @args.DEV { type integer default 0 }
  @args.SUBDEV { type integer default -1 }
  type hw
  card $CARD
  device $DEV
  subdevice $SUBDEV
}
pcm.plughw {
  @args [ CARD DEV SUBDEV ]
  @args.CARD { type string default '0' }
  @args.DEV { type integer default 0 }
  @args.SUBDEV { type integer default -1 }
  type plug
  slave.pcm {
    type hw
    card $CARD
    device $DEV
    subdevice $SUBDEV
  }
}
pcm.default {
  type plug
  slave.pcm { type hw card 0 }
}
ctl.hw {
  @args [ CARD ]
  @args.CARD { type string default '0' }
  type hw
  card $CARD
}
";

/// Readies the library for this thread. Its errors reach the log by way of [`super::error`] instead.
pub(super) fn prepare() {
    // Each call starts an empty buffer in the place of the last one, so that none grows for years.
    let _ = Output::local_error_handler();
    ensure_configuration();
}

/// Sees to it, once, that ALSA has a configuration. Without one, opening says so by itself.
fn ensure_configuration() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        if let Err(code) = add_if_missing() {
            debug!("ALSA takes no configuration: error {code}");
        }
    });
}

#[allow(unsafe_code)]
fn add_if_missing() -> Result<(), i32> {
    let mut tree: *mut snd_config_t = ptr::null_mut();
    // SAFETY: on success `tree` is the library's own tree with a reference for us, which keeps it
    // alive until the unref below; the library guards its tree with a lock while it makes it.
    checked(unsafe { snd_config_update_ref(&mut tree) })?;
    let mut found = ptr::null_mut();
    // SAFETY: `tree` is alive (see above), and KNOWN ends with a NUL.
    let known = unsafe { snd_config_search(tree, KNOWN.as_ptr(), &mut found) } >= 0;
    let loaded = if known { Ok(()) } else { load_into(tree) };
    // SAFETY: gives back the one reference taken above.
    unsafe { snd_config_unref(tree) };
    loaded
}

#[allow(unsafe_code)]
fn load_into(tree: *mut snd_config_t) -> Result<(), i32> {
    let mut input = ptr::null_mut();
    let length = DEFINITIONS.len() as isize;
    // SAFETY: the library copies `length` bytes of the text, which is that long.
    checked(unsafe { snd_input_buffer_open(&mut input, DEFINITIONS.as_ptr().cast(), length) })?;
    // SAFETY: the caller holds a reference to `tree`; `input` was just opened. No PCM is opened
    // meanwhile: every thread of this program comes through the Once first.
    let loaded = checked(unsafe { snd_config_load(tree, input) });
    // SAFETY: opened above, closed once.
    unsafe { snd_input_close(input) };
    loaded
}

fn checked(code: i32) -> Result<(), i32> {
    if code < 0 { Err(code) } else { Ok(()) }
}
