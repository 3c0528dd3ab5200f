//! Cameras of the network that speak HTTP: an endless answer of JPEGs, or one JPEG for each request.
//!
//! A stream may be multipart of any dialect, or nothing but pictures: their ends are found by their markers, and what
//! stands between them is not read. Heads of parts lie: cameras leave out lengths, send wrong ones, and announce another
//! boundary than they write.
//!
//! There is never more than one connection to a camera, because many serve one client only.
//!
//! What belongs here: what an answer is, and taking pictures out of it. What must not: HTTP itself (the client's), what
//! becomes of pictures, when to try again.

mod answer;
mod camera;
mod error;
mod pictures;
mod stray;

pub(super) use camera::{HttpCamera, probe};
