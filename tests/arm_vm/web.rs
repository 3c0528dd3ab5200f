//! Speaking to the server under test over TLS, with this machine's curl.

use std::process::{Command, Stdio};

use crate::machine::wait_for;

/// Who signs in, and where.
#[derive(Clone)]
pub struct Web {
    pub port: u16,
    pub user: String,
    pub password: String,
}

/// A curl that takes a stream until it is dropped.
pub struct Stream(std::process::Child);

impl Web {
    /// The body of a path that must answer 200.
    pub fn get(&self, path: &str) -> Vec<u8> {
        let mut command = self.curl(path);
        let output = command.args(["--fail", "--max-time", "280"]).output().expect("curl runs");
        assert!(
            output.status.success(),
            "{path} for {}: {}",
            self.user,
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// The status of a path; 0 when nobody answers.
    pub fn status(&self, path: &str) -> u16 {
        let mut command = self.curl(path);
        let output = command
            .args(["--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}"])
            .output()
            .expect("curl runs");
        String::from_utf8_lossy(&output.stdout).parse().unwrap_or(0)
    }

    /// Waits until the user can sign in.
    pub fn wait_until_signed_in(&self) {
        wait_for(&format!("{} to sign in", self.user), || {
            (self.status("/api/1.0/status") == 200).then_some(())
        });
    }

    /// The first bytes of a stream.
    pub fn beginning(&self, path: &str, bytes: usize) -> Vec<u8> {
        use std::io::Read;
        let mut stream = self.stream(path, Stdio::piped());
        let mut begun = vec![0; bytes];
        let mut output = stream.0.stdout.take().expect("piped");
        output.read_exact(&mut begun).expect("the stream goes on");
        begun
    }

    /// A viewer that stays.
    pub fn watch(&self, path: &str) -> Stream {
        self.stream(path, Stdio::null())
    }

    /// The certificate the server shows, in PEM.
    pub fn certificate(&self) -> String {
        let shown = Command::new("openssl")
            .args(["s_client", "-showcerts", "-connect", &format!("127.0.0.1:{}", self.port)])
            .stdin(Stdio::null())
            .output()
            .expect("openssl runs");
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        let begin = text.find("-----BEGIN CERTIFICATE").expect("a certificate");
        let end = text.find("-----END CERTIFICATE").expect("its end");
        text[begin..end].to_owned()
    }

    fn stream(&self, path: &str, output: Stdio) -> Stream {
        let mut command = self.curl(path);
        Stream(command.args(["-N", "--max-time", "280"]).stdout(output).spawn().expect("curl runs"))
    }

    fn curl(&self, path: &str) -> Command {
        let mut command = Command::new("curl");
        command
            .args(["-sSk", "-u", &format!("{}:{}", self.user, self.password)])
            .arg(format!("https://127.0.0.1:{}{path}", self.port))
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
