//! `doorward revoke list`.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::instance::{Answer, Instance};
use super::{Configuration, time};
use crate::base::base64url;
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
            let answer = match instance.get(Operators::PATH, &format!("limit={PAGE}&after={after}"))? {
                Answer::Done(answer) => answer,
                Answer::Nothing(why) => return Err(Failure::Internal(why)),
            };
            // Whatever else answers 200 has revoked nothing, and must not look like a doorward where nothing is.
            let page = Page::deserialize(answer).map_err(|_| instance.stranger())?;
            for mark in &page.revocations {
                let read = Mark::deserialize(mark).map_err(|_| instance.stranger())?;
                if self.json { output::line(mark) } else { output::line(read.line()) }
            }
            match page.next {
                Some(next) if next != after && base64url::decode(&next).is_ok() => after = next,
                Some(_) => return Err(instance.stranger()),
                None => return Ok(ExitCode::SUCCESS),
            }
        }
    }
}

#[derive(Deserialize)]
struct Page {
    revocations: Vec<Value>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Mark {
    id: String,
    kind: Option<String>,
    value: Option<String>,
    issuer: Option<String>,
    issued_before: Option<i64>,
    expires_at: i64,
}

impl Mark {
    /// What it names is quoted: it may hold anything that an issuer writes, line ends too.
    fn line(&self) -> String {
        let what = match (&self.kind, &self.value, &self.issuer) {
            (Some(kind), Some(value), Some(issuer)) => format!("{kind:<8} {value:?} of {issuer:?}"),
            _ => format!("unnamed  {}", self.id),
        };
        let before = self.issued_before.map(|before| format!(", issued up to {}", time(before))).unwrap_or_default();
        format!("{what}{before}, until {}", time(self.expires_at))
    }
}

const PAGE: usize = 1000;
