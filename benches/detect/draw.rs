//! Draws the frames of a clip, as a sensor would see the place, and encodes them as cameras do.

use std::rc::Rc;

use defender::jpeg::dc::DcPlane;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::nuisance::{LIGHT_STEP, State, Weather};
use crate::random::{Random, smooth};
use crate::scene::{Clip, HEIGHT, LOOKS, Nuisance, Person, WIDTH, each_pixel};

/// What is in front of a camera.
pub struct Place {
    /// Share of the light that each pixel reflects, and the same of infrared.
    visible: Vec<f32>,
    infrared: Vec<f32>,
}

impl Place {
    pub fn new(seed: u64) -> Self {
        Self { visible: reflected(seed), infrared: reflected(seed ^ 0x55) }
    }
}

/// A picture without noise, as the mean grey of each block.
pub struct Means {
    blocks: Vec<f32>,
    /// Standard deviation of a pixel, in grey steps.
    noise: f32,
}

/// Draws one clip.
pub struct Artist<'c> {
    clip: &'c Clip,
    place: Rc<Place>,
    /// One pixel of so many is drawn, each way.
    step: usize,
    weather: Weather,
    /// Normal noise.
    noise: Vec<f32>,
    /// Grey by the square root of light in 1023rds.
    gamma: Vec<f32>,
    luma: Vec<f32>,
    random: Random,
}

impl<'c> Artist<'c> {
    pub fn new(clip: &'c Clip) -> Self {
        Self::at(clip, Rc::new(Place::new(clip.seed)), 1)
    }

    /// Another place than the clip's own, with one pixel of `step` drawn each way.
    pub fn at(clip: &'c Clip, place: Rc<Place>, step: usize) -> Self {
        let mut random = Random::new(clip.seed, 77);
        let noise = (0..1 << 16).map(|_| (0..6).map(|_| random.share() - 0.5).sum::<f32>() * 1.414);
        Self {
            clip,
            place,
            step,
            noise: noise.collect(),
            gamma: (0..=1023).map(|light| 255.0 * (light as f32 / 1023.0).powf(0.9)).collect(),
            weather: Weather::new(clip),
            luma: vec![0.0; WIDTH * HEIGHT],
            random,
        }
    }

    /// The frame of a look, as grey.
    pub fn grey(&mut self, look: usize) -> Vec<u8> {
        let state = self.draw(look);
        let mut grey = vec![0; WIDTH * HEIGHT];
        for (row, out) in self.luma.chunks_exact(WIDTH).zip(grey.chunks_exact_mut(WIDTH)) {
            let from = self.random.next() as usize % (self.noise.len() - WIDTH);
            for ((light, out), noise) in row.iter().zip(out).zip(&self.noise[from..]) {
                let value = self.shade(light * state.exposure) + noise * state.noise;
                *out = (value + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
        grey
    }

    /// The frame of a look, as the means of blocks of 8x8 of the pixels that are drawn.
    pub fn means(&mut self, look: usize) -> Means {
        let state = self.draw(look);
        let (side, step) = (8 * self.step, self.step);
        let mut blocks = Vec::with_capacity(WIDTH / side * (HEIGHT / side));
        for top in (0..HEIGHT).step_by(side) {
            for left in (0..WIDTH).step_by(side) {
                let mut sum = 0.0;
                for y in (top..top + side).step_by(step) {
                    let row = &self.luma[y * WIDTH + left..][..side];
                    sum +=
                        row.iter().step_by(step).map(|light| self.shade(light * state.exposure)).sum::<f32>();
                }
                blocks.push(sum / 64.0);
            }
        }
        Means { blocks, noise: state.noise }
    }

    /// What a camera makes of these means: the DC plane of a JPEG, with noise that no other call gives.
    pub fn plane(&mut self, means: &Means, out: &mut DcPlane) {
        let side = 8 * self.step;
        (out.width, out.height, out.step) = (WIDTH / side, HEIGHT / side, dc_step(self.quality()));
        let from = self.random.next() as usize % (self.noise.len() - means.blocks.len());
        let step = f32::from(out.step);
        let quantised = |(grey, noise): (&f32, &f32)| {
            // Of 64 pixels, and from the middle of the range on.
            let eighths = 8.0 * (grey + noise * means.noise / 8.0).clamp(0.0, 255.0) - 1024.0;
            ((eighths / step).round() * step + 1024.0).clamp(0.0, 2040.0) as u16
        };
        out.eighths.clear();
        out.eighths.extend(means.blocks.iter().zip(&self.noise[from..]).map(quantised));
    }

    /// The JPEG of a look.
    pub fn jpeg(&mut self, look: usize) -> Vec<u8> {
        let grey = self.grey(look);
        encode(&grey, self.quality(), self.clip.is_quarter)
    }

    /// A camera that keeps to a bit rate changes its quality from frame to frame.
    fn quality(&mut self) -> u8 {
        let more = if self.clip.nuisance == Nuisance::BlockNoise { self.random.next() % 13 } else { 0 };
        self.clip.quality + more as u8
    }

    /// Fills `luma` with the light of a look.
    fn draw(&mut self, look: usize) -> State {
        let at = look as f32 / LOOKS as f32;
        let state = self.weather.at(at);
        let apart = LIGHT_STEP * self.step;
        let map = self.weather.light(at, apart);
        let across = WIDTH / apart + 1;
        let blend = state.infrared;
        for y in (0..HEIGHT).step_by(self.step) {
            let row = &map[y / apart * across..][..across];
            let band = state.rows.as_ref().map_or(1.0, |rows| rows[y]);
            let out = &mut self.luma[y * WIDTH..][..WIDTH];
            for x in (0..WIDTH).step_by(self.step) {
                let part = (x % apart) as f32 / apart as f32;
                let (left, right) = (row[x / apart], row[x / apart + 1]);
                let from = match state.leaves.as_ref() {
                    None => y * WIDTH + x,
                    Some(leaves) => leaves.from(x, y),
                };
                let reflected = self.place.visible[from] * (1.0 - blend) + self.place.infrared[from] * blend;
                out[x] = reflected * (left + (right - left) * part) * band;
            }
        }
        for person in &self.clip.people {
            draw_person(person, at, (&map, apart), &mut self.luma, self.clip.is_dark || blend > 0.0);
        }
        self.weather.draw_particles(at, &mut self.luma);
        state
    }

    /// The grey that a sensor without noise makes of light.
    fn shade(&self, light: f32) -> f32 {
        self.gamma[(light.clamp(0.0, 1.0).sqrt() * 1023.0) as usize]
    }
}

/// The step of a JPEG's mean brightness in eighths of a grey step, for qualities from 50 on.
fn dc_step(quality: u8) -> u16 {
    ((16 * (200 - 2 * u16::from(quality)) + 50) / 100).max(1)
}

/// A JPEG of a grey picture, with chroma as cameras have it.
pub fn encode(grey: &[u8], quality: u8, is_quarter: bool) -> Vec<u8> {
    let pixels: Vec<u8> = grey.iter().flat_map(|&grey| [grey, 124, 132]).collect();
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, quality);
    encoder.set_sampling_factor(if is_quarter { SamplingFactor::R_4_2_0 } else { SamplingFactor::R_4_2_2 });
    encoder.encode(&pixels, WIDTH as u16, HEIGHT as u16, ColorType::Ycbcr).expect("in memory");
    jpeg
}

/// Sky or wall, ground, things with edges, and texture of every size.
fn reflected(seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed, 5);
    let horizon = random.between(120.0, 260.0);
    let tone = |random: &mut Random| 0.06 * (random.share() * 2.3).exp();
    let (wall, ground) = (tone(&mut random), tone(&mut random));
    let things: Vec<_> = (0..random.next() % 10 + 6)
        .map(|_| {
            let (x, y) = (random.between(-50.0, 620.0), random.between(30.0, 420.0));
            let (width, height) = (random.between(20.0, 170.0), random.between(20.0, 190.0));
            (x, y, x + width, y + height, tone(&mut random))
        })
        .collect();
    let rough = random.between(0.06, 0.3);
    let mut out = Vec::with_capacity(WIDTH * HEIGHT);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let (fx, fy) = (x as f32, y as f32);
            let thing = things
                .iter()
                .rev()
                .find(|thing| fx >= thing.0 && fx < thing.2 && fy >= thing.1 && fy < thing.3);
            let flat = thing.map_or(if fy < horizon { wall } else { ground }, |thing| thing.4);
            let texture = smooth(seed, fx / 90.0, fy / 60.0)
                + 0.7 * smooth(seed + 1, fx / 25.0, fy / 18.0)
                + 0.6 * smooth(seed + 2, fx / 7.0, fy / 6.0)
                + 0.5 * smooth(seed + 3, fx / 2.3, fy / 2.1);
            out.push((flat * (1.0 + rough * texture)).clamp(0.015, 0.95));
        }
    }
    out
}

/// Head, torso, arms and legs that swing; with a shadow on the ground by day.
fn draw_person(person: &Person, at: f32, (map, apart): (&[f32], usize), luma: &mut [f32], is_dark: bool) {
    if person.seen(at).is_none() {
        return;
    }
    let (height, middle, feet) = (person.height, person.middle(at), person.feet);
    let phase = (at - person.enters) * person.speed.abs() / height * 6.0;
    let light = |x: usize, y: usize| map[y / apart * (WIDTH / apart + 1) + x / apart];
    if !is_dark {
        let (across, down) = (0.3 * height, 0.05 * height);
        each_pixel([middle - across, feet - down, middle + 2.0 * across, feet + down], |x, y| {
            let (dx, dy) = ((x as f32 - middle - 0.5 * across) / across, (y as f32 - feet) / down);
            let far = dx * dx / 2.0 + dy * dy;
            luma[y * WIDTH + x] *= 1.0 - 0.5 * (1.2 - far).clamp(0.0, 1.0);
        });
    }
    let half = 0.2 * height;
    each_pixel([middle - half, feet - height, middle + half, feet], |x, y| {
        let (dx, up) = ((x as f32 - middle) / height, (feet - y as f32) / height);
        let covered = |width: f32, off: f32| ((width - (dx - off).abs()) * height + 0.5).clamp(0.0, 1.0);
        let swing = 0.09 * phase.sin() * (1.0 - up / 0.48);
        let (part, tone) = if up > 0.86 {
            let (dy, width) = ((up - 0.93) / 0.07, 0.055);
            (covered(width * (1.0 - dy * dy).max(0.0).sqrt(), 0.0), person.tones[0])
        } else if up > 0.48 {
            let arm = covered(0.025, 0.11 + 0.05 * phase.sin() * (0.8 - up)).max(covered(0.025, -0.11));
            (covered(0.1, 0.0).max(arm), person.tones[1])
        } else {
            (covered(0.05, swing).max(covered(0.05, -swing)), person.tones[2])
        };
        let fold = 1.0 + 0.25 * smooth(person.seed, 18.0 * dx, 14.0 * up) + 0.3 * dx / 0.15;
        let pixel = &mut luma[y * WIDTH + x];
        *pixel += (tone * fold.max(0.3) * light(x, y) - *pixel) * part;
    });
}
