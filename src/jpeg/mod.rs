//! JPEG as it comes from a camera: where a picture begins and ends, and its coefficients.
//!
//! A picture is Huffman-coded blocks of coefficients. Nearly all that is done to one needs no pixels: [`dc`] reads a
//! picture of an eighth of the size, [`edit`] turns, masks and stamps, and [`variant`] makes smaller and lighter ones.
//! Each of them keeps its tables and its memory from frame to frame, and belongs to one camera.
//!
//! The bytes are a camera's, so nobody can trust them: memory and time are bounded by [`header::Limits`], and what is
//! damaged is refused and never guessed.
//!
//! No I/O, no clocks and no threads belong here, and nothing that needs pixels. Raw pictures are encoded in
//! [`crate::codec`].

mod bit_writer;
mod bits;
pub mod coefficients;
pub mod dc;
pub mod edit;
mod endings;
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
pub mod room;
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
