//! `doorward check`.

mod store;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::exit::Failure;
use super::{Configuration, environment, output};
use crate::app::data_dir::{self, DataDirError};
use crate::config::{self, Loaded, Profile, Settings};
use crate::revocation::redis::State;

/// What is to be looked at.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Also connect to `store.redis`: whether it answers, and whether its settings keep what doorward promises. Nothing is written there.
    #[arg(long)]
    connect: bool,
    /// Print what was found there as JSON.
    #[arg(long, requires = "connect")]
    json: bool,
    #[command(flatten)]
    configuration: Configuration,
}

impl Check {
    pub(super) fn run(&self) -> Result<ExitCode, Failure> {
        let path = &self.configuration.config;
        let loaded = match config::load(path, &environment) {
            Ok(loaded) => loaded,
            Err(problems) => return Ok(self.refuse(&problems)),
        };
        // Looked at and not made: checking changes nothing.
        if let Err(error) = generated_keys(&loaded.settings) {
            return Ok(self.refuse(&error));
        }
        if !self.json {
            tell(path, &loaded);
        }
        if self.connect { self.connect(&loaded.settings) } else { Ok(ExitCode::SUCCESS) }
    }

    fn refuse(&self, problems: &dyn Display) -> ExitCode {
        if self.json {
            let lines: Vec<_> = problems.to_string().lines().map(str::to_owned).collect();
            output::line(json!({ "ok": false, "problems": lines, "findings": [] }));
        } else {
            output::line(problems);
        }
        ExitCode::from(1)
    }

    fn connect(&self, settings: &Settings) -> Result<ExitCode, Failure> {
        let findings = store::findings(settings)?;
        let ok = findings.iter().all(|finding| finding.state < State::Problem);
        if self.json {
            output::line(
                json!({ "ok": ok, "problems": [], "findings": findings.iter().map(store::member).collect::<Vec<_>>() }),
            );
        } else {
            output::text_of(store::table(settings, &findings));
        }
        Ok(ExitCode::from(u8::from(!ok)))
    }
}

fn tell(path: &Path, loaded: &Loaded) {
    let settings = &loaded.settings;
    for warning in &loaded.warnings {
        output::line(warning);
    }
    let routes = settings.policy.routes.len();
    let users = match &settings.postgres {
        Some(_) => "users in PostgreSQL, which was not asked".to_owned(),
        None => format!("{} users", loaded.users.usable.as_deref().unwrap_or_default().len()),
    };
    output::line(format_args!("{}: ok, {routes} routes, {users}", path.display()));
    output::text_of(beyond_strict(settings));
}

/// What is accepted here that `profile: strict` would not; nothing, if nothing is.
fn beyond_strict(settings: &Settings) -> String {
    let lines: String = config::beyond_strict(settings)
        .map(|difference| format!("  {}: {}\n", difference.name, difference.compat))
        .collect();
    let title = match settings.profile {
        _ if lines.is_empty() => return lines,
        Profile::Compat => "`profile: compat` accepts here what `strict` does not:",
        Profile::Strict => "accepted here beyond `profile: strict`, because the configuration says so:",
    };
    format!("{title}\n{lines}")
}

/// Those that a start would use.
fn generated_keys(settings: &Settings) -> Result<(), DataDirError> {
    let data_dir = &settings.data_dir;
    if settings.issues && settings.keys.is_empty() {
        data_dir::existing_key(data_dir)?;
    }
    if !settings.issues && settings.server_keys.is_empty() {
        data_dir::existing_server_key(data_dir)?;
    }
    Ok(())
}
