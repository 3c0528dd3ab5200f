//! Encoding: values in, bytes out. No I/O and no clocks belong here, and no threads but
//! those of one call that has returned when they have ended (`jpeg/slices.rs`).

mod entropy;
mod huffman;
pub mod jpeg;
mod marker;
pub mod part;
pub mod scan;
pub mod scanner;
pub mod sound;
