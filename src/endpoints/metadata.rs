//! `GET /.well-known/oauth-authorization-server` (RFC 8414), and the name OpenID Connect Discovery has for it.
//!
//! Only what is served is listed: a client believes it and does not try anything else.

use serde_json::{Map, Value, json};

use super::address::{self, Address};
use super::document::Document;
use super::publication::{Publication, listed};
use super::{Endpoint, Settings};
use crate::grants::{Clients, GrantKind};

/// The metadata at all its paths; none where no tokens are issued, or in the name of what is no URL.
pub(super) fn documents(
    settings: &Settings,
    publication: &Publication<'_>,
    public: &Address,
) -> Vec<(String, Endpoint, Document)> {
    let (Some(configured), Some(issuer)) = (&settings.metadata, publication.issuer) else { return Vec::new() };
    let Some(address) = Address::parse(issuer) else { return Vec::new() };
    let members = members(settings, publication, public, issuer);
    let document = |members| Document::new("application/json", members);
    let oauth = document(members.clone());
    // What OpenID Connect Discovery §3 asks for in addition, and clients check before they look at anything else.
    let mut members = members;
    members.insert("subject_types_supported".to_owned(), json!(["public"]));
    members.insert("id_token_signing_alg_values_supported".to_owned(), json!(["RS256"]));
    let openid = document(members);
    let paths = address::metadata(configured, &address, Some(public));
    let openid = paths.openid.into_iter().map(|path| (path, Endpoint::Metadata, openid.clone()));
    std::iter::once((paths.oauth, Endpoint::Metadata, oauth)).chain(openid).collect()
}

fn members(settings: &Settings, publication: &Publication<'_>, public: &Address, issuer: &str) -> Map<String, Value> {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("issuer", issuer.into());
    if let Some(path) = &settings.token {
        set("token_endpoint", public.below(path).into());
        set("token_endpoint_auth_methods_supported", client_authentication(publication.clients));
        set("grant_types_supported", grant_types(publication.clients));
    }
    if let Some(path) = &settings.revoke {
        set("revocation_endpoint", public.below(path).into());
        set("revocation_endpoint_auth_methods_supported", client_authentication(publication.clients));
    }
    if let Some(path) = &settings.introspect {
        set("introspection_endpoint", public.below(path).into());
        set("introspection_endpoint_auth_methods_supported", introspection_authentication(publication.clients));
    }
    if let Some(path) = &settings.userinfo {
        set("userinfo_endpoint", public.below(path).into());
    }
    if let Some(path) = settings.jwks.as_ref().filter(|_| !publication.keys.is_empty()) {
        set("jwks_uri", public.below(path).into());
    }
    // Arrays of nothing are left out (RFC 8414 §3.2), but for this one: §2 requires it.
    set("response_types_supported", json!([]));
    if !publication.scopes.is_empty() {
        set("scopes_supported", listed(publication.scopes));
    }
    if settings.resource_metadata.is_some() {
        let resources = publication.resources.iter().map(|resource| public.below(&resource.path));
        set("protected_resources", resources.collect());
    }
    members
}

fn grant_types(clients: &Clients) -> Value {
    GrantKind::ALL.into_iter().filter(|kind| clients.offer(*kind)).map(GrantKind::as_str).collect()
}

/// A secret, or a token that may (RFC 8414 §2 lists the types of tokens here, too); never nothing.
fn introspection_authentication(clients: &Clients) -> Value {
    let secret = ["client_secret_basic", "client_secret_post"].into_iter().filter(|_| clients.have_secrets());
    secret.chain(["Bearer"]).collect()
}

/// While no client is registered, its credentials are not looked at, wherever they stand.
fn client_authentication(clients: &Clients) -> Value {
    let with_secret = clients.is_open() || clients.have_secrets();
    let methods =
        [("client_secret_basic", with_secret), ("client_secret_post", with_secret), ("none", clients.have_public())];
    methods.into_iter().filter_map(|(method, is_taken)| is_taken.then_some(method)).collect()
}
