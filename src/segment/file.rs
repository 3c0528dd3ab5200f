//! The file under a segment: what is asked of it to write and to read.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::FileExt;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system takes at each call.
    enum Call {
        Takes(usize),
        Fails(ErrorKind),
    }

    fn written(parts: &[&[u8]], calls: impl IntoIterator<Item = Call>) -> (io::Result<()>, Vec<u8>) {
        let parts: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut calls = calls.into_iter();
        let mut out = Vec::new();
        let result = write_all(&parts, 100, |parts, offset| {
            assert!(parts.len() <= MAX_PARTS, "the kernel refuses {} parts", parts.len());
            assert_eq!(offset, 100 + out.len() as u64);
            let most = match calls.next().unwrap_or(Call::Takes(usize::MAX)) {
                Call::Takes(most) => most,
                Call::Fails(kind) => return Err(kind.into()),
            };
            let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).take(most).collect();
            out.extend(&bytes);
            Ok(bytes.len())
        });
        (result, out)
    }

    #[test]
    fn short_and_interrupted_writes_are_continued() {
        let parts: [&[u8]; 5] = [b"abc", b"", b"defgh", b"", b"i"];
        for most in 1..=9 {
            let calls = (0..).map(|call| match call % 3 {
                1 => Call::Fails(ErrorKind::Interrupted),
                _ => Call::Takes(most),
            });
            let (result, out) = written(&parts, calls);
            assert!(result.is_ok() && out == b"abcdefghi", "{most} bytes at once: {out:?}");
        }
    }

    #[test]
    fn an_error_ends_the_write() {
        let (result, out) = written(&[b"abc", b"def"], [Call::Takes(4), Call::Fails(ErrorKind::StorageFull)]);
        assert_eq!((result.unwrap_err().kind(), &out[..]), (ErrorKind::StorageFull, &b"abcd"[..]));
        let (result, _) = written(&[b"abc"], [Call::Takes(0)]);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WriteZero);
    }

    #[test]
    fn more_parts_than_the_kernel_takes_are_written() {
        let bytes: Vec<u8> = (0..5000_u32).map(|number| number as u8).collect();
        let parts: Vec<&[u8]> = bytes.chunks(1).collect();
        let (result, out) = written(&parts, []);
        assert!(result.is_ok() && out == bytes);

        let file = tempfile::tempfile().unwrap();
        let parts: Vec<_> = bytes.chunks(2).map(IoSlice::new).collect();
        SegmentFile::write_at(&file, &parts, 7).unwrap();
        let mut read = vec![1; 6000];
        assert_eq!(ReadAt::read_at(&file, &mut read, 0).unwrap(), 5007);
        assert_eq!(read[7..5007], bytes[..]);
    }
}
