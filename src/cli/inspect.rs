//! `doorward token inspect`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::environment;
use super::exit::Failure;
use super::input;
use crate::app::{build, data_dir};
use crate::base::{Clock, SystemClock};
use crate::config::{self, Listen};
use crate::tokens::{RawToken, Verifier};

/// What a token is checked against, if against anything.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Verify it as this configuration would; without it nothing is verified. Revocation is not looked up.
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Inspect {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let token = input::from_stdin(MAX_BYTES).map_err(Failure::usage)?;
        let text = std::str::from_utf8(token.expose()).map_err(Failure::usage)?.trim();
        let raw = RawToken::parse(text).map_err(|error| Failure::usage(format!("what stands on stdin is {error}")))?;
        let mut shown = Map::new();
        shown.insert("header".to_owned(), Value::Object(raw.header().clone()));
        shown.insert("claims".to_owned(), Value::Object(raw.unverified_claims().clone()));
        let verdict = match &self.config {
            None => json!({ "verified": false, "reason": "not-checked" }),
            Some(path) => verify(path, text)?,
        };
        let refused = self.config.is_some() && verdict.get("verified") != Some(&Value::Bool(true));
        if let Value::Object(members) = verdict {
            shown.extend(members);
        }
        println!("{:#}", Value::Object(shown));
        Ok(if refused { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

fn verify(path: &Path, token: &str) -> Result<Value, Failure> {
    let mut loaded = config::load(path, &environment).map_err(Failure::Configuration)?;
    if loaded.settings.keys.is_empty() {
        // Looked for and not generated: looking at a token changes nothing.
        if let Some(key) = data_dir::existing_key(&loaded.settings.data_dir).map_err(Failure::usage)? {
            loaded.settings.keys.push(key);
        }
    }
    let port = loaded.settings.server.listen.first();
    if loaded.settings.issuer_from_listen && matches!(port, Some(Listen::Tcp(address)) if address.port() == 0) {
        let cure = "the issuer follows from a port that is not known yet: give `tokens.issuer` or `server.public_url`";
        return Err(Failure::usage(cure));
    }
    let verifier: Verifier = build::verifier(&loaded.settings)
        .ok_or_else(|| Failure::usage("`tokens.keys` names no key and none was generated yet"))?;
    let (verified, _) = verifier.verify(token, SystemClock.now());
    Ok(match verified {
        Ok(verified) => json!({ "verified": true, "issuer": Arc::clone(&verified).claims().issuer }),
        Err(rejected) => json!({ "verified": false, "reason": rejected.error.to_string().replace(' ', "-") }),
    })
}

/// Ten times what the gate takes: looking at an over-long token is what this is for.
const MAX_BYTES: usize = 80 * 1024;
