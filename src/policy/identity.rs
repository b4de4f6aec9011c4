//! What the upstream learns of who asks, and what it must not learn from the client.
//!
//! Values are percent-encoded rather than refused or cut: a subject may be any text, and half a name can be somebody else's.

mod encode;
mod protected;
#[cfg(test)]
mod tests;

use http::HeaderName;
use serde_json::{Map, Value};

use protected::Protected;
pub use protected::fold;

/// Which headers of the client are taken out, and which are put in; made once for a configuration.
#[derive(Clone, Debug)]
pub struct HeaderPlan {
    headers: Vec<Header>,
    protected: Protected,
}

#[derive(Clone, Debug)]
struct Header {
    name: HeaderName,
    claim: Box<str>,
    separator: char,
}

/// The name cannot be that of an identity header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// Not a field name (RFC 9110 §5.1), or one without a letter or digit.
    #[error("`{0}` is no name of a header")]
    Name(String),
    /// More than 128 bytes.
    #[error("the name of a header has at most {} bytes", protected::NAME_LIMIT)]
    Long,
    /// Another header has this name, in a spelling that some upstreams do not tell from it.
    #[error("`{0}` is named twice")]
    Twice(String),
}

/// The headers together are longer than [`BUDGET`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the token says of its subject does not fit into {BUDGET} bytes of headers")]
pub struct TooLarge;

impl HeaderPlan {
    /// A plan for headers and the claims they show; the claim `*` = all of them, as base64url of their JSON.
    ///
    /// # Errors
    /// [`InvalidHeader`] for the first name that cannot be sent, or is another one's in other letters.
    pub fn new<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, InvalidHeader> {
        let mut plan = Self { headers: Vec::new(), protected: Protected::default() };
        let mut folded: Vec<String> = Vec::new();
        for (name, claim) in headers {
            let header_name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidHeader::Name(name.to_owned()))?;
            if name.len() > protected::NAME_LIMIT {
                return Err(InvalidHeader::Long);
            }
            let plain = fold(name);
            if plain.is_empty() {
                return Err(InvalidHeader::Name(name.to_owned()));
            }
            if folded.contains(&plain) {
                return Err(InvalidHeader::Twice(name.to_owned()));
            }
            let separator = if plain == SCOPES { ' ' } else { ',' };
            plan.headers.push(Header { name: header_name, claim: claim.into(), separator });
            folded.push(plain);
        }
        plan.protected.add(folded);
        Ok(plan)
    }

    /// Whether a header of the client must not reach the upstream: one of ours in any spelling, one by which others say who asks, or
    /// one by which an upstream takes another path or method than was decided about.
    ///
    /// Names are compared with every character but letters and digits as `-` (WSGI makes `_` of it, others take `.`), without those
    /// at either end, and without a leading `HTTP_` (CGI). Costs no allocation.
    #[must_use]
    pub fn strips(&self, name: &str) -> bool {
        self.protected.has(name)
    }

    /// The headers for these claims, each once. A claim that is missing, null or an empty list makes none.
    ///
    /// A claim is looked up by its whole name first, then as a path (`realm_access.roles`). Strings, numbers and booleans stand as
    /// they are; lists are joined by `,` (by a blank in `X-Doorward-Scopes`); objects are JSON. Bytes outside 0x20–0x7E, `%`,
    /// blanks at either end, and in lists the separator are percent-encoded, so that no claim ends its header or adds to a list.
    ///
    /// # Errors
    /// [`TooLarge`] if all names and values together are longer than [`BUDGET`]; nothing is cut.
    pub fn values(&self, claims: &Map<String, Value>) -> Result<Vec<(HeaderName, String)>, TooLarge> {
        let mut values = Vec::with_capacity(self.headers.len());
        let mut left = BUDGET;
        for header in &self.headers {
            let value = if &*header.claim == "*" {
                Some(encode::all(claims))
            } else {
                claim(claims, &header.claim).and_then(|value| encode::value(value, header.separator))
            };
            if let Some(value) = value {
                left = left.checked_sub(header.name.as_str().len() + value.len()).ok_or(TooLarge)?;
                values.push((header.name.clone(), value));
            }
        }
        Ok(values)
    }
}

/// The name itself wins: Auth0's claims are URLs, and have dots in them.
fn claim<'v>(claims: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    claims.get(name).or_else(|| {
        name.match_indices('.').find_map(|(at, _)| {
            let (outer, inner) = name.split_at_checked(at)?;
            claim(claims.get(outer)?.as_object()?, inner.strip_prefix('.')?)
        })
    })
}

/// Bytes of names and values together. Servers take 8 KiB to 64 KiB of headers in all, and the client's own come on top.
pub const BUDGET: usize = 8 * 1024;

/// Scopes have no blanks (RFC 6749 §3.3), and upstreams read them as they read the claim: words between blanks.
const SCOPES: &str = "x-doorward-scopes";
