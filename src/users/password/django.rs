//! Hashes as Django's `auth_user` has them: the name of the hasher, `$`, and what it wrote.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::function::{Before, Digest, Function};
use super::modular::{self, iterations, number};
use super::stored::{StoredHash, Unusable};

/// From a text that does not begin with `$`.
pub(super) fn parse(text: &str) -> Result<StoredHash, Unusable> {
    let (hasher, rest) = text.split_once('$').ok_or(Unusable::Malformed)?;
    match hasher {
        "argon2" if rest.starts_with("argon2") => text.strip_prefix("argon2").map(modular::parse),
        "bcrypt" => Some(modular::parse(rest)).filter(|_| is_bcrypt(rest)),
        "bcrypt_sha256" => bcrypt_sha256(rest),
        "scrypt" => scrypt(rest),
        "pbkdf2_sha256" => pbkdf2(rest, Digest::Sha256),
        "pbkdf2_sha1" => pbkdf2(rest, Digest::Sha1),
        "argon2" => None,
        // Also `!…`, with which Django marks those who log in elsewhere.
        _ => return Err(Unusable::Scheme),
    }
    .unwrap_or(Err(Unusable::Malformed))
}

type Parsed = Option<Result<StoredHash, Unusable>>;

fn is_bcrypt(rest: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|kind| rest.starts_with(kind))
}

fn bcrypt_sha256(rest: &str) -> Parsed {
    let (_, rest) = rest.split_at_checked("$2b$".len()).filter(|_| is_bcrypt(rest))?;
    let (function, salt, digest) = modular::bcrypt(rest, Before::HexSha256)?;
    Some(StoredHash::new(function, salt, digest))
}

/// `N$SALT$R$P$DIGEST`, where the letters of the salt are its bytes.
fn scrypt(rest: &str) -> Parsed {
    let mut parts = rest.split('$');
    let mut next = || parts.next();
    let (n, salt, r, p, digest) = (number(next()?)?, next()?, number(next()?)?, number(next()?)?, next()?);
    if parts.next().is_some() || !n.is_power_of_two() {
        return None;
    }
    let function = Function::Scrypt { log_n: n.ilog2().try_into().ok()?, r, p };
    Some(StoredHash::new(function, salt.into(), STANDARD.decode(digest).ok()?))
}

/// `ITERATIONS$SALT$DIGEST`, where the letters of the salt are its bytes.
fn pbkdf2(rest: &str, digest: Digest) -> Parsed {
    let (settings, rest) = rest.split_once('$')?;
    let (salt, output) = rest.split_once('$')?;
    let function = Function::Pbkdf2 { digest, iterations: iterations(settings)? };
    let output = STANDARD.decode(output).ok().filter(|output| output.len() == digest.bytes())?;
    Some(StoredHash::new(function, salt.into(), output))
}
