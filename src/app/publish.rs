//! What of the settings is published.

use crate::config::Settings;
use crate::endpoints::{Documents, Publication, Resource};
use crate::grants::Clients;
use crate::keys::{KeyRing, VerifyingKey};
use crate::policy::Table;

/// The identifiers of the protected resources here: the whole, and its parts with a document of their own.
pub(super) fn resources(settings: &Settings, public_url: &str) -> Vec<String> {
    let whole = public_url.trim_end_matches('/');
    let parts = settings.policy.resources.iter().map(|path| format!("{whole}{path}"));
    std::iter::once(whole.to_owned()).chain(parts).collect()
}

/// The documents of these settings: `public_url` is what clients call this server, `own` the issuer and the keys of own tokens,
/// `clients` who may ask for them.
pub(super) fn documents(
    settings: &Settings,
    public_url: &str,
    (own, clients): (Option<(&str, &KeyRing)>, &Clients),
    table: &Table,
) -> Documents {
    let keys = own.map(|(_, ring)| ring.verifying().filter_map(VerifyingKey::jwk).collect::<Vec<_>>());
    let defaults = settings.grants.default_scopes.iter().flatten().cloned();
    let scopes = table.scopes("").iter().cloned().chain(defaults).collect();
    let resource = |path: &str| Resource { path: path.to_owned(), scopes: table.scopes(path) };
    let parts = settings.policy.resources.iter().map(|path| resource(path));
    let resources: Vec<_> = std::iter::once(resource("")).chain(parts).collect();
    let trusted: Vec<_> = settings.trusted.iter().map(|trusted| trusted.rules.issuer.as_str()).collect();
    let publication = Publication {
        public_url,
        issuer: own.map(|(issuer, _)| issuer),
        keys: &keys.unwrap_or_default(),
        scopes: &scopes,
        clients,
        trusted: &trusted,
        resources: &resources,
        ignore_case: settings.policy.ignore_case,
    };
    Documents::render(&settings.endpoints, &publication)
}
