//! JPEG as it comes from a camera: where a picture begins and ends, and its coefficients.
//!
//! No I/O, no clocks and no threads belong here, and nothing that needs pixels. Raw pictures are encoded in
//! [`crate::codec`].

mod bits;
pub mod coefficients;
pub mod dc;
mod entropy;
pub mod error;
pub mod header;
mod huffman;
mod layout;
mod marker;
mod read;
mod read_table;
pub mod scan;
pub mod scanner;
mod segments;
mod standard;
mod walk;
