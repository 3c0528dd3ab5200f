//! One other Defender: how to reach it, and what it was like when it was last asked.
//!
//! A server that does not accept our token, or whose key is not the expected one, is asked every 30 s only: it
//! stays so until a person changes something.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::parts::Parts;
use super::sound::Sound;
use super::{Listing, RemoteError, RemoteSettings};
use crate::base::lock;
use crate::client::{Authorization, Body, Client, Request, Trust};
use crate::memory::Account;

/// Largest status document read, in bytes.
const STATUS_BYTES: usize = 256 * 1024;

/// Another Defender.
pub struct Endpoint {
    settings: RemoteSettings,
    client: Client,
    account: Arc<Account>,
    /// Held only to copy or replace it.
    known: Mutex<Known>,
}

/// What was learned last.
#[derive(Clone, Debug, Default)]
struct Known {
    /// `None` before the first answer.
    listing: Option<Listing>,
    /// Why there was no answer the last time.
    problem: Option<String>,
}

impl Endpoint {
    /// An endpoint that was not asked yet. What comes from it lies in memory of `account`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: RemoteSettings, account: Arc<Account>) -> Result<Self, RemoteError> {
        let trust = Trust::in_key(settings.fingerprint)?;
        let client = Client::new(settings.address.clone(), trust, Arc::clone(&account));
        Ok(Self { settings, client, account, known: Mutex::default() })
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
    pub fn ask(&self, is_wanted: &dyn Fn() -> bool) -> Result<Listing, RemoteError> {
        let answer = self
            .get("/api/1.0/status", is_wanted)
            .and_then(|body| Listing::parse(&body.whole(STATUS_BYTES)?));
        let mut known = lock(&self.known);
        match &answer {
            Ok(listing) => *known = Known { listing: Some(listing.clone()), problem: None },
            Err(error) => known.problem = Some(self.describe(error)),
        }
        drop(known);
        answer
    }

    /// What to write in defender.conf in place of a fingerprint that will not hold, once it has answered.
    pub fn advice(&self) -> Option<String> {
        let (key, configured) = (self.client.trust().key_behind_certificate()?, self.settings.fingerprint?);
        let address = &self.settings.address;
        Some(format!(
            "{address}: fingerprint = \"{configured}\" is that of a certificate, which the next version takes no more; \
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
        let known = lock(&self.known);
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
        let known = lock(&self.known);
        let unasked = || known.listing.is_none().then(|| format!("{}: no answer yet", self.settings.address));
        known.problem.clone().or_else(unasked)
    }

    /// Pictures of a camera there, or of one of its further streams, for as long as they are wanted.
    ///
    /// # Errors
    /// Why there are none.
    pub fn video<'w>(
        &self,
        camera: &str,
        stream: Option<&str>,
        is_wanted: &'w dyn Fn() -> bool,
    ) -> Result<Parts<'w>, RemoteError> {
        let path = match stream {
            None => format!("/video/{camera}"),
            Some(stream) => format!("/video/{camera}/{stream}"),
        };
        self.get(&path, is_wanted).map(Parts::of)
    }

    /// Sound of a microphone there, until `is_wanted` is false, in the `format` (rate in Hz and channels) that its
    /// status gives.
    ///
    /// # Errors
    /// Why there is none.
    pub fn audio<'w>(
        &self,
        microphone: &str,
        format: (u32, u32),
        is_wanted: &'w dyn Fn() -> bool,
    ) -> Result<Sound<'w>, RemoteError> {
        self.get(&format!("/audio/{microphone}"), is_wanted).and_then(|body| Sound::of(body, format))
    }

    /// An error behind the address it is of.
    pub fn describe(&self, error: &RemoteError) -> String {
        format!("{}: {error}", self.settings.address)
    }

    /// Its own problem, or that of the device that `find` finds in its listing.
    fn problem_of(&self, find: impl Fn(&Listing) -> Option<Option<String>>) -> Option<String> {
        let known = lock(&self.known);
        let of_device = |listing| find(listing).unwrap_or_else(|| Some(self.describe(&RemoteError::Missing)));
        known.problem.clone().or_else(|| known.listing.as_ref().and_then(of_device))
    }

    fn get<'w>(&self, path: &str, is_wanted: &'w dyn Fn() -> bool) -> Result<Body<'w>, RemoteError> {
        let token = self.settings.token.read()?;
        // A proxy before the other likes to send a stream in chunks.
        let request = Request::get(path).signed_in(Authorization::Bearer(&token)).without_chunks();
        let response = self.client.send(&request, is_wanted)?;
        match response.status() {
            200 => Ok(response.into_body()),
            401 => Err(RemoteError::SignedOut),
            403 => Err(RemoteError::NotAllowed),
            404 => Err(RemoteError::Missing),
            other => Err(RemoteError::Status(other)),
        }
    }
}

/// Two endpoints are the same when they are reached in the same way.
impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

impl Eq for Endpoint {}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("settings", &self.settings).finish_non_exhaustive()
    }
}
