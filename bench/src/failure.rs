//! What can go wrong in a run, in words for the person at the terminal.

use std::{fmt, io};

/// Why a run ended early.
#[derive(Debug)]
pub enum Failure {
    /// The command line cannot be followed.
    Usage(String),
    /// The system refused something.
    System {
        /// What was being done, as in "reading /proc/12/smaps".
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A server under test did not start, or ended.
    Server {
        /// Its name in the report.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
        /// The end of its log.
        log: String,
    },
    /// A stream was not what a viewer expects.
    Stream(String),
}

impl Failure {
    /// Wraps what the system said while `doing` something; made for `map_err`.
    pub fn while_doing(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
        let doing = doing.into();
        |source| Failure::System { doing, source }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem) => write!(f, "{problem}; --help shows the options"),
            Self::System { doing, source } => write!(f, "{doing}: {source}"),
            Self::Server { name, problem, log } => write!(f, "{name}: {problem}; its log ends:\n{log}"),
            Self::Stream(problem) => f.write_str(problem),
        }
    }
}
