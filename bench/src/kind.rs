//! The servers that are compared.

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// uStreamer, the yardstick: no TLS, no login.
    Ustreamer,
    /// Defender with `tls = false`, with a login.
    Defender,
    /// Defender as it comes: TLS and a login.
    DefenderTls,
    /// With `tls = false`, with the film from cameras of the network.
    HttpPlain,
    /// As it comes, with the film from cameras of the network.
    Http,
    /// With `tls = false`, with the film from sockets.
    UnixPlain,
    /// As it comes, with the film from sockets.
    Unix,
}

impl Kind {
    /// In the order of the report.
    pub const ALL: [Kind; 7] = [
        Kind::Ustreamer,
        Kind::Defender,
        Kind::DefenderTls,
        Kind::HttpPlain,
        Kind::Http,
        Kind::UnixPlain,
        Kind::Unix,
    ];

    /// Those that are compared where none is named.
    pub const USUAL: [Kind; 3] = [Kind::Ustreamer, Kind::Defender, Kind::DefenderTls];

    /// The name in the report and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ustreamer => "ustreamer",
            Self::Defender => "defender",
            Self::DefenderTls => "defender-tls",
            Self::HttpPlain => "defender-http-plain",
            Self::Http => "defender-http",
            Self::UnixPlain => "defender-unix-plain",
            Self::Unix => "defender-unix",
        }
    }

    /// Whether its viewers use TLS.
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::DefenderTls | Self::Http | Self::Unix)
    }

    /// Whether this program plays the film to it, and not the stand-in camera.
    pub const fn is_fed(self) -> bool {
        matches!(self, Self::HttpPlain | Self::Http | Self::UnixPlain | Self::Unix)
    }

    /// What it is divided by in the report.
    pub const fn yardsticks(self) -> &'static [Kind] {
        match self {
            Self::Ustreamer => &[],
            Self::Defender | Self::DefenderTls => &[Self::Ustreamer],
            Self::HttpPlain | Self::UnixPlain => &[Self::Ustreamer, Self::Defender],
            Self::Http | Self::Unix => &[Self::Ustreamer, Self::DefenderTls],
        }
    }
}
