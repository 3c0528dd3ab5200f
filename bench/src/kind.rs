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
    /// As it comes, with the film from cameras of the network.
    DefenderHttp,
}

impl Kind {
    /// In the order of the report.
    pub const ALL: [Kind; 4] = [Kind::Ustreamer, Kind::Defender, Kind::DefenderTls, Kind::DefenderHttp];

    /// Those that are compared where none is named.
    pub const USUAL: [Kind; 3] = [Kind::Ustreamer, Kind::Defender, Kind::DefenderTls];

    /// The name in the report and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ustreamer => "ustreamer",
            Self::Defender => "defender",
            Self::DefenderTls => "defender-tls",
            Self::DefenderHttp => "defender-http",
        }
    }
}
