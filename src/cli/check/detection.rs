//! What `check` reports of motion and noise.

use super::Report;
use crate::config::Config;

impl Report {
    /// The lines about motion and noise; none where nothing is looked for.
    pub(super) fn detection(&mut self, config: &Config) {
        for camera in &config.cameras {
            let Some(motion) = camera.motion.active() else { continue };
            let (zones, looks, when) = (motion.zones.len(), motion.looks, &motion.armed);
            let text = format!("{looks} looks a second, zones: {zones}, armed: {when}");
            self.line(&format!("motion {}", camera.name), text);
        }
        for microphone in &config.microphones {
            let Some(noise) = microphone.noise.active() else { continue };
            let text = format!("{} dB over the floor, armed: {}", noise.over_floor_db, noise.armed);
            self.line(&format!("noise {}", microphone.name), text);
        }
    }
}
