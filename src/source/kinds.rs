//! Which kind of source a configured device is: the one module that names them all.

use std::sync::Arc;

use super::audio::{self, AudioError, OpenAudio};
use super::clock::SystemClock;
use super::http::{self, HttpCamera};
use super::relay::{RemoteCamera, RemoteMicrophone};
use super::ribbon::{self, AutoCamera, Board, RibbonCamera};
use super::session::Session;
use super::settings::{CameraSettings, DeviceChoice, MicrophoneDevice, MicrophoneSettings};
use super::test::{CardCamera, ToneMicrophone};
use super::unix::{self, UnixCamera, UnixMicrophone};
use super::video::{self, OpenVideo, VideoError};
use super::{alsa, v4l2};
use crate::hub::{CameraFeed, MicrophoneFeed, Publisher, SoundWriter, Stop};
use crate::media::Frame;
use crate::memory::Account;

/// Captures what `settings` ask for into `publisher`, and says in `feed` how that goes, until `stop` is requested or the
/// hub is closed; returns within a fifth of a second then. Pictures are published only while there are readers. Those from
/// the network or a socket lie in memory of `account`.
///
/// While `stopped_by` names a user, the device stays closed.
pub(crate) fn run_camera(
    settings: &CameraSettings,
    stopped_by: Option<&str>,
    feed: &CameraFeed,
    publisher: &mut Publisher<Frame>,
    stop: &Stop,
    account: &Arc<Account>,
) {
    let session = Session::new(&SystemClock, stop, feed, settings.on_demand).stopped_by(stopped_by);
    let is_wanted = || session.is_wanted();
    let board = Board::this();
    let mut opener: Box<dyn OpenVideo> = match &settings.device {
        DeviceChoice::Auto => Box::new(AutoCamera::new(
            &board,
            Box::new(v4l2::FirstCamera::new(settings, feed)),
            Box::new(ribbon_camera(&board, 0, settings, account)),
        )),
        DeviceChoice::Path(path) => Box::new(v4l2::CameraAt::new(path, settings, feed)),
        DeviceChoice::Unix(path) => Box::new(UnixCamera::new(path.clone(), settings, account)),
        DeviceChoice::Ribbon(number) => Box::new(ribbon_camera(&board, *number, settings, account)),
        DeviceChoice::Http(url) => Box::new(HttpCamera::new(url, settings, account, &is_wanted)),
        DeviceChoice::Test => Box::new(CardCamera { settings }),
        DeviceChoice::Remote(device) => Box::new(RemoteCamera::new(device, settings.fps, &is_wanted)),
    };
    video::supervise(settings, feed, publisher, &session, &mut *opener);
}

/// Captures what `settings` ask for into `writer`, and says in `feed` how that goes, until `stop` is requested; returns
/// within a fifth of a second then.
///
/// While `stopped_by` names a user, the device stays closed.
pub(crate) fn run_microphone(
    settings: &MicrophoneSettings,
    stopped_by: Option<&str>,
    feed: &MicrophoneFeed,
    writer: &mut SoundWriter,
    stop: &Stop,
) {
    let session = Session::new(&SystemClock, stop, feed, settings.on_demand).stopped_by(stopped_by);
    let is_wanted = || session.is_wanted();
    let mut opener: Box<dyn OpenAudio> = match &settings.device {
        MicrophoneDevice::Unix(path) => Box::new(UnixMicrophone::new(path.clone(), settings.format)),
        MicrophoneDevice::Test => Box::new(ToneMicrophone { format: settings.format }),
        MicrophoneDevice::Remote(device) => {
            Box::new(RemoteMicrophone::new(device, settings.format, &is_wanted))
        }
        MicrophoneDevice::Auto | MicrophoneDevice::Named(_) => Box::new(alsa::Microphone::new(settings)),
    };
    audio::supervise(settings, feed, writer, &session, &mut *opener);
}

/// Opens a camera as [`run_camera`] would and says what it would deliver, without starting it or setting it to
/// anything: another program may be about to.
///
/// # Errors
/// Why it would not deliver. For `auto` without any camera that is no error: it shows the test card.
pub(crate) fn probe_camera(settings: &CameraSettings) -> Result<String, VideoError> {
    match &settings.device {
        DeviceChoice::Test => Ok("test card".to_owned()),
        DeviceChoice::Remote(device) => Ok(device.to_string()),
        DeviceChoice::Unix(path) => unix::probe_camera(path, settings),
        DeviceChoice::Http(url) => http::probe(url, settings),
        DeviceChoice::Path(path) => Ok(v4l2::probe(path, settings)?),
        DeviceChoice::Ribbon(number) => ribbon::probe(&Board::this(), *number),
        DeviceChoice::Auto => match v4l2::probe_first(settings) {
            Err(VideoError::NoCamera { .. }) if Board::this().has_sensor() => {
                ribbon::probe(&Board::this(), 0)
            }
            Err(VideoError::NoCamera { problem: None }) => {
                Ok("test card, until there is a camera".to_owned())
            }
            found => found,
        },
    }
}

/// The ribbon camera `number`, whose unit feeds a socket.
fn ribbon_camera<'s>(
    board: &'s Board,
    number: u8,
    settings: &'s CameraSettings,
    account: &Arc<Account>,
) -> RibbonCamera<'s> {
    let feeder = UnixCamera::new(ribbon::socket(board, number), settings, account);
    RibbonCamera::new(board, number, settings, Box::new(feeder))
}

/// Opens a microphone as [`run_microphone`] would and says what it would deliver.
///
/// # Errors
/// Why it would not deliver.
pub(crate) fn probe_microphone(settings: &MicrophoneSettings) -> Result<String, AudioError> {
    match &settings.device {
        MicrophoneDevice::Remote(device) => Ok(device.to_string()),
        MicrophoneDevice::Unix(path) => unix::probe_microphone(path, settings),
        MicrophoneDevice::Test => Ok(format!("test tone: {}", settings.format)),
        MicrophoneDevice::Auto | MicrophoneDevice::Named(_) => alsa::probe(settings),
    }
}
