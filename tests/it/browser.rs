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

    /// A click by the browser's own mouse on the first element that matches.
    fn click(&self, selector: &str) {
        let wanted = format!("{{\"using\":\"css selector\",\"value\":{}}}", json::to_string(selector));
        let found = self.post("element", &wanted);
        let key = "element-6066-11e4-a52e-4f735466cecf";
        let id = text(&found, &["value", key]).unwrap_or_else(|| panic!("no {selector}: {found}"));
        let answer = self.post(&format!("element/{id}/click"), "{}");
        assert!(!answer.contains("\"error\""), "{answer}");
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
    let server = Setup::new()
        .sections("[camera.front]\ndevice = \"test\"\n[microphone.front]\ndevice = \"test\"\n")
        .start();
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

/// A browser at the page, signed in.
fn at_the_page(server: &crate::support::Server, browser: &Browser) {
    let with_login = server.url("/").replace("://", &format!("://{USER}:{}@", PASSWORD.replace(' ', "%20")));
    browser.go(&with_login);
    wait_for("the page after signing in", || {
        (browser.evaluate("document.title") == "Defender").then_some(())
    });
    browser.go(&server.url("/"));
}

#[test]
fn a_person_listens_with_a_click_and_sees_the_level() {
    let server = Setup::new().sections("[microphone.front]\ndevice = \"test\"\n").start();
    let browser = Browser::open();
    at_the_page(&server, &browser);
    wait_for("the level without listening", || {
        let level = browser.evaluate("document.querySelector('.level')?.value ?? -60");
        (level.parse::<f64>().unwrap() > -45.0).then_some(())
    });
    // A script's click is none to the browser: it plays nothing, and the page must say so.
    browser.evaluate("document.querySelector('.listen').click()");
    let says = |words: &str| browser.evaluate("document.querySelector('.sound').textContent").contains(words);
    wait_for("the page to ask for a click", || says("wants a click").then_some(()));
    browser.click("header");
    wait_for("the sound to play", || says("you are listening").then_some(()));
    wait_for("the server to know", || {
        server.get("/api/1.0/status").text().contains("\"listeners\":1").then_some(())
    });
    if let Some(folder) = std::env::var_os("DEFENDER_SCREENSHOTS") {
        fs::write(Path::new(&folder).join("sound.png"), browser.screenshot()).unwrap();
    }
    browser.click(".listen");
    wait_for("the stream to end", || {
        server.get("/api/1.0/status").text().contains("\"listeners\":0").then_some(())
    });
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_audio_element_plays_every_codec_and_hears_the_tone() {
    let server = Setup::new().sections("[microphone.front]\ndevice = \"test\"\n").start();
    let browser = Browser::open();
    at_the_page(&server, &browser);
    browser.click("header");
    for codec in ["wav", "ulaw", "flac"] {
        // The strongest frequency an analyser finds in what is played.
        browser.evaluate(&format!(
            "(() => {{ window.sound = new Audio('/audio?codec={codec}'); sound.play(); \
             const context = new AudioContext(); context.resume(); \
             window.analyser = new AnalyserNode(context, {{ fftSize: 8192 }}); \
             context.createMediaElementSource(sound).connect(analyser).connect(context.destination); \
             window.strongest = () => {{ const bins = new Float32Array(analyser.frequencyBinCount); \
             analyser.getFloatFrequencyData(bins); const at = bins.indexOf(Math.max(...bins)); \
             return bins[at] > -90 ? at * context.sampleRate / analyser.fftSize : 0; }}; }})()"
        ));
        wait_for(&format!("{codec} to play"), || {
            (browser.evaluate("sound.currentTime").parse::<f64>().unwrap() > 1.0).then_some(())
        });
        wait_for(&format!("the tone in {codec}"), || {
            let hz: f64 = browser.evaluate("strongest()").parse().unwrap();
            (430.0..450.0).contains(&hz).then_some(())
        });
        browser.evaluate("sound.src = ''");
    }
}

#[test]
fn a_session_signs_a_browser_in_by_a_cookie_no_script_can_read() {
    let server = Setup::new().sections("[camera.front]\ndevice = \"test\"\n").start();
    let browser = Browser::open();
    browser.go(&server.url("/healthz"));
    wait_for("the open page", || {
        (browser.evaluate("document.body?.textContent ?? ''").trim() == "ok").then_some(())
    });
    let asked = |what: &str, options: &str| {
        browser.evaluate(&format!(
            "(() => {{ window.answer = ''; fetch('{what}', {options}).then((found) => \
             {{ window.answer = found.status; }}); }})()"
        ));
        wait_for(what, || Some(browser.evaluate("window.answer")).filter(|answer| !answer.is_empty()))
    };
    assert_eq!(asked("/api/1.0/status", "{}"), "401");
    let login =
        format!("{{ method: 'POST', body: JSON.stringify({{ user: '{USER}', password: '{PASSWORD}' }}) }}");
    assert_eq!(asked("/api/1.0/login", &login), "200");
    assert_eq!(browser.evaluate("document.cookie"), "", "the cookie is the browser's alone");
    assert_eq!(asked("/api/1.0/status", "{}"), "200");
    browser.go(&server.url("/"));
    wait_for("the page, without a question for a password", || {
        let state = browser.evaluate("document.querySelector('.state')?.textContent ?? ''");
        state.contains("test card").then_some(())
    });
    assert_eq!(asked("/api/1.0/logout", "{ method: 'POST' }"), "204");
    assert_eq!(asked("/api/1.0/status", "{}"), "401");
}
