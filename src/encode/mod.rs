//! Encoding: values in, bytes out. No I/O, no threads and no clocks belong here.

pub mod part;
