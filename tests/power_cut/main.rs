//! Power cuts while users are edited and logs are put aside, on a real ext4 of a real kernel: qemu is
//! killed at a random moment, and what is on its disk must be a user file that parses and holds every
//! change that had been confirmed.
//!
//! `POWER_CUTS=20 cargo test --test power_cut` cuts more often than the three times of each run.

mod edits;
mod machine;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use edits::{EDITORS, Editor, User};
use machine::Machine;

/// The guest's disk, where a server keeps what it must not lose.
const DISK_MIB: u64 = 160;

/// Runs the server, on the disk that was cut off from its power before.
const SERVER: &str = "set -e
mkdir -p /run/disk && mount -t ext4 /dev/vda /run/disk
cd /run/disk && [ -e users ] || cp /mnt/users users
printf '%s\\n' '[server]' 'address = \"127.0.0.1\"' 'user = \"root\"' 'log = \"log\"' 'log_level = \"debug\"' \
    '[camera.front]' 'device = \"test\"' >defender.conf
/mnt/defender -c defender.conf & echo $! >/run/server
until curl -sk -o /dev/null https://127.0.0.1:8443/healthz; do sleep 0.1; done
echo serving; wait";

/// Makes the log as large as it may get, again and again, so that it is put aside all the time.
const LOG: &str = "cd /run/disk; while sleep 0.2; do
truncate -s 10485700 log; kill -HUP $(cat /run/server); curl -sk -o /dev/null https://127.0.0.1:8443/healthz; [ ! -e log.1 ] || echo aside
done";

#[test]
fn a_power_cut_leaves_a_user_file_with_every_confirmed_change() {
    let cuts = std::env::var("POWER_CUTS").map_or(3, |text| text.parse().expect("POWER_CUTS is a number"));
    let folder = tempfile::tempdir().unwrap();
    let disk = make_disk(folder.path());
    let mut editors = EDITORS.map(Editor::new);
    let file = edits::first_file(folder.path(), &editors);
    for cut in 1..=cuts {
        let machine = Machine::boot(&disk);
        let confirmed = edit_until_cut(&machine, &file, &editors);
        drop(machine);
        let found = users_on(&disk, folder.path());
        for (editor, confirmed) in editors.iter_mut().zip(confirmed) {
            editor.check(confirmed, &found);
        }
        println!("cut {cut}: {confirmed:?} confirmed, {:?} found", editors.each_ref().map(Editor::done));
    }
}

/// Edits users in the machine from where `editors` are, and cuts the power; how many edits each of
/// them had been told are done.
fn edit_until_cut(machine: &Machine, file: &Path, editors: &[Editor; 2]) -> [usize; 2] {
    fs::copy(env!("CARGO_BIN_EXE_defender"), machine.work().join("defender")).unwrap();
    fs::copy(file, machine.work().join("users")).unwrap();
    machine.spawn("server", SERVER);
    machine.wait_for("the server", || machine.said("server").contains("serving"));
    machine.spawn("log", LOG);
    for (number, editor) in editors.iter().enumerate() {
        machine.spawn(&format!("editor-{number}"), &editor.script());
    }
    let confirmed =
        || [0, 1].map(|number: usize| editors[number].confirmed(&machine.said(&format!("editor-{number}"))));
    machine.wait_for("edits", || confirmed().iter().zip(editors).all(|(now, editor)| *now > editor.done()));
    machine.wait_for("a log put aside", || machine.said("log").contains("aside"));
    thread::sleep(random_moment());
    machine.cut_power();
    // Only now: whatever was confirmed up to the last moment counts.
    confirmed()
}

/// Between nothing and eight seconds.
fn random_moment() -> Duration {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).expect("the kernel has random numbers");
    Duration::from_millis(u64::from(u32::from_le_bytes(bytes) % 8000))
}

fn make_disk(folder: &Path) -> PathBuf {
    let disk = folder.join("disk");
    fs::File::create(&disk).unwrap().set_len(DISK_MIB * 1024 * 1024).unwrap();
    run(Command::new("/sbin/mkfs.ext4").args(["-q", "-F"]).arg(&disk), &[0]);
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
