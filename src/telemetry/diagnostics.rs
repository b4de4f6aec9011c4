//! Diagnostics: what the code says through `tracing`, and Pingora through `log`, written as our lines.

use std::fmt::{self, Debug, Write};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::escape;
use super::line::Line;
use super::settings::Format;
use super::sink::{Importance, Sink};
use super::write_line;
use crate::base::Clock;

/// A layer that writes events to a sink. Spans are not shown.
pub(super) struct Diagnostics {
    sink: Sink,
    format: Format,
    clock: Arc<dyn Clock>,
}

impl Diagnostics {
    pub(super) fn new(sink: Sink, format: Format, clock: Arc<dyn Clock>) -> Self {
        Self { sink, format, clock }
    }
}

impl<S: Subscriber> Layer<S> for Diagnostics {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let now = self.clock.now();
        let mut said = Said::default();
        event.record(&mut said);
        let target = said.target.as_deref().unwrap_or(event.metadata().target());
        write_line(&self.sink, Importance::Routine, |out| {
            let mut line = Line::start(out, self.format, now, *event.metadata().level());
            line.message(&said.message);
            if self.format == Format::Json || !is_ours(target) {
                line.text("target", target);
            }
            for (name, value) in &said.fields {
                match value {
                    Value::Text(text) => line.text(name, text),
                    Value::Number(number) => line.number(name, *number),
                    Value::Flag(flag) => line.flag(name, *flag),
                };
            }
            line.finish();
        });
    }
}

fn is_ours(target: &str) -> bool {
    target.split("::").next() == Some("doorward")
}

#[derive(Default)]
struct Said {
    message: String,
    /// Of a record that came through `log`: its event's own target is only `log`.
    target: Option<String>,
    fields: Vec<(&'static str, Value)>,
}

enum Value {
    Text(String),
    Number(i128),
    Flag(bool),
}

impl Said {
    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Text(text)) => self.message = text,
            ("log.target", Value::Text(text)) => self.target = Some(text),
            ("log.module_path" | "log.file" | "log.line", _) => {}
            (name, value) => self.fields.push((name, value)),
        }
    }
}

impl Visit for Said {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::Number(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Value::Number(value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Flag(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = Bounded(String::new());
        // The only error is that there is enough of it.
        write!(text, "{value:?}").unwrap_or_default();
        self.set(field, Value::Text(text.0));
    }
}

/// Takes little more than a line will hold, however long what is formatted into it.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.0.len() > escape::LONGEST {
                return Err(fmt::Error);
            }
            self.0.push(character);
        }
        Ok(())
    }
}
