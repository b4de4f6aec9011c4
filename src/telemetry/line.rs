//! One line of the log, in either format.
//!
//! Written by hand rather than through tracing's formatters: those let a line break inside a value stand, and the
//! access line is written for every request.

use std::fmt::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use time::OffsetDateTime;
use tracing::Level;

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
            push_format(self.out, format_args!("{quote}{address}{quote}"));
        }
        self
    }

    pub(super) fn number(&mut self, key: &str, value: impl Into<i128>) -> &mut Self {
        self.key(key);
        push_format(self.out, format_args!("{}", value.into()));
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
            let micros = duration.as_micros();
            push_format(self.out, format_args!("{}.{:03}", micros / 1000, micros % 1000));
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
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, month) = (time.date(), u8::from(time.month()));
    push_format(out, format_args!("{:04}-{month:02}-{:02}T", date.year(), date.day()));
    let (hour, minute, second, millisecond) = time.time().as_hms_milli();
    push_format(out, format_args!("{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"));
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
