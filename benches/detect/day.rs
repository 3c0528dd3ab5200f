//! Hours of what disturbs, without people: whatever is reported is wrong.

use std::rc::Rc;
use std::time::Instant;

use defender::detect::detection::{Change, Kind};
use defender::jpeg::dc::DcPlane;

use crate::draw::{Artist, Place};
use crate::random::Random;
use crate::run::Eye;
use crate::scene::{Clip, LOOKS, Nuisance};

/// Scenes of an hour: two of each class, if all are shown.
const SCENES: usize = 2 * Nuisance::ALL.len();

/// Looks of a scene, about 138 s.
const SCENE_LOOKS: usize = 3600 * LOOKS as usize / SCENES;

/// What counts as the length of each JPEG, which is none here.
const BYTES: u32 = 30_000;

/// Shows hours of scenes, five looks a second, to one detector that is never started anew, and prints what it reports.
///
/// Each hour is at another place, where scenes by day come first and then those in the dark, each with weather of its own. One pixel of
/// `step` is drawn each way: 2 gives pictures of 320x240. They are not encoded; their blocks are quantised as in a JPEG. Only classes with
/// `class` in their names are shown.
pub fn run(hours: f32, seed: u64, step: usize, class: &str) {
    let looks = (hours * 3600.0 * LOOKS as f32) as usize;
    let mut show = Show { eye: Eye::new(), number: 0, said: 0, wrong: 0, alarms: 0 };
    show.eye.planes.push(DcPlane::default());
    let start = Instant::now();
    for hour in 0.. {
        let place_seed = seed * 7919 + hour;
        let place = Rc::new(Place::new(place_seed));
        for clip in scenes(place_seed, class) {
            let shown = SCENE_LOOKS.min(looks - show.number);
            show.scene(&clip, Artist::at(&clip, Rc::clone(&place), step), shown);
            if show.number >= looks {
                println!(
                    "{hours} hours of disturbances, {looks} looks: {} false detections, {} alarms of the scene; {} s",
                    show.wrong,
                    show.alarms,
                    start.elapsed().as_secs()
                );
                return;
            }
        }
        println!("{} hours: {} false detections, {} alarms", hour + 1, show.wrong, show.alarms);
    }
}

/// The scenes of an hour in their order.
fn scenes(place_seed: u64, class: &str) -> Vec<Clip> {
    let classes = Nuisance::ALL.iter().filter(|(_, name)| name.contains(class)).cycle();
    let mut random = Random::new(place_seed, 4);
    let mut scenes: Vec<_> = (0..SCENES)
        .zip(classes)
        .map(|(number, &(nuisance, _))| {
            let mut clip = Clip::new(nuisance, place_seed * 100 + number as u64, 0);
            clip.seconds = SCENE_LOOKS as f32 / LOOKS as f32;
            (clip.is_dark, random.next(), clip)
        })
        .collect();
    scenes.sort_by_key(|&(is_dark, order, _)| (is_dark, order));
    scenes.into_iter().map(|(.., clip)| clip).collect()
}

/// A detector at work.
struct Show {
    eye: Eye,
    /// Looks so far.
    number: usize,
    /// Changes that were looked through.
    said: usize,
    wrong: usize,
    alarms: usize,
}

impl Show {
    /// Shows so many looks of a scene.
    fn scene(&mut self, clip: &Clip, mut artist: Artist<'_>, looks: usize) {
        for look in 0..looks {
            let means = artist.means(look);
            artist.plane(&means, &mut self.eye.planes[0]);
            self.eye.look_at_plane(self.number, BYTES);
            self.number += 1;
            self.report(clip, look);
        }
    }

    /// Prints what was said of the last look.
    fn report(&mut self, clip: &Clip, look: usize) {
        for (at_s, change) in &self.eye.changes[self.said..] {
            let Change::Began(detection) = change else { continue };
            let is_motion = detection.kind == Kind::Motion;
            self.wrong += usize::from(is_motion);
            self.alarms += usize::from(!is_motion);
            println!(
                "{:?} at {:.4} h, {:.1} s after the beginning of {} {}{}: {:?}",
                detection.kind,
                at_s / 3600.0,
                look as f32 / LOOKS as f32,
                clip.nuisance.name(),
                clip.seed,
                if clip.is_dark { " in the dark" } else { "" },
                detection.area
            );
        }
        self.said = self.eye.changes.len();
    }
}
