//! Fields of fixed length, big-endian as EBML's, with a checksum of four bytes at their end.

/// Reads fields from the front. Behind the end there are zeros.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut field = [0; N];
        let count = N.min(self.0.len());
        field[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        field
    }

    pub(super) fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take())
    }

    pub(super) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }
}

/// Writes fields from the front.
///
/// # Panics
/// Where there is no room for a field.
pub(super) struct FieldsMut<'a>(pub(super) &'a mut [u8]);

impl FieldsMut<'_> {
    pub(super) fn put<const N: usize>(&mut self, field: [u8; N]) {
        let (now, later) = std::mem::take(&mut self.0).split_at_mut(N);
        now.copy_from_slice(&field);
        self.0 = later;
    }
}

/// Writes the checksum of all bytes before the last four into these.
pub(super) fn seal(bytes: &mut [u8]) {
    if let Some((body, crc)) = bytes.split_last_chunk_mut::<4>() {
        *crc = crc32fast::hash(body).to_be_bytes();
    }
}

/// Whether the last four bytes are the checksum of those before; `None` if not.
pub(super) fn check_crc(bytes: &[u8]) -> Option<()> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    (*crc == crc32fast::hash(body).to_be_bytes()).then_some(())
}
