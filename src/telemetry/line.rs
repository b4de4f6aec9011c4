//! One line of the log, in either format.
//!
//! Written by hand rather than through tracing's formatters: those let a line break inside a value stand, and the
//! access line is written for every request.

use std::fmt::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use time::OffsetDateTime;
use tracing::Level;

use super::digits;
use super::escape::{self, Quotes};
use super::settings::Format;
use crate::base::Timestamp;

/// A line being written. Keys are names from the code; every value is escaped.
pub(super) struct Line<'a> {
    out: &'a mut String,
    format: Format,
}

impl<'a> Line<'a> {
    /// Starts a line.
    pub(super) fn start(out: &'a mut String, format: Format, at: Timestamp, level: Level) -> Self {
        match format {
            Format::Text => {
                push_time(out, at);
                out.push(' ');
                out.push_str(level.as_str());
            }
            Format::Json => {
                out.push_str("{\"time\":\"");
                push_time(out, at);
                out.push_str("\",\"level\":\"");
                out.push_str(lower_case(level));
                out.push('"');
            }
        }
        Self { out, format }
    }

    /// Which kind of line this is.
    pub(super) fn event(&mut self, name: &'static str) -> &mut Self {
        match self.format {
            Format::Text => {
                self.out.push(' ');
                self.out.push_str(name);
                self
            }
            Format::Json => self.text("event", name),
        }
    }

    /// The sentence of a diagnostic.
    pub(super) fn message(&mut self, message: &str) -> &mut Self {
        match self.format {
            Format::Text => {
                self.out.push(' ');
                escape::push(self.out, message, Quotes::Keep);
                self
            }
            Format::Json => self.text("message", message),
        }
    }

    pub(super) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        if self.format == Format::Text && escape::is_bare(value) {
            self.out.push_str(value);
        } else {
            self.quoted(value);
        }
        self
    }

    /// Nothing at all if there is no value: an absent member, never a null.
    pub(super) fn optional(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.text(key, value);
        }
        self
    }

    pub(super) fn address(&mut self, key: &str, value: Option<IpAddr>) -> &mut Self {
        if let Some(address) = value {
            self.key(key);
            let quote = if self.format == Format::Json { "\"" } else { "" };
            self.out.push_str(quote);
            match address {
                IpAddr::V4(address) => {
                    for (index, octet) in address.octets().into_iter().enumerate() {
                        self.out.push_str(if index == 0 { "" } else { "." });
                        digits::push(self.out, octet.into(), 1);
                    }
                }
                IpAddr::V6(address) => push_format(self.out, format_args!("{address}")),
            }
            self.out.push_str(quote);
        }
        self
    }

    pub(super) fn number(&mut self, key: &str, value: impl Into<i128>) -> &mut Self {
        self.key(key);
        let value = value.into();
        match u64::try_from(value) {
            Ok(value) => digits::push(self.out, value, 1),
            Err(_) => push_format(self.out, format_args!("{value}")),
        }
        self
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) -> &mut Self {
        self.key(key);
        self.out.push_str(if value { "true" } else { "false" });
        self
    }

    /// Milliseconds with three decimals.
    pub(super) fn millis(&mut self, key: &str, value: Option<Duration>) -> &mut Self {
        if let Some(duration) = value {
            self.key(key);
            let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
            digits::push(self.out, micros / 1000, 1);
            self.out.push('.');
            digits::push(self.out, micros % 1000, 3);
        }
        self
    }

    /// A JSON array, or one text value with commas; nothing if it is empty.
    pub(super) fn list(&mut self, key: &str, values: &[&str]) -> &mut Self {
        if values.is_empty() {
            return self;
        }
        if self.format == Format::Text {
            return self.text(key, &values.join(","));
        }
        self.key(key);
        for (index, value) in values.iter().enumerate() {
            self.out.push(if index == 0 { '[' } else { ',' });
            self.quoted(value);
        }
        self.out.push(']');
        self
    }

    /// Ends the line.
    pub(super) fn finish(&mut self) {
        if self.format == Format::Json {
            self.out.push('}');
        }
        self.out.push('\n');
    }

    fn key(&mut self, key: &str) {
        match self.format {
            Format::Text => {
                self.out.push(' ');
                self.out.push_str(key);
                self.out.push('=');
            }
            Format::Json => {
                self.out.push_str(",\"");
                self.out.push_str(key);
                self.out.push_str("\":");
            }
        }
    }

    fn quoted(&mut self, value: &str) {
        self.out.push('"');
        escape::push(self.out, value, Quotes::Escape);
        self.out.push('"');
    }
}

/// RFC 3339 in UTC with milliseconds.
fn push_time(out: &mut String, at: Timestamp) {
    // Only a clock beyond the year 9999 has no date; such a line is still worth writing.
    let time = OffsetDateTime::from_unix_timestamp(at.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.time().as_hms();
    if year < 0 {
        out.push('-');
    }
    digits::push(out, year.unsigned_abs().into(), 4);
    for (before, number) in [('-', month.into()), ('-', day), ('T', hour), (':', minute), (':', second)] {
        out.push(before);
        digits::push(out, number.into(), 2);
    }
    out.push('.');
    digits::push(out, at.millis().rem_euclid(1000).unsigned_abs(), 3);
    out.push('Z');
}

fn push_format(out: &mut String, value: fmt::Arguments<'_>) {
    // A string takes everything, so that there is no error to look at.
    out.write_fmt(value).unwrap_or_default();
}

const fn lower_case(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}
