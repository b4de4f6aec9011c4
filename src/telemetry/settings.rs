//! What of telemetry can be set.

/// The `telemetry` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The least severe diagnostics that are written. Access and audit lines do not depend on it.
    pub log: Level,
    /// The shape of every line.
    pub format: Format,
    /// Whether a line is written for every request.
    pub access_log: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { log: Level::Info, format: Format::Text, access_log: true }
    }
}

/// How severe a diagnostic must be to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// None.
    Off,
    /// What needs somebody now.
    Error,
    /// What will need somebody.
    Warn,
    /// What happened.
    Info,
    /// What led to it.
    Debug,
    /// Every step.
    Trace,
}

impl Level {
    /// All of them, the quietest first.
    pub const ALL: [Self; 6] = [Self::Off, Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// From the word in the configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

/// The shape of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `TIME LEVEL WORD key=value …`, values quoted where they need it.
    Text,
    /// A JSON object.
    Json,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    /// From the word in the configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}
