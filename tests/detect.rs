//! The short form of `bench/detect`: somebody who passes is found, and nothing else, in clips that are drawn and encoded
//! as cameras do. The long form says how often, of many.

#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "../benches/detect/draw.rs"]
mod draw;
#[path = "../benches/detect/nuisance.rs"]
mod nuisance;
#[path = "../benches/detect/random.rs"]
mod random;
#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "../benches/detect/run.rs"]
mod run;
#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "../benches/detect/scene.rs"]
mod scene;
#[allow(dead_code, reason = "the bench uses all of it")]
#[path = "../benches/detect/score.rs"]
mod score;

use scene::{Clip, Nuisance};
use score::Score;

/// One clip, with somebody in it or not.
fn score(nuisance: Nuisance, seed: u64, people: usize) -> Score {
    let clip = Clip::new(nuisance, seed, people);
    let mut score = Score::default();
    score.add(&clip, &run::look_at(&clip, None));
    score
}

#[test]
fn somebody_is_found_at_dusk() {
    let score = score(Nuisance::Dusk, 1, 1);
    assert_eq!((score.found, score.detections, score.right), (1, 1, 1), "{score:?}");
}

#[test]
fn somebody_is_found_before_a_tree() {
    let score = score(Nuisance::Tree, 1, 1);
    assert_eq!((score.found, score.wrong.len()), (1, 0), "{score:?}");
}

#[test]
fn a_lamp_and_clouds_are_no_motion() {
    for nuisance in [Nuisance::Lamp, Nuisance::Clouds] {
        let score = score(nuisance, 2, 0);
        assert_eq!(score.detections, 0, "{nuisance:?}: {score:?}");
    }
}
