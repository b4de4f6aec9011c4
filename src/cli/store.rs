//! `doorward store`.

mod export;
mod import;
mod source;
mod unseal;

use std::process::ExitCode;

use clap::Subcommand;

use super::exit::Failure;

/// What is done to a store.
#[derive(Debug, Subcommand)]
pub(super) enum Store {
    /// Write the sessions and revocations of the embedded store to a file, and seal the store.
    ///
    /// A running doorward is asked through its admin listener, as the configuration has it; if none runs, the file in `data_dir` is read.
    /// From then on requests are served as before, and logins, refreshes and revocations answer 503, also after a restart: what is
    /// written later would be missing at the target. `doorward store unseal` undoes it.
    Export(export::Export),
    /// Write what was exported into the store of a configuration: Redis, or the embedded one of a doorward that does not run.
    ///
    /// To do it again, after an interruption or a later export, is harmless: no session goes back to what it was before. Exit code 2 if
    /// the configuration has other keys or another issuer than the source had, or the file is not whole; nothing is written then.
    Import(import::Import),
    /// Let an exported store take logins, refreshes and revocations again. Whoever uses it must not use the target.
    Unseal(unseal::Unseal),
}

impl Store {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Export(export) => export.run(),
            Self::Import(import) => import.run(),
            Self::Unseal(unseal) => unseal.run(),
        }
    }
}
