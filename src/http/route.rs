//! The route table: which path is what, which methods it takes, who may ask.

use percent_encoding::percent_decode_str;

/// A place in the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/healthz`: alive, and nothing more.
    Health,
    /// `/api`: the versions of the API.
    Versions,
    /// `/api/1.0/status`.
    Status,
    /// `/metrics`: numbers for Prometheus.
    Metrics,
    /// `/video`, `/video/NAME`: the stream of the first or the named camera.
    Video(Option<String>),
    /// `/snapshot`, `/snapshot/NAME`: one picture of it.
    Snapshot(Option<String>),
    /// `/audio`, `/audio/NAME`: the sound of the first or the named microphone.
    Audio(Option<String>),
    /// Anything else may be a file of the page: its path without the leading slash.
    Page(String),
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody who can reach the port.
    Public,
    /// Any user.
    Viewer,
}

impl Route {
    /// The route of a request target's path; `None` where there can be nothing.
    ///
    /// Paths with empty or dot segments, with a NUL, a backslash or a slash behind percent
    /// encoding have no route: there is nothing to normalise, so nothing to be fooled by.
    pub fn parse(path: &str) -> Option<Self> {
        let decoded = path.strip_prefix('/')?;
        if decoded.is_empty() {
            return Some(Self::Page("index.html".to_owned()));
        }
        let segments = decoded.split('/').map(decode_segment).collect::<Option<Vec<_>>>()?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        Some(match segments[..] {
            ["healthz"] => Self::Health,
            ["api"] => Self::Versions,
            ["api", "1.0", "status"] => Self::Status,
            ["api", ..] => return None,
            ["metrics"] => Self::Metrics,
            ["video"] => Self::Video(None),
            ["video", name] => Self::Video(Some(name.to_owned())),
            ["audio"] => Self::Audio(None),
            ["audio", name] => Self::Audio(Some(name.to_owned())),
            ["snapshot"] => Self::Snapshot(None),
            ["snapshot", name] => Self::Snapshot(Some(name.to_owned())),
            _ => Self::Page(segments.join("/")),
        })
    }

    /// Who may use it.
    pub fn access(&self) -> Access {
        match self {
            Self::Health | Self::Versions => Access::Public,
            Self::Status
            | Self::Metrics
            | Self::Video(_)
            | Self::Audio(_)
            | Self::Snapshot(_)
            | Self::Page(_) => Access::Viewer,
        }
    }

    /// The methods it takes, as the `Allow` field lists them.
    pub fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Health
            | Self::Versions
            | Self::Status
            | Self::Metrics
            | Self::Video(_)
            | Self::Audio(_)
            | Self::Snapshot(_)
            | Self::Page(_) => &["GET", "HEAD"],
        }
    }
}

fn decode_segment(segment: &str) -> Option<String> {
    let decoded = percent_decode_str(segment).decode_utf8().ok()?;
    let odd = decoded.is_empty() || decoded.starts_with('.') || decoded.contains(['/', '\\', '\0']);
    (!odd).then(|| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_their_routes() {
        let rows = [
            ("/", Some(Route::Page("index.html".into()))),
            ("/app.js", Some(Route::Page("app.js".into()))),
            ("/healthz", Some(Route::Health)),
            ("/api", Some(Route::Versions)),
            ("/api/1.0/status", Some(Route::Status)),
            ("/api/1.0/nothing", None),
            ("/metrics", Some(Route::Metrics)),
            ("/video", Some(Route::Video(None))),
            ("/video/front", Some(Route::Video(Some("front".into())))),
            ("/video/fr%6Fnt", Some(Route::Video(Some("front".into())))),
            ("/audio", Some(Route::Audio(None))),
            ("/audio/front", Some(Route::Audio(Some("front".into())))),
            ("/snapshot/yard", Some(Route::Snapshot(Some("yard".into())))),
        ];
        for (path, route) in rows {
            assert_eq!(Route::parse(path), route, "{path}");
        }
    }

    #[test]
    fn no_path_leads_out() {
        let rows = [
            "",
            "x",
            "//",
            "/..",
            "/../etc/passwd",
            "/a/../b",
            "/%2e%2e/x",
            "/a/%2E%2e",
            "/a%2fb",
            "/a%5cb",
            "/a%00",
            "/.git",
            "/a//b",
            "/a/",
            "/%ff",
            "/video/..",
            "/video/",
        ];
        for path in rows {
            assert_eq!(Route::parse(path), None, "{path}");
        }
    }
}
