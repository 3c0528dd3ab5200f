//! What a camera's owner wants to know of its pictures and sound: motion, alarms of the scene, and noise.
//!
//! | module | what belongs there |
//! |---|---|
//! | [`look`] | what goes in: one picture at an eighth of its size, and when it was taken |
//! | [`settings`] | what a person chooses |
//! | [`detection`] | what comes out: begins and ends of what is detected |
//! | [`detector`] | a camera's detector: looks in, begins and ends of detections out |
//! | [`sound`] | a microphone's detector |
//! | `cells` | blocks as cells of a grid that is never large; brightness on a logarithmic scale |
//! | `background` | what each cell shows while nothing happens, and how much that varies |
//! | `alike` | steps from cell to cell that are those of the background |
//! | `light` | changes of the light: of the whole picture, of rows, of smooth parts |
//! | `settling` | changes of the whole picture, and what is learnt after them |
//! | `weather` | what disturbs the picture as a whole; rain, snow and a camera that shakes |
//! | `median` | the median of a few numbers |
//! | `noise` | how noisy a look is as a whole |
//! | `components` | cells that count, joined |
//! | `motion` | the passes of a look over all cells |
//! | `track` | components from look to look: which of them are motion |
//! | `scene` | covered, dark, frozen, moved, defocused |
//! | `zones` | polygons as cells |
//!
//! Everything here is a state machine. The only clock is the time in a look, so that the same looks always give the
//! same answers. No I/O, no threads and no floating-point numbers belong here: the first Pi's are slow, and it has many
//! blocks. docs/detection.md explains the method and what it misses.

mod alike;
mod background;
mod cells;
mod components;
pub mod detection;
pub mod detector;
mod light;
pub mod look;
mod median;
mod motion;
mod noise;
mod scene;
pub mod settings;
mod settling;
pub mod sound;
#[cfg(test)]
mod tests;
mod track;
mod weather;
mod zones;
