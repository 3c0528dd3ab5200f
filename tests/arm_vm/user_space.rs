//! Both binaries in qemu's user-space emulation, on this machine's kernel: no devices, but everything
//! else, TLS with curl included.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::binary;
use crate::machine::wait_for;
use crate::web::Web;

#[test]
fn the_32_bit_binary_serves_on_the_first_pis_processor() {
    serve(&["qemu-arm-static", "-cpu", "arm1176"], &binary("arm"));
}

#[test]
fn the_64_bit_binary_serves() {
    serve(&["qemu-aarch64-static", "-cpu", "cortex-a53"], &binary("arm64"));
}

/// A board's card is slow and its owner's network may be: with the page in them, both are small.
#[test]
fn the_binaries_are_small() {
    for board in ["arm", "arm64"] {
        let bytes = fs::metadata(binary(board)).expect("a file").len();
        assert!(bytes < 4_000_000, "{board}: {bytes} bytes");
    }
}

/// Checks a configuration, starts with it, signs in over TLS and takes a picture.
fn serve(emulator: &[&str], binary: &Path) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let defender = |arguments: &[&str]| {
        let mut command = Command::new(emulator[0]);
        command.args(&emulator[1..]).arg(binary).args(arguments).current_dir(folder.path());
        command
    };
    let config = "[server]\naddress = \"127.0.0.1\"\nport = 0\n[camera.front]\ndevice = \"test\"\n\
                  [microphone.front]\ndevice = \"test\"\n";
    fs::write(folder.path().join("defender.conf"), config).expect("written");
    let checked = defender(&["check", "-c", "defender.conf"]).output().expect("qemu-user runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));

    let file = |name: &str| File::create(folder.path().join(name)).expect("created");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    let mut run = defender(&["run", "-c", "defender.conf"]);
    run.stdin(Stdio::null()).stdout(file("said")).stderr(file("log")).env_remove("JOURNAL_STREAM");
    let _server = Server(run.spawn().expect("qemu-user runs"));

    let password = wait_for("the first password", || {
        let said = read("said");
        let mut lines = said.lines().skip_while(|line| !line.contains("with the password")).skip(1);
        lines.find(|line| !line.is_empty()).map(|line| line.trim().to_owned())
    });
    // A thread of its own writes the log, after the password was printed.
    let port = wait_for("a port", || {
        let log = read("log");
        let (_, rest) = log.lines().find_map(|line| line.split_once("listening on https://127.0.0.1:"))?;
        rest.trim_end_matches('/').parse().ok()
    });
    let admin = Web { port, user: "admin".into(), password };

    let picture = admin.get("/snapshot");
    let mut decoder = jpeg_decoder::Decoder::new(&*picture);
    decoder.decode().expect("a whole JPEG");
    let stream = admin.beginning("/video", 3 * picture.len());
    assert!(String::from_utf8_lossy(&stream).matches("X-Timestamp: ").count() >= 2, "a stream of pictures");
    assert!(admin.beginning("/audio", 10_000).starts_with(b"RIFF"));
}

/// Ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
