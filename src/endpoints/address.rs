//! Addresses that clients make of a name by a rule, and the paths at which these reach doorward.

use url::Url;

/// A URL, cut where well-known addresses are cut (RFC 8615 §3): in front of its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    origin: String,
    /// Without a slash at the end; empty for the root.
    path: String,
}

impl Address {
    /// Reads the URL of an issuer or of this server; `None` if it is none for HTTP, or has a query or fragment (RFC 8414 §2,
    /// RFC 9728 §1.2). What comes out of it has neither quotes nor backslashes, so that it can stand in a challenge.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        let path = url.path().trim_end_matches('/').to_owned();
        plain.then(|| Self { origin: url.origin().ascii_serialization(), path })
    }

    /// The URL itself.
    #[must_use]
    pub fn url(&self) -> String {
        self.below("")
    }

    /// The URL of a path below it.
    #[must_use]
    pub fn below(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin, self.path)
    }

    /// The URL of a path of the host's.
    #[must_use]
    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Its path, without a slash at the end.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Where the metadata of an issuer is looked for: as RFC 8414 §3.1 says, and in the two forms that clients of OpenID Connect
/// know. `configured` is `endpoints.metadata`; `public` is what clients call this server.
#[must_use]
pub fn metadata(configured: &str, issuer: &Address, public: Option<&Address>) -> MetadataPaths {
    let path = issuer.path();
    let mut openid = vec![format!("{OPENID_CONFIGURATION}{path}"), format!("{path}{OPENID_CONFIGURATION}")];
    // A proxy in front that takes the path of `server.public_url` off takes it off here, too.
    let behind = public.filter(|public| public.origin == issuer.origin).and_then(|public| {
        let rest = path.strip_prefix(public.path())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{rest}{OPENID_CONFIGURATION}"))
    });
    openid.extend(behind);
    openid.sort_unstable();
    openid.dedup();
    MetadataPaths { oauth: format!("{configured}{path}"), openid }
}

/// Paths of an issuer's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataPaths {
    /// RFC 8414's.
    pub oauth: String,
    /// OpenID Connect Discovery's, each once.
    pub openid: Vec<String>,
}

const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";

#[cfg(test)]
mod tests {
    use super::*;

    const OAUTH: &str = "/.well-known/oauth-authorization-server";

    #[test]
    fn an_issuers_metadata_is_where_clients_look_for_it() {
        for (issuer, public, oauth, openid) in [
            ("https://h", "https://h", "", &["/.well-known/openid-configuration"][..]),
            ("https://h/", "https://h", "", &["/.well-known/openid-configuration"]),
            (
                "https://h/t1",
                "https://h",
                "/t1",
                &["/.well-known/openid-configuration/t1", "/t1/.well-known/openid-configuration"],
            ),
            (
                "https://h/a/b/",
                "https://h/a",
                "/a/b",
                &[
                    "/.well-known/openid-configuration/a/b",
                    "/a/b/.well-known/openid-configuration",
                    "/b/.well-known/openid-configuration",
                ],
            ),
            (
                "https://h/ab",
                "https://h/a",
                "/ab",
                &["/.well-known/openid-configuration/ab", "/ab/.well-known/openid-configuration"],
            ),
            (
                "https://h/a",
                "https://other/a",
                "/a",
                &["/.well-known/openid-configuration/a", "/a/.well-known/openid-configuration"],
            ),
        ] {
            let (issuer, public) = (Address::parse(issuer).unwrap(), Address::parse(public).unwrap());
            let paths = metadata(OAUTH, &issuer, Some(&public));
            assert_eq!(paths.oauth, format!("{OAUTH}{oauth}"), "{issuer:?}");
            assert_eq!(paths.openid, openid, "{issuer:?}");
        }
    }

    #[test]
    fn what_is_no_address_for_http_has_no_metadata() {
        for text in ["doorward", "urn:doorward", "https://h?a=b", "https://h/#a", "ftp://h", ""] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_has_one_spelling_and_nothing_that_ends_a_quoted_string() {
        for (text, url) in [
            ("https://H.Example:443/", "https://h.example"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://h/a\"b\\c", "https://h/a%22b/c"),
            ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ] {
            assert_eq!(Address::parse(text).map(|address| address.url()).as_deref(), Some(url), "{text}");
        }
    }
}
