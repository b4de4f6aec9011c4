//! Documents that anybody may read, made once for a configuration.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use serde_json::{Map, Value};

use super::{Exchange, Reply};
use crate::base::base64url;

/// The methods of a document, as `Allow` lists them.
pub const METHODS: &str = "GET, HEAD";

/// A JSON document, its bytes and the name of just these bytes.
#[derive(Clone, Debug)]
pub struct Document {
    content_type: &'static str,
    body: Bytes,
    etag: String,
}

impl Document {
    /// A document of these members.
    #[must_use]
    pub fn new(content_type: &'static str, members: Map<String, Value>) -> Self {
        let body = Value::Object(members).to_string();
        // Of the bytes alone: replicas of one configuration give the same, and a restart voids no cache.
        let etag = format!("\"{}\"", base64url::encode(digest(&SHA256, body.as_bytes())));
        Self { content_type, body: body.into(), etag }
    }

    /// The answer to `GET` or `HEAD`; 304 without a body for who has these bytes already (RFC 9110 §13.1.2).
    #[must_use]
    pub fn answer(&self, exchange: &Exchange<'_>) -> Reply {
        let reply = if is_known(&exchange.if_none_match, &self.etag) {
            Reply { status: 304, headers: Vec::new(), body: Bytes::new(), reason: None }
        } else {
            Reply { status: 200, headers: Vec::new(), body: self.body.clone(), reason: None }
                .with_header("Content-Type", self.content_type)
                .with_header("X-Content-Type-Options", "nosniff")
        };
        reply
            .with_header("Cache-Control", CACHE_CONTROL)
            .with_header("ETag", self.etag.as_str())
            .with_header("Access-Control-Allow-Origin", "*")
    }
}

/// Whether one of the fields names this tag. Compared weakly, as caches in between may have made a weak one of it.
fn is_known(fields: &[&[u8]], etag: &str) -> bool {
    let is_it = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes();
    match fields {
        [b"*"] => true,
        // No tag of ours has a comma in it.
        fields => fields.iter().any(|field| field.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).any(is_it)),
    }
}

/// For how long an answer may be used unasked. Rotating keys waits for as long before the new one signs.
const CACHE_CONTROL: &str = "public, max-age=300";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_any_list_and_never_in_part() {
        for (fields, known) in [
            (&[][..], false),
            (&[b"\"a\"".as_slice()], true),
            (&[b"W/\"a\""], true),
            (&[b"\"b\", \"a\""], true),
            (&[b"\"b\",W/\"a\" ,\"c\""], true),
            (&[b"\"b\"", b"\"a\""], true),
            (&[b"*"], true),
            (&[b"*", b"\"b\""], false),
            (&[b""], false),
            (&[b"a"], false),
            (&[b"\"A\""], false),
            (&[b"\"a"], false),
            (&[b"\"aa\""], false),
            (&[b"w/\"a\""], false),
            (&[b"W/W/\"a\""], false),
        ] {
            assert_eq!(is_known(fields, "\"a\""), known, "{fields:?}");
        }
    }

    #[test]
    fn the_same_members_have_the_same_tag_and_others_another() {
        let document =
            |value: &str| Document::new("application/json", [("a".to_owned(), value.into())].into_iter().collect());
        assert_eq!(document("b").etag, document("b").etag);
        assert_ne!(document("b").etag, document("c").etag);
    }
}
