//! `server.tls` and `upstream.tls`.

use rustls::pki_types::ServerName;

use super::certificates::{Identity, NAME_HELP, identity};
use super::code::Code;
use super::field::Field;
use super::section::Section;
use super::settings::Listen;
use crate::connection::TlsSettings;
use crate::connection::tls::{TlsError, check};
use crate::proxy::{UpstreamTls, UpstreamUrl, upstream_tls};

/// `server.tls`, for these listeners.
pub(super) fn server(field: &Field<'_>, listen: &[Listen]) -> Option<TlsSettings> {
    if !listen.iter().any(|listen| matches!(listen, Listen::Tcp(_))) {
        let what = "is given where `server.listen` has no TCP address";
        field.refuse::<()>(Code::Contradiction, what, "take it out: Unix sockets have no TLS");
    }
    let settings = field.section(|section| {
        let certificate = section.required("cert_file", "name the file of the certificate and of those that signed it");
        let key = section.required("key_file", "name the file of the certificate's private key");
        let client_ca = section.nullable("client_ca_file").map(|field| field.authorities());
        let (certificates, key) = identity(&certificate?, &key?)?;
        // Left out, nobody is asked for a certificate; one that cannot be read must not come to mean that.
        let client_ca = client_ca.unwrap_or_else(|| Some(Vec::new()))?;
        Some(TlsSettings { certificates, key, client_ca })
    })??;
    match check(&settings) {
        Ok(()) => Some(settings),
        Err(error) => field.refuse_tls(&error),
    }
}

/// `upstream.tls`, and what holds without it where the URL, which stands at `at`, asks for TLS.
pub(super) fn upstream(
    section: &Section<'_>,
    at: Option<&Field<'_>>,
    url: Option<&UpstreamUrl>,
    https: bool,
) -> Option<UpstreamTls> {
    let field = section.nullable("tls");
    if let (Some(field), Some(_), false) = (&field, url, https) {
        let help = "write `https://` in `upstream.url`, or take this out";
        field.refuse::<()>(Code::Contradiction, "is given where `upstream.url` is not `https`", help);
    }
    let host = match url {
        Some(UpstreamUrl::Http { host, .. }) if https => Some(host.as_str()),
        _ => None,
    };
    let before = section.reader().problem_count();
    let tls = match &field {
        Some(field) => field.section(|section| upstream_keys(section, host))?,
        None => UpstreamTls { server_name: host?.to_owned(), roots: Vec::new(), identity: None },
    };
    // A problem with what is written would only be told a second time.
    if host.is_some()
        && section.reader().problem_count() == before
        && let (Err(error), Some(at)) = (upstream_tls::check(&tls), at)
    {
        return match error {
            TlsError::Name(_) => {
                let help = "say in `upstream.tls.server_name` which name the certificate has";
                at.refuse(Code::BadUrl, "has a host that no certificate can be for", help)
            }
            error => at.refuse_tls(&error),
        };
    }
    Some(tls)
}

fn upstream_keys(section: &Section<'_>, host: Option<&str>) -> UpstreamTls {
    let roots = section.nullable("ca_file").and_then(|field| field.authorities()).unwrap_or_default();
    let name = section.nullable("server_name").and_then(|field| server_name(&field));
    let (certificate, key) = (section.nullable("cert_file"), section.nullable("key_file"));
    UpstreamTls {
        server_name: name.or_else(|| host.map(str::to_owned)).unwrap_or_default(),
        roots,
        identity: own_identity(section, certificate, key),
    }
}

fn own_identity(section: &Section<'_>, certificate: Option<Field<'_>>, key: Option<Field<'_>>) -> Option<Identity> {
    let missing = |what: &str| {
        let help = "a certificate and its private key belong together: give both or none";
        section.reader().problem(section.at(), Code::MissingKey, what, help);
        None
    };
    match (certificate, key) {
        (Some(certificate), Some(key)) => identity(&certificate, &key),
        (Some(_), None) => missing("`upstream.tls.key_file` is missing"),
        (None, Some(_)) => missing("`upstream.tls.cert_file` is missing"),
        (None, None) => None,
    }
}

fn server_name(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    if ServerName::try_from(text.as_ref()).is_ok() {
        return Some(text.into_owned());
    }
    field.refuse(Code::BadName, "is no name that a certificate can have", NAME_HELP)
}
