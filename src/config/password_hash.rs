//! Whether a password hash can be checked, and at a price that one login may cost.

use argon2::{Algorithm, Params, Version};
use password_hash::phc::PasswordHash;

/// Looks at a PHC string.
pub(super) fn check(text: &str) -> Result<(), Unusable> {
    if text.len() > LENGTH_LIMIT {
        return Err(Unusable::Malformed);
    }
    let scheme = text.strip_prefix('$').and_then(|rest| rest.split('$').next()).ok_or(Unusable::Malformed)?;
    if Algorithm::new(scheme).is_err() {
        return Err(Unusable::Scheme);
    }
    let hash = PasswordHash::new(text).map_err(|_| Unusable::Malformed)?;
    let params = Params::try_from(&hash).map_err(|_| Unusable::Malformed)?;
    if hash.version.is_some_and(|version| Version::try_from(version).is_err())
        || hash.salt.is_none()
        || hash.hash.is_none()
    {
        return Err(Unusable::Malformed);
    }
    if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_LANES {
        return Err(Unusable::Cost);
    }
    Ok(())
}

/// Why a hash is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the hash is of a scheme that is not known; argon2id, argon2i and argon2d are")]
    Scheme,
    #[error("the hash is no whole PHC string")]
    Malformed,
    #[error("the hash costs more than one login may: at most 1 GiB, 64 passes and 16 lanes")]
    Cost,
}

/// Bytes of a PHC string; argon2's are about 100.
const LENGTH_LIMIT: usize = 512;

/// KiB, so 1 GiB. A users file must not be able to take the machine's memory.
const MOST_MEMORY: u32 = 1024 * 1024;

const MOST_PASSES: u32 = 64;

const MOST_LANES: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argon2_within_bounds() {
        let hash = |head: &str| format!("{head}$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b7dWRWJTmaaJObG4nXfKkK6Z0A");
        for (head, expected) in [
            ("$argon2id$v=19$m=19456,t=2,p=1", Ok(())),
            ("$argon2i$v=19$m=65536,t=3,p=4", Ok(())),
            ("$argon2d$v=16$m=65536,t=3,p=4", Ok(())),
            ("$argon2id$v=19$m=1048576,t=64,p=16", Ok(())),
            ("$argon2id$v=19$m=1048577,t=2,p=1", Err(Unusable::Cost)),
            ("$argon2id$v=19$m=19456,t=65,p=1", Err(Unusable::Cost)),
            ("$argon2id$v=19$m=19456,t=2,p=17", Err(Unusable::Cost)),
            ("$argon2id$v=20$m=19456,t=2,p=1", Err(Unusable::Malformed)),
            ("$argon2id$v=19$m=19456,t=0,p=1", Err(Unusable::Malformed)),
            ("$2b$12", Err(Unusable::Scheme)),
            ("argon2id", Err(Unusable::Malformed)),
        ] {
            assert_eq!(check(&hash(head)), expected, "{head}");
        }
        assert_eq!(check("$argon2id$v=19$m=19456,t=2,p=1"), Err(Unusable::Malformed));
        assert_eq!(check(""), Err(Unusable::Malformed));
    }
}
