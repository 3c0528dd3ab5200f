//! Tests of the real binary with real clients: curl, openssl, ffmpeg, ffprobe, and plain sockets
//! where a client must misbehave. One file for each feature.

mod accounts;
mod board;
mod careless;
mod certificate;
mod config;
mod confine;
mod control;
mod cors;
mod edits;
mod faults;
mod foreign;
mod gate;
mod hostile;
mod http_camera;
mod http_source;
mod life;
mod links;
mod logging;
mod memory;
mod metrics;
mod name_lookup;
mod notify;
mod page;
mod pictures;
mod remote;
mod ribbon;
mod slow_link;
mod sound;
mod strangers;
mod streams;
mod support;
mod tls;
mod unix_sound;
mod unix_source;
mod users;
