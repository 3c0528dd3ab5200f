//! Encoding and scanning: values in, bytes out.
//!
//! No I/O and no clocks belong here, and no threads but those that end before the call that started them
//! returns (`jpeg/slices.rs`).

mod entropy;
mod huffman;
pub mod jpeg;
pub mod jpeg_stream;
mod marker;
pub(crate) mod part;
pub mod scan;
pub mod scanner;
pub(crate) mod shared;
pub(crate) mod sound;
