//! What the upstream learns of who asks, and what it must not learn from the client.
//!
//! # Values
//! A header has one form for each claim, and from it the claim can be read again. Values are percent-encoded rather than
//! refused or cut: a subject may be any text, and half a name can be somebody else's.
//!
//! - Text stands as it is; numbers and booleans as JSON writes them; objects are JSON without blanks between.
//! - The items of a list, each written so, are joined by `,` (by a blank in `X-Doorward-Scopes`). Lists and objects within a
//!   list are JSON. Nulls in a list are left out, and so are empty texts where a blank joins: no scope is empty.
//! - Then, in UTF-8, bytes outside 0x20–0x7E, `%`, blanks at either end and, in the items of a list, what joins them, are
//!   `%XX` with upper-case digits.
//!
//! To read one: split a list at what joins it, then percent-decode each part; an object is JSON after that.

mod encode;
mod names;
mod protected;
mod sent;
#[cfg(test)]
mod tests;

use http::HeaderName;
use serde_json::{Map, Value};

pub use names::Purpose;
use protected::Protected;
pub use protected::fold;

use crate::tokens::ClaimPath;

/// Which headers of the client are taken out, and which are put in; made once for a configuration.
#[derive(Clone, Debug)]
pub struct HeaderPlan {
    headers: Vec<Header>,
    protected: Protected,
    /// In lower case.
    kept: Vec<Box<str>>,
    budget: usize,
}

/// What a plan is made from.
#[derive(Clone, Debug)]
pub struct HeaderSettings<'a> {
    /// Headers and the claims they show; the claim `*` = all of them, as base64url of their JSON.
    pub identity: Vec<(&'a str, &'a str)>,
    /// Protected headers that a trusted proxy may send.
    pub keep: &'a [String],
    /// For names and values of the identity headers of one request together, in bytes.
    pub budget: usize,
}

#[derive(Clone, Debug)]
struct Header {
    name: &'static str,
    claim: ClaimPath,
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
    /// A header that is to be kept, and that only doorward writes.
    #[error("`{0}` is written by doorward, so it cannot be kept")]
    Kept(String),
}

/// The identity headers together are longer than their budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the token says of its subject does not fit into the headers for it")]
pub struct TooLarge;

impl HeaderPlan {
    /// Checks the names.
    ///
    /// # Errors
    /// [`InvalidHeader`] for the first name that cannot be sent, or is another one's in other letters.
    pub fn new(settings: &HeaderSettings<'_>) -> Result<Self, InvalidHeader> {
        let mut plan =
            Self { headers: Vec::new(), protected: Protected::default(), kept: Vec::new(), budget: settings.budget };
        let mut folded: Vec<String> = Vec::new();
        for (name, claim) in &settings.identity {
            let (header_name, plain) = checked(name)?;
            if folded.contains(&plain) {
                return Err(InvalidHeader::Twice((*name).to_owned()));
            }
            let separator = if plain == SCOPES { ' ' } else { ',' };
            plan.headers.push(Header {
                name: sent::name(header_name.as_str()),
                claim: ClaimPath::new(*claim),
                separator,
            });
            folded.push(plain);
        }
        for name in settings.keep {
            let (header_name, plain) = checked(name)?;
            if folded.contains(&plain) || Purpose::of(&plain).is_some_and(Purpose::is_ours) {
                return Err(InvalidHeader::Kept(name.clone()));
            }
            plan.kept.push(header_name.as_str().into());
        }
        plan.protected.add(folded);
        Ok(plan)
    }

    /// Whether a header of the client must not reach the upstream: one of ours in any spelling, one by which others say who asks, or
    /// one by which an upstream takes another path or method than was decided about. `X-Request-Id` and what belongs to `traceparent`
    /// are stripped in other spellings than this.
    ///
    /// Names are compared with every character but letters and digits as `-` (WSGI makes `_` of it, others take `.`), without those
    /// at either end, and without a leading `HTTP_` (CGI). Costs no allocation.
    #[must_use]
    pub fn strips(&self, name: &str) -> bool {
        self.protected.has(name)
    }

    /// Whether a header that is stripped is let through if a trusted proxy sends it: in the spelling of the configuration alone, in
    /// letters of any case. If it comes twice, one of them is not the proxy's: then neither must be let through.
    #[must_use]
    pub fn keeps(&self, name: &str) -> bool {
        self.kept.iter().any(|kept| kept.eq_ignore_ascii_case(name))
    }

    /// The headers for these claims, each once; [`Claims::all`](crate::tokens::Claims) are what is meant: by their names here, with
    /// the scopes that were granted. A claim that is missing, null or an empty list makes none.
    ///
    /// A claim is looked up by its whole name first, then as a path (`realm_access.roles`). How values are written is told at
    /// the top of this module.
    ///
    /// # Errors
    /// [`TooLarge`] if all names and values together are over the budget; nothing is cut.
    pub fn values(&self, claims: &Map<String, Value>) -> Result<Vec<(&'static str, String)>, TooLarge> {
        let mut values = Vec::with_capacity(self.headers.len());
        let mut left = self.budget;
        for header in &self.headers {
            let value = if header.claim.as_str() == "*" {
                Some(encode::all(claims))
            } else {
                header.claim.find(claims).and_then(|value| encode::value(value, header.separator))
            };
            if let Some(value) = value {
                left = left.checked_sub(header.name.len() + value.len()).ok_or(TooLarge)?;
                values.push((header.name, value));
            }
        }
        Ok(values)
    }
}

/// A name as it is sent, and folded.
fn checked(name: &str) -> Result<(HeaderName, String), InvalidHeader> {
    let invalid = || InvalidHeader::Name(name.to_owned());
    let header_name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
    if name.len() > protected::NAME_LIMIT {
        return Err(InvalidHeader::Long);
    }
    let plain = fold(name);
    if plain.is_empty() { Err(invalid()) } else { Ok((header_name, plain)) }
}

/// Scopes have no blanks (RFC 6749 §3.3), and upstreams read them as they read the claim: words between blanks.
const SCOPES: &str = "x-doorward-scopes";
