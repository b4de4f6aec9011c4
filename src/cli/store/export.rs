//! `doorward store export`.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tempfile::NamedTempFile;

use super::source::Source;
use crate::cli::exit::Failure;
use crate::cli::progress::Progress;
use crate::cli::{Configuration, output};
use crate::revocation::transfer::{Counts, Writer};

/// Where it is exported to.
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The file to write, for this user alone; there must be none of that name.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print how many there are as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: Configuration,
}

impl Export {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        if self.file.as_os_str() == "-" {
            return Err(Failure::usage(
                "an export is whole or not there, and for this user alone: give the name of a file, not `-`",
            ));
        }
        // Before anything is sealed.
        let file = begin(&self.file).map_err(|error| self.unwritten(&error))?;
        let source = Source::find(&self.configuration.config)?;
        let counts = self.write(&source, file).inspect_err(|_| {
            output::note("doorward: nothing was exported, and the store may be sealed: run the same again, or `doorward store unseal`");
        })?;
        if self.json {
            output::line(json!({
                "file": self.file.display().to_string(), "sessions": counts.sessions, "revocations": counts.marks, "sealed": true,
            }));
        } else {
            let Counts { marks, sessions, .. } = counts;
            output::line(format_args!(
                "exported: {sessions} sessions, {marks} revocations to `{}`",
                self.file.display()
            ));
            output::line(
                "the store is sealed: logins, refreshes and revocations answer 503 until `doorward store unseal`",
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    fn write(&self, source: &Source, file: NamedTempFile) -> Result<Counts, Failure> {
        let header = source.seal()?;
        let mut writer = Writer::begin(BufWriter::new(file), &header).map_err(|error| self.unwritten(&error))?;
        let mut progress = Progress::new("exported");
        let (mut after, mut done) = (None, 0);
        loop {
            let records = source.page(after, header.exported_at)?;
            let Some(last) = records.last() else { break };
            after = Some(last.cursor());
            for record in &records {
                writer.add(record).map_err(|error| self.unwritten(&error))?;
            }
            done += records.len() as u64;
            progress.tell(done);
        }
        let (file, counts) = writer.finish().map_err(|error| self.unwritten(&error))?;
        let file = file.into_inner().map_err(|error| self.unwritten(error.error()))?;
        end(file, &self.file).map_err(|error| self.unwritten(&error))?;
        Ok(counts)
    }

    fn unwritten(&self, error: &io::Error) -> Failure {
        Failure::Usage(format!(
            "`{}`: {error}; give the name of a new file, where there is room for it",
            self.file.display()
        ))
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn begin(path: &Path) -> io::Result<NamedTempFile> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(directory(path))
}

/// Whole or not at all, and never over a file that is there.
fn end(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    File::open(directory(path))?.sync_all()
}
