//! `doorward check`.

use std::path::Path;
use std::process::ExitCode;

use super::{environment, output};
use crate::app::data_dir::{self, DataDirError};
use crate::config::{self, Profile, Settings};

pub(super) fn run(path: &Path) -> ExitCode {
    match config::load(path, &environment) {
        Ok(loaded) => {
            let settings = &loaded.settings;
            // Looked at and not made: checking changes nothing.
            if let Err(error) = generated_keys(settings) {
                output::line(error);
                return ExitCode::from(1);
            }
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
            ExitCode::SUCCESS
        }
        Err(problems) => {
            output::line(problems);
            ExitCode::from(1)
        }
    }
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
