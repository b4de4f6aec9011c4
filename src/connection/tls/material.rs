//! Certificates and keys, checked before anything is built of them: what cannot serve is told in words, and panics nowhere.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::base::Secret;

/// Why certificates and keys cannot serve. Certificates are counted from 1, in the order of their file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate.
    #[error("there is no certificate: put in the one that is shown, and after it those between it and its CA, as PEM")]
    NoCertificate,
    /// One is not X.509, version 3.
    #[error("certificate {0} cannot be read: export it again, as PEM and X.509 version 3")]
    Certificate(usize),
    /// The key is none, or of a kind that is not spoken.
    #[error(
        "the private key cannot be used: it must be RSA of 2048 bits or more, ECDSA P-256, P-384 or P-521, or Ed25519, without a password"
    )]
    Key,
    /// The key is another one's.
    #[error(
        "the private key does not belong to certificate 1: name the key it was made with, and put its certificate first"
    )]
    Mismatch,
    /// One cannot be a trust anchor.
    #[error("certificate {0} cannot be read as that of a CA: export it again, as PEM and X.509 version 3")]
    Authority(usize),
    /// No certificate can have this name.
    #[error("no certificate can have the name `{0}`: write a DNS name or an IP address")]
    Name(String),
    /// Nobody is trusted.
    #[error(
        "the operating system trusts no CA: install its `ca-certificates`, or name a file with the CA's certificate"
    )]
    NobodyTrusted,
    /// Something else, in the words of rustls.
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}

/// Which file an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// `cert_file`.
    Certificate,
    /// `key_file`.
    Key,
    /// `client_ca_file`, or `ca_file` of the upstream.
    Authority,
    /// None: `server_name`.
    ServerName,
}

impl TlsError {
    /// Where the cure begins.
    #[must_use]
    pub const fn file(&self) -> TlsFile {
        match self {
            Self::NoCertificate | Self::Certificate(_) | Self::Library(_) => TlsFile::Certificate,
            Self::Key | Self::Mismatch => TlsFile::Key,
            Self::Authority(_) | Self::NobodyTrusted => TlsFile::Authority,
            Self::Name(_) => TlsFile::ServerName,
        }
    }
}

/// A chain and its key; `certificates` and `key` in DER.
///
/// # Errors
/// [`TlsError`] if one cannot be read, or the key is not that of the first.
pub fn identity(certificates: &[Vec<u8>], key: &Secret) -> Result<CertifiedKey, TlsError> {
    let chain = chain(certificates)?;
    let key = PrivateKeyDer::try_from(key.expose().to_vec()).map_err(|_| TlsError::Key)?;
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(key).map_err(|_| TlsError::Key)?;
    let identity = CertifiedKey::new(chain, key);
    match identity.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(identity),
        Err(Error::InconsistentKeys(_)) => Err(TlsError::Mismatch),
        Err(_) => Err(TlsError::Certificate(1)),
    }
}

/// The trust anchors that certificates in DER are.
///
/// # Errors
/// [`TlsError::Authority`] if one cannot be read.
pub fn roots(certificates: &[Vec<u8>]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for (place, certificate) in (1..).zip(certificates) {
        let added = roots.add(CertificateDer::from(certificate.as_slice()));
        if !is_readable(certificate) || added.is_err() {
            return Err(TlsError::Authority(place));
        }
    }
    Ok(roots)
}

fn chain(certificates: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    let one = |(place, certificate): (usize, &Vec<u8>)| {
        let der = is_readable(certificate).then(|| CertificateDer::from(certificate.clone()));
        der.ok_or(TlsError::Certificate(place))
    };
    (1..).zip(certificates).map(one).collect()
}

/// Pingora reads those of the upstream with the same library, and panics where it fails.
fn is_readable(certificate: &[u8]) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(rest, _)| rest.is_empty())
}
