//! A ribbon-cable camera: writes the request that its unit reads, takes pictures from its socket, and explains failures.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::board::{Board, Missing};
use super::request;
use crate::source::session::Session;
use crate::source::settings::CameraSettings;
use crate::source::unix;
use crate::source::video::{Arrival, Description, OpenVideo, Stall, VideoError, VideoSource};

/// How long a slow board may take to start the unit, the program and the sensor. If Defender hung up before, it would
/// never see a picture.
const START_WITHIN: Duration = Duration::from_secs(30);

/// A ribbon-cable camera, to be opened.
pub(in crate::source) struct RibbonCamera<'s> {
    place: Place<'s>,
    settings: &'s CameraSettings,
    feeder: Box<dyn OpenVideo<'s> + 's>,
}

/// Which camera of which board it is.
#[derive(Clone, Copy)]
struct Place<'s> {
    board: &'s Board,
    number: u8,
}

/// Why a ribbon-cable camera gives no picture.
#[derive(Debug)]
enum RibbonError {
    /// The board lacks something.
    Missing { number: u8, missing: Vec<Missing> },
    /// The kernel shows no sensor. Another program may feed the socket, so its failure is reported as well.
    NoSensor { number: u8, missing: Missing, error: VideoError },
    /// Nothing listens at the socket.
    Refused { number: u8, repair: String },
    /// The board has everything, and the program gives no picture.
    Program { number: u8, error: VideoError, log: String },
}

impl<'s> RibbonCamera<'s> {
    /// The camera `number` of `board`, set to what `settings` ask for. `feeder` opens the stream at the unit's socket.
    pub(in crate::source) fn new(
        board: &'s Board,
        number: u8,
        settings: &'s CameraSettings,
        feeder: Box<dyn OpenVideo<'s> + 's>,
    ) -> Self {
        Self { place: Place { board, number }, settings, feeder }
    }
}

impl<'s> OpenVideo<'s> for RibbonCamera<'s> {
    fn open(&mut self, session: &'s Session<'s>) -> Result<Box<dyn VideoSource + 's>, VideoError> {
        let Place { board, number } = self.place;
        let file = board.request(number);
        let refused = request::write(&file, self.settings).err();
        let warning = refused.map(|error| {
            format!("{}: cannot request size, rate and quality: {error}; the pictures come as the program sends them", file.display())
        });
        let source = self.feeder.open(session).map_err(|error| self.place.explain(error))?;
        Ok(Box::new(RibbonPictures { place: self.place, sensor: board.sensor(number), warning, source }))
    }

    fn closed(&mut self, has_failed: bool) {
        self.feeder.closed(has_failed);
    }

    fn is_missing(&self) -> bool {
        self.feeder.is_missing()
    }

    /// Another program than rpicam-vid may feed the socket, and from another camera: only the socket must be there.
    fn problem(&self) -> Option<String> {
        let Place { board, number } = self.place;
        let missing = vec![board.missing_socket(number)?];
        Some(RibbonError::Missing { number, missing }.to_string())
    }
}

/// The pictures of a ribbon-cable camera.
struct RibbonPictures<'s> {
    place: Place<'s>,
    sensor: Option<String>,
    warning: Option<String>,
    source: Box<dyn VideoSource + 's>,
}

impl VideoSource for RibbonPictures<'_> {
    fn description(&self) -> Description {
        let mut description = self.source.description();
        description.source = name(self.place.number, self.sensor.as_deref());
        description.device = device(self.place.number);
        description.warnings.extend(self.warning.clone());
        description.stall = Stall::Starting(START_WITHIN);
        description
    }

    fn next(&mut self, timeout: Duration) -> Result<Arrival<'_>, VideoError> {
        let place = self.place;
        self.source.next(timeout).map_err(|error| place.explain(error))
    }

    fn stall_reason(&self) -> Option<VideoError> {
        self.source.stall_reason().map(|error| self.place.explain(error))
    }
}

impl Place<'_> {
    /// What the board lacks; `None` for nothing.
    fn missing(&self) -> Option<Vec<Missing>> {
        Some(self.board.missing(self.number)).filter(|missing| !missing.is_empty())
    }

    /// What it means that the connection to the unit failed.
    fn explain(&self, error: VideoError) -> VideoError {
        let number = self.number;
        if matches!(error, VideoError::Unwanted) {
            return error;
        }
        let mut missing = self.board.missing(number);
        VideoError::of(match (missing.pop(), missing.is_empty()) {
            (None, _) if unix::is_refused(&error) => {
                RibbonError::Refused { number, repair: self.board.repair(number) }
            }
            (None, _) => RibbonError::Program { number, error, log: self.board.log(number) },
            (Some(sensor @ Missing::Sensor { .. }), true) => {
                RibbonError::NoSensor { number, missing: sensor, error }
            }
            (Some(last), _) => {
                missing.push(last);
                RibbonError::Missing { number, missing }
            }
        })
    }
}

/// Says what a ribbon-cable camera is. The unit is not asked for a picture, because that would start the camera.
///
/// # Errors
/// What the board lacks.
pub(in crate::source) fn probe(board: &Board, number: u8) -> Result<String, VideoError> {
    match (Place { board, number }).missing() {
        Some(missing) => Err(VideoError::of(RibbonError::Missing { number, missing })),
        None => Ok(name(number, board.sensor(number).as_deref())),
    }
}

/// The camera's name for people.
fn name(number: u8, sensor: Option<&str>) -> String {
    match sensor {
        Some(sensor) => format!("{}: {sensor}", device(number)),
        None => device(number),
    }
}

/// The name of a ribbon-cable camera in settings and messages.
pub(super) fn device(number: u8) -> String {
    format!("ribbon:{number}")
}

impl fmt::Display for RibbonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { number, missing } => {
                write!(f, "{}", device(*number))?;
                for (at, missing) in missing.iter().enumerate() {
                    write!(f, "{} {missing}", if at == 0 { ":" } else { ";" })?;
                }
                Ok(())
            }
            Self::NoSensor { number, missing, error } => {
                write!(f, "{}: {missing}; what came: {error}", device(*number))
            }
            Self::Refused { number, repair } => {
                write!(f, "{}: nothing listens on its socket any more; run: {repair}", device(*number))
            }
            Self::Program { number, error, log } => {
                write!(f, "{}: {error}; {log} shows what rpicam-vid said", device(*number))
            }
        }
    }
}

impl Error for RibbonError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // Displayed as its own words, so the cause is what lies behind them.
            Self::Program { error, .. } | Self::NoSensor { error, .. } => error.source(),
            Self::Missing { .. } | Self::Refused { .. } => None,
        }
    }
}
