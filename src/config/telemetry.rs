//! `telemetry`.

use super::defaults;
use super::section::Section;
use crate::telemetry::{Format, Level, Settings};

pub(super) fn telemetry(section: &Section<'_>) -> Settings {
    Settings {
        log: section.word("log", Level::Info, &Level::ALL.map(|level| (level.as_str(), level))),
        format: section.word("format", Format::Text, &Format::ALL.map(|format| (format.as_str(), format))),
        access_log: section.flag("access_log", defaults::ACCESS_LOG),
    }
}
