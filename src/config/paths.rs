//! Paths as defender.conf writes them.

use std::path::{Path, PathBuf};

/// Where relative paths start, and what `~` stands for.
pub(super) struct Paths<'a> {
    pub(super) folder: &'a Path,
    /// `None` where HOME is not set.
    pub(super) home: Option<&'a Path>,
}

impl Paths<'_> {
    /// `~` is the home folder; what is relative starts at the file's own folder. `None` for a
    /// `~` without a home, as init scripts run: a folder named `~` is never meant.
    pub(super) fn resolve(&self, text: &str) -> Option<PathBuf> {
        match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                self.home.map(|home| home.join(rest.trim_start_matches('/')))
            }
            _ => Some(self.folder.join(text)),
        }
    }

    /// What to write where a path is asked for.
    pub(super) fn expected(&self, what: &str) -> String {
        let note = if self.home.is_none() { " (without ~, because HOME is not set)" } else { "" };
        format!("{what}{note}")
    }
}
