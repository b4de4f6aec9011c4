//! Hashes made anew of the same password, and telling them from hashes of another.

use super::{HashFailed, Scheme, StoredHash, cost};
use crate::base::Secret;
use crate::keys::{PasswordPrint, ServerKeys};

impl StoredHash {
    /// Whether a hash made today would be dearer to guess, or is of the scheme that is made today where this one is not. A dearer
    /// one of that scheme stays.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.is_weak() || cost::is_below(&self.function, &Scheme::default().function())
    }

    /// A hash of today's scheme and cost in place of this one, which `password` fits, and in its form: Django finds its hasher by a
    /// name in front. Sessions that have the print of this one take it for the same. Takes as long as a login.
    ///
    /// # Errors
    /// [`HashFailed`].
    pub fn renew(&self, password: &Secret, keys: &ServerKeys) -> Result<String, HashFailed> {
        let text = Scheme::default().hash_with(password, &keys.carrying_salt(&self.salt, &self.digest))?;
        Ok(if self.of_django { format!("argon2{text}") } else { text })
    }

    /// What a session keeps of it.
    #[must_use]
    pub fn print(&self, keys: &ServerKeys) -> PasswordPrint {
        keys.password_print(&self.salt, &self.digest)
    }

    /// Whether it is of the password that `known` was made of; `None` if the server key that could tell is gone.
    #[must_use]
    pub fn is_of(&self, known: &PasswordPrint, keys: &ServerKeys) -> Option<bool> {
        keys.is_of_password(known, &self.salt, &self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::Verdict;

    fn keys() -> ServerKeys {
        ServerKeys::new([&Secret::new([7; 32])]).unwrap()
    }

    #[test]
    fn a_renewed_hash_fits_and_is_of_the_same_password() {
        let (keys, password) = (keys(), Secret::new("pässword"));
        for (name, old) in [
            ("bcrypt", Scheme::Bcrypt.hash(&password).unwrap()),
            ("argon2id", Scheme::Argon2id.hash(&password).unwrap()),
            ("django", format!("argon2{}", Scheme::Argon2id.hash(&password).unwrap())),
        ] {
            let old = StoredHash::parse(&old).unwrap();
            let known = old.print(&keys);
            let text = old.renew(&password, &keys).unwrap();
            assert_eq!(text.starts_with("argon2$argon2id$"), name == "django", "{text}");
            let new = StoredHash::parse(&text).unwrap();
            assert_eq!(new.verify(&password), Verdict::Fits, "{name}");
            assert!(!new.is_outdated() && new != old, "{name}");
            assert_eq!(new.is_of(&known, &keys), Some(true), "{name}");
            let again = StoredHash::parse(&new.renew(&password, &keys).unwrap()).unwrap();
            assert_eq!(again.is_of(&known, &keys), Some(true), "{name}, twice");
            // The same password set anew by its user: who set it wants the others out.
            let reset = StoredHash::parse(&Scheme::default().hash(&password).unwrap()).unwrap();
            assert_eq!(reset.is_of(&known, &keys), Some(false), "{name}");
        }
    }

    /// `tests/e2e/test_hashes.py` has the libraries of applications read the very same.
    #[test]
    fn a_renewed_hash_follows_from_what_it_replaces() {
        let bcrypt = "$2b$04$YLAWz9wr/4rptiDPHFSGK.TL5AxNNtjcU.P59UXL9Cyo4/rwOLYpq";
        let renewed = StoredHash::parse(bcrypt).unwrap().renew(&Secret::new("correct horse"), &keys()).unwrap();
        let expected = concat!(
            "$argon2id$v=19$m=19456,t=2,p=1$qxG6qwE82gj+E9gvkaY5sSRpVqyKz/dj",
            "$8D7vuLl4DH8l0L8RwqjDpVDVujN+K1XKUVuBKoyJZZ8"
        );
        assert_eq!(renewed, expected);
    }

    #[test]
    fn outdated_is_what_a_new_one_is_better_than() {
        const SALT: &str = "c29tZXNhbHRzb21lc2FsdA";
        const DIGEST: &str = "RdescudvJCsgt3ub+b7dWRWJTmaaJObG4nXfKkK6Z0A";
        for (head, outdated) in [
            ("$argon2id$v=19$m=19456,t=2,p=1$", false),
            ("$argon2id$v=19$m=65536,t=3,p=4$", false),
            ("$argon2id$v=19$m=19456,t=1,p=1$", true),
            ("$argon2id$v=19$m=7168,t=5,p=1$", true),
            ("$argon2id$v=16$m=65536,t=3,p=4$", true),
            ("$argon2i$v=19$m=65536,t=3,p=4$", true),
            ("$scrypt$ln=17,r=8,p=1$", true),
            ("$pbkdf2-sha256$600000$", true),
        ] {
            assert_eq!(StoredHash::parse(&format!("{head}{SALT}${DIGEST}")).unwrap().is_outdated(), outdated, "{head}");
        }
    }
}
