//! Secrets come from stdin, never from arguments: those are public.

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
