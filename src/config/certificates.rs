//! Certificates and keys of TLS, in PEM files.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

use super::code::Code;
use super::field::Field;
use super::input_file::{self, FileError};
use crate::base::Secret;
use crate::keys::{KeyError, pem as key_pem};

impl Field<'_> {
    /// A certificate and those that lead from it to its root, in DER.
    pub(super) fn certificate_chain(&self) -> Option<Vec<Vec<u8>>> {
        let chain = self.certificates()?;
        if chain.iter().all(|certificate| ParsedCertificate::try_from(&borrowed(certificate)).is_ok()) {
            return Some(chain);
        }
        self.refuse(Code::BadCertificate, UNREADABLE, "look at it with `openssl x509 -in FILE -text`")
    }

    /// Certificates that may sign others, in DER.
    pub(super) fn certificate_authorities(&self) -> Option<Vec<Vec<u8>>> {
        let authorities = self.certificates()?;
        let mut store = RootCertStore::empty();
        if authorities.iter().all(|certificate| store.add(borrowed(certificate)).is_ok()) {
            return Some(authorities);
        }
        self.refuse(Code::BadCertificate, UNREADABLE, "look at it with `openssl x509 -in FILE -text`")
    }

    /// A private key in DER; that of the first of these certificates, if they could be read.
    pub(super) fn key_of(&self, chain: Option<&[Vec<u8>]>) -> Option<Secret> {
        let text = self.private_file()?;
        let der = match key_pem::private_key(text.expose()) {
            Ok(der) => der,
            Err(error) => {
                let help = match error {
                    KeyError::Encrypted => {
                        "take the passphrase off, `openssl pkey -in FILE -out FILE`, and let nobody else read it"
                    }
                    _ => "name the private key that was made with the certificate",
                };
                return self.refuse(Code::BadKey, &format!("cannot be a key: {error}"), help);
            }
        };
        // One workload may have one certificate for both sides of its connections; the keys of tokens are another matter.
        if let Some((first, _)) = self.reader().first_use(&text, self.path(), self.at())
            && !first.ends_with(TLS_KEY)
        {
            self.refuse_second_use(&text)?;
        }
        let Some(chain) = chain else { return Some(der) };
        let key = PrivateKeyDer::try_from(der.expose()).map(|key| key.clone_key());
        let chain = chain.iter().map(|certificate| borrowed(certificate).into_owned()).collect();
        match key.map(|key| CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())) {
            Ok(Ok(_)) => Some(der),
            Ok(Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch))) => self.refuse(
                Code::BadKey,
                "is not the key of the certificate",
                "name the key that belongs to it; in `cert_file` the certificate itself stands first, before those that signed it",
            ),
            _ => self.refuse(Code::BadKey, "is no key that TLS can use", "use an ECDSA, Ed25519 or RSA key of usual size"),
        }
    }

    fn certificates(&self) -> Option<Vec<Vec<u8>>> {
        let path = self.file_path()?;
        self.reader().watch(&path);
        let unusable = |error: FileError| self.refuse(error.code(), &format!("cannot be used: {error}"), error.help());
        let text = match input_file::read(&path, FILE_LIMIT) {
            Ok(text) => Secret::new(text),
            Err(error) => return unusable(error),
        };
        let sections = pem::parse_many(text.expose()).unwrap_or_default();
        // Some put the key into the same file; then it is one that nobody else may read.
        if sections.iter().any(|section| section.tag().ends_with("PRIVATE KEY"))
            && let Err(error) = input_file::read_private(&path, FILE_LIMIT)
        {
            return unusable(error);
        }
        let certificates = sections.into_iter().filter(|section| section.tag() == "CERTIFICATE");
        let certificates: Vec<Vec<u8>> = certificates.map(pem::Pem::into_contents).collect();
        if certificates.is_empty() {
            let help = "name a file with `BEGIN CERTIFICATE`; `openssl x509 -inform der -in FILE` makes one of DER";
            return self.refuse(Code::BadCertificate, "has no certificate in PEM form", help);
        }
        self.warn_of_time(&certificates);
        Some(certificates)
    }

    fn warn_of_time(&self, certificates: &[Vec<u8>]) {
        let help = "replace the file; it is read again when it changes";
        let now = UnixTime::now();
        for (index, certificate) in certificates.iter().enumerate() {
            let what = match time_error(certificate, now) {
                Some(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => "has expired",
                Some(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => "is not valid yet",
                _ => continue,
            };
            let what = format!("has a certificate, number {}, that {what}", index + 1);
            self.warn(Code::ExpiredCertificate, &what, help);
        }
    }
}

/// What is wrong with a certificate alone: nobody is trusted, and its time is looked at before who signed it.
fn time_error(certificate: &[u8], now: UnixTime) -> Option<CertificateError> {
    let certificate = borrowed(certificate);
    let parsed = ParsedCertificate::try_from(&certificate).ok()?;
    let nobody = Arc::new(RootCertStore::empty());
    match rustls::client::verify_server_cert_signed_by_trust_anchor(&parsed, &nobody, &[], now, &[]) {
        Err(Error::InvalidCertificate(error)) => Some(error),
        _ => None,
    }
}

fn borrowed(der: &[u8]) -> CertificateDer<'_> {
    CertificateDer::from(der)
}

const UNREADABLE: &str = "has a certificate that cannot be read";

/// How the paths of settings end that name a key of TLS.
const TLS_KEY: &str = ".tls.key_file";

/// Bytes of a file with certificates: the bundle of all that browsers trust has 220 KiB.
const FILE_LIMIT: u64 = 1024 * 1024;
