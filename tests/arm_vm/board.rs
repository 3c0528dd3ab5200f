//! The life of an ARMv7 board: installed by the script that `make deploy` runs there, started by the
//! init script at each boot, watched from outside over TLS.

use std::fs;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::bars::assert_shows_bars;
use crate::machine::{Machine, wait_for};
use crate::web::Web;
use crate::{binary, tone, tree};

/// The board with Defender on it.
struct Board {
    machine: Machine,
    admin: Web,
}

/// The board for one test alone. It is set up for the first test and serves the others too.
fn lock() -> MutexGuard<'static, Board> {
    static BOARD: OnceLock<Mutex<Board>> = OnceLock::new();
    let board = BOARD.get_or_init(|| Mutex::new(Board::set_up()));
    // A test that failed leaves nothing the next one would trip over.
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn a_signed_in_viewer_gets_pictures_of_the_boards_camera() {
    let board = lock();
    assert_shows_bars(&board.admin.get("/snapshot"));
    assert_eq!(Web { password: "wrong".into(), ..board.admin.clone() }.status("/snapshot"), 401);

    let stream = board.admin.beginning("/video", 200_000);
    let parts = String::from_utf8_lossy(&stream).matches("X-Timestamp: ").count();
    assert!(parts >= 3, "{parts} parts in {} bytes", stream.len());
}

#[test]
fn a_listener_hears_what_the_boards_sound_card_records() {
    let mut board = lock();
    board.machine.run("tone </dev/null >/dev/null 2>/mnt/tone & echo $! >/run/tone");
    wait_for("the tone", || tone::is_heard(&board.admin.beginning("/audio", 64_000)).then_some(()));
    board.machine.run("kill $(cat /run/tone)");
    wait_for("silence", || (!tone::is_heard(&board.admin.beginning("/audio", 64_000))).then_some(()));
}

#[test]
fn a_killed_server_is_started_again() {
    let mut board = lock();
    let killed = board.server();
    board.machine.run(&format!("kill -KILL {killed}"));
    board.admin.wait_until_signed_in();
    assert_ne!(board.server(), killed);
    assert_shows_bars(&board.admin.get("/snapshot"));
}

#[test]
fn users_and_certificate_are_there_again_after_a_reboot() {
    let mut board = lock();
    let bob = Web { user: "bob".into(), password: "nine tall red barns".into(), ..board.admin.clone() };
    board.machine.run(&format!(
        "echo '{}' | defender user add bob --role viewer --password-stdin -c /etc/defender/defender.conf; sync",
        bob.password
    ));
    bob.wait_until_signed_in();
    let (certificate, boot) = (board.admin.certificate(), board.machine.booted());

    board.machine.spawn("reboot -f");
    wait_for("another boot", || board.machine.booted().filter(|now| Some(now) != boot.as_ref()));

    board.admin.wait_until_signed_in();
    assert_eq!(bob.status("/snapshot"), 200);
    assert_eq!(board.admin.certificate(), certificate);
    board.machine.run("defender user remove bob --yes -c /etc/defender/defender.conf");
}

#[test]
fn memory_stays_small_with_ten_viewers() {
    const MOST_KIB: [(usize, u32); 3] = [(0, 8 * 1024), (1, 8 * 1024), (10, 12 * 1024)];
    let mut board = lock();
    // A server that has only just started, so that no other test's viewers count.
    let before = board.server();
    board.machine.run(&format!("kill -KILL {before}"));
    board.admin.wait_until_signed_in();
    let mut viewers = Vec::new();
    for (count, most_kib) in MOST_KIB {
        viewers.resize_with(count, || board.admin.watch("/video"));
        wait_for(&format!("{count} viewers"), || {
            let status = String::from_utf8_lossy(&board.admin.get("/api/1.0/status")).into_owned();
            status.contains(&format!("\"viewers\":{count}")).then_some(())
        });
        board.admin.get("/snapshot");
        let kib = board.memory_kib();
        println!("{count} viewers: {kib} KiB resident");
        assert!(kib < most_kib, "{kib} KiB with {count} viewers");
    }
}

impl Board {
    /// Boots a board with an empty disk and installs Defender on it, as `make deploy` does.
    fn set_up() -> Self {
        let mut machine = Machine::boot(&["board"]);
        wait_for("the board's first boot", || machine.booted());
        lay_out(&machine);
        machine.run("sh /mnt/deploy/install");
        let password = wait_for("the first password", || {
            let output = machine.run("cat /var/lib/defender/first-password 2>/dev/null; true");
            let words = output.lines().skip_while(|line| !line.contains("password")).skip(1);
            words.map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
        });
        let admin = Web { port: machine.port, user: "admin".into(), password };
        admin.wait_until_signed_in();
        Self { machine, admin }
    }

    /// The process that serves.
    fn server(&mut self) -> u32 {
        let said = self.machine.run("pidof defender");
        said.trim().parse().unwrap_or_else(|_| panic!("one process, not {said}"))
    }

    /// What of the server lies in memory; nothing is shared, for there is one static program.
    fn memory_kib(&mut self) -> u32 {
        let said = self.machine.run("grep VmRSS /proc/$(pidof defender)/status");
        let kib = said.split_whitespace().nth(1).and_then(|kib| kib.parse().ok());
        kib.unwrap_or_else(|| panic!("no memory in {said}"))
    }
}

/// What `make deploy` brings to a board, into its `/mnt/deploy`.
fn lay_out(machine: &Machine) {
    let packaging = tree().join("packaging");
    let deploy = machine.work().join("deploy");
    fs::create_dir(&deploy).expect("made");
    fs::copy(binary("arm"), deploy.join("defender")).expect("copied");
    for file in ["install", "respawn", "ribbon", "defender.init"] {
        fs::copy(packaging.join(file), deploy.join(file)).expect("copied");
    }
    let config = Command::new(packaging.join("config")).output().expect("packaging/config runs");
    fs::write(deploy.join("defender.conf"), config.stdout).expect("written");
}
