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
    /// With `tls = false`, and records all frames.
    Recording,
    /// As it comes, and records all frames.
    RecordingTls,
    /// The same, on a disk that takes five seconds for each write.
    StalledDisk,
    /// With `tls = false`, and `ffmpeg -c copy` records its stream.
    Ffmpeg,
    /// As it comes, and `ffmpeg -c copy` records its stream.
    FfmpegTls,
}

impl Kind {
    /// In the order of the report.
    pub const ALL: [Kind; 12] = [
        Kind::Ustreamer,
        Kind::Defender,
        Kind::DefenderTls,
        Kind::HttpPlain,
        Kind::Http,
        Kind::UnixPlain,
        Kind::Unix,
        Kind::Recording,
        Kind::RecordingTls,
        Kind::StalledDisk,
        Kind::Ffmpeg,
        Kind::FfmpegTls,
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
            Self::Recording => "defender-recording",
            Self::RecordingTls => "defender-recording-tls",
            Self::StalledDisk => "defender-stalled-disk",
            Self::Ffmpeg => "defender-ffmpeg",
            Self::FfmpegTls => "defender-ffmpeg-tls",
        }
    }

    /// Whether its viewers use TLS.
    pub const fn has_tls(self) -> bool {
        matches!(
            self,
            Self::DefenderTls
                | Self::Http
                | Self::Unix
                | Self::RecordingTls
                | Self::StalledDisk
                | Self::FfmpegTls
        )
    }

    /// Whether it records all frames.
    pub const fn records(self) -> bool {
        matches!(self, Self::Recording | Self::RecordingTls | Self::StalledDisk)
    }

    /// Whether ffmpeg records its stream. What that costs counts as the server's.
    pub const fn has_ffmpeg(self) -> bool {
        matches!(self, Self::Ffmpeg | Self::FfmpegTls)
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
            Self::Recording | Self::Ffmpeg => &[Self::Defender],
            Self::RecordingTls | Self::StalledDisk | Self::FfmpegTls => &[Self::DefenderTls],
        }
    }
}
