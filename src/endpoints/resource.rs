//! `GET /.well-known/oauth-protected-resource` (RFC 9728): who gives tokens for this API.

use serde_json::{Map, Value, json};

use super::address::Address;
use super::document::Document;
use super::publication::{Publication, Resource, listed};

/// The metadata of one resource.
pub(super) fn document(publication: &Publication<'_>, public: &Address, resource: &Resource) -> Document {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    // What the address was made of: anything else is refused (RFC 9728 §3.3).
    set("resource", public.below(&resource.path).into());
    let issuers = issuers(publication);
    // Arrays of nothing are left out (§3.2).
    if !issuers.is_empty() {
        set("authorization_servers", issuers.into());
    }
    if !resource.scopes.is_empty() {
        set("scopes_supported", listed(&resource.scopes));
    }
    set("bearer_methods_supported", json!(["header"]));
    Document::new("application/json", members)
}

/// Others before doorward: MCP clients ask the first one alone, and for an authorization endpoint, which doorward has not.
fn issuers(publication: &Publication<'_>) -> Vec<String> {
    let own = publication.issuer.filter(|issuer| Address::parse(issuer).is_some());
    publication.trusted.iter().copied().chain(own).map(str::to_owned).collect()
}
