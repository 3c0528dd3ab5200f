//! Power cuts while users are edited and logs are rotated, on a real ext4 of a real kernel: qemu is
//! killed at a random moment, and what is on its disk must be a user file that parses and holds every
//! change that had been confirmed.
//!
//! `POWER_CUTS=200 cargo test --test power_cut` cuts more often than the twenty times of each run.

mod edits;
mod machine;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use edits::{EDITORS, Editor, User};
use machine::{Image, Machine};

/// Two machines at a time, each with one processor and a disk of its own.
const MACHINES: usize = 2;

/// The guest's disk, where a server keeps what it must not lose.
const DISK_MIB: u64 = 64;

/// What is on it besides users and log. Plain, because busybox speaks no TLS.
const CONFIG: &str = "[server]\naddress = \"127.0.0.1\"\ntls = false\nuser = \"root\"\nlog = \"log\"\n\
                      log_level = \"debug\"\n[camera.front]\ndevice = \"test\"\n";

#[test]
fn a_power_cut_leaves_a_user_file_with_every_confirmed_change() {
    let cuts = std::env::var("POWER_CUTS").map_or(20, |text| text.parse().expect("POWER_CUTS is a number"));
    let folder = tempfile::tempdir().unwrap();
    let image = Image::pack(folder.path());
    let first = folder.path().join("first");
    fs::create_dir(&first).unwrap();
    fs::write(first.join("defender.conf"), CONFIG).unwrap();
    edits::write_first(&first.join("users"));
    thread::scope(|scope| {
        for number in 0..MACHINES {
            let (image, first) = (&image, &first);
            let folder = folder.path().join(number.to_string());
            scope.spawn(move || {
                fs::create_dir(&folder).unwrap();
                live_through((number..cuts).step_by(MACHINES), image, &make_disk(&folder, first), &folder);
            });
        }
    });
}

/// Boots from `disk` again and again, edits, and cuts the power.
fn live_through(cuts: impl Iterator<Item = usize>, image: &Image, disk: &Path, folder: &Path) {
    let mut editors = EDITORS.map(Editor::new);
    for cut in cuts {
        let confirmed = edit_until_cut(image, disk, folder, &editors);
        let found = users_on(disk, folder);
        for (editor, confirmed) in editors.iter_mut().zip(confirmed) {
            editor.check(confirmed, &found);
        }
        println!(
            "cut {}: {confirmed:?} confirmed, {:?} found",
            cut + 1,
            editors.each_ref().map(Editor::done)
        );
    }
}

/// Edits users in the machine from where `editors` are, and cuts the power; how many edits had been
/// confirmed to each of them.
fn edit_until_cut(image: &Image, disk: &Path, folder: &Path, editors: &[Editor; 2]) -> [usize; 2] {
    let variables = editors.each_ref().map(Editor::variable).join(" ");
    let mut machine = Machine::boot(image, disk, folder, &variables);
    machine.wait_for("the server", |said| said.contains("serving"));
    machine.wait_for("edits", |said| editors.iter().all(|editor| editor.confirmed(said) > editor.done()));
    machine.wait_for("a rotated log", |said| said.contains("log rotated"));
    thread::sleep(random_moment());
    machine.cut_power();
    // Only now: whatever was confirmed up to the last moment counts.
    let said = machine.said();
    editors.each_ref().map(|editor| editor.confirmed(&said))
}

/// Between nothing and three seconds: dozens of edits.
fn random_moment() -> Duration {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    Duration::from_millis(u64::from(u32::from_le_bytes(bytes) % 3000))
}

/// A disk with the files of the folder `first`.
fn make_disk(folder: &Path, first: &Path) -> PathBuf {
    let disk = folder.join("disk");
    fs::File::create(&disk).unwrap().set_len(DISK_MIB * 1024 * 1024).unwrap();
    run(Command::new("/sbin/mkfs.ext4").args(["-q", "-F", "-d"]).arg(first).arg(&disk), &[0]);
    disk
}

/// The users on a disk after a cut: those of a copy, whose journal is played back.
fn users_on(disk: &Path, folder: &Path) -> Vec<User> {
    let (copy, users) = (folder.join("copy"), folder.join("found"));
    fs::copy(disk, &copy).unwrap();
    // 1: what a cut leaves was put right; anything more would be damage.
    run(Command::new("/sbin/e2fsck").args(["-p"]).arg(&copy), &[0, 1]);
    run(
        Command::new("/sbin/debugfs").arg("-R").arg(format!("dump /users {}", users.display())).arg(&copy),
        &[0],
    );
    let listed = Command::new(env!("CARGO_BIN_EXE_defender"))
        .args(["user", "list", "-u"])
        .arg(&users)
        .output()
        .expect("the binary runs");
    let complaints = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success() && complaints.is_empty(), "the user file is damaged: {complaints}");
    edits::parse(&String::from_utf8_lossy(&listed.stdout))
}

fn run(command: &mut Command, good: &[i32]) {
    let output = command.output().expect("e2fsprogs is installed");
    let code = output.status.code().unwrap_or(-1);
    assert!(good.contains(&code), "{command:?}: {code}\n{}", String::from_utf8_lossy(&output.stdout));
}
