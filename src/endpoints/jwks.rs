//! `GET /.well-known/jwks.json` (RFC 7517 §5).

use serde_json::{Map, Value};

use super::document::Document;

/// The set of these keys, the one that signs first. An empty one says that own tokens can be checked by nobody else.
pub(super) fn document(keys: &[Map<String, Value>]) -> Document {
    let keys = keys.iter().cloned().map(Value::Object).collect::<Vec<_>>();
    Document::new("application/jwk-set+json", [("keys".to_owned(), keys.into())].into_iter().collect())
}
