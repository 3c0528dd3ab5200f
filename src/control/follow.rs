//! The followers of other Defenders, kept equal to the configuration.

use std::sync::Arc;

use log::error;

use super::remotes::Follower;
use super::{Control, ControlError, join};
use crate::remote::{Endpoint, Listing};

impl Control {
    /// Makes the followers those of the configured remotes.
    pub(super) fn follow_remotes(self: &Arc<Self>) -> Result<(), ControlError> {
        let (followed, ended) = self.change(|state| {
            let wanted = state.config.remotes.clone();
            let mut before = std::mem::take(&mut state.remotes);
            let mut failed = None;
            for settings in &wanted {
                let same = before.iter().position(|follower| follower.endpoint.settings() == settings);
                let started = match same {
                    Some(at) => Ok(before.remove(at)),
                    None => {
                        let control = Arc::downgrade(self);
                        let report = move |endpoint: &Endpoint, listing| {
                            if let Some(control) = control.upgrade() {
                                control.update_listing(endpoint, listing);
                            }
                        };
                        Follower::start(settings, self.memory.for_device(), report)
                    }
                };
                match started {
                    Ok(mut follower) => {
                        // Its devices stay until it answers at its new address: viewers stay, too.
                        let old = before.iter().find(|old| old.endpoint.settings().name == settings.name);
                        if let Some(old) = old {
                            follower.listing = old.listing.clone();
                        }
                        state.remotes.push(follower);
                    }
                    Err(error) => failed = Some(ControlError::System(error)),
                }
            }
            let ended: Vec<_> = before.into_iter().map(Follower::end).collect();
            let applied = if ended.is_empty() { Ok(()) } else { state.apply() };
            (failed.map_or(applied, Err), ended)
        });
        join(ended);
        followed
    }

    /// Starts and stops what a remote has gained and lost.
    fn update_listing(&self, endpoint: &Endpoint, listing: Listing) {
        self.change(|state| {
            // It may have been taken out of the configuration meanwhile.
            let Some(follower) = state.remotes.iter_mut().find(|follower| *follower.endpoint == *endpoint)
            else {
                return;
            };
            if follower.listing.same_devices(&listing) {
                return;
            }
            follower.listing = listing;
            if let Err(error) = state.apply() {
                error!("cannot start every camera and microphone: {error}");
            }
        });
    }
}
