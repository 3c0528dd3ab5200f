//! The ARM binaries on ARM machines made of software: the one for 32-bit Pis is installed on an
//! ARMv7 board as its owner would, and runs on a Pi Zero with an ARMv6 kernel; those of both
//! architectures run in emulated user space, where everything but devices can be tried quickly.
//!
//! `make arm-vm` builds the binaries, prepares the machines and runs this.

mod bars;
mod board;
mod machine;
mod tone;
mod user_space;
mod web;
mod zero;

/// The file `make arm` or `make arm64` left.
fn binary(board: &str) -> std::path::PathBuf {
    let path = tree().join(".build").join(board).join("defender");
    assert!(path.exists(), "there is no {}: run `make {board}`", path.display());
    path
}

fn tree() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}
