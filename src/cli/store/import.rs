//! `doorward store import`.

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::app::transfer;
use crate::cli::exit::Failure;
use crate::cli::progress::Progress;
use crate::cli::serve::runtime;
use crate::cli::{Configuration, environment, output};
use crate::config;
use crate::revocation::transfer::{Counts, FileError, Header, ImportError, Reader, import};

/// What is imported.
#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// The file that `doorward store export` wrote.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Import although keys or issuer differ: those whose tokens are not taken here must log in again.
    #[arg(long)]
    force: bool,
    /// Print how many there were as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: Configuration,
}

impl Import {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let settings = config::load(&self.configuration.config, &environment).map_err(Failure::Configuration)?.settings;
        let (header, reader) = self.looked_through()?;
        let differences = header.origin.differences(&transfer::origin(&settings).map_err(Failure::usage)?);
        for difference in &differences {
            output::note(format_args!("doorward: {difference}"));
        }
        if !differences.is_empty() && !self.force {
            return Err(Failure::usage("nothing was imported; with `--force` it is, and users are logged out as said"));
        }
        let runtime = runtime(None)?;
        let mut progress = Progress::new("imported");
        let imported = runtime.block_on(async {
            let store = transfer::target(&settings).await.map_err(Failure::usage)?;
            let tell = |counts: Counts| progress.tell(counts.marks + counts.sessions);
            import(&store, &header, reader, tell).await.map_err(|error| match error {
                ImportError::File(error) => self.unreadable(&error),
                ImportError::Store(_) => Failure::internal(error),
            })
        });
        let Counts { marks, sessions, .. } = imported?;
        if self.json {
            output::line(json!({ "sessions": sessions, "revocations": marks }));
        } else {
            output::line(format_args!("imported: {sessions} sessions, {marks} revocations"));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The file, found whole and read once: of one that is not, nothing must be imported.
    fn looked_through(&self) -> Result<(Header, Reader<BufReader<File>>), Failure> {
        let again = || -> Result<_, FileError> {
            let mut file = File::open(&self.file)?;
            let (_, mut reader) = Reader::begin(BufReader::new(file.try_clone()?))?;
            while reader.record()?.is_some() {}
            file.seek(SeekFrom::Start(0))?;
            Reader::begin(BufReader::new(file))
        };
        again().map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &FileError) -> Failure {
        Failure::Usage(format!("`{}`: {error}", self.file.display()))
    }
}
