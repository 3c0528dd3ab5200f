//! What of a stream is not shown.

/// What was dropped, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Whole pictures that nobody took before a newer one was whole.
    pub superseded: u32,
    /// Pictures that end where another one begins.
    pub cut_off: u32,
    /// Pictures whose segments are none.
    pub broken: u32,
    /// Pictures without end within the limit.
    pub too_long: u32,
    /// Pictures for which there was no memory.
    pub no_memory: u32,
    /// Bytes that belong to no picture.
    pub skipped_bytes: u64,
}

impl Dropped {
    /// Pictures that were lost because they were not whole, or not read.
    pub fn damaged(&self) -> u32 {
        self.cut_off + self.broken + self.too_long + self.no_memory
    }
}
