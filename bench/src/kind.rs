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
}

impl Kind {
    /// In the order of the report.
    pub const ALL: [Kind; 3] = [Kind::Ustreamer, Kind::Defender, Kind::DefenderTls];

    /// The name in the report and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ustreamer => "ustreamer",
            Self::Defender => "defender",
            Self::DefenderTls => "defender-tls",
        }
    }
}
