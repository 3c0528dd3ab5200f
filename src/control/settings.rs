//! Which settings can be changed while the server runs, what is overridden, and taking that back.

use log::warn;

use super::save;
use super::state::State;
use super::{Control, ControlError, Requester};
use crate::base::level;
use crate::config::{CAMERA, Kind, Overridden, Override, SERVER, Setting, Value};
use crate::hub::CameraFeed;
use crate::source::CameraSettings;
use crate::source::v4l2::controls;

/// A setting that can be changed while the server runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingRow {
    /// Where it belongs, such as `camera.front.fps`.
    pub name: String,
    /// What the page calls it.
    pub label: String,
    /// When it matters; may be empty.
    pub hint: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// The value in force; `None` where there is none, as for a camera that is gone.
    pub value: Option<Value>,
    /// The override, where there is one.
    pub overridden: Option<Overridden>,
}

impl Control {
    /// The settings that can be changed while the server runs, and overrides of others.
    pub fn settings(&self) -> Vec<SettingRow> {
        let view = self.view();
        let of = |name: &str| view.overrides.iter().find(|overridden| overridden.saved.name == name).cloned();
        let mut rows = Vec::new();
        for camera in &view.cameras {
            let prefix = format!("camera.{}", camera.name);
            rows.extend(live_rows(&CAMERA, &prefix, |setting| setting.get(camera)));
        }
        rows.extend(live_rows(&SERVER, "server", |_| self.log_level().into()));
        for row in &mut rows {
            row.overridden = of(&row.name);
        }
        let others =
            view.overrides.iter().filter(|other| !rows.iter().any(|row| row.name == other.saved.name));
        let others: Vec<_> = others.map(|other| other_row(other, &view.cameras)).collect();
        rows.extend(others);
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
                let new = vec![Override::new("server.log_level".to_owned(), name.into(), requester.name)];
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
            let is_meant = |each: &Overridden| name.is_none_or(|name| each.saved.name == name);
            let (gone, left): (Vec<_>, Vec<_>) = state.config.overrides.iter().cloned().partition(is_meant);
            if let (Some(name), []) = (name, &gone[..]) {
                return Err(ControlError::NoOverride(name.to_owned()));
            }
            if gone.is_empty() {
                return Ok(());
            }
            let names: Vec<_> = gone.iter().map(|each| each.saved.name.clone()).collect();
            save::remove(&state.config, &names)?;
            state.config.overrides = left;
            let (before, level) = (state.config.cameras.clone(), self.logging.level());
            gone.iter().filter(|each| each.is_in_force()).for_each(|each| self.restore(state, each));
            // As for a change of the level: in the louder of both, so that it is in the log in any case.
            let restored = self.logging.level();
            self.logging.set_level(level.max(restored));
            (requester.log)();
            self.logging.set_level(restored);
            state.apply_cameras(&before)
        })
    }

    /// Configures what a setting has without its override.
    fn restore(&self, state: &mut State, overridden: &Overridden) {
        let (name, configured) = (&overridden.saved.name, overridden.configured.as_ref());
        let (section, rest) = name.split_once('.').unwrap_or((name, ""));
        if let ("server", Some(value)) = (section, configured) {
            SERVER.iter().filter(|setting| setting.key == rest).for_each(|setting| {
                // It was in force before, so it can be.
                let _ = setting.set(&mut state.config.server, value);
            });
            state.config.raise_log_level(&self.flags);
            state.saved_log_level = state.config.server.log_level;
            self.logging.set_level(state.config.server.log_level);
            return;
        }
        let Some((camera, key)) = rest.split_once('.') else { return };
        if let Some(control) = key.strip_prefix("controls.") {
            let value = match configured {
                Some(Value::Integer(value)) => i32::try_from(*value).ok(),
                _ => None,
            };
            self.restore_control(camera, control, value);
            state.each_camera(camera, |settings| set_or_remove(settings, control, value));
        } else if let (Some(setting), Some(value)) = (live(key), configured) {
            state.each_camera(camera, |settings| {
                let _ = setting.set(settings, value);
            });
        }
    }

    /// Sets a control to `value`, or to the camera's own. A camera that is not there gets it when it starts.
    fn restore_control(&self, camera: &str, control: &str, value: Option<i32>) {
        let feed = self.cameras.find(Some(camera), |_| true);
        let Some(node) = feed.as_deref().and_then(|feed: &CameraFeed| feed.state().node) else { return };
        let own = || {
            let known = controls::list(&node).unwrap_or_default();
            known.iter().find(|known| known.name == control).map(|known| known.default)
        };
        let Some(value) = value.or_else(own) else { return };
        let set =
            controls::prepare(&node, &[(control.to_owned(), value)]).and_then(controls::ControlChange::set);
        if let Err(refused) = set {
            warn!("camera {camera}: {refused}");
        }
    }
}

fn live_rows<S>(
    table: &'static [Setting<S>],
    prefix: &str,
    value: impl Fn(&Setting<S>) -> Value,
) -> Vec<SettingRow> {
    let live = table.iter().filter(|setting| setting.is_live);
    live.map(|setting| SettingRow {
        name: format!("{prefix}.{}", setting.key),
        label: setting.label.to_owned(),
        hint: setting.hint,
        kind: setting.kind(),
        value: Some(value(setting)),
        overridden: None,
    })
    .collect()
}

/// The row of an override that belongs to no row of a table: of a control, or one that is ignored.
fn other_row(overridden: &Overridden, cameras: &[CameraSettings]) -> SettingRow {
    let name = &overridden.saved.name;
    let value =
        name.strip_prefix("camera.").and_then(|rest| rest.split_once('.')).and_then(|(camera, key)| {
            let camera = cameras.iter().find(|known| known.name == camera)?;
            let control = key.strip_prefix("controls.")?;
            camera.controls.iter().find(|(known, _)| known == control).map(|(_, value)| Value::from(*value))
        });
    let kind = match overridden.saved.value {
        Value::Integer(_) => Kind::Integer(0..=u32::MAX),
        Value::Boolean(_) => Kind::Boolean,
        Value::Text(_) => Kind::Text,
    };
    let label = name.rsplit('.').next().unwrap_or(name).to_owned();
    SettingRow { name: name.clone(), label, hint: "", kind, value, overridden: Some(overridden.clone()) }
}

fn live(key: &str) -> Option<&'static Setting<CameraSettings>> {
    CAMERA.iter().find(|setting| setting.key == key && setting.is_live)
}

fn set_or_remove(settings: &mut CameraSettings, control: &str, value: Option<i32>) {
    match (settings.controls.iter_mut().find(|(known, _)| known == control), value) {
        (Some((_, old)), Some(value)) => *old = value,
        (None, Some(value)) => settings.controls.push((control.to_owned(), value)),
        (_, None) => settings.controls.retain(|(known, _)| known != control),
    }
}
