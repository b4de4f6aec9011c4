//! The parameters of a request: where they may stand, and each only once.

use super::content_type::BodyType;
use super::{Exchange, Forms, OAuthError, multipart, urlencoded};
use crate::base::json;

/// More parameters than this are refused.
pub const MAX_PARAMETERS: usize = 32;

/// Decoded parameters, each name once. An empty value counts as left out (RFC 6749 §3.1).
pub struct Parameters {
    pairs: Vec<(String, String)>,
    /// The one in the query that was taken, and counted as deprecated.
    pub from_query: bool,
}

/// Where an endpoint looks for parameters.
#[derive(Clone, Copy)]
pub struct Sources {
    /// Names the endpoint reads. In the query they are refused: queries are logged.
    pub reads: &'static [&'static str],
    /// The name that is taken from the query all the same, as the tutorials send it, where [`Forms`] has that.
    pub in_query: Option<&'static str>,
    /// Whether a JSON object will do, where [`Forms`] has that.
    pub json: bool,
}

impl Parameters {
    /// Reads the parameters of a request, in the `forms` that the configuration has.
    ///
    /// # Errors
    /// [`OAuthError::InvalidRequest`] for whatever two readers could read differently.
    pub async fn read(exchange: &Exchange<'_>, sources: Sources, forms: Forms) -> Result<Self, OAuthError> {
        let sources = Sources {
            in_query: sources.in_query.filter(|_| forms.query_tokens),
            json: sources.json && forms.json,
            ..sources
        };
        if exchange.authorizations.len() > 1 {
            return Err(OAuthError::InvalidRequest("More than one Authorization header"));
        }
        let mut pairs = body(exchange, sources.json, forms.multipart).await?;
        let taken = query(exchange, sources)?;
        let from_query = !taken.is_empty();
        pairs.extend(taken);
        if pairs.len() > MAX_PARAMETERS {
            return Err(OAuthError::InvalidRequest("Too many parameters"));
        }
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        // The one that may be (RFC 8707 §2).
        names.retain(|name| *name != RESOURCE);
        if names.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return Err(OAuthError::InvalidRequest("A parameter is repeated"));
        }
        Ok(Self { pairs, from_query })
    }

    /// The value of a parameter; `None` if it is left out or empty.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let pair = self.pairs.iter().find(|(own, _)| own == name);
        pair.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The resources that a token is asked for (RFC 8707 §2).
    pub fn resources(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(|(name, _)| name == RESOURCE).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there and not be longer than `limit` bytes.
    ///
    /// # Errors
    /// [`OAuthError::InvalidRequest`] with the text given.
    pub fn required(&self, name: &str, limit: usize, missing: &'static str) -> Result<&str, OAuthError> {
        let value = self.value(name).ok_or(OAuthError::InvalidRequest(missing))?;
        if value.len() > limit { Err(OAuthError::InvalidRequest("A parameter is too long")) } else { Ok(value) }
    }
}

const RESOURCE: &str = "resource";

async fn body(exchange: &Exchange<'_>, json: bool, multipart: bool) -> Result<Vec<(String, String)>, OAuthError> {
    let encoded = |value: &&[u8]| !value.eq_ignore_ascii_case(b"identity");
    if exchange.content_encodings.iter().any(encoded) {
        return Err(OAuthError::InvalidRequest("Content-Encoding is not supported"));
    }
    let value = match exchange.content_types.as_slice() {
        [] if exchange.body.is_empty() => return Ok(Vec::new()),
        [value] => value,
        [] => return Err(OAuthError::InvalidRequest("Content-Type is missing")),
        _ => return Err(OAuthError::InvalidRequest("More than one Content-Type header")),
    };
    match BodyType::read(value) {
        _ if exchange.body.is_empty() => Ok(Vec::new()),
        Some(BodyType::Urlencoded) => urlencoded::pairs(&exchange.body).map_err(|_| UNREADABLE),
        Some(BodyType::Multipart(boundary)) if multipart => multipart::pairs(&exchange.body, &boundary).await,
        Some(BodyType::Json) if json => json_pairs(&exchange.body),
        None if is_form(value) => {
            Err(OAuthError::InvalidRequest("Content-Type has another charset than UTF-8, or no boundary"))
        }
        _ if json => Err(OAuthError::InvalidRequest("Content-Type must be a form or application/json")),
        _ => Err(OAuthError::InvalidRequest("Content-Type must be application/x-www-form-urlencoded")),
    }
}

/// Whether it is a form whose parameters cannot be read.
fn is_form(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    ["application/x-www-form-urlencoded", "multipart/form-data"]
        .iter()
        .any(|form| media_type.eq_ignore_ascii_case(form.as_bytes()))
}

/// Values must be strings: a number or an array where a token belongs is somebody probing.
fn json_pairs(body: &[u8]) -> Result<Vec<(String, String)>, OAuthError> {
    let members = json::object(body).map_err(|_| OAuthError::InvalidRequest("The body is not a JSON object"))?;
    let pair = |(name, value): (String, serde_json::Value)| match value {
        serde_json::Value::String(text) if !urlencoded::has_controls(&name, &text) => Ok((name, text)),
        _ => Err(OAuthError::InvalidRequest("Every member of the JSON object must be a string")),
    };
    members.into_iter().map(pair).collect()
}

fn query(exchange: &Exchange<'_>, sources: Sources) -> Result<Vec<(String, String)>, OAuthError> {
    let Some(query) = exchange.query else { return Ok(Vec::new()) };
    let pairs = urlencoded::pairs(query).map_err(|_| OAuthError::InvalidRequest("The query cannot be read"))?;
    let mut taken = Vec::new();
    for (name, value) in pairs {
        if sources.in_query == Some(name.as_str()) {
            taken.push((name, value));
        } else if sources.reads.contains(&name.as_str()) {
            return Err(OAuthError::InvalidRequest("Credentials and parameters belong in the body, not in the query"));
        }
    }
    Ok(taken)
}

const UNREADABLE: OAuthError = OAuthError::InvalidRequest("The form cannot be read");

impl Drop for Parameters {
    fn drop(&mut self) {
        for (_, value) in &mut self.pairs {
            zeroize::Zeroize::zeroize(value);
        }
    }
}
