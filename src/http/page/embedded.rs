//! The files of `www/` that are built into the program.

/// A file: its path below `www/`, and its bytes.
pub type EmbeddedFile = (&'static str, &'static [u8]);

macro_rules! embed {
    ($($name:literal),* $(,)?) => { [$(($name, include_bytes!(concat!("../../../www/", $name)).as_slice())),*] };
}

/// The files of the page.
pub const PAGE: &[EmbeddedFile] = &embed![
    "index.html",
    "account.js",
    "api.js",
    "app.js",
    "board.js",
    "camera.js",
    "controls.js",
    "dom.js",
    "live.js",
    "log.js",
    "microphones.js",
    "multipart.js",
    "services.js",
    "sessions.js",
    "settings.css",
    "settings.js",
    "sound.js",
    "style.css",
    "users.js",
    "video.js",
];

/// The files that the sign-in form needs. They are served without a sign-in, and are built in even if the page
/// is served from a folder.
pub const SIGN_IN: &[EmbeddedFile] = &embed![
    "sign-in/icon.svg",
    "sign-in/old.js",
    "sign-in/sign-in.css",
    "sign-in/sign-in.js",
    "sign-in/theme.js",
];
