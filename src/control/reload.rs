//! Reading the configuration again while the server runs.
//!
//! A reload takes over cameras, microphones, remotes and the log level. Other keys of `[server]` and those of `[record]` need
//! a restart, and the log says so. A camera whose settings change keeps its viewers.

use std::sync::Arc;

use log::{Level, LevelFilter, error, log, warn};

use super::Control;
use super::state::State;
use crate::config::{Config, ConfigError, Flags, Overridden, ServerConfig, Store};

impl Control {
    /// Reads the configuration again and takes over what goes without a restart; what was stopped
    /// stays so. Trouble is logged, and leaves what runs as it is.
    pub fn reload(self: &Arc<Self>) {
        self.read_again();
        if let Err(error) = self.follow_remotes() {
            error!("cannot follow every remote: {error}");
        }
    }

    fn read_again(&self) {
        self.logging.reopen();
        self.change(|state| {
            let file = state.config.file.as_deref();
            if file.is_some_and(|file| std::fs::metadata(file).is_ok_and(|found| !found.is_file())) {
                return error!(
                    "the old configuration stays: it came through a pipe, which cannot be read again"
                );
            }
            let new = match self.load_again(state) {
                Ok(new) => new,
                Err(error) => return error!("the old configuration stays: {error}"),
            };
            for warning in &new.warnings {
                warn!("{warning}");
            }
            self.logging.set_level(new.server.log_level);
            let level: LevelFilter = new.server.log_level;
            let unchanged = ServerConfig { log_level: level, ..state.config.server.clone() } == new.server;
            if !unchanged {
                warn!("changes in [server] other than log_level need a restart");
            }
            if new.record != state.config.record {
                warn!("changes in [record] need a restart");
            }
            state.take_over(new);
            if let Err(error) = state.apply() {
                error!("cannot start every camera and microphone: {error}");
            }
        });
    }

    /// The configuration as it is now, with the overrides in force as at the start. It is the file of the
    /// start that is read: one that is gone must not be replaced by another, or by the defaults.
    fn load_again(&self, state: &State) -> Result<Config, ConfigError> {
        let config = state.config.file.clone().or_else(|| self.flags.config.clone());
        let flags = Flags { config, ..self.flags.clone() };
        let mut new = Config { can_save: state.config.can_save, ..Config::load(&flags)? };
        let store = Store::beside(&state.config.server.users);
        // One that cannot be read for the moment does not take the overrides out of force.
        store.read()?;
        new.apply_overrides(&store, &self.flags);
        log_overrides(&new.overrides, self.logging.level().min(new.server.log_level));
        Ok(new)
    }
}

/// Logs the overrides in force. Users who wonder why defender.conf is not obeyed must find the line, also
/// where only warnings are logged from `level` on.
pub fn log_overrides(overrides: &[Overridden], level: LevelFilter) {
    let in_force: Vec<_> = overrides.iter().filter(|overridden| overridden.is_in_force()).collect();
    if in_force.is_empty() {
        return;
    }
    let level = if level >= LevelFilter::Info { Level::Info } else { Level::Warn };
    let shown: Vec<_> = in_force.iter().map(ToString::to_string).collect();
    log!(level, "overrides in force over defender.conf: {}", shown.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::Logging;
    use crate::memory::Memory;
    use std::fs;

    #[test]
    fn a_file_that_is_gone_leaves_what_runs_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("defender.conf");
        fs::write(&file, "[camera.yard]\ndevice = \"test\"\n").unwrap();
        let config = Config::load(&Flags { config: Some(file.clone()), ..Flags::default() }).unwrap();
        // Found in one of the usual places, as without a flag.
        let control =
            Control::start(config, &Flags::default(), Logging::to_nowhere(), Memory::new(0)).unwrap();
        fs::remove_file(&file).unwrap();
        control.reload();
        assert!(control.camera_settings("yard").is_some());
        control.stop();
    }
}
