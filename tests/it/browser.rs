//! The page in a real Chromium, driven over WebDriver (W3C).

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use miniserde::json::{self, Value};

use crate::support::{Background, PASSWORD, Setup, USER, curl, wait_for};

/// A browser window of its own; closed when dropped.
struct Browser {
    session: String,
    _driver: Background,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn open() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let log = profile.path().join("driver.log");
        let driver = Background::start(
            Command::new("chromedriver")
                .args(["--port=0"])
                .env("HOME", profile.path())
                .stdout(fs::File::create(&log).unwrap())
                .stderr(Stdio::null()),
        );
        // With port 0 the driver says which port it was given.
        let port = wait_for("chromedriver", || {
            let said = fs::read_to_string(&log).ok()?;
            let rest = said.split("successfully on port ").nth(1)?;
            rest.split('.').next()?.trim().parse::<u16>().ok()
        });
        let wishes = wishes(profile.path());
        let base = format!("http://127.0.0.1:{port}/session");
        let made = curl(&base, &["-H", "Content-Type: application/json", "-d", &wishes]);
        let id = text(&made.text(), &["value", "sessionId"])
            .unwrap_or_else(|| panic!("no session: {}", made.text()));
        Self { session: format!("{base}/{id}"), _driver: driver, _profile: profile }
    }

    fn post(&self, command: &str, body: &str) -> String {
        let url = format!("{}/{command}", self.session);
        curl(&url, &["-H", "Content-Type: application/json", "-d", body]).text()
    }

    fn go(&self, url: &str) {
        let answer = self.post("url", &format!("{{\"url\":{}}}", json::to_string(url)));
        assert!(!answer.contains("\"error\""), "{answer}");
    }

    /// The value of a JavaScript expression that gives a string.
    fn evaluate(&self, expression: &str) -> String {
        let script = json::to_string(&format!("return String({expression})"));
        let answer = self.post("execute/sync", &format!("{{\"script\":{script},\"args\":[]}}"));
        text(&answer, &["value"]).unwrap_or_else(|| panic!("{expression}: {answer}"))
    }

    fn screenshot(&self) -> Vec<u8> {
        let answer = curl(&format!("{}/screenshot", self.session), &[]).text();
        STANDARD.decode(text(&answer, &["value"]).expect("a screenshot")).expect("base64")
    }

    /// What the console holds that is worse than a note.
    fn complaints(&self) -> Vec<String> {
        let answer = self.post("se/log", "{\"type\":\"browser\"}");
        let Ok(Value::Object(answer)) = json::from_str(&answer) else { panic!("{answer}") };
        let Some(Value::Array(entries)) = answer.get("value") else { panic!("no console log") };
        entries.iter().map(json::to_string).filter(|entry| entry.contains("SEVERE")).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        curl(&self.session, &["-X", "DELETE"]);
    }
}

/// The capabilities to ask for: headless, no network of its own, our certificate accepted.
fn wishes(profile: &Path) -> String {
    let mut arguments = vec![
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--window-size=1000,760",
    ];
    let data = format!("--user-data-dir={}", profile.join("data").display());
    arguments.push(&data);
    format!(
        "{{\"capabilities\":{{\"alwaysMatch\":{{\"browserName\":\"chrome\",\"acceptInsecureCerts\":true,\"pageLoadStrategy\":\"none\",\
         \"goog:loggingPrefs\":{{\"browser\":\"ALL\"}},\"goog:chromeOptions\":{{\"args\":{}}}}}}}}}",
        json::to_string(&arguments)
    )
}

/// The string at a path of keys.
fn text(document: &str, path: &[&str]) -> Option<String> {
    let mut value: Value = json::from_str(document).ok()?;
    for key in path {
        let Value::Object(mut object) = value else { return None };
        value = object.remove(*key)?;
    }
    if let Value::String(found) = value { Some(found) } else { None }
}

#[test]
fn a_person_signs_in_and_sees_the_picture_move() {
    let server = Setup::new().sections("[camera.front]\ndevice = \"test\"\n").start();
    let browser = Browser::open();
    // As a person types the name and password into the browser's own question.
    let with_login = server.url("/").replace("://", &format!("://{USER}:{}@", PASSWORD.replace(' ', "%20")));
    browser.go(&with_login);
    wait_for("the page after signing in", || {
        (browser.evaluate("document.title") == "Defender").then_some(())
    });
    browser.complaints();
    browser.go(&server.url("/"));
    wait_for("the picture", || {
        let width = browser.evaluate("document.querySelector('.picture')?.naturalWidth ?? 0");
        (width == "640").then_some(())
    });
    wait_for("the camera's state in words", || {
        browser
            .evaluate("document.querySelector('.state')?.textContent ?? ''")
            .contains("test card")
            .then_some(())
    });
    let first = browser.screenshot();
    wait_for("the picture to move", || (browser.screenshot() != first).then_some(()));
    if let Some(folder) = std::env::var_os("DEFENDER_SCREENSHOTS") {
        fs::write(Path::new(&folder).join("page.png"), browser.screenshot()).unwrap();
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_page_works_with_the_login_in_its_address() {
    let server = Setup::new().start();
    let browser = Browser::open();
    browser.go(&server.url("/").replace("://", &format!("://{USER}:{}@", PASSWORD.replace(' ', "%20"))));
    wait_for("the camera's state in words", || {
        browser
            .evaluate("document.querySelector('.state')?.textContent ?? ''")
            .contains("test card")
            .then_some(())
    });
}

#[test]
fn the_bare_stream_is_shown_at_video() {
    let server = Setup::new().start();
    let browser = Browser::open();
    browser.go(&server.url("/video").replace("://", &format!("://{USER}:{}@", PASSWORD.replace(' ', "%20"))));
    wait_for("the picture", || {
        (browser.evaluate("document.images[0]?.naturalWidth ?? 0") == "320").then_some(())
    });
    let first = browser.screenshot();
    wait_for("the picture to move", || (browser.screenshot() != first).then_some(()));
}
