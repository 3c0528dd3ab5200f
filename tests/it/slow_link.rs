//! Viewers and listeners on slow links: what arrives is new, whatever the rate.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::feeder::Feeder;
use crate::links::{
    MEASURE, NEAR, Namespace, PROMISED, SETTLE, SLACK, join, run, try_far, try_near, try_playback, try_relay,
};
use crate::support::{Background, PASSWORD, Setup, USER};

#[test]
fn a_viewer_on_a_slow_link_sees_the_present() {
    say_skipped(try_near(), "shaped", "sch_tbf");
}

#[test]
fn a_viewer_on_a_slow_link_far_away_sees_the_present() {
    say_skipped(try_far(), "delayed", "sch_netem");
}

#[test]
fn a_viewer_of_a_relay_on_a_slow_link_sees_the_present() {
    say_skipped(try_relay(), "shaped", "sch_tbf");
}

#[test]
fn who_plays_a_recording_on_a_slow_link_is_in_time() {
    say_skipped(try_playback(), "shaped", "sch_tbf");
}

#[test]
fn a_listener_on_a_slow_link_hears_the_present() {
    say_skipped(try_sound(), "shaped", "sch_tbf");
}

/// Says why links were not tried, which cannot be `made` without a module of the kernel.
fn say_skipped(tried: Result<(), String>, made: &str, module: &str) {
    if let Err(why) = tried {
        eprintln!("skipped: links cannot be {made} here (root, iproute2 and {module} are needed): {why}");
    }
}

/// Listens on a link that is too slow for the sound; an error says why that cannot be tried.
fn try_sound() -> Result<(), String> {
    let (inside, listener) = (Namespace::new("band")?, Namespace::new("listener")?);
    run("ip", &["-n", &inside.0, "link", "set", "lo", "up"])?;
    let address = join(&inside, &listener, 0, &NEAR[0])?;
    let setup = Setup::new().server("address = \"0.0.0.0\"").under(&["ip", "netns", "exec", &inside.0]);
    let socket = setup.path().join("microphone");
    // Each sample says when it was sent.
    let _feeder = Feeder::start(&socket, |mut stream, _| {
        let begun = Instant::now();
        for number in 1.. {
            if stream.write_all(&tick().to_le_bytes().repeat(960)).is_err() {
                return;
            }
            thread::sleep((begun + TICK * number).saturating_duration_since(Instant::now()));
        }
    });
    let section =
        format!("[microphone.room]\ndevice = \"unix:{}\"\nrate_hz = 48000\nchannels = 1\n", socket.display());
    let server = setup.sections(&section).start();
    let (login, url) = (format!("{USER}:{PASSWORD}"), format!("https://{address}:{}/audio", server.port));
    let mut child = Command::new("ip")
        .args(["netns", "exec", &listener.0, "curl", "-skN", "-u", &login, &url])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl runs");
    let mut stream = child.stdout.take().expect("piped");
    let _curl = Background::of(child);
    let mut sound = [0; 4096];
    // The head of the WAV.
    stream.read_exact(&mut sound[..44]).expect("a stream");
    let (begun, mut ages) = (Instant::now(), Vec::new());
    while begun.elapsed() < SETTLE + MEASURE {
        stream.read_exact(&mut sound).expect("the stream goes on");
        let sent = i16::from_le_bytes([sound[4094], sound[4095]]);
        if begun.elapsed() > SETTLE {
            ages.push(TICK * u32::try_from((tick() - sent).rem_euclid(TICKS)).expect("positive"));
        }
    }
    ages.sort_unstable();
    let age = ages[ages.len() * 9 / 10];
    println!("sound that is 2.3 times the link's rate: {age:?} old (90 of 100)");
    assert!(age <= PROMISED + SLACK, "sound is {age:?} old");
    Ok(())
}

/// The time of a packet of sound, and how many have numbers of their own.
const TICK: Duration = Duration::from_millis(20);
const TICKS: i16 = 30_000;

/// The number of this moment.
fn tick() -> i16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i16::try_from(now.as_millis() / TICK.as_millis() % TICKS as u128).expect("below the limit")
}
