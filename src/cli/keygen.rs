//! `doorward keygen`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::exit::Failure;
use crate::base::Secret;
use crate::keys::{Algorithm, SigningKey, pem};

/// What key is wanted, and where.
#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// `ES256`, `RS256`, `PS256`, `EdDSA`, or `HS256` for a secret.
    #[arg(long, default_value = "ES256", value_parser = algorithm)]
    alg: Algorithm,
    /// Write it to this file, for this user alone (mode 0600); without it, to stdout. A file that is there is not replaced.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
        format!("not one of {}", known.join(", "))
    })
}

impl Keygen {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let key = pem::generate(self.alg).map_err(Failure::internal)?;
        match &self.out {
            None => io::stdout().lock().write_all(key.expose()).map_err(Failure::internal)?,
            Some(path) => {
                self.write(&key).map_err(|error| Failure::usage(format!("`{}`: {error}", path.display())))?;
                eprintln!("{}: {}, kid {}", path.display(), self.alg.name(), self.kid(&key)?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn write(&self, key: &Secret) -> io::Result<()> {
        let Some(path) = &self.out else { return Ok(()) };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(key.expose())?;
        file.sync_all()
    }

    fn kid(&self, key: &Secret) -> Result<String, Failure> {
        let key = match self.alg {
            Algorithm::Hs256 => SigningKey::from_secret(&Secret::new(key.expose().trim_ascii_end())),
            algorithm => SigningKey::from_pem(key.expose(), Some(algorithm)),
        };
        key.map(|key| key.kid().to_owned()).map_err(Failure::internal)
    }
}
