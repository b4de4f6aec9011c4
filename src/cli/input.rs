//! Secrets come from stdin, never from arguments: those are public.

use std::fs::File;
use std::io::{self, IsTerminal, Read};

use crate::base::Secret;

/// All of stdin, less one final newline; nothing over `limit` bytes.
pub(super) fn from_stdin(limit: usize) -> io::Result<Secret> {
    let mut text = zeroize::Zeroizing::new(Vec::new());
    let limit_and_one = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(3);
    io::stdin().lock().take(limit_and_one).read_to_end(&mut text)?;
    let trimmed = text.strip_suffix(b"\n").map_or(text.as_slice(), |line| line.strip_suffix(b"\r").unwrap_or(line));
    if trimmed.len() > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("more than {limit} bytes on stdin")));
    }
    Ok(Secret::new(trimmed))
}

/// A secret that an argument names the place of: `-` is stdin, or a prompt that shows nothing if that is a terminal; `@FILE` a file.
/// Less what stands around it. Whatever else was given is not shown: it may be the secret.
pub(super) fn named(place: &str, prompt: &str, limit: usize) -> io::Result<Secret> {
    let secret = match place.strip_prefix('@') {
        Some(file) => {
            let mut text = zeroize::Zeroizing::new(Vec::new());
            let limit_and_one = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
            let file = File::open(file).map_err(|error| io::Error::new(error.kind(), format!("`{file}`: {error}")))?;
            file.take(limit_and_one).read_to_end(&mut text)?;
            Secret::new(text.as_slice())
        }
        None if place == "-" && io::stdin().is_terminal() => Secret::new(rpassword::prompt_password(prompt)?),
        None if place == "-" => from_stdin(limit)?,
        None => {
            let text = "a secret is never an argument, those are public: give `-` and write it to stdin, or `@FILE`";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
    };
    let secret = Secret::new(secret.expose().trim_ascii());
    if secret.is_empty() || secret.len() > limit {
        let text = format!("the secret is empty, or has more than {limit} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(secret)
}

/// Typed twice at a prompt that shows nothing, or read from stdin if that is no terminal.
pub(super) fn password(limit: usize) -> io::Result<Secret> {
    if !io::stdin().is_terminal() {
        return from_stdin(limit);
    }
    let password = Secret::new(rpassword::prompt_password("Password: ")?);
    let again = Secret::new(rpassword::prompt_password("The same again: ")?);
    if password == again {
        Ok(password)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "the two passwords differ"))
    }
}
