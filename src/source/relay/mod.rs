//! Cameras and microphones of other Defenders: what they give is relayed as it comes, as one stream however many watch
//! or listen here, and only while somebody does. A further stream of a camera there is relayed in the same way, beside
//! the camera: it crosses the network as small as it is.

mod camera;
mod error;
mod far_clock;
mod microphone;

pub(super) use camera::RemoteCamera;
pub(super) use microphone::RemoteMicrophone;
