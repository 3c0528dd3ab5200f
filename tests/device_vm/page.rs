//! The page in a real Chromium on the host, at the server in the guest.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::server::{BINARY, LOGIN};
use crate::vm::{PATIENCE, Vm};

/// A program of `tests/page` with a browser, which says in lines what it sees; it ends when dropped.
pub struct Page {
    program: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Page {
    /// Starts one, which signs in at the server.
    pub fn open(vm: &Vm, program: &str, words: &[&str]) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let (name, password) = LOGIN.split_once(':').expect("a name and a password");
        let mut program = Command::new("node")
            .arg(format!("{root}/tests/page/{program}"))
            .args([&format!("https://{}", vm.address()), name, password])
            .args(words)
            .env("PAGE_MODULES", format!("{root}/.build/page/"))
            .env("PAGE_PATIENCE_MS", PATIENCE.as_millis().to_string())
            .env("DEFENDER_BINARY", BINARY)
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let lines = BufReader::new(program.stdout.take().expect("stdout is a pipe")).lines();
        Self { program, lines }
    }

    /// Waits for its next line, which must be this one.
    pub fn wait_said(&mut self, line: &str) {
        let said = self.lines.next().transpose().expect("text");
        assert_eq!(said.as_deref(), Some(line), "the page says on standard error why");
    }

    /// Waits for its end, which must be a good one.
    pub fn wait_end(mut self) {
        assert!(self.program.wait().expect("it can be waited for").success());
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Its end is that of its browser.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
