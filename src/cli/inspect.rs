//! `doorward token inspect`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value, json};

use super::exit::Failure;
use super::input;
use super::serve::runtime;
use super::{environment, output};
use crate::app::{build, data_dir};
use crate::base::{Clock, SystemClock};
use crate::config::{self, Listen, Settings};
use crate::issuers::{HttpFetch, Issuers, KeySource, Surroundings};
use crate::telemetry::{self, Sink, Telemetry};
use crate::tokens::RawToken;

/// What a token is checked against, if against anything.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Verify it as this configuration would; without it nothing is verified. Revocation is not looked up. The keys of another issuer
    /// are fetched from it.
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
            Some(path) => verify(path, text, &raw)?,
        };
        let refused = self.config.is_some() && verdict.get("verified") != Some(&Value::Bool(true));
        if let Value::Object(members) = verdict {
            shown.extend(members);
        }
        output::line(format_args!("{:#}", Value::Object(shown)));
        Ok(if refused { ExitCode::from(1) } else { ExitCode::SUCCESS })
    }
}

fn verify(path: &Path, token: &str, raw: &RawToken<'_>) -> Result<Value, Failure> {
    let mut loaded = config::load(path, &environment).map_err(Failure::Configuration)?;
    let issuer = raw.unverified_claims().get("iss").and_then(Value::as_str);
    let trusted = loaded.settings.trusted.iter().find(|trusted| Some(trusted.rules.issuer.as_str()) == issuer);
    let issuers = match trusted {
        Some(trusted) => fetched(&trusted.keys)?,
        None => {
            own_keys(&mut loaded.settings)?;
            Issuers::default()
        }
    };
    let verifier = build::verifier_of(&loaded.settings, &issuers);
    let (verified, _) = verifier.verify(token, SystemClock.now());
    Ok(match verified {
        Ok(verified) => json!({ "verified": true, "issuer": Arc::clone(&verified).claims().issuer }),
        Err(rejected) => json!({ "verified": false, "reason": rejected.error.to_string().replace(' ', "-") }),
    })
}

/// The keys of the one issuer that the token names, as it publishes them now: what a running doorward has of them only it knows.
fn fetched(source: &KeySource) -> Result<Issuers, Failure> {
    let around = Surroundings {
        clock: Arc::new(SystemClock),
        telemetry: Arc::new(Telemetry::new(Sink::memory(), &telemetry::Settings::default())),
        fetch: Arc::new(HttpFetch),
        last_good: None,
    };
    let issuers = Issuers::new(vec![source.clone()], None, around);
    let runtime = runtime(NonZeroUsize::new(1))?;
    runtime.block_on(issuers.begin());
    runtime.shutdown_background();
    Ok(issuers)
}

/// Adds the generated key where none is named.
fn own_keys(settings: &mut Settings) -> Result<(), Failure> {
    if !settings.issues {
        return Ok(());
    }
    if settings.keys.is_empty() {
        // Looked for and not generated: looking at a token changes nothing.
        let key = data_dir::existing_key(&settings.data_dir).map_err(Failure::usage)?;
        let none = || Failure::usage("`tokens.keys` names no key and none was generated yet");
        settings.keys.push(key.ok_or_else(none)?);
    }
    let port = settings.server.listen.first();
    if settings.issuer_from_listen && matches!(port, Some(Listen::Tcp(address)) if address.port() == 0) {
        let cure = "the issuer follows from a port that is not known yet: give `tokens.issuer` or `server.public_url`";
        return Err(Failure::usage(cure));
    }
    Ok(())
}

/// Ten times what the gate takes: looking at an over-long token is what this is for.
const MAX_BYTES: usize = 80 * 1024;
