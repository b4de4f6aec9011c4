//! The metadata of an issuer: where it is, and what of it counts.

use serde_json::Value;
use url::Url;

use super::KeySource;
use super::address::may_be_fetched;
use super::fetch::{Document, FetchError};
use crate::base::json;

/// Where the metadata may be, in the order of asking: as OpenID Connect Discovery §4.1 has it, and as RFC 8414 §3.1 does, for
/// issuers that know only OAuth. `None` for a name that is no address of a document (a query, a fragment).
pub(super) fn addresses(issuer: &str) -> Option<[Url; 2]> {
    let base = Url::parse(issuer).ok().filter(|url| url.query().is_none() && url.fragment().is_none())?;
    let path = base.path().strip_suffix('/').unwrap_or(base.path());
    let at = |path: String| {
        let mut url = base.clone();
        url.set_path(&path);
        url
    };
    Some([at(format!("{path}{OPENID}")), at(format!("{OAUTH}{path}"))])
}

/// Where the keys are, from the metadata in `text`. Nothing else in it counts: what may be verified with the keys is the
/// configuration's to say, whatever algorithms are listed here.
///
/// # Errors
/// [`FetchError`]: malformed, of another issuer, or it leads where nobody may be sent.
pub(super) fn jwks_uri(text: &[u8], source: &KeySource) -> Result<Url, FetchError> {
    let malformed = FetchError::Malformed(Document::Metadata);
    let metadata = json::object(text).map_err(|_| malformed.clone())?;
    // Byte for byte: who could serve another issuer's metadata here could have its tokens believed, and the reverse.
    match metadata.get("issuer") {
        Some(Value::String(issuer)) if *issuer == source.issuer => {}
        Some(Value::String(_)) => return Err(FetchError::WrongIssuer),
        _ => return Err(malformed),
    }
    let Some(Value::String(address)) = metadata.get("jwks_uri") else { return Err(malformed) };
    let url = Url::parse(address).map_err(|_| malformed)?;
    // What was learnt over TLS is not continued without; on this machine neither, or an issuer could have its services asked.
    let as_safe = url.scheme() == "https" || source.issuer.starts_with("http:");
    let may = as_safe && may_be_fetched(&url, source.allow_http);
    if may { Ok(url) } else { Err(FetchError::Forbidden(Document::Keys)) }
}

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

#[cfg(test)]
mod tests {
    use super::super::tests::source;
    use super::*;

    #[test]
    fn metadata_is_where_the_specifications_say() {
        for (issuer, openid, oauth) in [
            ("https://a.example", OPENID, OAUTH),
            ("https://a.example/", OPENID, OAUTH),
            (
                "https://a.example/tenant",
                "/tenant/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/tenant",
            ),
            (
                "https://a.example/realms/x/",
                "/realms/x/.well-known/openid-configuration",
                "/.well-known/oauth-authorization-server/realms/x",
            ),
        ] {
            let [first, second] = addresses(issuer).unwrap();
            assert_eq!((first.path(), second.path()), (openid, oauth), "{issuer}");
        }
        for issuer in ["https://a.example/?x", "https://a.example/#x", "a.example", ""] {
            assert_eq!(addresses(issuer), None, "{issuer}");
        }
    }

    #[test]
    fn metadata_counts_only_if_it_is_this_issuers() {
        let issuer = "https://a.example/";
        let forbidden = || Err(FetchError::Forbidden(Document::Keys));
        let malformed = || Err(FetchError::Malformed(Document::Metadata));
        let keys = "https://keys.example/set";
        for (text, expected) in [
            (r#"{"issuer":"https://a.example/","jwks_uri":"https://keys.example/set"}"#, Ok(keys)),
            (
                r#"{"issuer":"https://a.example/","jwks_uri":"https://keys.example/set","id_token_signing_alg_values_supported":["none","HS256"]}"#,
                Ok(keys),
            ),
            (r#"{"issuer":"https://a.example","jwks_uri":"https://keys.example/set"}"#, Err(FetchError::WrongIssuer)),
            (r#"{"issuer":"https://A.example/","jwks_uri":"https://keys.example/set"}"#, Err(FetchError::WrongIssuer)),
            (r#"{"issuer":"https://b.example/","jwks_uri":"https://keys.example/set"}"#, Err(FetchError::WrongIssuer)),
            (r#"{"issuer":["https://a.example/"],"jwks_uri":"https://keys.example/set"}"#, malformed()),
            (r#"{"jwks_uri":"https://keys.example/set"}"#, malformed()),
            (r#"{"issuer":"https://a.example/"}"#, malformed()),
            (r#"{"issuer":"https://a.example/","jwks_uri":7}"#, malformed()),
            (r#"{"issuer":"https://a.example/","jwks_uri":"../set"}"#, malformed()),
            (
                r#"{"issuer":"https://b.example/","issuer":"https://a.example/","jwks_uri":"https://keys.example/set"}"#,
                malformed(),
            ),
            (r#"{"issuer":"https://a.example/","jwks_uri":"http://keys.example/set"}"#, forbidden()),
            (r#"{"issuer":"https://a.example/","jwks_uri":"file:///etc/passwd"}"#, forbidden()),
            (r#"{"issuer":"https://a.example/","jwks_uri":"https://user:secret@keys.example/"}"#, forbidden()),
            ("<html>", malformed()),
            ("", malformed()),
        ] {
            let found = jwks_uri(text.as_bytes(), &source(issuer));
            assert_eq!(found.as_ref().map(Url::as_str).map_err(Clone::clone), expected, "{text}");
        }
    }

    #[test]
    fn what_began_with_tls_does_not_go_on_without() {
        for (issuer, keys, allow_http, good) in [
            ("https://a.example/", "http://keys.example/set", true, false),
            ("http://a.example/", "http://keys.example/set", true, true),
            ("https://a.example/", "http://127.0.0.1:9090/", false, false),
            ("https://a.example/", "http://localhost:9090/", true, false),
            ("https://localhost/", "http://localhost/", false, false),
            ("http://localhost/", "http://localhost:1/", false, true),
        ] {
            let source = KeySource { allow_http, ..source(issuer) };
            let text = format!(r#"{{"issuer":"{issuer}","jwks_uri":"{keys}"}}"#);
            assert_eq!(jwks_uri(text.as_bytes(), &source).is_ok(), good, "{issuer} {keys}");
        }
    }
}
