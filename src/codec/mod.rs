//! Encoding: values in, bytes out.
//!
//! No I/O and no clocks belong here, and no threads but those that end before the call that started them
//! returns (`jpeg/slices.rs`). What reads a JPEG or changes one belongs to [`crate::jpeg`].

pub mod jpeg;
pub mod part;
pub mod raw;
pub(crate) mod shared;
pub(crate) mod sound;
