//! `doorward keygen`.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::exit::Failure;
use super::output;
use crate::base::Secret;
use crate::grants::client_secret;
use crate::keys::pem::KeySize;
use crate::keys::{Algorithm, KeyKind, SigningKey, pem};

/// What key or secret is wanted, and where.
#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// `ES256`, `ES384`, `EdDSA`, `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, or for a secret `HS256`, `HS384`,
    /// `HS512`.
    #[arg(long, default_value = "ES256", value_parser = algorithm)]
    alg: Algorithm,
    /// Size of an RSA key: 2048, 3072 or 4096. Each step makes signing several times slower.
    #[arg(long, value_parser = size)]
    bits: Option<KeySize>,
    /// Write it to this file, for this user alone (mode 0600); without it, to stdout. A file that is there is not replaced.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Make a secret for a client instead of a key: the secret on the first line, its `secret_hash` on the second.
    #[arg(long, conflicts_with_all = ["alg", "bits", "out"])]
    client_secret: bool,
}

fn algorithm(name: &str) -> Result<Algorithm, String> {
    Algorithm::from_name(name).ok_or_else(|| {
        let known: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
        format!("not one of {}", known.join(", "))
    })
}

fn size(bits: &str) -> Result<KeySize, String> {
    match bits {
        "2048" => Ok(KeySize::Rsa2048),
        "3072" => Ok(KeySize::Rsa3072),
        "4096" => Ok(KeySize::Rsa4096),
        _ => Err("not one of 2048, 3072, 4096".to_owned()),
    }
}

impl Keygen {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        if self.client_secret {
            let (secret, stored) = client_secret::generate();
            let mut out = io::stdout().lock();
            let written = out.write_all(secret.expose()).and_then(|()| writeln!(out, "\n{stored}"));
            return written.map(|()| ExitCode::SUCCESS).map_err(Failure::internal);
        }
        if self.bits.is_some() && self.alg.kind() != KeyKind::Rsa {
            return Err(Failure::usage(format!("`--bits` is for RSA, and {} is none", self.alg.name())));
        }
        let key = pem::generate_of(self.alg, self.bits.unwrap_or(pem::DEFAULT_RSA)).map_err(Failure::internal)?;
        match &self.out {
            None => output::bytes(key.expose()),
            Some(path) => {
                self.write(&key).map_err(|error| not_written(path, &error))?;
                let kid = self.kid(&key)?;
                output::note(format_args!("{}: {}, kid {kid}", path.display(), self.alg.name()));
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
        let key = match self.alg.kind() {
            KeyKind::Secret => SigningKey::hmac(&Secret::new(key.expose().trim_ascii_end()), self.alg),
            _ => SigningKey::from_pem(key.expose(), Some(self.alg)),
        };
        key.map(|key| key.kid().to_owned()).map_err(Failure::internal)
    }
}

fn not_written(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure::usage(match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("`{path}` is there, and a key is never overwritten: name another file, or move that one away first")
        }
        io::ErrorKind::NotFound => format!("the folder of `{path}` does not exist: make it first"),
        _ => format!("`{path}`: {error}"),
    })
}
