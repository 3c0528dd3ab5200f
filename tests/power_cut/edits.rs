//! The edits that are made while the power is cut, and what must be left of them. Each editor has
//! users of its own, so that after any number of its edits it is known what each of them is.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Two at a time, so that one waits for the other's lock.
pub const EDITORS: [char; 2] = ['a', 'b'];

/// Users of each editor that are given roles.
const KEPT: usize = 7;

/// Users of each editor that are removed, one with every eighth edit.
const SPARE: usize = 300;

/// The name and role of a user.
pub type User = (String, &'static str);

/// One that edits, and how many of its edits are on the disk.
pub struct Editor {
    letter: char,
    done: usize,
}

impl Editor {
    pub fn new(letter: char) -> Self {
        Self { letter, done: 0 }
    }

    /// How many of its edits are on the disk.
    pub fn done(&self) -> usize {
        self.done
    }

    /// A script that goes on with the edits from where the variable named `done_a` is, and prints the number of
    /// each one that is confirmed.
    pub fn script(letter: char) -> String {
        let each = KEPT + 1;
        format!(
            "n=$done_{letter}; while :; do
                if [ $((n % {each})) -eq {KEPT} ]; then
                    /defender user remove {letter}-spare$((n / {each})) --yes -u users >/dev/null
                else
                    role=viewer; [ $((n / {each} % 2)) -eq 0 ] && role=admin
                    /defender user edit {letter}-kept$((n % {each})) --role $role -u users >/dev/null
                fi || exit
                n=$((n + 1)); echo {letter} $n >&3
            done\n"
        )
    }

    /// What its script needs to know, as the kernel's command line has it.
    pub fn variable(&self) -> String {
        format!("done_{}={}", self.letter, self.done)
    }

    /// How many of its edits were confirmed, by what the machine `said`.
    pub fn confirmed(&self, said: &str) -> usize {
        // A number without its line's end may be half of one.
        let whole = said.rfind('\n').map_or("", |end| &said[..end]);
        let number = |line: &str| line.trim_end().strip_prefix(self.letter)?.strip_prefix(' ')?.parse().ok();
        whole.lines().rev().find_map(number).unwrap_or(self.done)
    }

    /// Holds what was `found` after a cut to the `confirmed` edits: all of them, and at most the one
    /// that was under way.
    pub fn check(&mut self, confirmed: usize, found: &[User]) {
        let mine: Vec<_> = found.iter().filter(|(name, _)| name.starts_with(self.letter)).cloned().collect();
        let fits = |done: &usize| sorted(self.users_after(*done)) == sorted(mine.clone());
        self.done = (confirmed..=confirmed + 1).find(fits).unwrap_or_else(|| {
            let held = (0..confirmed).rev().find(fits);
            panic!(
                "{confirmed} edits of {} were confirmed; the disk has {held:?} of them: {mine:?}",
                self.letter
            )
        });
    }

    /// Its users after so many edits.
    fn users_after(&self, edits: usize) -> Vec<User> {
        let (rounds, rest) = (edits / (KEPT + 1), edits % (KEPT + 1));
        let role = |number| match rounds + usize::from(number < rest) {
            0 => "viewer",
            times if times % 2 == 1 => "admin",
            _ => "viewer",
        };
        let kept = (0..KEPT).map(|number| (format!("{}-kept{number}", self.letter), role(number)));
        let spare = (rounds..SPARE).map(|number| (format!("{}-spare{number}", self.letter), "viewer"));
        kept.chain(spare).collect()
    }
}

/// Writes the user file with what the editors begin with, and an admin nobody touches.
pub fn write_first(file: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_defender"))
        .args(["user", "add", "root", "--password-stdin", "-u"])
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().expect("piped").write_all(b"a password\n").expect("read");
    assert!(child.wait().expect("ends").success());
    // Hashing a password for each of them would take minutes.
    let text = fs::read_to_string(file).unwrap();
    let line = text.lines().find(|line| line.starts_with("root:")).expect("the user just added");
    let secret = line.splitn(3, ':').nth(2).expect("a hash");
    let users = EDITORS.into_iter().flat_map(|letter| Editor::new(letter).users_after(0));
    let more: String = users.map(|(name, role)| format!("{name}:{role}:{secret}\n")).collect();
    fs::write(file, text + &more).unwrap();
}

/// Reads what `defender user list` prints.
pub fn parse(listed: &str) -> Vec<User> {
    let user = |line: &str| {
        let (name, role) = line.split_once(' ').expect("a name and a role");
        (name.to_owned(), if role == "admin" { "admin" } else { "viewer" })
    };
    listed.lines().map(user).collect()
}

fn sorted(mut users: Vec<User>) -> Vec<User> {
    users.sort();
    users
}
