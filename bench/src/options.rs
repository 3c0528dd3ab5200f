//! The command line into checked values. Parsing starts nothing.

use std::path::PathBuf;
use std::time::Duration;

use pico_args::Arguments;

use crate::failure::Failure;
use crate::kind::Kind;

/// What `--help` prints.
pub const USAGE: &str = "\
Times Defender against uStreamer on one stand-in camera, or the way from a viewer to the first picture.

    defender-bench compare --standin SO --film MJPEG [options]
    defender-bench first-picture --standin SO --film MJPEG [options]

    --standin SO         the stand-in camera, built from bench/camera/standin.c
    --film MJPEG         concatenated JPEGs for it to play
    --size WxH           size of the film (1280x720)
    --fps N              frames a second (30)
    --viewers N,N,...    viewers at a time, at most 200 (1,10,50)
    --stalled N          viewers that never read, beside 10 that do; 0 leaves this out (10)
    --seconds N          length of each measurement, at most 600 (10)
    --rounds N           rounds, each other one in reverse order, at most 20 (2)
    --only NAME,...      of ustreamer, defender, defender-tls, defender-http-plain, defender-http,
                         defender-unix-plain, defender-unix, defender-recording, defender-recording-tls,
                         defender-stalled-disk, defender-ffmpeg, defender-ffmpeg-tls (the first three)
    --cameras N          of those with http or unix, each with the viewers of its own, at most 64 (1)
    --start-ms N,N,...   of first-picture: what a camera takes to its first picture, at most 10000 (100,300,1000)
    --defender PATH      (target/release/defender)
    --ustreamer PATH     (ustreamer)
    --json               print JSON, not a table
";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// What a picture costs, and how old it is.
    Compare,
    /// How long the first one takes.
    FirstPicture,
}

/// A checked command line.
#[derive(Debug)]
pub struct Options {
    pub task: Task,
    pub standin: PathBuf,
    pub film: PathBuf,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub viewers: Vec<u32>,
    pub stalled: u32,
    pub duration: Duration,
    pub rounds: u32,
    pub kinds: Vec<Kind>,
    pub cameras: u32,
    /// Whether cameras that this program plays are connected only while somebody watches.
    pub is_on_demand: bool,
    pub starts_ms: Vec<u32>,
    pub defender: PathBuf,
    pub ustreamer: PathBuf,
    pub json: bool,
}

impl Options {
    /// Reads the process's own arguments; `None` when they ask for help.
    pub fn from_args() -> Result<Option<Self>, Failure> {
        Self::parse(Arguments::from_env())
    }

    fn parse(mut args: Arguments) -> Result<Option<Self>, Failure> {
        if args.contains(["-h", "--help"]) {
            return Ok(None);
        }
        let task = match args.subcommand().map_err(usage)?.as_deref() {
            Some("compare") => Task::Compare,
            Some("first-picture") => Task::FirstPicture,
            _ => return Err(Failure::Usage("the commands are compare and first-picture".into())),
        };
        let path = |text: &str| Ok::<_, String>(PathBuf::from(text));
        let (width, height) =
            args.opt_value_from_fn("--size", parse_size).map_err(usage)?.unwrap_or((1280, 720));
        let usual = match task {
            Task::Compare => Kind::USUAL.to_vec(),
            Task::FirstPicture => vec![Kind::Unix, Kind::Http],
        };
        let options = Self {
            task,
            standin: args.value_from_fn("--standin", path).map_err(usage)?,
            film: args.value_from_fn("--film", path).map_err(usage)?,
            width,
            height,
            fps: number(&mut args, "--fps", 1..=240, 30)?,
            viewers: list(&mut args, "--viewers", parse_viewers)?.unwrap_or_else(|| vec![1, 10, 50]),
            stalled: number(&mut args, "--stalled", 0..=50, 10)?,
            duration: Duration::from_secs(number(&mut args, "--seconds", 1..=600, 10)?.into()),
            rounds: number(&mut args, "--rounds", 1..=20, 2)?,
            kinds: list(&mut args, "--only", parse_kind)?.unwrap_or(usual),
            cameras: number(&mut args, "--cameras", 1..=64, 1)?,
            is_on_demand: task == Task::FirstPicture,
            starts_ms: list(&mut args, "--start-ms", parse_start)?.unwrap_or_else(|| vec![100, 300, 1000]),
            defender: args
                .opt_value_from_fn("--defender", path)
                .map_err(usage)?
                .unwrap_or_else(|| "target/release/defender".into()),
            ustreamer: args
                .opt_value_from_fn("--ustreamer", path)
                .map_err(usage)?
                .unwrap_or_else(|| "ustreamer".into()),
            json: args.contains("--json"),
        };
        match args.finish().first() {
            Some(stray) => Err(Failure::Usage(format!("unknown argument {}", stray.display()))),
            None => Ok(Some(options)),
        }
    }
}

fn usage(error: pico_args::Error) -> Failure {
    Failure::Usage(error.to_string())
}

fn number(
    args: &mut Arguments,
    name: &'static str,
    range: std::ops::RangeInclusive<u32>,
    otherwise: u32,
) -> Result<u32, Failure> {
    let given: Option<u32> = args.opt_value_from_str(name).map_err(usage)?;
    let value = given.unwrap_or(otherwise);
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Failure::Usage(format!("{name} is {value}, expected {} to {}", range.start(), range.end())))
}

fn list<T>(
    args: &mut Arguments,
    name: &'static str,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<Vec<T>>, Failure> {
    let Some(text) = args.opt_value_from_str::<_, String>(name).map_err(usage)? else { return Ok(None) };
    let items: Result<Vec<T>, String> = text.split(',').map(parse).collect();
    items.map(Some).map_err(|problem| Failure::Usage(format!("{name}: {problem}")))
}

fn parse_viewers(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(viewers @ 0..=200) => Ok(viewers),
        _ => Err(format!("{text} is not a number of viewers from 0 to 200")),
    }
}

fn parse_start(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(start @ 1..=10_000) => Ok(start),
        _ => Err(format!("{text} is not a number of milliseconds from 1 to 10000")),
    }
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    let known = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    let names = || Kind::ALL.map(Kind::name).join(", ");
    known.ok_or_else(|| format!("{text} is none of {}", names()))
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once('x').and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    numbers.ok_or_else(|| format!("{text} is not a size such as 1280x720"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Options>, Failure> {
        Options::parse(Arguments::from_vec(line.split_whitespace().map(Into::into).collect()))
    }

    #[test]
    fn lists_and_bounds_are_checked() {
        let good = parse("compare --standin s --film f --viewers 0,3 --only defender-tls").unwrap().unwrap();
        assert_eq!(good.viewers, [0, 3]);
        assert_eq!(good.kinds, [Kind::DefenderTls]);
        let first = parse("first-picture --standin s --film f --start-ms 50").unwrap().unwrap();
        assert!(first.is_on_demand && first.kinds == [Kind::Unix, Kind::Http] && first.starts_ms == [50]);
        for bad in ["--viewers 201", "--seconds 0", "--only nginx", "--size 1280", "--start-ms 0", "--bogus"]
        {
            assert!(parse(&format!("compare --standin s --film f {bad}")).is_err(), "{bad}");
        }
    }
}
