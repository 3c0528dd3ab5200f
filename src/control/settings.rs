//! Which settings can be changed while the server runs, what is overridden, and taking that back.

use log::warn;

use super::save;
use super::{Control, ControlError, Requester};
use crate::base::level;
use crate::base::names::joined;
use crate::config::{Form, Overridden, Override, Row, Value};
use crate::source::v4l2::controls;

/// The setting of `[server]` that has a route of its own.
const LOG_LEVEL: &str = "server.log_level";

/// A setting that can be changed while the server runs.
#[derive(Clone)]
pub struct SettingRow {
    /// Where it belongs, such as `camera.front.fps`.
    pub name: String,
    /// What the page calls it.
    pub label: String,
    /// When it matters; may be empty.
    pub hint: &'static str,
    /// What its values are; `None` for a control, and for an override that belongs to no setting.
    pub form: Option<&'static Form>,
    /// The value in force; `None` where there is none, as for a camera that is gone.
    pub value: Option<Value>,
    /// The override, where there is one.
    pub overridden: Option<Overridden>,
}

impl Control {
    /// The settings that can be changed while the server runs, and overrides of others.
    pub fn settings(&self) -> Vec<SettingRow> {
        let mut config = self.view().config.clone();
        let overrides = std::mem::take(&mut config.overrides);
        let mut rows = Vec::new();
        config.each_section(&mut |section, settings| {
            let live = settings.rows().into_iter().filter(|row| row.is_live);
            rows.extend(live.map(|row| setting_row(section, row)));
        });
        for overridden in overrides {
            match rows.iter_mut().find(|row| row.name == overridden.saved.name) {
                Some(row) => row.overridden = Some(overridden),
                None => rows.push(other_row(overridden)),
            }
        }
        // Of the controls only those that are overridden: the rest is the driver's to list.
        rows.retain(|row| row.form.is_some() || row.overridden.is_some());
        rows
    }

    /// Logs from this level on, and saves that for the next start if `saves`. It is logged while the louder
    /// of both levels is in force, so that turning the log off is still in it.
    ///
    /// # Errors
    /// A name that is none, or why it could not be saved; nothing is changed then.
    pub fn set_log_level(
        &self,
        name: &str,
        saves: bool,
        requester: &Requester<'_>,
    ) -> Result<(), ControlError> {
        let level = level::from_name(name);
        let level = level.ok_or_else(|| ControlError::Level(name.to_owned()))?;
        self.change_for(requester, |state| {
            if saves {
                let new = vec![Override::new(LOG_LEVEL.to_owned(), name.into(), requester.name)];
                save::save(&state.config, &new)?;
                let before = level::name(state.saved_log_level);
                save::note(&mut state.config, new, |_| Some(before.into()));
                state.saved_log_level = level;
            }
            self.logging.set_level(level.max(self.logging.level()));
            (requester.log)();
            self.logging.set_level(level);
            state.config.server.log_level = level;
            Ok(())
        })
    }

    /// Takes back the override of this name, or all of them: what defender.conf says is in force again, at
    /// once. A control that defender.conf does not name gets the camera's own value.
    ///
    /// # Errors
    /// Why the overrides are still in force, or, if it was logged, that the system gives a device no thread.
    pub fn reset(&self, name: Option<&str>, requester: &Requester<'_>) -> Result<(), ControlError> {
        self.change_for(requester, |state| {
            let is_meant = |saved: &str| name.is_none_or(|name| saved == name);
            let all = state.config.overrides.iter().cloned();
            let (gone, left): (Vec<_>, Vec<_>) = all.partition(|each| is_meant(&each.saved.name));
            let removed = match save::remove(&state.config, is_meant) {
                // There is nothing to save where nothing is overridden.
                Err(ControlError::CannotSave) if gone.is_empty() => false,
                removed => removed?,
            };
            match name {
                Some(name) if gone.is_empty() && !removed => {
                    return Err(ControlError::NoOverride(name.to_owned()));
                }
                None if gone.is_empty() && !removed => return Ok(()),
                _ => state.config.overrides = left,
            }
            let (before, level) = (state.config.cameras.clone(), self.logging.level());
            for each in gone.iter().filter(|each| each.is_in_force() || each.configured.is_some()) {
                self.restore_control(each);
                state.restore(each);
            }
            if gone.iter().any(|each| each.saved.name == LOG_LEVEL) {
                state.config.raise_log_level(&self.flags);
                state.saved_log_level = state.config.server.log_level;
                self.logging.set_level(state.config.server.log_level);
            }
            // As for a change of the level: in the louder of both, so that it is in the log in any case.
            let restored = self.logging.level();
            self.logging.set_level(level.max(restored));
            (requester.log)();
            self.logging.set_level(restored);
            state.apply_cameras(&before)
        })
    }

    /// Sets a control that was overridden to what it has without that: to its value in defender.conf, or to the
    /// camera's own. A camera that is not there gets it when it starts.
    fn restore_control(&self, overridden: &Overridden) {
        let name =
            overridden.saved.name.strip_prefix("camera.").and_then(|rest| rest.split_once(".controls."));
        let Some((camera, control)) = name else { return };
        let feed = self.cameras.find(Some(camera), |_| true);
        let Some(feed) = feed.as_deref() else { return };
        let configured = match overridden.configured {
            Some(Value::Integer(value)) => i32::try_from(value).ok(),
            _ => None,
        };
        let Some(node) = feed.state().node else {
            if configured.is_none() {
                feed.reset_control(control);
            }
            return;
        };
        let own = || {
            let known = controls::list(&node).unwrap_or_default();
            known.iter().find(|known| known.name == control).map(|known| known.default)
        };
        let Some(value) = configured.or_else(own) else { return };
        let set =
            controls::prepare(&node, &[(control.to_owned(), value)]).and_then(controls::ControlChange::set);
        if let Err(refused) = set {
            warn!("camera {camera}: {refused}");
        }
    }
}

fn setting_row(section: &str, row: Row) -> SettingRow {
    let name = joined(section, &row.key);
    let label = if row.label.is_empty() { row.key } else { row.label.to_owned() };
    SettingRow { name, label, hint: row.hint, form: row.form, value: Some(row.value), overridden: None }
}

/// The row of an override that belongs to no setting.
fn other_row(overridden: Overridden) -> SettingRow {
    let name = overridden.saved.name.clone();
    let label = name.rsplit('.').next().unwrap_or(&name).to_owned();
    SettingRow { name, label, hint: "", form: None, value: None, overridden: Some(overridden) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Flags};
    use crate::logging::Logging;
    use crate::media::RecordWhen;
    use crate::memory::Memory;
    use std::fs;
    use std::path::Path;

    const ADA: Requester<'static> = Requester { name: "ada", may: &|| true, log: &|| {} };

    /// A server whose camera is not plugged in, with these lines in its overrides file at the start.
    fn server(folder: &Path, overrides: &str) -> std::sync::Arc<Control> {
        let text = format!("[camera.front]\ndevice = \"{}/video\"\n", folder.display());
        fs::write(folder.join("overrides.conf"), overrides).unwrap();
        let mut config = Config::of_text(&text, &folder.join("defender.conf")).unwrap();
        config.apply_overrides(&crate::config::Store::beside(&config.server.users), &Flags::default());
        Control::start(config, &Flags::default(), Logging::to_nowhere(), Memory::new(0)).unwrap()
    }

    #[test]
    fn a_closed_camera_gets_its_own_value_back_later() {
        let folder = tempfile::tempdir().unwrap();
        let control = server(folder.path(), "camera.front.controls.gain = 9\ncamera.front.fps = 7\n");
        let feed = control.cameras.find(Some("front"), |_| true).unwrap();
        assert_eq!(feed.controls(), [("gain".to_owned(), 9)]);
        control.reset(None, &ADA).unwrap();
        assert_eq!((feed.controls(), feed.take_controls_to_reset()), (Vec::new(), vec!["gain".to_owned()]));
        assert_eq!(control.camera_settings("front").unwrap().fps, 30);
        control.stop();
    }

    #[test]
    fn lines_added_by_hand_since_the_start_are_reset() {
        let folder = tempfile::tempdir().unwrap();
        let control = server(folder.path(), "camera.front.fps = 7\n");
        let file = folder.path().join("overrides.conf");
        let by_hand =
            "# mine\ncamera.front.fps = 7\ncamera.front.width = 64\ncamera.front.height = 64\nno line\n";
        fs::write(&file, by_hand).unwrap();
        control.reset(Some("camera.front.width"), &ADA).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), by_hand.replace("camera.front.width = 64\n", ""));
        control.reset(None, &ADA).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\nno line\n");
        let again = control.reset(Some("camera.front.width"), &ADA);
        assert!(matches!(again, Err(ControlError::NoOverride(_))), "{again:?}");
        control.stop();
    }

    #[test]
    fn a_control_without_a_driver_has_no_limits() {
        let folder = tempfile::tempdir().unwrap();
        let control = server(folder.path(), "camera.front.controls.gain = -9\ncamera.gone.fps = 7\n");
        let rows = control.settings();
        let row = |name: &str| rows.iter().find(|row| row.name == name).expect("a row").clone();
        let gain = row("camera.front.controls.gain");
        assert!(gain.form.is_none() && gain.value == Some((-9).into()) && gain.overridden.is_some());
        let gone = row("camera.gone.fps");
        assert!(gone.form.is_none() && gone.value.is_none() && gone.overridden.is_some());
        let fps = row("camera.front.fps");
        assert!(matches!(fps.form, Some(Form::Integer(range)) if *range == (1..=240)));
        control.stop();
    }

    #[test]
    fn recording_is_turned_on_and_off_while_the_camera_runs() {
        let folder = tempfile::tempdir().unwrap();
        let control = server(folder.path(), "camera.front.record.microphone = \"gone\"\n");
        let feed = control.cameras.find(Some("front"), |_| true).unwrap();
        let change = |key: &str, value: Value| {
            let change = crate::control::CameraChange { values: vec![(format!("record.{key}"), value)] };
            control.change_camera("front", &change, true, &ADA)
        };
        assert!(feed.recording().is_none());
        change("when", "always".into()).unwrap();
        change("days", 3_u32.into()).unwrap();
        let now = feed.recording().expect("it is on");
        assert_eq!((now.when, now.days, now.microphone.as_deref()), (RecordWhen::Always, Some(3), None));
        let refused = change("microphone", "yard".into()).unwrap_err().to_string();
        assert!(refused.contains("record.microphone is \"yard\"; expected \"\" for no sound"), "{refused}");
        let saved = fs::read_to_string(folder.path().join("overrides.conf")).unwrap();
        assert!(saved.contains("camera.front.record.days = { value = 3, by = \"ada\""), "{saved}");
        change("when", "off".into()).unwrap();
        assert!(feed.recording().is_none());
        control.reset(Some("camera.front.record.when"), &ADA).unwrap();
        assert!(feed.recording().is_none(), "defender.conf has no such section");
        let same = control.cameras.find(Some("front"), |_| true).unwrap();
        assert!(std::sync::Arc::ptr_eq(&feed, &same));
        let ignored = control.settings().into_iter().find(|row| row.name == "camera.front.record.microphone");
        let problem = ignored.unwrap().overridden.unwrap().problem.unwrap_or_default();
        assert!(problem.contains("expected \"\" for no sound"), "{problem}");
        control.stop();
    }
}
