//! Certificates and keys of TLS, in PEM files.

use x509_parser::certificate::{Validity, X509Certificate};
use x509_parser::prelude::FromDer;

use super::code::Code;
use super::field::Field;
use super::input_file::{self, FileError};
use crate::base::{Clock, Secret, SystemClock};
use crate::connection::tls::{TlsError, TlsFile, material};
use crate::keys::{KeyError, pem as key_pem};

/// A certificate and those that lead from it to its root, and its private key, all in DER.
pub(super) type Identity = (Vec<Vec<u8>>, Secret);

/// What `cert_file` and `key_file` hold.
pub(super) fn identity(certificate: &Field<'_>, key: &Field<'_>) -> Option<Identity> {
    // Both are read, so that a problem with one does not hide that with the other.
    let (chain, secret) = (certificate.certificates(), key.tls_key());
    let (chain, secret) = (chain?, secret?);
    match material::identity(&chain, &secret) {
        Ok(_) => Some((chain, secret)),
        Err(error) => match error.file() {
            TlsFile::Key => key.refuse_tls(&error),
            _ => certificate.refuse_tls(&error),
        },
    }
}

impl Field<'_> {
    /// Certificates that may sign others, in DER. At least one: none would stand for anybody, or for the system's.
    pub(super) fn authorities(&self) -> Option<Vec<Vec<u8>>> {
        let authorities = self.certificates()?;
        match material::roots(&authorities) {
            Ok(_) => Some(authorities),
            Err(error) => self.refuse_tls(&error),
        }
    }

    /// Notes what is wrong with the material; its text is words and a number, and the cure stands behind a colon.
    pub(super) fn refuse_tls<T>(&self, error: &TlsError) -> Option<T> {
        let code = match error.file() {
            TlsFile::Key => Code::BadKey,
            TlsFile::Certificate | TlsFile::Authority => Code::BadCertificate,
            // Its text shows the name.
            TlsFile::ServerName => {
                return self.refuse(Code::BadName, "is no name that a certificate can have", NAME_HELP);
            }
        };
        let text = error.to_string();
        let (what, help) = text.split_once(": ").unwrap_or((&text, "make the certificate and its key again"));
        self.refuse(code, &format!("is refused: {what}"), help)
    }

    fn tls_key(&self) -> Option<Secret> {
        let text = self.private_file()?;
        // One workload may have one certificate for both sides of its connections; the keys of tokens are another matter.
        if let Some((first, _)) = self.reader().first_use(&text, self.path(), self.at())
            && !first.ends_with(TLS_KEY)
        {
            self.refuse_second_use(&text)?;
        }
        let error = match key_pem::private_key(text.expose()) {
            Ok(key) => return Some(key),
            Err(error) => error,
        };
        let help = match error {
            KeyError::Encrypted => {
                "take the password off: `openssl pkey -in FILE -out OTHER`; nobody else may read that one"
            }
            _ => "name the private key that was made with the certificate",
        };
        self.refuse(Code::BadKey, &format!("cannot be a key: {error}"), help)
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
            && let Err(error) = self.reader().private_file(&path, FILE_LIMIT)
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

    /// It can be shown and nobody accepts it. No problem, since clocks and certificates can both be set right without a restart.
    fn warn_of_time(&self, certificates: &[Vec<u8>]) {
        let now = SystemClock.now().seconds();
        for (place, certificate) in (1..).zip(certificates) {
            let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { continue };
            let Validity { not_before, not_after } = parsed.validity();
            let what = if now > not_after.timestamp() {
                format!("certificate {place} has expired on {not_after}")
            } else if now < not_before.timestamp() {
                format!("certificate {place} is not valid before {not_before}")
            } else {
                continue;
            };
            let help = "replace the file; it is read again when it changes";
            self.warn(Code::ExpiredCertificate, &format!("will not be accepted: {what}"), help);
        }
    }
}

/// What may be written in `upstream.tls.server_name`.
pub(super) const NAME_HELP: &str = "write the host name or the address that the certificate is for, as `api.internal`";

/// How the paths of settings end that name a key of TLS.
const TLS_KEY: &str = ".tls.key_file";

/// Bytes of a file with certificates: the bundle of all that browsers trust has 220 KiB.
const FILE_LIMIT: u64 = 1024 * 1024;
