//! One other Defender: how to reach it, and what it was like when it was last asked.
//!
//! A server that does not accept our token, or whose key is not the expected one, is asked every 30 s only: it
//! stays so until a person changes something.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::body::{Body, Way};
use super::parts::Parts;
use super::pin::{self, Seen};
use super::{Address, Fingerprint, Listing, RemoteError};
use crate::base::{disk, lock};
use crate::memory::Account;

/// Largest status document read, in bytes.
const STATUS_BYTES: usize = 256 * 1024;

/// What defender.conf says of another Defender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    /// Its name here.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// What lets this server in there.
    pub token: Token,
    /// Its key, once that is known; or a certificate of it.
    pub fingerprint: Option<Fingerprint>,
}

/// A token, or the file that holds it.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// As it stands in defender.conf.
    Given(String),
    /// The first line of this file.
    File(PathBuf),
}

/// Never shows the token.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Another Defender.
pub struct Place {
    settings: RemoteSettings,
    tls: Arc<ClientConfig>,
    seen: Arc<Seen>,
    account: Arc<Account>,
    known: Mutex<Known>,
}

/// What was learned last.
#[derive(Clone, Debug, Default)]
struct Known {
    /// `None` before it was asked: what it was said to have it has until then.
    listing: Option<Listing>,
    /// Why it could not be asked the last time.
    problem: Option<String>,
}

/// Sound as it comes: S16_LE, from its first frame on.
pub struct Sound<'a> {
    body: Body<'a>,
    channels: usize,
}

impl Place {
    /// A place nobody has been to yet. What comes from it lies in memory of `account`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: RemoteSettings, account: Arc<Account>) -> Result<Self, RemoteError> {
        let (tls, seen) =
            pin::config(settings.fingerprint).map_err(|error| RemoteError::Tls(error.to_string()))?;
        Ok(Self { settings, tls, seen, account, known: Mutex::default() })
    }

    /// How it is reached.
    pub fn settings(&self) -> &RemoteSettings {
        &self.settings
    }

    /// The memory for what comes from it.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Asks what it has, and remembers the answer, or why there is none.
    ///
    /// # Errors
    /// Why there is none; what it had before is still remembered.
    pub fn ask(&self, wanted: &dyn Fn() -> bool) -> Result<Listing, RemoteError> {
        let answer =
            self.get("/api/1.0/status", wanted).and_then(|body| Listing::parse(&body.whole(STATUS_BYTES)?));
        let mut known = self.lock();
        match &answer {
            Ok(listing) => *known = Known { listing: Some(listing.clone()), problem: None },
            Err(error) => known.problem = Some(self.told(error)),
        }
        drop(known);
        answer
    }

    /// What to write in defender.conf in place of a fingerprint that will not hold, once it has answered.
    pub fn advice(&self) -> Option<String> {
        let (key, given) = (self.seen.key_to_write()?, self.settings.fingerprint?);
        let address = &self.settings.address;
        Some(format!(
            "{address}: fingerprint = \"{given}\" is that of a certificate, which the next version takes no more; \
             write that of its key, which stays: fingerprint = \"{key}\""
        ))
    }

    /// Why the camera gives no picture, as far as is known; `None` while it is well.
    pub fn camera_problem(&self, name: &str) -> Option<String> {
        self.problem_of(|listing| {
            let found = listing.cameras.iter().find(|camera| camera.name == name);
            found.map(|camera| camera.problem.clone())
        })
    }

    /// Why the test card stands in for the camera there, as far as is known; `None` where none does.
    pub fn camera_stand_in(&self, name: &str) -> Option<String> {
        let known = self.lock();
        let found = known.listing.as_ref()?.cameras.iter().find(|camera| camera.name == name)?;
        found.stand_in.clone()
    }

    /// Why the microphone gives no sound, as far as is known; `None` while it is well.
    pub fn microphone_problem(&self, name: &str) -> Option<String> {
        self.problem_of(|listing| {
            let found = listing.microphones.iter().find(|microphone| microphone.name == name);
            found.map(|microphone| microphone.problem.clone())
        })
    }

    /// Why it could not be asked the last time, or that it has not answered yet.
    pub fn problem(&self) -> Option<String> {
        let known = self.lock();
        let unasked = || known.listing.is_none().then(|| format!("{}: no answer yet", self.settings.address));
        known.problem.clone().or_else(unasked)
    }

    /// Pictures of a camera there, for as long as they are `wanted`.
    ///
    /// # Errors
    /// Why there are none.
    pub fn video<'w>(&self, camera: &str, wanted: &'w dyn Fn() -> bool) -> Result<Parts<'w>, RemoteError> {
        self.get(&format!("/video/{camera}"), wanted).map(Parts::of)
    }

    /// Sound of a microphone there, for as long as it is `wanted`. What it was told to be, rate and
    /// channels, it has to be: another would be heard too high, or as noise.
    ///
    /// # Errors
    /// Why there is none.
    pub fn audio<'w>(
        &self,
        microphone: &str,
        (rate_hz, channels): (u32, u32),
        wanted: &'w dyn Fn() -> bool,
    ) -> Result<Sound<'w>, RemoteError> {
        let mut body = self.get(&format!("/audio/{microphone}"), wanted)?;
        let end = Instant::now() + STALL;
        while body.ahead().len() < WAV_HEADER_BYTES {
            body.fill(end)?;
        }
        if wav_format(body.ahead()) != Some((rate_hz, channels)) {
            return Err(RemoteError::Garbled("sound that is no WAV as it was told to be"));
        }
        body.take(WAV_HEADER_BYTES);
        Ok(Sound { body, channels: channels as usize })
    }

    /// An error with whose it is before it.
    pub fn told(&self, error: &RemoteError) -> String {
        format!("{}: {error}", self.settings.address)
    }

    /// Its own problem, or that of the device that `find` finds in its listing.
    fn problem_of(&self, find: impl Fn(&Listing) -> Option<Option<String>>) -> Option<String> {
        let known = self.lock();
        let of_device = |listing| find(listing).unwrap_or_else(|| Some(self.told(&RemoteError::Missing)));
        known.problem.clone().or_else(|| known.listing.as_ref().and_then(of_device))
    }

    fn get<'w>(&self, path: &str, wanted: &'w dyn Fn() -> bool) -> Result<Body<'w>, RemoteError> {
        let way = Way {
            address: &self.settings.address,
            tls: &self.tls,
            seen: &self.seen,
            is_pinned: self.settings.fingerprint.is_some(),
            account: &self.account,
        };
        let token = match &self.settings.token {
            Token::Given(token) => token.clone(),
            // Read each time: it may be changed without a restart.
            Token::File(path) => {
                let bytes = disk::read_bounded(path, TOKEN_FILE_BYTES).map_err(|error| {
                    RemoteError::Io(std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))
                })?;
                let text = String::from_utf8_lossy(disk::without_bom(&bytes));
                text.lines().next().unwrap_or_default().trim().to_owned()
            }
        };
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(RemoteError::SignedOut);
        }
        Body::get(&way, path, &token, wanted)
    }

    /// The lock guards plain values and is held only to copy or replace them.
    fn lock(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

/// Largest file with a token that is read, in bytes.
const TOKEN_FILE_BYTES: u64 = 4096;

/// What Defender sends before the first sample of `?codec=wav`.
const WAV_HEADER_BYTES: usize = 44;

/// Nothing for so long is too long: a lost microphone sends silence meanwhile.
const STALL: Duration = Duration::from_secs(10);

/// Rate and channels of a WAV of 16 bit samples, by its header as Defender writes it (RIFF, with `fmt `
/// first and `data` at its end); `None` for anything else.
fn wav_format(header: &[u8]) -> Option<(u32, u32)> {
    let is_at = |at: usize, text: &[u8]| header.get(at..at + text.len()) == Some(text);
    // PCM is kind 1.
    let is_known = is_at(0, b"RIFF") && is_at(8, b"WAVEfmt \x10\0\0\0\x01\0") && is_at(34, b"\x10\0data");
    let two = |at: usize| Some(u16::from_le_bytes(header.get(at..at + 2)?.try_into().ok()?));
    let rate_hz = u32::from(two(24)?) | u32::from(two(26)?) << 16;
    is_known.then_some((rate_hz, u32::from(two(22)?)))
}

impl Sound<'_> {
    /// The samples that came since the last call, whole frames; waits for some.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn samples(&mut self) -> Result<Vec<i16>, RemoteError> {
        let frame_bytes = 2 * self.channels;
        let end = Instant::now() + STALL;
        while self.body.ahead().len() < frame_bytes {
            self.body.fill(end)?;
        }
        let whole = self.body.ahead().len() / frame_bytes * frame_bytes;
        let samples = self.body.ahead()[..whole].chunks_exact(2);
        let samples = samples.map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        self.body.take(whole);
        Ok(samples)
    }
}

/// Two places are the same when they are reached the same way.
impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Eq for Place {}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place").field("settings", &self.settings).finish_non_exhaustive()
    }
}
