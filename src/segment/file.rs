//! The file under a segment: what is asked of it to write and to read.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::io::pwritev;

/// Most parts that the kernel takes in one write (`IOV_MAX`).
const MAX_PARTS: usize = 1024;

/// A file that a segment is written to. Tests put faults behind it.
pub trait SegmentFile {
    /// Writes all of `parts`, one behind the other, from `offset` on.
    ///
    /// # Errors
    /// Those of the system; what was written is not known then.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Waits until all that was written is on the disk (`fdatasync`).
    ///
    /// # Errors
    /// Those of the system; what is on the disk is not known then, also after a later success.
    fn sync(&self) -> io::Result<()>;

    /// Cuts it, or extends it by zeros.
    ///
    /// # Errors
    /// Those of the system.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Its length in bytes.
    ///
    /// # Errors
    /// Those of the system.
    fn length(&self) -> io::Result<u64>;
}

/// A file that a segment is read from.
pub trait ReadAt {
    /// Reads as much as there is, at most all of `buffer`, from `offset` on. Returns the bytes read, fewer than
    /// `buffer` has only at the end of the file.
    ///
    /// # Errors
    /// Those of the system.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Its length in bytes.
    ///
    /// # Errors
    /// Those of the system.
    fn length(&self) -> io::Result<u64>;
}

impl SegmentFile for File {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        write_all(parts, offset, |parts, offset| Ok(pwritev(self, parts, offset)?))
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        read_all(buffer, offset, |rest, offset| FileExt::read_at(self, rest, offset))
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }
}

impl<T: SegmentFile + ?Sized> SegmentFile for &T {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        (**self).write_at(parts, offset)
    }

    fn sync(&self) -> io::Result<()> {
        (**self).sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        (**self).truncate(length)
    }

    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }
}

impl<T: SegmentFile + ?Sized> SegmentFile for Arc<T> {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        (**self).write_at(parts, offset)
    }

    fn sync(&self) -> io::Result<()> {
        (**self).sync()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        (**self).truncate(length)
    }

    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }
}

/// Writes all parts by `write`, which may take fewer parts and fewer bytes than it gets, and may be interrupted.
fn write_all(
    parts: &[IoSlice<'_>],
    mut offset: u64,
    mut write: impl FnMut(&[IoSlice<'_>], u64) -> io::Result<usize>,
) -> io::Result<()> {
    // Parts before `first` and the first `skip` bytes of that part are written.
    let (mut first, mut skip) = (0, 0);
    while let Some(part) = parts.get(first) {
        if skip == part.len() {
            (first, skip) = (first + 1, 0);
            continue;
        }
        let written = if skip == 0 {
            write(&parts[first..parts.len().min(first + MAX_PARTS)], offset)
        } else {
            write(&[IoSlice::new(&part[skip..])], offset)
        };
        let count = match written {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        offset += count as u64;
        skip += count;
        while first < parts.len() && skip >= parts[first].len() {
            skip -= parts[first].len();
            first += 1;
        }
    }
    Ok(())
}

/// Fills the buffer by `read`, which may give fewer bytes, and may be interrupted.
fn read_all(
    buffer: &mut [u8],
    offset: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match read(&mut buffer[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
