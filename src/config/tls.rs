//! `server.tls` and `upstream.tls`.

use rustls::pki_types::ServerName;

use super::code::Code;
use super::field::Field;
use super::section::Section;
use super::settings::Listen;
use crate::base::Secret;
use crate::connection::TlsSettings;
use crate::proxy::{UpstreamTls, UpstreamUrl};

/// `server.tls`, for these listeners.
pub(super) fn server(field: &Field<'_>, listen: &[Listen]) -> Option<TlsSettings> {
    if !listen.iter().any(|listen| matches!(listen, Listen::Tcp(_))) {
        let what = "is given where `server.listen` has no TCP address";
        field.refuse::<()>(Code::Contradiction, what, "take it out: Unix sockets have no TLS");
    }
    field.section(|section| {
        let certificate = section.required("cert_file", "name the file of the certificate and of those that signed it");
        let key = section.required("key_file", "name the file of the certificate's private key");
        let client_ca = section.nullable("client_ca_file");
        // All three, before one of them ends this.
        let client_ca = client_ca.map(|field| field.certificate_authorities());
        let (certificates, key) = pair(certificate, key)?;
        // Missing is nobody asked; unreadable must not become that.
        let client_ca = client_ca.unwrap_or_else(|| Some(Vec::new()))?;
        Some(TlsSettings { certificates, key, client_ca })
    })?
}

/// `upstream.tls`, and what holds without it where the URL asks for TLS.
pub(super) fn upstream(section: &Section<'_>, url: Option<&UpstreamUrl>, https: bool) -> Option<UpstreamTls> {
    let field = section.nullable("tls");
    if let (Some(field), Some(_), false) = (&field, url, https) {
        let help = "write `https://` in `upstream.url`, or take this out";
        field.refuse::<()>(Code::Contradiction, "is given where `upstream.url` is not `https`", help);
    }
    let host = match url {
        Some(UpstreamUrl::Http { host, .. }) if https => host.clone(),
        _ => String::new(),
    };
    match field {
        Some(field) => field.section(|section| upstream_keys(section, host)),
        None => https.then(|| UpstreamTls { server_name: host, roots: Vec::new(), identity: None }),
    }
}

fn upstream_keys(section: &Section<'_>, host: String) -> UpstreamTls {
    let roots = section.nullable("ca_file").and_then(|field| field.certificate_authorities()).unwrap_or_default();
    let server_name = section.nullable("server_name").and_then(|field| server_name(&field)).unwrap_or(host);
    let (certificate, key) = (section.nullable("cert_file"), section.nullable("key_file"));
    let missing = |what: &str| {
        let help = "a certificate and its private key belong together: give both or none";
        section.reader().problem(section.at(), Code::MissingKey, what, help);
    };
    match (&certificate, &key) {
        (Some(_), None) => missing("`upstream.tls.key_file` is missing"),
        (None, Some(_)) => missing("`upstream.tls.cert_file` is missing"),
        _ => {}
    }
    UpstreamTls { server_name, roots, identity: pair(certificate, key) }
}

fn pair(certificate: Option<Field<'_>>, key: Option<Field<'_>>) -> Option<(Vec<Vec<u8>>, Secret)> {
    let chain = certificate.map(|field| field.certificate_chain());
    let key = key?.key_of(chain.as_ref().and_then(Option::as_deref));
    Some((chain??, key?))
}

fn server_name(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    if is_server_name(&text) {
        return Some(text.into_owned());
    }
    let help = "write the host name or the address that the certificate is for, as `api.internal`";
    field.refuse(Code::BadName, "is no name that a certificate can have", help)
}

/// Whether a certificate can be for it. Never true for nothing: a client without a name would verify none.
pub(super) fn is_server_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}
