//! Why a PCM gives no sound, with what to do about it.

use std::fmt;

use rustix::io::Errno;

use crate::source::audio::AudioError;

/// Why a microphone of this machine gives no sound. Each names the device it is about.
#[derive(Debug)]
pub(super) enum PcmError {
    /// No card or PCM has this name.
    NotFound {
        /// What was asked for.
        asked: String,
        /// Names of the capture devices there are, each with its PCM.
        there: Vec<String>,
    },
    /// It was there, and answers no more.
    Gone(String),
    /// The user Defender runs as may not open it.
    Denied(String),
    /// Another program captures from it.
    Busy(String),
    /// It cannot give S16 samples in the way Defender reads them.
    Unusable {
        /// The PCM's name.
        pcm: String,
        /// What it refused.
        refused: &'static str,
    },
    /// A call failed in a way that says nothing better.
    Call {
        /// The PCM's name.
        pcm: String,
        /// The function of libasound.
        call: &'static str,
        /// What it said.
        errno: i32,
    },
}

impl PcmError {
    /// What it means that a call for `pcm` failed so.
    pub(super) fn of_call(pcm: &str, error: alsa::Error) -> Self {
        let errno = error.errno().abs();
        let named = pcm.to_owned();
        match Errno::from_raw_os_error(errno) {
            Errno::NOENT if error.func() == "snd_pcm_open" => {
                Self::NotFound { asked: named, there: Vec::new() }
            }
            // ENXIO and EINVAL: alsa-lib's words for a card or a name that is not there.
            Errno::NODEV | Errno::NXIO | Errno::INVAL if error.func() == "snd_pcm_open" => {
                Self::NotFound { asked: named, there: Vec::new() }
            }
            // EBADFD: the stream was taken away between two calls.
            Errno::NODEV | Errno::NXIO | Errno::IO | Errno::BADFD => Self::Gone(named),
            Errno::ACCESS | Errno::PERM => Self::Denied(named),
            Errno::BUSY => Self::Busy(named),
            _ => Self::Call { pcm: named, call: error.func(), errno },
        }
    }
}

impl fmt::Display for PcmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { asked, there } if there.is_empty() => {
                write!(f, "{asked}: no such microphone; `defender --list-devices` lists those there are")
            }
            Self::NotFound { asked, there } => {
                write!(f, "{asked}: no such microphone; there are: {}", there.join("; "))
            }
            Self::Gone(pcm) => write!(f, "{pcm}: the microphone is gone, or its cable fails"),
            Self::Denied(pcm) => write!(
                f,
                "{pcm}: permission denied; add the user Defender runs as to the group `audio` \
                 (sudo usermod -aG audio USER) and start it again"
            ),
            Self::Busy(pcm) => write!(f, "{pcm}: busy, another program is using it"),
            Self::Unusable { pcm, refused } => write!(f, "{pcm}: cannot be used, it refuses {refused}"),
            Self::Call { pcm, call, errno } => {
                write!(f, "{pcm}: {call} failed: {}", std::io::Error::from_raw_os_error(*errno))
            }
        }
    }
}

impl std::error::Error for PcmError {}

impl From<PcmError> for AudioError {
    fn from(error: PcmError) -> Self {
        Self::of(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_alsa_become_advice() {
        let sentence = |func, errno: Errno| {
            PcmError::of_call("hw:1", alsa::Error::new(func, errno.raw_os_error())).to_string()
        };
        assert!(sentence("snd_pcm_open", Errno::NOENT).starts_with("hw:1: no such microphone"));
        assert!(sentence("snd_pcm_readi", Errno::NODEV).contains("gone"));
        assert!(sentence("snd_pcm_open", Errno::ACCESS).contains("group `audio`"));
        assert!(sentence("snd_pcm_open", Errno::BUSY).contains("another program"));
        assert!(sentence("snd_pcm_hw_params", Errno::NOMEM).contains("snd_pcm_hw_params failed"));
    }
}
