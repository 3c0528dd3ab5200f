//! Names of the log's levels, in defender.conf, in the API and in the file of overrides alike.

use log::LevelFilter;

/// All levels by their names, from the quietest to the loudest.
pub const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::Off),
    ("error", LevelFilter::Error),
    ("warn", LevelFilter::Warn),
    ("info", LevelFilter::Info),
    ("debug", LevelFilter::Debug),
    ("trace", LevelFilter::Trace),
];

/// The name of a level.
pub const fn name(level: LevelFilter) -> &'static str {
    LEVELS[level as usize].0
}

/// The level of a name.
pub fn from_name(name: &str) -> Option<LevelFilter> {
    LEVELS.iter().find(|(known, _)| *known == name).map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_has_one_name() {
        for level in LevelFilter::iter() {
            assert_eq!(from_name(name(level)), Some(level));
            assert_eq!(name(level), level.as_str().to_ascii_lowercase());
        }
        assert_eq!((from_name("loud"), from_name("INFO")), (None, None));
    }
}
