//! How the upstream proves who it is, and how we do.

use std::sync::Arc;

use pingora::upstreams::peer::{HttpPeer, Scheme};
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;

use super::UpstreamTls;
use crate::connection::tls::{TlsError, material};

/// Whether `tls` can be used, so that whoever read it can say so where it stands. Reads what the operating system trusts, where
/// that is asked for.
///
/// # Errors
/// [`TlsError`], which names the file it is about and the cure.
pub fn check(tls: &UpstreamTls) -> Result<(), TlsError> {
    UpstreamIdentity::new(tls)?;
    if tls.roots.is_empty() && platform_roots().is_none() { Err(TlsError::NobodyTrusted) } else { Ok(()) }
}

/// The file of CAs for Pingora, which reads them at the start whether or not the upstream speaks TLS, and panics over one it
/// cannot read. `None` = the operating system's are fine; else one without any, so that nobody is trusted.
#[must_use]
pub fn ca_file() -> Option<String> {
    if platform_roots().is_some() { None } else { Some("/dev/null".to_owned()) }
}

fn platform_roots() -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    pingora::tls::load_platform_certs_incl_env_into_store(&mut roots).ok()?;
    (!roots.is_empty()).then_some(roots)
}

/// `upstream.tls` as Pingora takes it; everything that could make it panic, or verify nothing, is ruled out.
#[derive(Clone, Debug)]
pub struct UpstreamIdentity {
    server_name: String,
    roots: Option<Arc<[WrappedX509]>>,
    own: Option<Arc<CertKey>>,
}

impl UpstreamIdentity {
    /// From what was read.
    ///
    /// # Errors
    /// [`TlsError`] for a name no certificate can have, and for certificates and keys that cannot be used.
    pub fn new(tls: &UpstreamTls) -> Result<Self, TlsError> {
        // With an empty name Pingora verifies nothing at all.
        if ServerName::try_from(tls.server_name.as_str()).is_err() {
            return Err(TlsError::Name(tls.server_name.clone()));
        }
        let roots = if tls.roots.is_empty() {
            None
        } else {
            material::roots(&tls.roots)?;
            Some(tls.roots.iter().map(|certificate| WrappedX509::new(certificate.clone(), parse_x509)).collect())
        };
        let own = tls.identity.as_ref().map(|(certificates, key)| {
            material::identity(certificates, key)?;
            Ok(Arc::new(CertKey::new(certificates.clone(), key.expose().to_vec())))
        });
        Ok(Self { server_name: tls.server_name.clone(), roots, own: own.transpose()? })
    }

    /// Makes `peer` one that is reached with TLS.
    pub fn apply_to(&self, peer: &mut HttpPeer) {
        peer.scheme = Scheme::HTTPS;
        peer.sni.clone_from(&self.server_name);
        peer.client_cert_key.clone_from(&self.own);
        peer.options.ca.clone_from(&self.roots);
        peer.options.verify_cert = true;
        peer.options.verify_hostname = true;
    }
}
