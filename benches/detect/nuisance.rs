//! What disturbs, as light, exposure, leaves and particles by the time.

use std::f32::consts::TAU;

use crate::random::{Random, smooth};
use crate::scene::{Clip, HEIGHT, Nuisance, WIDTH, each_pixel};

/// Points of the map of the light are so many of the drawn pixels apart.
pub const LIGHT_STEP: usize = 4;

/// The weather, the lamps and the camera's automatics of one clip.
pub struct Weather {
    nuisance: Nuisance,
    seed: u64,
    is_dark: bool,
    /// When something happens, in seconds.
    times: Vec<f32>,
    /// Random numbers of this clip.
    chosen: [f32; 6],
}

/// What is the same for all of a frame.
pub struct State {
    /// What light is multiplied by.
    pub exposure: f32,
    /// Standard deviation of a pixel, in grey steps.
    pub noise: f32,
    /// Share of infrared.
    pub infrared: f32,
    /// By row, what light is multiplied by.
    pub rows: Option<Vec<f32>>,
    pub leaves: Option<Leaves>,
}

/// A tree whose leaves are seen where others were.
pub struct Leaves {
    middle: (f32, f32),
    reach: f32,
    at: f32,
    gust: f32,
    seed: u64,
}

impl Leaves {
    /// The pixel of the still picture that is seen at this one.
    pub fn from(&self, x: usize, y: usize) -> usize {
        let (dx, dy) =
            ((x as f32 - self.middle.0) / self.reach, (y as f32 - self.middle.1) / (0.8 * self.reach));
        let inside = 1.0 - dx * dx - dy * dy;
        if inside <= 0.0 {
            return y * WIDTH + x;
        }
        let branch = (x as f32 / 45.0).floor() + (y as f32 / 45.0).floor() * 3.7;
        let wave = (self.at * (3.0 + (branch * 1.7).sin()) + branch).sin()
            + 0.5 * (self.at * 7.3 + branch * 2.0).sin();
        let shift = self.gust * inside.min(0.5) * 2.0 * wave;
        let from_x = (x as f32 + 11.0 * shift).clamp(0.0, WIDTH as f32 - 1.0) as usize;
        let from_y = (y as f32 + 5.0 * shift).clamp(0.0, HEIGHT as f32 - 1.0) as usize;
        let _ = self.seed;
        from_y * WIDTH + from_x
    }
}

impl Weather {
    pub fn new(clip: &Clip) -> Self {
        let mut random = Random::new(clip.seed, 900 + clip.nuisance as u64);
        let mut at = 1.0;
        let gaps = match clip.nuisance {
            Nuisance::Insects => (1.0, 4.0),
            Nuisance::Infrared => (9.0, 14.0),
            _ => (4.0, 9.0),
        };
        let times = (0..200).map(|_| {
            at += random.between(gaps.0, gaps.1);
            at
        });
        let times = times.take_while(|&at| at < clip.seconds).collect();
        let chosen = std::array::from_fn(|_| random.share());
        Self { nuisance: clip.nuisance, seed: clip.seed, is_dark: clip.is_dark, times, chosen }
    }

    /// Whether what toggles is on, and for how long it has been as it is.
    fn toggled(&self, at: f32) -> (bool, f32) {
        let before = self.times.iter().filter(|&&time| time <= at).count();
        let since = before.checked_sub(1).map_or(100.0, |last| at - self.times[last]);
        (before % 2 == 1, since)
    }

    pub fn at(&self, at: f32) -> State {
        let (exposure, noise) =
            if self.is_dark { (1.0, 4.0 + 6.0 * self.chosen[0]) } else { (1.0, 1.0 + 1.5 * self.chosen[0]) };
        let mut state = State { exposure, noise, infrared: 0.0, rows: None, leaves: None };
        match self.nuisance {
            Nuisance::Gain => {
                let period = 2.0 + 6.0 * self.chosen[1];
                state.exposure *=
                    (0.45 * (at * TAU / period).sin() + 0.2 * smooth(self.seed, at / 1.3, 0.0)).exp();
            }
            Nuisance::Infrared => {
                let (is_on, since) = self.toggled(at);
                state.infrared = if is_on { 0.6 } else { 0.0 };
                // The filter moves, then the gain finds its place.
                state.exposure *= match since {
                    0.0..0.4 => 0.1,
                    _ => 1.0 + 1.5 * (-(since - 0.4) / 0.6).exp(),
                };
            }
            Nuisance::Banding => {
                let (deep, period) = (0.05 + 0.2 * self.chosen[1], 90.0 + 120.0 * self.chosen[2]);
                let phase = at * (3.0 + 40.0 * self.chosen[3]);
                let wave = |y: usize| 1.0 + deep * (y as f32 * TAU / period + phase).sin();
                state.rows = Some((0..HEIGHT).map(wave).collect());
            }
            Nuisance::Tree => {
                let middle = (80.0 + 480.0 * self.chosen[1], 60.0 + 160.0 * self.chosen[2]);
                let gust = (0.5 + 0.8 * smooth(self.seed, at / 5.0, 9.0)).max(0.05);
                let reach = 90.0 + 110.0 * self.chosen[3];
                state.leaves = Some(Leaves { middle, reach, at, gust, seed: self.seed });
            }
            _ => {}
        }
        state
    }

    /// The light on each point of a map, with so many pixels from one to the next.
    pub fn light(&self, at: f32, apart: usize) -> Vec<f32> {
        let base = if self.is_dark { 0.16 + 0.1 * self.chosen[4] } else { 1.0 };
        let columns = WIDTH / apart + 1;
        let mut map = Vec::with_capacity(columns * (HEIGHT / apart));
        for row in 0..HEIGHT / apart {
            for column in 0..columns {
                let (x, y) = ((column * apart) as f32, (row * apart) as f32);
                map.push(base * self.factor(at, x, y));
            }
        }
        map
    }

    fn factor(&self, at: f32, x: f32, y: f32) -> f32 {
        match self.nuisance {
            Nuisance::Clouds => {
                // Shadows with soft edges drift over the place, and the whole sky dims.
                let way = x * 0.8 + y * 0.6 - at * (60.0 + 300.0 * self.chosen[1]);
                let shadow = smooth(self.seed, way / (250.0 + 250.0 * self.chosen[2]), 3.0);
                let sky = smooth(self.seed, at / 7.0, 50.0);
                0.72 + 0.22 * (2.5 * shadow).clamp(-1.0, 1.0) + 0.12 * sky
            }
            Nuisance::Lamp => {
                let (is_on, since) = self.toggled(at);
                let rise = (since / (0.05 + 0.5 * self.chosen[5])).min(1.0);
                let power = if is_on { rise } else { 1.0 - rise };
                let (lamp_x, lamp_y) = (640.0 * self.chosen[1], 300.0 * self.chosen[2]);
                let far = ((x - lamp_x).powi(2) + (y - lamp_y).powi(2))
                    / (90.0f32 + 260.0 * self.chosen[3]).powi(2);
                // Something stands before it, in half of the places.
                let edge = lamp_x + 90.0 + 0.5 * (y - lamp_y);
                let is_behind = self.chosen[4] > 0.5 && x > edge && x < edge + 110.0 && y > lamp_y;
                let strength = if self.is_dark { 4.0 } else { 0.9 };
                1.0 + power * strength / (1.0 + far) * if is_behind { 0.25 } else { 1.0 }
            }
            Nuisance::Headlights => {
                let (_, since) = self.toggled(at);
                let speed = 200.0 + 300.0 * self.chosen[1];
                let to_right = if self.chosen[2] > 0.5 { 1.0 } else { -1.0 };
                let middle = 320.0 + to_right * (since * speed - 480.0);
                let (dx, dy) = ((x - middle) / (60.0 + 90.0 * self.chosen[3]), (y - 240.0) / 200.0);
                let beam = (-(dx * dx + dy * dy)).exp();
                // Bars of a window, which cast shadows that move with the beam.
                let bar = ((x - middle * 1.1) / 70.0).rem_euclid(1.0);
                let is_barred = self.chosen[4] > 0.5 && bar < 0.25;
                1.0 + 4.0 * beam * if is_barred { 0.3 } else { 1.0 }
            }
            Nuisance::Infrared => {
                let (is_on, _) = self.toggled(at);
                if !is_on {
                    return 1.0;
                }
                let far = ((x - 320.0).powi(2) + (y - 240.0).powi(2)) / 260.0f32.powi(2);
                3.0 / (1.0 + far)
            }
            _ => 1.0,
        }
    }

    /// Rain, snow and insects over the picture.
    pub fn draw_particles(&self, at: f32, luma: &mut [f32]) {
        let base = if self.is_dark { 0.16 } else { 0.8 };
        let look = (at * 1000.0) as u64;
        match self.nuisance {
            Nuisance::Rain => {
                let mut random = Random::new(self.seed ^ look, 31);
                for _ in 0..(60.0 + 240.0 * self.chosen[1]) as usize {
                    let near = random.share().powi(6);
                    let (length, width) = (14.0 + 90.0 * near, 0.8 + 3.0 * near);
                    let (x, y) = (random.between(0.0, 640.0), random.between(-60.0, 480.0));
                    let more = base * random.between(0.1, 0.35);
                    each_pixel([x - 3.0, y, x + 0.12 * length + 3.0, y + length], |px, py| {
                        let off = (px as f32 - x - 0.12 * (py as f32 - y)).abs() / width;
                        luma[py * WIDTH + px] += more * (1.0 - off).max(0.0);
                    });
                }
            }
            Nuisance::Snow => {
                for flake in 0..(80.0 + 250.0 * self.chosen[1]) as u64 {
                    let mut random = Random::new(self.seed ^ flake, 32);
                    let near = random.share().powi(5);
                    let (size, speed) = (1.3 + 9.0 * near, 60.0 + 400.0 * near);
                    let y = (random.between(0.0, 560.0) + speed * at).rem_euclid(560.0) - 40.0;
                    let sway = 20.0 * (at * 1.5 + flake as f32).sin() + at * 40.0 * (self.chosen[2] - 0.5);
                    let x = (random.between(0.0, 700.0) + sway).rem_euclid(700.0) - 30.0;
                    blob(luma, (x, y), size, base * 0.9, 0.8 / (1.0 + 2.0 * near));
                }
            }
            Nuisance::Insects => {
                let Some(&start) = self.times.iter().rev().find(|&&time| time <= at) else { return };
                let mut random = Random::new(self.seed ^ start.to_bits() as u64, 33);
                let (size, speed) = (random.between(9.0, 32.0), random.between(250.0, 1300.0));
                let (angle, turns) = (random.between(0.0, TAU), random.between(-3.0, 3.0));
                let lasts = random.between(0.5, 1.6);
                let since = at - start;
                if since > lasts {
                    return;
                }
                // It comes from one side and flies in curves.
                let steps = (since * 50.0) as usize;
                let (mut x, mut y) = (320.0 - 330.0 * angle.cos(), 240.0 - 250.0 * angle.sin());
                for step in 0..steps {
                    let way = angle + turns * step as f32 / 50.0 + 0.8 * (step as f32 / 6.0).sin();
                    x += way.cos() * speed / 50.0;
                    y += way.sin() * speed / 50.0;
                }
                let tone = if self.is_dark { 0.7 } else { 0.03 };
                blob(luma, (x, y), size, tone, 0.75);
            }
            _ => {}
        }
    }
}

/// Something out of focus.
fn blob(luma: &mut [f32], (x, y): (f32, f32), size: f32, tone: f32, cover: f32) {
    each_pixel([x - 1.5 * size, y - 1.5 * size, x + 1.5 * size, y + 1.5 * size], |px, py| {
        let far = ((px as f32 - x).powi(2) + (py as f32 - y).powi(2)) / (size * size);
        let part = cover * (1.3 - far).clamp(0.0, 1.0);
        let pixel = &mut luma[py * WIDTH + px];
        *pixel += (tone - *pixel) * part;
    });
}
