//! What a clip shows: a place, people who pass through it, a nuisance, and a camera.

use crate::random::Random;

/// Size of all clips in pixels.
pub const WIDTH: usize = 640;
/// Rows.
pub const HEIGHT: usize = 480;

/// Looks a second.
pub const LOOKS: u32 = 5;

/// Seconds from the start of a clip in which nothing counts: a camera has always run for a while.
pub const WARM_UP_S: f32 = 10.0;

/// What disturbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nuisance {
    Day,
    Dusk,
    Gain,
    Lamp,
    Clouds,
    Infrared,
    Rain,
    Snow,
    Tree,
    Headlights,
    Banding,
    Insects,
    BlockNoise,
}

impl Nuisance {
    /// All, with their names.
    pub const ALL: [(Nuisance, &'static str); 13] = [
        (Self::Day, "day, sensor noise"),
        (Self::Dusk, "dusk, sensor noise"),
        (Self::Gain, "automatic gain hunts"),
        (Self::Lamp, "lamp on and off"),
        (Self::Clouds, "clouds"),
        (Self::Infrared, "switch to infrared"),
        (Self::Rain, "rain"),
        (Self::Snow, "snow"),
        (Self::Tree, "swaying tree"),
        (Self::Headlights, "headlights"),
        (Self::Banding, "50 Hz banding"),
        (Self::Insects, "insects"),
        (Self::BlockNoise, "JPEG block noise"),
    ];

    /// The name in the report.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(nuisance, _)| *nuisance == self).map_or("", |(_, name)| name)
    }

    /// Whether it is by day, at dusk, or either.
    fn is_dark(self, random: &mut Random) -> bool {
        match self {
            Self::Day | Self::Clouds => false,
            Self::Dusk | Self::Headlights | Self::Infrared => true,
            _ => random.chance(0.5),
        }
    }
}

/// Somebody who passes.
#[derive(Clone)]
pub struct Person {
    /// From head to foot, in pixels.
    pub height: f32,
    /// Pixels a second; negative to the left.
    pub speed: f32,
    /// Row of the feet.
    pub feet: f32,
    /// When the picture is entered, in seconds.
    pub enters: f32,
    /// Share of the light that is reflected by head, torso and legs.
    pub tones: [f32; 3],
    pub seed: u64,
}

/// A rectangle in pixels: left, top, right, bottom.
pub type Box = [f32; 4];

impl Person {
    /// Half the width, in heights.
    const HALF: f32 = 0.15;

    /// The share of the square of the height that is covered.
    const COVERS: f32 = 0.19;

    /// Where the middle is, in pixels.
    pub fn middle(&self, at: f32) -> f32 {
        let way = self.speed * (at - self.enters);
        if self.speed > 0.0 {
            way - self.height * Self::HALF
        } else {
            WIDTH as f32 + self.height * Self::HALF + way
        }
    }

    /// What is in the picture; `None` if nothing.
    pub fn seen(&self, at: f32) -> Option<Box> {
        let (middle, half) = (self.middle(at), self.height * Self::HALF);
        let left = (middle - half).max(0.0);
        let right = (middle + half).min(WIDTH as f32);
        let (top, bottom) = ((self.feet - self.height).max(0.0), self.feet.min(HEIGHT as f32));
        (at >= self.enters && left < right && top < bottom).then_some([left, top, right, bottom])
    }

    /// Percent of the picture that is covered.
    pub fn percent(&self, at: f32) -> f32 {
        let Some([left, top, right, bottom]) = self.seen(at) else { return 0.0 };
        let whole = 2.0 * Self::HALF * self.height * self.height;
        let share = (right - left) * (bottom - top) / whole;
        100.0 * share * Self::COVERS * self.height * self.height / (WIDTH * HEIGHT) as f32
    }
}

/// A clip.
pub struct Clip {
    pub nuisance: Nuisance,
    pub seed: u64,
    pub seconds: f32,
    pub people: Vec<Person>,
    /// Whether there is little light.
    pub is_dark: bool,
    /// Quality of the JPEGs.
    pub quality: u8,
    /// Chroma of 4:2:0, otherwise of 4:2:2.
    pub is_quarter: bool,
}

impl Clip {
    /// A clip of so many people, one after another.
    pub fn new(nuisance: Nuisance, seed: u64, people: usize) -> Self {
        let mut random = Random::new(seed, 1 + nuisance as u64);
        let is_dark = nuisance.is_dark(&mut random);
        let quality = if nuisance == Nuisance::BlockNoise { 50.0 } else { random.between(50.0, 85.0) };
        let is_quarter = random.chance(0.5);
        let mut enters = WARM_UP_S;
        let people = (0..people).map(|_| {
            enters += random.between(5.0, 8.0);
            let person = Self::person(&mut random, enters);
            enters += ((WIDTH as f32 + 0.3 * person.height) / person.speed.abs()).min(14.0);
            person
        });
        let people: Vec<_> = people.collect();
        // Without people, as long as with one.
        let seconds = if people.is_empty() { 30.0 } else { enters + 8.0 };
        Self { nuisance, seed, seconds, people, is_dark, quality: quality as u8, is_quarter }
    }

    fn person(random: &mut Random, enters: f32) -> Person {
        // From far to near, as many of each: 0.85 to 11 % of the picture.
        let height = 118.0 * (random.share() * 1.27).exp();
        // Strolls, walks, runs: 0.7, 1.4 and 3.5 m/s of somebody of 1.75 m.
        let pace = [0.4, 0.8, 0.8, 2.0][(random.next() % 4) as usize] * random.between(0.85, 1.15);
        let direction = if random.chance(0.5) { 1.0 } else { -1.0 };
        let mut tone = || 0.04 * (random.share() * 2.9).exp();
        let tones = [tone().max(0.12), tone(), tone()];
        let feet = (190.0 + 0.75 * height + random.between(-20.0, 60.0)).min(HEIGHT as f32 + 0.2 * height);
        Person { height, speed: direction * pace * height, feet, enters, tones, seed: random.next() }
    }

    /// Frames of the clip.
    pub fn frames(&self) -> usize {
        (self.seconds * LOOKS as f32) as usize
    }

    /// The people who must be found: whole seconds in which each covers at least 0.75 % of the picture.
    pub fn truth(&self) -> Vec<(f32, f32)> {
        let looks = (0..self.frames()).map(|look| look as f32 / LOOKS as f32);
        let spans = self.people.iter().map(|person| {
            let mut seen = looks.clone().filter(|&at| person.percent(at) >= 0.75);
            let first = seen.next().unwrap_or(f32::MAX);
            (first, seen.next_back().unwrap_or(first))
        });
        spans.collect()
    }
}

/// Visits the pixels of a rectangle that are in the picture.
pub fn each_pixel([left, top, right, bottom]: [f32; 4], mut visit: impl FnMut(usize, usize)) {
    let clip = |value: f32, most: usize| (value.max(0.0) as usize).min(most);
    for y in clip(top, HEIGHT)..clip(bottom.ceil(), HEIGHT) {
        for x in clip(left, WIDTH)..clip(right.ceil(), WIDTH) {
            visit(x, y);
        }
    }
}
