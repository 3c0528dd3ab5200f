//! Changing a camera while it runs.

use super::change::{CameraChange, MICROPHONE};
use super::{Control, ControlError, Requester, save};
use crate::config::{Config, Microphones, Value};
use crate::source::CameraSettings;
use crate::source::v4l2::controls::{self, ControlChange};
use crate::source::v4l2::devices::check_size;

impl Control {
    /// Changes a camera while it runs, and saves that for the next start if `saves`; a change of nothing
    /// saves what was changed before. In this order all values are looked at, the file is written,
    /// controls are set, and the camera is started anew if it must be: what is likeliest to fail comes
    /// first, and is undone if the driver then refuses. Viewers stay.
    ///
    /// # Errors
    /// Why the change was not made, or, if it was logged, that the system gives a device no thread.
    pub fn change_camera(
        &self,
        name: &str,
        change: &CameraChange,
        saves: bool,
        requester: &Requester<'_>,
    ) -> Result<(), ControlError> {
        self.change_for(requester, |state| {
            let Some(at) = state.config.cameras.iter().position(|camera| camera.name == name) else {
                return Err(ControlError::NotOurs(name.to_owned()));
            };
            let before = state.config.cameras[at].clone();
            self.check_size(name, change, &change.applied_to(&before)?)?;
            check_microphone(change, &state.config)?;
            let request = self.request_controls(name, change)?;
            // A button is pressed once: neither a start nor a file does it again.
            let lasting = request.as_ref().map(ControlChange::lasting).unwrap_or_default();
            let lasting = change.with_controls(&lasting);
            let after = lasting.applied_to(&before)?;
            let to_save = match (saves, change.is_nothing()) {
                (false, _) => CameraChange::default(),
                (true, true) => state.unsaved(&before),
                (true, false) => lasting,
            };
            let overrides = to_save.overrides(name, requester.name);
            let saved = if saves { save::save(&state.config, &overrides)? } else { None };
            if let Some(Err(refused)) = request.map(ControlChange::set) {
                saved.into_iter().for_each(save::Saved::undo);
                return Err(ControlError::Camera(refused));
            }
            state.note_saved(name, &to_save, overrides);
            state.config.cameras[at] = after;
            (requester.log)();
            state.apply_cameras(&[before])
        })
    }

    /// The settings of a camera with a change that is not made.
    ///
    /// # Errors
    /// Why it could not be made.
    pub fn changed_camera(&self, name: &str, change: &CameraChange) -> Result<CameraSettings, ControlError> {
        let settings = self.camera_settings(name).ok_or_else(|| ControlError::NotOurs(name.to_owned()))?;
        change.applied_to(&settings)
    }

    /// Refuses a size that an open camera does not have: its driver would give another one, silently.
    fn check_size(
        &self,
        name: &str,
        change: &CameraChange,
        after: &CameraSettings,
    ) -> Result<(), ControlError> {
        if !change.has_size() {
            return Ok(());
        }
        let node = self.cameras.find(Some(name), |_| true).and_then(|feed| feed.state().node);
        node.map_or(Ok(()), |node| check_size(&node, after)).map_err(|nearest| {
            let nearest: Vec<String> =
                nearest.into_iter().map(|(width, height)| format!("{width}x{height}")).collect();
            ControlError::Value(format!(
                "the camera has no size {}x{}; the nearest it has: {}",
                after.width,
                after.height,
                nearest.join(", ")
            ))
        })
    }

    /// Looks at the camera's controls that are to be changed; `None` where there are none.
    fn request_controls(
        &self,
        name: &str,
        change: &CameraChange,
    ) -> Result<Option<ControlChange>, ControlError> {
        let wanted = change.controls()?;
        if wanted.is_empty() {
            return Ok(None);
        }
        let node = self.cameras.find(Some(name), |_| true).and_then(|feed| feed.state().node);
        let node = node.ok_or_else(|| ControlError::NoCamera(name.to_owned()))?;
        controls::prepare(&node, &wanted).map(Some).map_err(ControlError::Camera)
    }
}

/// Refuses to record a microphone that there is not.
fn check_microphone(change: &CameraChange, config: &Config) -> Result<(), ControlError> {
    let Some(name) = change.microphone() else { return Ok(()) };
    let refused = |why| ControlError::NoMicrophone(format!("{MICROPHONE} is {}; {why}", Value::from(name)));
    Microphones::of(config).check(name).map_err(refused)
}
