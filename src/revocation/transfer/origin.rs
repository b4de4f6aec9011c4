//! Whose sessions they are, told without a secret.

use serde::{Deserialize, Serialize};

/// What refresh and access tokens follow from besides the store. Empty where none are issued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// `iss` of own tokens.
    pub issuer: String,
    /// The fingerprints of `server_keys`, or of those that follow from the signing keys.
    pub server_keys: Vec<String>,
    /// The key ids of `tokens.keys`, or of the one that was generated.
    pub signing_keys: Vec<String>,
}

/// Why tokens of one origin are worth nothing at another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// Tokens and marks are of another issuer.
    #[error(
        "the sessions are of the issuer `{there}`, and here it is `{here}`: no access token would be taken, and no revocation of one be found; give `tokens.issuer: {there}`"
    )]
    Issuer {
        /// Where they come from.
        there: String,
        /// Where they are to go.
        here: String,
    },
    /// Refresh tokens have tags that nobody could check.
    #[error(
        "{missing} of the {of} server keys that tag the refresh tokens are not known here, and whoever has one of theirs would be logged out; give the source's `server_keys`, or where it has none, the same `tokens.keys`: the generated one is `signing-key.pem` in its `data_dir`"
    )]
    ServerKeys {
        /// How many are missing.
        missing: usize,
        /// Of how many.
        of: usize,
    },
    /// Access tokens have signatures that nobody could check.
    #[error(
        "`tokens.keys` lacks the key {kid}, and its access tokens would be refused until they are refreshed; add it, the generated one is `signing-key.pem` in the source's `data_dir`"
    )]
    SigningKey {
        /// Its key id.
        kid: String,
    },
}

impl Origin {
    /// What of this origin's tokens would not be taken at `target`. Keys that only the target has are no matter.
    #[must_use]
    pub fn differences(&self, target: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        if self.issuer != target.issuer {
            differences.push(Difference::Issuer { there: self.issuer.clone(), here: target.issuer.clone() });
        }
        let missing = self.server_keys.iter().filter(|key| !target.server_keys.contains(key)).count();
        if missing > 0 {
            differences.push(Difference::ServerKeys { missing, of: self.server_keys.len() });
        }
        let unknown = self.signing_keys.iter().filter(|kid| !target.signing_keys.contains(kid));
        differences.extend(unknown.map(|kid| Difference::SigningKey { kid: kid.clone() }));
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(issuer: &str, server_keys: &[&str], signing_keys: &[&str]) -> Origin {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        Origin { issuer: issuer.to_owned(), server_keys: owned(server_keys), signing_keys: owned(signing_keys) }
    }

    #[test]
    fn whatever_would_log_somebody_out_is_told() {
        let source = origin("https://a", &["s1", "s2"], &["k1"]);
        for (target, told) in [
            (origin("https://a", &["s1", "s2"], &["k1"]), vec![]),
            (origin("https://a", &["s3", "s2", "s1"], &["k0", "k1"]), vec![]),
            (origin("https://b", &["s1", "s2"], &["k1"]), vec!["https://b"]),
            (origin("https://a", &["s1"], &["k1"]), vec!["1 of the 2 server keys"]),
            (origin("https://a", &["s1", "s2"], &[]), vec!["k1"]),
            (Origin::default(), vec!["https://a", "2 of the 2", "k1"]),
        ] {
            let differences: Vec<_> = source.differences(&target).iter().map(Difference::to_string).collect();
            assert_eq!(differences.len(), told.len(), "{target:?}: {differences:?}");
            for (difference, told) in differences.iter().zip(told) {
                assert!(difference.contains(told), "{difference}");
            }
        }
    }
}
