//! Power cuts while two cameras and a microphone are recorded: a card that loses what was not flushed, and real file
//! systems that are mounted after it.
//!
//! `POWER_CUTS=1000 cargo test --test device_vm power_cuts` cuts more often than the twenty times of each run.

use std::thread;
use std::time::Duration;

use crate::card::below;
use crate::feed::CAMERAS;
use crate::footage::{Recording, check};
use crate::vm;

/// Cuts while the same server runs, where there are few and where there are many. The next server goes on with what the
/// last cut left.
const CUTS_OF_A_LIFE: [usize; 2] = [5, 50];

/// More than so many are many.
const FEW: usize = 50;

/// What may be lost of a camera: the time until a flush, and what that takes.
const MOST_LOST_US: u64 = 2_500_000;

#[test]
fn a_power_cut_on_ext4_loses_seconds_and_no_file() {
    live_through(cuts() / 2, "ext4");
}

#[test]
fn a_power_cut_on_f2fs_loses_seconds_and_no_file() {
    live_through(cuts() / 2, "f2fs");
}

fn cuts() -> usize {
    std::env::var("POWER_CUTS").map_or(20, |text| text.parse().expect("POWER_CUTS is a number"))
}

fn live_through(cuts: usize, kind: &'static str) {
    let vm = vm::with_cards();
    let recording = Recording::new(&vm, kind);
    let cuts_of_a_life = CUTS_OF_A_LIFE[usize::from(cuts > FEW)];
    let mut longest_us = 0;
    for life in 0..cuts.div_ceil(cuts_of_a_life) {
        recording.mount();
        // Segments are used again from the first one on.
        let server = recording.start("max_gb = 0.04");
        server.wait_recorded(1);
        recording.feed.wait(Duration::from_secs(3));
        let mut images = Vec::new();
        for _ in 0..cuts_of_a_life.min(cuts - life * cuts_of_a_life) {
            thread::sleep(Duration::from_millis(below(2000).into()));
            images.push((recording.feed.last(), vm.card("card").after_a_cut()));
        }
        drop(server);
        recording.unmount();
        vm.card("card").load(images.last().expect("a cut").1.clone());
        for (number, (last, image)) in images.into_iter().enumerate() {
            let found = recording.look(image);
            for (camera, (last, files)) in last.iter().zip(&found).enumerate() {
                let name = CAMERAS[camera].name;
                // What was written between the look at the last picture and the cut is not lost.
                let kept_us = check(files).last().expect("footage").sent_us;
                let lost_us = last.sent_us.saturating_sub(kept_us);
                longest_us = longest_us.max(lost_us);
                println!(
                    "{kind}, cut {}.{number}: {name} lost {lost_us} us, {} files",
                    life + 1,
                    files.len()
                );
                assert!(lost_us <= MOST_LOST_US, "{lost_us} us of {name} are lost");
            }
        }
    }
    println!("{kind}: at most {longest_us} us lost in {cuts} cuts");
}
