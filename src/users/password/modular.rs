//! Hashes that begin with `$` and their scheme: PHC strings, crypt(3)'s and passlib's.

use std::num::NonZeroU32;

use argon2::{Algorithm, Params, Version};
use base64::alphabet;
use base64::engine::general_purpose::{NO_PAD, STANDARD_NO_PAD};
use base64::engine::{Engine, GeneralPurpose};
use password_hash::phc::PasswordHash;

use super::function::{Before, Digest, Function};
use super::stored::{StoredHash, Unusable};

/// From a text that begins with `$`.
pub(super) fn parse(text: &str) -> Result<StoredHash, Unusable> {
    let rest = text.strip_prefix('$').ok_or(Unusable::Malformed)?;
    let (scheme, rest) = rest.split_once('$').ok_or(Unusable::Malformed)?;
    let parts = match scheme {
        "argon2id" | "argon2i" | "argon2d" => argon2(text),
        // `$2x$` marks hashes of an implementation that mistook signs, and `$2$` of one that left out the final NUL.
        "2a" | "2b" | "2y" => bcrypt(rest, Before::Nothing),
        "bcrypt-sha256" => bcrypt_sha256(rest),
        "scrypt" => scrypt(rest),
        "pbkdf2" => pbkdf2(rest, Digest::Sha1),
        "pbkdf2-sha256" => pbkdf2(rest, Digest::Sha256),
        "pbkdf2-sha512" => pbkdf2(rest, Digest::Sha512),
        _ => return Err(Unusable::Scheme),
    };
    let (function, salt, digest) = parts.ok_or(Unusable::Malformed)?;
    StoredHash::new(function, salt, digest)
}

type Parts = Option<(Function, Vec<u8>, Vec<u8>)>;

fn argon2(text: &str) -> Parts {
    let hash = PasswordHash::new(text).ok()?;
    let params = Params::try_from(&hash).ok()?;
    // The crate would put its own defaults in the place of what is missing.
    if ["m", "t", "p"].iter().any(|name| hash.params.get(*name).is_none()) {
        return None;
    }
    if !params.keyid().is_empty() || !params.data().is_empty() {
        return None;
    }
    // Strings from before there were two versions have none.
    let version = hash.version.map_or(Ok(Version::V0x10), Version::try_from).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    let function = Function::Argon2 { algorithm, version, memory, passes, lanes };
    Some((function, hash.salt?.as_ref().to_vec(), hash.hash?.as_bytes().to_vec()))
}

/// `COST$`, and without anything between them 22 letters of salt and 31 of digest.
pub(super) fn bcrypt(rest: &str, before: Before) -> Parts {
    let (cost, rest) = rest.split_once('$')?;
    let (salt, digest) = rest.split_at_checked(SALT_LETTERS)?;
    if cost.len() != 2 {
        return None;
    }
    bcrypt_parts(cost.strip_prefix('0').unwrap_or(cost), salt, digest, before)
}

/// passlib's: `v=2,t=2b,r=COST$SALT$DIGEST`, and before 1.7.3 `2a,COST$SALT$DIGEST`.
fn bcrypt_sha256(rest: &str) -> Parts {
    let (settings, rest) = rest.split_once('$')?;
    let (salt, digest) = rest.split_once('$')?;
    let (kind, cost, before) = match settings.strip_prefix("v=2,t=") {
        Some(settings) => {
            let (kind, cost) = settings.split_once(",r=")?;
            (kind, cost, Before::HmacSha256)
        }
        None => {
            let (kind, cost) = settings.split_once(',')?;
            (kind, cost, Before::Sha256)
        }
    };
    let parts = matches!(kind, "2a" | "2b").then(|| bcrypt_parts(cost, salt, digest, before))??;
    // The salt is a key as it is written, so there must be one way to write it.
    (bcrypt_base64(&parts.1) == salt).then_some(parts)
}

fn bcrypt_parts(cost: &str, salt: &str, digest: &str, before: Before) -> Parts {
    let cost = number(cost).filter(|cost| (4..=31).contains(cost))?;
    if salt.len() != SALT_LETTERS || digest.len() != DIGEST_LETTERS {
        return None;
    }
    Some((Function::Bcrypt { cost, before }, BCRYPT.decode(salt).ok()?, BCRYPT.decode(digest).ok()?))
}

/// `ln=LOG_N,r=R,p=P$SALT$DIGEST`.
fn scrypt(rest: &str) -> Parts {
    let (settings, rest) = rest.split_once('$')?;
    let (salt, digest) = rest.split_once('$')?;
    let (log_n, settings) = settings.strip_prefix("ln=")?.split_once(",r=")?;
    let (r, p) = settings.split_once(",p=")?;
    let function = Function::Scrypt { log_n: number(log_n)?.try_into().ok()?, r: number(r)?, p: number(p)? };
    Some((function, standard(salt)?, standard(digest)?))
}

/// PHC's `i=ITERATIONS$…` or `i=ITERATIONS,l=BYTES$…`, and passlib's `ITERATIONS$…`.
fn pbkdf2(rest: &str, digest: Digest) -> Parts {
    let (settings, rest) = rest.split_once('$')?;
    let (salt, output) = rest.split_once('$')?;
    let Some(settings) = settings.strip_prefix("i=") else {
        let function = Function::Pbkdf2 { digest, iterations: iterations(settings)? };
        // passlib writes `.` for `+`.
        let output = standard(&output.replace('.', "+")).filter(|output| output.len() == digest.bytes())?;
        return Some((function, standard(&salt.replace('.', "+"))?, output));
    };
    let (settings, bytes) = settings.split_once(",l=").map_or((settings, None), |(i, bytes)| (i, Some(bytes)));
    let function = Function::Pbkdf2 { digest, iterations: iterations(settings)? };
    let bytes = bytes.map_or(Some(digest.bytes()), |bytes| number(bytes)?.try_into().ok())?;
    Some((function, standard(salt)?, standard(output).filter(|output| output.len() == bytes)?))
}

pub(super) fn iterations(text: &str) -> Option<NonZeroU32> {
    number(text).and_then(NonZeroU32::new)
}

/// Digits alone, and no zero in front, as every library writes them.
pub(super) fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

fn standard(text: &str) -> Option<Vec<u8>> {
    STANDARD_NO_PAD.decode(text).ok()
}

/// base64 with bcrypt's alphabet.
pub(super) fn bcrypt_base64(bytes: &[u8]) -> String {
    BCRYPT.encode(bytes)
}

/// base64 with passlib's alphabet, which has `.` for `+`.
pub(super) fn passlib_base64(bytes: &[u8]) -> String {
    STANDARD_NO_PAD.encode(bytes).replace('+', ".")
}

/// Some writers leave random bits where the last letter has no meaning, and all readers pass over them.
const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

const SALT_LETTERS: usize = 22;

const DIGEST_LETTERS: usize = 31;
