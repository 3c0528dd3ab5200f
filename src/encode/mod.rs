//! Encoding: values in, bytes out. No I/O, no threads and no clocks belong here.

mod huffman;
pub mod jpeg;
pub mod part;
pub mod scan;
pub mod sound;
