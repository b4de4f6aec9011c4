//! `doorward revoke list`.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::instance::{Answer, Instance};
use super::{Configuration, time};
use crate::cli::{exit::Failure, output};
use crate::endpoints::Operators;

/// How it is shown.
#[derive(Debug, Args)]
pub(super) struct List {
    /// As JSON, one object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: Configuration,
}

impl List {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let instance = Instance::find(&self.configuration.config)?;
        let mut after = String::new();
        loop {
            // Of `next` it is known that it is base64url.
            let page = match instance.get(Operators::PATH, &format!("limit={PAGE}&after={after}"))? {
                Answer::Done(page) => page,
                Answer::Nothing(why) => return Err(Failure::Internal(why)),
            };
            let marks = page.get("revocations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            for mark in marks {
                if self.json { output::line(mark) } else { output::line(line(mark)) }
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => next.clone_into(&mut after),
                None => return Ok(ExitCode::SUCCESS),
            }
        }
    }
}

/// One mark. What it names is quoted: it may hold anything that an issuer writes, line ends too.
fn line(mark: &Value) -> String {
    let word = |name| mark.get(name).and_then(Value::as_str);
    let what = match (word("kind"), word("value"), word("issuer")) {
        (Some(kind), Some(value), Some(issuer)) => format!("{kind:<8} {value:?} of {issuer:?}"),
        _ => format!("unnamed  {}", word("id").unwrap_or("-")),
    };
    let before = mark.get("issued_before").filter(|time| !time.is_null());
    let before = before.map(|time| format!(", issued up to {}", self::time(Some(time)))).unwrap_or_default();
    format!("{what}{before}, until {}", time(mark.get("expires_at")))
}

const PAGE: usize = 1000;
