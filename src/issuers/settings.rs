//! What the fetching of one issuer's keys needs to know.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use url::Url;

use crate::keys::Algorithm;

/// Where an issuer's keys are, and for how long they hold. Two that are equal share what was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    /// `iss`, byte for byte; discovery begins at it.
    pub issuer: String,
    /// The JWK set; `None` = found by discovery (OpenID Connect Discovery §4, RFC 8414 §3).
    pub jwks_url: Option<Url>,
    /// What its keys may verify; never an HMAC.
    pub algorithms: Vec<Algorithm>,
    /// How long the last keys that were fetched are believed.
    pub max_stale: Duration,
    /// Who vouches for the issuer's server; empty = whom the operating system trusts.
    pub roots: Vec<CertificateDer<'static>>,
    /// Whether `http://` is taken from elsewhere than loopback (`insecure.http_issuers`).
    pub allow_http: bool,
}

impl KeySource {
    /// Whether keys that were fetched for `other` are those that would be fetched for this one, and were got as safely.
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        let place =
            |source: &Self| (source.issuer.clone(), source.jwks_url.clone(), source.roots.clone(), source.allow_http);
        place(self) == place(other)
    }
}
