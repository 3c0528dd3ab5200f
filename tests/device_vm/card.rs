//! A memory card for the guest: a disk of this process, which qemu reaches by [`crate::nbd`]. It has the write cache of a
//! real card: what was not flushed is lost in a power cut, sector by sector and in no order. It stalls and fails on demand.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::nbd::{self, Failed, Store};

const PAGE: usize = 4096;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What footage is written in, and nothing else.
const MUCH_BYTES: usize = 32 * 1024;

/// What is on a card: a page that is not there is zero. Clones share pages.
#[derive(Clone, Default)]
pub struct Image(BTreeMap<u64, Arc<[u8; PAGE]>>);

/// How a card answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Works,
    /// It answers nothing until its mood changes.
    Stalls,
    /// It fails to write much at once, as footage is, and does all else, such as what a journal needs.
    FailsToWriteMuch,
    /// It fails whatever it is asked for.
    Fails,
}

/// A card, for as long as the machine lives that it is in.
#[derive(Clone)]
pub struct Card {
    shared: Arc<Shared>,
    bytes: u64,
}

struct Shared {
    state: Mutex<State>,
    /// Woken when the mood changes.
    changed: Condvar,
}

struct State {
    mood: Mood,
    /// What a reader sees.
    seen: Image,
    /// What a power cut leaves in any case.
    durable: Image,
    /// What was written since the last flush.
    unflushed: Vec<(u64, Vec<u8>)>,
    /// Requests that came since the mood changed.
    asked: u64,
}

impl Card {
    /// An empty card of so many bytes, which answers at `socket`.
    pub fn start(socket: &Path, bytes: u64) -> Self {
        let state = State {
            mood: Mood::Works,
            seen: Image::default(),
            durable: Image::default(),
            unflushed: Vec::new(),
            asked: 0,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        nbd::serve(socket, bytes, Arc::clone(&shared));
        Self { shared, bytes }
    }

    /// Replaces all that is on it. The guest must not have it mounted.
    pub fn load(&self, image: Image) {
        let mut state = self.shared.lock();
        state.unflushed.clear();
        state.seen = image.clone();
        state.durable = image;
    }

    /// Makes a file system of a kind (`ext4`, `f2fs`) with the files of a folder.
    pub fn format(&self, kind: &str, files: &Path) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.as_file().set_len(self.bytes).expect("a sparse file");
        let (make, fill) = match kind {
            "ext4" => ("mkfs.ext4 -q -F -b 4096 -d \"$1\" \"$0\"", "true"),
            _ => ("mkfs.f2fs -q -f \"$0\"", "sload.f2fs -f \"$1\" \"$0\""),
        };
        let made = std::process::Command::new("sh")
            .args(["-c", &format!("PATH=$PATH:/sbin:/usr/sbin; exec >/dev/null; {make} && {fill}")])
            .args([file.path(), files])
            .status();
        assert!(made.expect("sh runs").success(), "no {kind}");
        self.load(Image::read(file.path()));
    }

    /// What a power cut in this moment would leave: of what was not flushed, each sector may be written or not.
    pub fn after_a_cut(&self) -> Image {
        let state = self.shared.lock();
        let mut left = state.durable.clone();
        // All, none, most, a few.
        let odds = [0, 8, 50, 92, 100][below(5) as usize];
        for (offset, bytes) in &state.unflushed {
            for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                if below(100) < odds {
                    left.write(offset + (number * SECTOR) as u64, sector);
                }
            }
        }
        left
    }

    /// All that is on it and in its cache.
    pub fn image(&self) -> Image {
        self.shared.lock().seen.clone()
    }

    /// Changes how it answers.
    pub fn set(&self, mood: Mood) {
        let mut state = self.shared.lock();
        (state.mood, state.asked) = (mood, 0);
        self.shared.changed.notify_all();
    }

    /// How many requests came since the mood changed, answered or not.
    pub fn asked(&self) -> u64 {
        self.shared.lock().asked
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while it stalls.
    fn ask(&self, written_bytes: usize) -> Result<MutexGuard<'_, State>, Failed> {
        let mut state = self.lock();
        state.asked += 1;
        while state.mood == Mood::Stalls {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        match state.mood {
            Mood::Fails => Err(Failed),
            Mood::FailsToWriteMuch if written_bytes >= MUCH_BYTES => Err(Failed),
            _ => Ok(state),
        }
    }
}

impl Store for Shared {
    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Failed> {
        self.ask(0)?.seen.read_at(offset, bytes);
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Failed> {
        let mut state = self.ask(bytes.len())?;
        state.seen.write(offset, bytes);
        state.unflushed.push((offset, bytes.to_vec()));
        Ok(())
    }

    fn flush(&self) -> Result<(), Failed> {
        let mut state = self.ask(0)?;
        for (offset, bytes) in std::mem::take(&mut state.unflushed) {
            state.durable.write(offset, &bytes);
        }
        Ok(())
    }
}

impl Image {
    /// That of a file.
    fn read(file: &Path) -> Self {
        let bytes = fs::read(file).expect("an image");
        let mut image = Self::default();
        for (page, content) in bytes.chunks_exact(PAGE).enumerate() {
            if content.iter().any(|byte| *byte != 0) {
                image.0.insert(page as u64, Arc::new(content.try_into().expect("a page")));
            }
        }
        image
    }

    fn read_at(&self, offset: u64, mut bytes: &mut [u8]) {
        let mut at = offset;
        while !bytes.is_empty() {
            let (page, skip, count) = place(at, bytes.len());
            let (now, rest) = bytes.split_at_mut(count);
            match self.0.get(&page) {
                Some(content) => now.copy_from_slice(&content[skip..skip + count]),
                None => now.fill(0),
            }
            (bytes, at) = (rest, at + count as u64);
        }
    }

    fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        let mut at = offset;
        while !bytes.is_empty() {
            let (page, skip, count) = place(at, bytes.len());
            let (now, rest) = bytes.split_at(count);
            let content = self.0.entry(page).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(content)[skip..skip + count].copy_from_slice(now);
            (bytes, at) = (rest, at + count as u64);
        }
    }
}

/// The page of an offset, where in it, and how many of `left` bytes lie there.
fn place(offset: u64, left: usize) -> (u64, usize, usize) {
    let skip = (offset % PAGE as u64) as usize;
    (offset / PAGE as u64, skip, left.min(PAGE - skip))
}

/// A random number below `limit`.
pub fn below(limit: u32) -> u32 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    u32::from_le_bytes(bytes) % limit
}
