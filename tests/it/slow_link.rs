//! Viewers on slow links: what arrives is new, whatever the rate.

use crate::links::{try_far, try_near, try_playback, try_relay};

#[test]
fn a_viewer_on_a_slow_link_sees_the_present() {
    if let Err(why) = try_near() {
        eprintln!("skipped: links cannot be shaped here (root, iproute2 and sch_tbf are needed): {why}");
    }
}

#[test]
fn a_viewer_on_a_slow_link_far_away_sees_the_present() {
    if let Err(why) = try_far() {
        eprintln!("skipped: links cannot be delayed here (root, iproute2 and sch_netem are needed): {why}");
    }
}

#[test]
fn a_viewer_of_a_relay_on_a_slow_link_sees_the_present() {
    if let Err(why) = try_relay() {
        eprintln!("skipped: links cannot be shaped here (root, iproute2 and sch_tbf are needed): {why}");
    }
}

#[test]
fn who_plays_a_recording_on_a_slow_link_is_in_time() {
    if let Err(why) = try_playback() {
        eprintln!("skipped: links cannot be shaped here (root, iproute2 and sch_tbf are needed): {why}");
    }
}
