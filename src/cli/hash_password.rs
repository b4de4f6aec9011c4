//! `doorward hash-password`.

use std::process::ExitCode;

use super::exit::Failure;
use super::input;
use crate::users::password;

pub(super) fn run() -> Result<ExitCode, Failure> {
    let typed = input::password(MAX_PASSWORD_BYTES).map_err(Failure::usage)?;
    if typed.is_empty() {
        return Err(Failure::usage("the password is empty: type one, or write it to stdin"));
    }
    println!("{}", password::hash(&typed).map_err(Failure::internal)?);
    Ok(ExitCode::SUCCESS)
}

/// What the token endpoint takes.
const MAX_PASSWORD_BYTES: usize = 1024;
