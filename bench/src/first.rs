//! How long a viewer waits for the first picture of a camera that is connected only while somebody watches, beside what the
//! camera itself takes.

use std::fmt::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::compare::median;
use crate::failure::Failure;
use crate::kind::Kind;
use crate::options::Options;
use crate::servers::Server;
use crate::viewers::{Crowd, monotonic_ns};

/// For a first picture, and for the server to hang up after the last viewer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Viewers, one after another, of whom the median is reported.
const VIEWERS: u32 = 9;

/// Measures every kind with every camera, and says what came of it.
///
/// # Errors
/// When a server does not start, or gives no picture.
pub fn run(options: &Options) -> Result<String, Failure> {
    let mut text = format!("{:22}{:>13}{:>13}{:>13}\n", "", "camera ms", "viewer ms", "ratio");
    for kind in options.kinds.iter().filter(|kind| kind.is_fed()) {
        for start_ms in &options.starts_ms {
            eprintln!("{} with a camera that takes {start_ms} ms", kind.name());
            let (camera_ms, viewer_ms) = measure(*kind, options, Duration::from_millis((*start_ms).into()))?;
            let ratio = viewer_ms / camera_ms;
            writeln!(text, "{:22}{camera_ms:>13.1}{viewer_ms:>13.1}{ratio:>13.2}", kind.name())
                .expect("a String takes every write");
        }
    }
    Ok(text)
}

/// Milliseconds from the connection to the camera to its first picture, and from the beginning of a viewer's connection to
/// the last byte of that picture: the medians.
fn measure(kind: Kind, options: &Options, start: Duration) -> Result<(f64, f64), Failure> {
    let server = Server::start(kind, options, start)?;
    let mut viewers_ms = Vec::new();
    for _ in 0..VIEWERS {
        wait_for_hang_up(&server)?;
        let began_ns = monotonic_ns();
        let mut crowd = Crowd::new()?;
        crowd.join(&server.endpoints()[0], 1)?;
        let end = Instant::now() + TIMEOUT;
        let came_ns = loop {
            let seen = crowd.watch(Duration::from_millis(20)).map_err(|failure| server.explain(failure))?;
            if let Some(came_ns) = seen.first_ns {
                break came_ns;
            }
            if Instant::now() > end {
                return Err(server.explain(Failure::Stream("no first picture came".into())));
            }
        };
        viewers_ms.push(came_ns.saturating_sub(began_ns) as f64 / 1e6);
    }
    let camera_ms = start.as_secs_f64() * 1e3;
    Ok((camera_ms, median(viewers_ms).unwrap_or_default()))
}

/// The camera must be started anew for each viewer.
fn wait_for_hang_up(server: &Server) -> Result<(), Failure> {
    let end = Instant::now() + TIMEOUT;
    while server.film().is_some_and(|film| film.connections() > 0) {
        if Instant::now() > end {
            return Err(server.explain(Failure::Stream("the server does not hang up on its camera".into())));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
