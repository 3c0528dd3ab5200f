//! What a board needs for a ribbon-cable camera, and whether it has it: a sensor, the program that reads it, and the
//! socket of the unit that runs this program. Defender itself starts no program.

use std::fmt;
use std::path::PathBuf;

use super::media::{self, Sensors};
use super::sensor;
use crate::media::RibbonDevice;

/// A machine that may have ribbon-cable cameras.
pub(in crate::source) struct Board {
    /// `/`, but for tests.
    root: PathBuf,
    /// Finds its sensors.
    sensors: fn() -> Sensors,
}

/// What keeps a ribbon-cable camera from giving a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::source) enum Missing {
    /// The kernel shows fewer sensors than this camera's number asks for.
    Sensor { number: u8, found: usize },
    /// The program that reads it.
    Program,
    /// The socket, which this command makes.
    Socket { path: PathBuf, repair: String },
}

/// The units by the number of the camera: the socket is /run/UNIT, and the request /run/defender/UNIT.
const UNITS: [&str; 2] = ["defender-ribbon", "defender-ribbon-1"];

/// The most ribbon-cable cameras of a board.
const CAMERAS_MAX: u8 = UNITS.len() as u8;

/// Where the program may be. The unit looks for it by name.
const PROGRAMS: [&str; 4] = [
    "usr/bin/rpicam-vid",
    "usr/local/bin/rpicam-vid",
    "usr/bin/libcamera-vid",
    "usr/local/bin/libcamera-vid",
];

impl Board {
    /// This machine.
    pub(in crate::source) fn this() -> Self {
        Self { root: PathBuf::from("/"), sensors: media::sensors }
    }

    /// A board for tests, with its files in `root`.
    #[cfg(test)]
    pub(in crate::source) fn fake(root: &std::path::Path, sensors: fn() -> Sensors) -> Self {
        Self { root: root.to_owned(), sensors }
    }

    /// The socket of a camera.
    pub(super) fn socket(&self, number: u8) -> PathBuf {
        self.root.join("run").join(unit(number))
    }

    /// The file in which the unit finds what it is asked for.
    pub(super) fn request(&self, number: u8) -> PathBuf {
        self.root.join("run/defender").join(unit(number))
    }

    /// What the camera lacks, most basic first. A sensor counts as missing only where all media devices could be asked.
    pub(super) fn missing(&self, number: u8) -> Vec<Missing> {
        let mut missing = Vec::new();
        let sensors = (self.sensors)();
        let found = sensors.names.len();
        if sensors.problem.is_none() && found <= usize::from(number) {
            missing.push(Missing::Sensor { number, found });
        }
        if !self.has_program() {
            missing.push(Missing::Program);
        }
        missing.extend(self.missing_socket(number));
        missing
    }

    /// The socket, if it is missing.
    pub(super) fn missing_socket(&self, number: u8) -> Option<Missing> {
        if self.has_socket(number) {
            return None;
        }
        Some(Missing::Socket { path: self.socket(number), repair: self.repair(number) })
    }

    /// The command that makes the socket.
    pub(super) fn repair(&self, number: u8) -> String {
        if self.has_systemd() {
            format!("sudo systemctl enable --now {}.socket", unit(number))
        } else {
            "sudo apt install socat && sudo /etc/init.d/defender restart".to_owned()
        }
    }

    /// Where the program's messages are.
    pub(super) fn log(&self, number: u8) -> String {
        let unit = unit(number);
        if self.has_systemd() { format!("`journalctl -u '{unit}@*'`") } else { format!("/run/{unit}.err") }
    }

    /// Whether the kernel shows a sensor.
    pub(in crate::source) fn has_sensor(&self) -> bool {
        !(self.sensors)().names.is_empty()
    }

    /// The sensors, for people; `None` where none is known.
    pub(super) fn sensor(&self, number: u8) -> Option<String> {
        let names = (self.sensors)().names;
        match &names[..] {
            [] => None,
            [only] if number == 0 => Some(sensor::describe(only)),
            // Media devices may have another order than the cameras of libcamera.
            several => {
                Some(several.iter().map(|name| sensor::describe(name)).collect::<Vec<_>>().join(" or "))
            }
        }
    }

    /// Every ribbon-cable camera whose sensor the kernel shows.
    pub(super) fn cameras(&self) -> Vec<RibbonDevice> {
        let found = u8::try_from((self.sensors)().names.len()).unwrap_or(CAMERAS_MAX);
        let camera = |number| RibbonDevice {
            number,
            sensor: self.sensor(number).unwrap_or_default(),
            problems: self.missing(number).iter().map(Missing::to_string).collect(),
        };
        (0..CAMERAS_MAX.min(found)).map(camera).collect()
    }

    /// Every ribbon-cable camera, and what is missing for those that could be there; for people. Nothing on a machine that
    /// has neither a sensor nor the connector for one.
    pub(super) fn list(&self) -> Vec<String> {
        let Sensors { names, problem } = (self.sensors)();
        let describe = |RibbonDevice { number, sensor, problems }: RibbonDevice| {
            let problems = problems.iter().map(|problem| format!("\n  {problem}"));
            format!("ribbon:{number}  {sensor}{}\n", problems.collect::<String>())
        };
        let mut lines: Vec<String> = self.cameras().into_iter().map(describe).collect();
        if let Some(problem) = problem {
            lines.push(format!("{problem}; is this user in the group `video`?\n"));
        } else if names.is_empty() && self.may_have_ribbon() {
            lines.push(format!("{}\n", Missing::Sensor { number: 0, found: 0 }));
        }
        lines
    }

    fn has_systemd(&self) -> bool {
        self.root.join("run/systemd/system").exists()
    }

    fn has_program(&self) -> bool {
        PROGRAMS.iter().any(|program| self.root.join(program).exists())
    }

    fn has_socket(&self, number: u8) -> bool {
        self.socket(number).exists()
    }

    /// Boards with the connector describe themselves in a device tree.
    fn may_have_ribbon(&self) -> bool {
        self.root.join("sys/firmware/devicetree/base/model").exists()
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sensor { found: 0, .. } => f.write_str(
                "no ribbon camera found; check both ends of its cable and restart the board: \
                 `rpicam-hello --list-cameras` lists those that work",
            ),
            Self::Sensor { number, found } => {
                write!(f, "there is no ribbon:{number}; ribbon cameras found: {found}")
            }
            Self::Program => f.write_str("rpicam-vid is missing; run: sudo apt install rpicam-apps-lite"),
            Self::Socket { path, repair } => write!(f, "{} is missing; run: {repair}", path.display()),
        }
    }
}

/// The name of the unit of a camera.
fn unit(number: u8) -> &'static str {
    UNITS.get(usize::from(number)).copied().unwrap_or(UNITS[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn no_sensor() -> Sensors {
        Sensors::default()
    }

    fn one_sensor() -> Sensors {
        Sensors { names: vec!["imx219 10-0010".to_owned()], problem: None }
    }

    fn two_sensors() -> Sensors {
        Sensors { names: vec!["imx708_wide 4-001a".to_owned(), "imx219 6-0010".to_owned()], problem: None }
    }

    fn hidden_sensors() -> Sensors {
        Sensors { names: Vec::new(), problem: Some("/dev/media0: Permission denied".to_owned()) }
    }

    /// A board's files.
    fn files(names: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    fn sentences(board: &Board, number: u8) -> Vec<String> {
        board.missing(number).iter().map(Missing::to_string).collect()
    }

    #[test]
    fn each_missing_part_is_named_with_what_to_do() {
        let root = files(&["run/systemd/system/x"]);
        let board = Board::fake(root.path(), no_sensor);
        let found = sentences(&board, 0);
        for part in ["cable", "sudo apt install rpicam-apps-lite", "enable --now defender-ribbon.socket"] {
            assert!(found.iter().any(|sentence| sentence.contains(part)), "{part} is missing in {found:?}");
        }
        let root = files(&["usr/bin/rpicam-vid"]);
        let board = Board::fake(root.path(), one_sensor);
        let found = sentences(&board, 1);
        assert_eq!(found[0], "there is no ribbon:1; ribbon cameras found: 1");
        assert!(
            found[1].contains("run/defender-ribbon-1 is missing; run: sudo apt install socat"),
            "{found:?}"
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn nothing_is_missing_on_a_whole_board() {
        let root = files(&["usr/bin/libcamera-vid", "run/defender-ribbon"]);
        assert_eq!(sentences(&Board::fake(root.path(), one_sensor), 0), [""; 0]);
    }

    #[test]
    fn a_sensor_that_cannot_be_looked_for_is_not_called_missing() {
        let root = files(&["usr/bin/rpicam-vid", "run/defender-ribbon"]);
        let board = Board::fake(root.path(), hidden_sensors);
        assert_eq!(sentences(&board, 0), [""; 0]);
        assert!(board.list()[0].contains("Permission denied; is this user in the group `video`?"));
    }

    #[test]
    fn cameras_are_listed_with_what_their_sensors_can_do() {
        let root = files(&["usr/bin/rpicam-vid", "run/defender-ribbon", "run/defender-ribbon-1"]);
        let one = Board::fake(root.path(), one_sensor).list();
        assert_eq!(one, ["ribbon:0  imx219 (Camera Module 2, up to 3280x2464)\n"]);
        let bare = files(&[]);
        let lacking = &Board::fake(bare.path(), one_sensor).cameras()[..];
        let [RibbonDevice { number: 0, sensor, problems }] = lacking else { panic!("{lacking:?}") };
        assert_eq!((sensor.as_str(), problems.len()), ("imx219 (Camera Module 2, up to 3280x2464)", 2));
        let two = Board::fake(root.path(), two_sensors).list();
        assert!(
            two[1].starts_with("ribbon:1  imx708 (Camera Module 3, up to 4608x2592) or imx219"),
            "{two:?}"
        );
    }

    #[test]
    fn only_boards_are_told_that_no_ribbon_camera_is_there() {
        assert_eq!(Board::fake(files(&[]).path(), no_sensor).list(), [""; 0]);
        let board = files(&["sys/firmware/devicetree/base/model"]);
        assert!(Board::fake(board.path(), no_sensor).list()[0].contains("no ribbon camera found"));
    }
}
