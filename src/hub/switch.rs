//! A switch with which admins stop a service and start it again.

use std::sync::Mutex;

use crate::base::lock;

/// Whether a service is stopped, and by whom. It runs at first.
#[derive(Debug, Default)]
pub struct Switch {
    stopped_by: Mutex<Option<String>>,
}

impl Switch {
    /// Who stopped the service, while it is stopped.
    pub fn stopped_by(&self) -> Option<String> {
        lock(&self.stopped_by).clone()
    }

    /// Stops the service in the name of a user, or starts it again; false if that is so already.
    pub fn set_stopped(&self, by: Option<&str>) -> bool {
        let mut stopped_by = lock(&self.stopped_by);
        let changes = stopped_by.is_some() != by.is_some();
        if changes {
            *stopped_by = by.map(str::to_owned);
        }
        changes
    }
}
