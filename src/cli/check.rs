//! `doorward check`.

use std::path::Path;
use std::process::ExitCode;

use super::environment;
use crate::app::data_dir;
use crate::config;

pub(super) fn run(path: &Path) -> ExitCode {
    match config::load(path, &environment) {
        Ok(loaded) => {
            let settings = &loaded.settings;
            // Looked at and not made: checking changes nothing.
            if settings.keys.is_empty()
                && let Err(error) = data_dir::existing_key(&settings.data_dir)
            {
                println!("{error}");
                return ExitCode::from(1);
            }
            for warning in &loaded.warnings {
                println!("{warning}");
            }
            let (routes, users) = (loaded.settings.policy.routes.len(), loaded.users.len());
            println!("{}: ok, {routes} routes, {users} users", path.display());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            println!("{problems}");
            ExitCode::from(1)
        }
    }
}
