//! TLS towards clients.

pub mod material;

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs::{self, Ticketer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

use super::TlsSettings;
pub use material::{TlsError, TlsFile};

/// What new handshakes get. It can be replaced while connections are open, which keep what they have.
///
/// TLS 1.2 and 1.3; HTTP/2 is offered before HTTP/1.1; no early data, which can be replayed (RFC 8446 §8). Clients resume
/// their sessions, except where they show certificates: a resumed session repeats no check, so a certificate that has expired
/// or whose CA is gone would go on being good.
pub struct ServerTls {
    current: ArcSwap<Current>,
}

struct Current {
    settings: TlsSettings,
    acceptor: TlsAcceptor,
}

impl ServerTls {
    /// TLS as `settings` say.
    ///
    /// # Errors
    /// [`TlsError`] for certificates and keys that cannot serve.
    pub fn new(settings: &TlsSettings) -> Result<Self, TlsError> {
        Ok(Self { current: ArcSwap::from_pointee(Current::new(settings)?) })
    }

    /// For the next handshake.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current.load().acceptor.clone()
    }

    /// New handshakes get `settings` from now on; tells whether they are others than before. Tickets of before are worth
    /// nothing then.
    ///
    /// # Errors
    /// [`TlsError`], and all stays as it was.
    pub fn replace(&self, settings: &TlsSettings) -> Result<bool, TlsError> {
        if self.current.load().settings == *settings {
            return Ok(false);
        }
        self.current.store(Arc::new(Current::new(settings)?));
        Ok(true)
    }
}

/// The key and what it was made of are not shown.
impl fmt::Debug for ServerTls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl Current {
    fn new(settings: &TlsSettings) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let identity = material::identity(&settings.certificates, &settings.key)?;
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| TlsError::Library(error.to_string()))?;
        let with_certificates = !settings.client_ca.is_empty();
        let builder = if with_certificates {
            let roots = Arc::new(material::roots(&settings.client_ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| TlsError::Library(error.to_string()))?)
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.max_early_data_size = 0;
        if with_certificates {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        } else {
            config.ticketer = Ticketer::new().map_err(|error| TlsError::Library(error.to_string()))?;
        }
        Ok(Self { settings: settings.clone(), acceptor: TlsAcceptor::from(Arc::new(config)) })
    }
}

/// Whether `settings` can serve, so that whoever read them can say so where they stand.
///
/// # Errors
/// [`TlsError`], which names the file it is about and the cure.
pub fn check(settings: &TlsSettings) -> Result<(), TlsError> {
    Current::new(settings).map(drop)
}

#[cfg(test)]
mod tests;
