//! `doorward hash-password`.

use std::process::ExitCode;

use clap::Args;

use super::exit::Failure;
use super::{input, output};
use crate::base::Secret;
use crate::users::password::{HashFailed, Scheme};

/// How the password is hashed.
#[derive(Debug, Args)]
pub(super) struct HashPassword {
    /// `argon2id`; `bcrypt`, `scrypt` or `pbkdf2-sha256`, as passlib and crypt(3) write them, where another application reads the same
    /// hashes and knows no argon2.
    #[arg(long, default_value = Scheme::Argon2id.name(), value_parser = scheme)]
    scheme: Scheme,
}

pub(super) fn scheme(name: &str) -> Result<Scheme, String> {
    Scheme::from_name(name).ok_or_else(|| format!("not one of {}", Scheme::ALL.map(Scheme::name).join(", ")))
}

impl HashPassword {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let typed = input::password(MAX_PASSWORD_BYTES).map_err(Failure::usage)?;
        output::line(hashed(self.scheme, &typed)?);
        Ok(ExitCode::SUCCESS)
    }
}

/// The hash of a password that somebody gave.
pub(super) fn hashed(scheme: Scheme, typed: &Secret) -> Result<String, Failure> {
    if typed.is_empty() {
        return Err(Failure::usage("the password is empty: type one, or write it to stdin"));
    }
    // As the token endpoint reads forms.
    if std::str::from_utf8(typed.expose()).is_err() {
        return Err(Failure::usage("the password is no UTF-8 text, and nobody could log in with it"));
    }
    if typed.expose().iter().any(|byte| *byte < 0x20) {
        let cure = "write it as one line, without tabs";
        return Err(Failure::usage(format!(
            "the password holds a control character (a line end, a tab), and nobody could log in with it: {cure}"
        )));
    }
    scheme.hash(typed).map_err(|error| match error {
        HashFailed::Nul => Failure::usage(error),
        HashFailed::TooLong => Failure::usage(format!("{error}: take another scheme, or a shorter one")),
        HashFailed::Resources => Failure::internal(error),
    })
}

/// What the token endpoint takes.
pub(super) const MAX_PASSWORD_BYTES: usize = 1024;
