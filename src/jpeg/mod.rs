//! JPEG as it comes from a camera: where a picture begins and ends, and its coefficients.
//!
//! No I/O, no clocks and no threads belong here, and nothing that needs pixels. Raw pictures are encoded in
//! [`crate::codec`].

mod entropy;
mod marker;
pub mod scan;
pub mod scanner;
mod standard;
