//! JPEG as it comes from a camera: where a picture begins and ends, and its coefficients.
//!
//! No I/O, no clocks and no threads belong here, and nothing that needs pixels. Raw pictures are encoded in
//! [`crate::codec`].

mod bit_writer;
mod bits;
pub mod coefficients;
pub mod dc;
pub mod edit;
mod entropy;
pub mod error;
mod head;
pub mod header;
mod huffman;
mod layout;
mod marker;
pub mod mask;
mod overlay;
mod quantise;
mod read;
mod read_table;
pub mod scan;
pub mod scanner;
mod segments;
pub mod shrink;
pub mod stamp;
mod standard;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod turn;
pub mod variant;
mod walk;
mod write;
