//! Why there is no sound, in sentences for whoever has to find the plug.

use std::fmt;
use std::time::Duration;

use rustix::io::Errno;

/// Why a microphone gives no sound. Each names the device it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundError {
    /// No card or PCM has this name.
    NotFound {
        /// What was asked for.
        asked: String,
        /// Names of the capture cards there are.
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
    /// It runs, but no sound came for this long.
    Stalled {
        /// The PCM's name.
        pcm: String,
        /// The time without a sample that is too long.
        waited: Duration,
    },
    /// `auto` found no microphone that can be used.
    NoMicrophone {
        /// Why the first one that there is cannot be used; `None` if there is none.
        problem: Option<Box<SoundError>>,
    },
    /// A microphone of another Defender gives none; its address is in the sentence.
    Remote(String),
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

impl SoundError {
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

impl fmt::Display for SoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote(why) => f.write_str(why),
            Self::NotFound { asked, there } if there.is_empty() => {
                write!(f, "{asked}: no such microphone; `defender --list-devices` lists those there are")
            }
            Self::NotFound { asked, there } => {
                write!(f, "{asked}: no such microphone; there are: {}", there.join(", "))
            }
            Self::Gone(pcm) => write!(f, "{pcm}: the microphone is gone, or its cable fails"),
            Self::Denied(pcm) => write!(
                f,
                "{pcm}: permission denied; add the user Defender runs as to the group `audio` \
                 (sudo usermod -aG audio USER) and start it again"
            ),
            Self::Busy(pcm) => write!(f, "{pcm}: busy, another program is using it"),
            Self::Unusable { pcm, refused } => write!(f, "{pcm}: cannot be used, it refuses {refused}"),
            Self::Stalled { pcm, waited } => write!(f, "{pcm}: no sound for {} s", waited.as_secs()),
            Self::NoMicrophone { problem: None } => f.write_str("no microphone found"),
            Self::NoMicrophone { problem: Some(problem) } => {
                write!(f, "no microphone can be used: {problem}")
            }
            Self::Call { pcm, call, errno } => {
                write!(f, "{pcm}: {call} failed: {}", std::io::Error::from_raw_os_error(*errno))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_alsa_says_becomes_what_to_do() {
        let told = |func, errno: Errno| {
            SoundError::of_call("hw:1", alsa::Error::new(func, errno.raw_os_error())).to_string()
        };
        assert!(told("snd_pcm_open", Errno::NOENT).starts_with("hw:1: no such microphone"));
        assert!(told("snd_pcm_readi", Errno::NODEV).contains("gone"));
        assert!(told("snd_pcm_open", Errno::ACCESS).contains("group `audio`"));
        assert!(told("snd_pcm_open", Errno::BUSY).contains("another program"));
        assert!(told("snd_pcm_hw_params", Errno::NOMEM).contains("snd_pcm_hw_params failed"));
    }
}
