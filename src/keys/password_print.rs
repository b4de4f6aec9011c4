//! What a login session keeps of its user's password hash, so that a changed password can be told from the same one.
//!
//! A hash that doorward itself made anew at a login carries the print of the one before in its salt: 16 bytes of it, and a tag of 8
//! that only a server key makes. So nothing needs to be remembered of it, and sessions of before live on.

use super::server::{KeyNumber, ServerKeys};

/// What is kept of a password hash: nothing that a password can be guessed with, unless a server key leaks too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordPrint {
    /// The server key that made it.
    pub key: KeyNumber,
    /// Of the hash itself.
    pub hash: Print,
    /// Of the first one of those that the hash was made anew of; `None` where somebody else made it.
    pub carried: Option<Print>,
}

/// Half an HMAC-SHA-256.
pub type Print = [u8; 16];

/// Bytes of a salt that carries a print. No other library makes salts of this length, and all of them read it.
pub const CARRYING_SALT: usize = 24;

impl ServerKeys {
    /// The print of a hash with this salt and digest, under the first key.
    #[must_use]
    pub fn password_print(&self, salt: &[u8], digest: &[u8]) -> PasswordPrint {
        let hash = self.print(self.current(), salt, digest).unwrap_or_default();
        PasswordPrint { key: self.current(), hash, carried: self.carried(salt) }
    }

    /// Whether a hash with this salt and digest is of the password that `known` was made of: it is the hash itself, or doorward made
    /// both of the same. `None` if the key that made it is no longer configured, so that nobody can tell.
    #[must_use]
    pub fn is_of_password(&self, known: &PasswordPrint, salt: &[u8], digest: &[u8]) -> Option<bool> {
        let now = [Some(self.print(known.key, salt, digest)?), self.carried(salt)];
        let known = [Some(known.hash), known.carried];
        Some(now.iter().flatten().any(|print| known.iter().flatten().any(|known| known == print)))
    }

    /// The salt of a hash that is to take the place of one with this salt and digest: no two hashes have the same, and nobody
    /// without a server key can foresee it.
    #[must_use]
    pub fn carrying_salt(&self, salt: &[u8], digest: &[u8]) -> [u8; CARRYING_SALT] {
        let made = self.password_print(salt, digest);
        let print = made.carried.unwrap_or(made.hash);
        let mut carrying = [0; CARRYING_SALT];
        for (byte, from) in carrying.iter_mut().zip(print.into_iter().chain(self.tag_carried(&print))) {
            *byte = from;
        }
        carrying
    }

    fn carried(&self, salt: &[u8]) -> Option<Print> {
        let (print, tag) = salt.split_first_chunk::<16>().filter(|_| salt.len() == CARRYING_SALT)?;
        self.verifies_carried(print, tag).then_some(*print)
    }

    fn print(&self, key: KeyNumber, salt: &[u8], digest: &[u8]) -> Option<Print> {
        // The length, so that no byte can move from one to the other.
        let message = [&salt.len().to_be_bytes(), salt, digest].concat();
        self.print_password(key, &message)
    }
}

/// It names no user, but it is nobody's business.
impl std::fmt::Debug for PasswordPrint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PasswordPrint").field("key", &self.key).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;

    const ONE: &str = "one one one one one one one one ";
    const TWO: &str = "two two two two two two two two ";

    fn keys(secrets: &[&str]) -> ServerKeys {
        ServerKeys::new(&secrets.iter().map(|secret| Secret::new(*secret)).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn another_hash_is_another_password_unless_doorward_made_it() {
        let keys = keys(&[ONE]);
        let (salt, digest) = (b"salt".as_slice(), b"digest".as_slice());
        let known = keys.password_print(salt, digest);
        let anew = keys.carrying_salt(salt, digest);
        let again = keys.carrying_salt(&anew, b"second");
        let forged = keys_forged(&anew);
        for (salt, digest, same) in [
            (salt, digest, true),
            (b"salu", digest, false),
            (salt, b"digesu", false),
            (b"saltd", b"igest", false),
            (&anew, b"second", true),
            (&again, b"third", true),
            (&forged, b"second", false),
            (&anew[..23], b"second", false),
            (&[0; CARRYING_SALT], b"second", false),
        ] {
            assert_eq!(keys.is_of_password(&known, salt, digest), Some(same), "{salt:?} {digest:?}");
        }
        // A session that was begun or refreshed with any one of them lives on with the others.
        for print in [keys.password_print(&anew, b"second"), keys.password_print(&again, b"third")] {
            assert_eq!(keys.is_of_password(&print, &again, b"third"), Some(true));
            assert_eq!(keys.is_of_password(&print, &anew, b"second"), Some(true));
            assert_eq!(keys.is_of_password(&print, b"other", b"third"), Some(false));
        }
        assert_eq!(anew, keys.carrying_salt(salt, digest));
    }

    fn keys_forged(salt: &[u8; CARRYING_SALT]) -> [u8; CARRYING_SALT] {
        let mut forged = *salt;
        forged[CARRYING_SALT - 1] ^= 1;
        forged
    }

    /// A session's print is made anew at each refresh, under the key that is the first one then.
    #[test]
    fn a_change_of_keys_ends_no_session_whose_hash_stays() {
        let (old, both, new) = (keys(&[ONE]), keys(&[TWO, ONE]), keys(&[TWO]));
        let known = old.password_print(b"salt", b"digest");
        assert_eq!(both.is_of_password(&known, b"salt", b"digest"), Some(true));
        assert_eq!(both.is_of_password(&known, b"other", b"digest"), Some(false));
        assert_eq!(new.is_of_password(&known, b"salt", b"digest"), None, "nobody can tell");
        // Made anew under the old key: refreshed while there are both, it lives on when the old one is gone.
        let anew = old.carrying_salt(b"salt", b"digest");
        assert_eq!(both.is_of_password(&known, &anew, b"second"), Some(true));
        let refreshed = both.password_print(&anew, b"second");
        assert_eq!(new.is_of_password(&refreshed, &anew, b"second"), Some(true));
        // And the hash may be made anew once more by then.
        let again = new.carrying_salt(&anew, b"second");
        assert_eq!(new.is_of_password(&refreshed, &again, b"third"), Some(true));
        // The one case that ends a session of the same password: the keys change, and before its next refresh the hash does too.
        let late = both.carrying_salt(b"salt", b"digest");
        assert_eq!(both.is_of_password(&known, &late, b"second"), Some(false));
    }

    #[test]
    fn a_print_is_not_shown() {
        let print = keys(&[ONE]).password_print(b"salt", b"digest");
        assert!(format!("{print:?}").ends_with("), .. }"), "{print:?}");
    }
}
