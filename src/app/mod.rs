//! The wiring. No other layer but the command line knows this one.

mod certificate;
mod descriptors;
mod error;
mod faults;
mod notify;
mod places;
mod reload;
mod rights;
mod server;
mod threads;
mod welcome;

use log::{info, warn};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::config::{Config, Flags, ServerConfig, Store};
use crate::control;
use crate::gate::Gate;
use crate::logging::{self, FlushAtEnd, Logging};
use server::Server;

pub use certificate::{certificate, find_certificate, renew_certificate, trust_anchor};
pub use error::AppError;
pub use rights::{RunsAs, become_owner, become_owner_of_pair, become_server_user, can_save, load_config};

/// Runs the server until SIGTERM or SIGINT. `flags` are those that `config` was loaded with; SIGHUP
/// reloads it with them.
///
/// # Errors
/// Why it did not start. Once it runs, it returns no error.
pub fn run(mut config: Config, flags: &Flags) -> Result<(), AppError> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(AppError::System)?;
    let server = &config.server;
    refuse_plain_exposure(server)?;
    let listeners = Gate::listen(&server.addresses, server.port).map_err(AppError::Gate)?;
    let warnings = rights::drop_root(&config)?;
    config.can_save = can_save(&config)?;
    let store = Store::beside(&config.server.users);
    let moved = store.move_former();
    config.apply_overrides(&store, flags);
    let server = &config.server;
    let logging = Logging::init(server.log.as_deref(), server.audit_log.as_deref(), server.log_level)
        .map_err(AppError::Log)?;
    // However this function ends, also by an error at the start, the log is written before the process ends.
    let _flush = FlushAtEnd;
    logging::log_panics();
    for warning in config.warnings.iter().chain(&warnings) {
        warn!("{warning}");
    }
    listeners.warning().iter().for_each(|warning| warn!("{warning}"));
    match moved {
        Ok(moved) => moved.iter().for_each(|moved| info!("{moved}")),
        Err(why) => warn!("{why}"),
    }
    control::log_overrides(&config.overrides, server.log_level);
    let mut server = Server::start(config, flags, logging, listeners)?;
    server.run_until_signal(signals);
    server.stop();
    info!("stopped");
    Ok(())
}

/// Refuses to start without TLS, unless all addresses are loopback.
fn refuse_plain_exposure(server: &ServerConfig) -> Result<(), AppError> {
    if server.tls || server.is_loopback_only() {
        return Ok(());
    }
    Err(AppError::WithoutTls(server.addresses.clone()))
}
