//! `doorward store unseal`.

use std::process::ExitCode;

use clap::Args;

use super::source::Source;
use crate::cli::exit::Failure;
use crate::cli::{Configuration, output};

/// Of which doorward.
#[derive(Debug, Args)]
pub(in crate::cli) struct Unseal {
    #[command(flatten)]
    configuration: Configuration,
}

impl Unseal {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        Source::find(&self.configuration.config)?.unseal()?;
        output::line("the store takes logins, refreshes and revocations again; what was exported of it is out of date");
        Ok(ExitCode::SUCCESS)
    }
}
