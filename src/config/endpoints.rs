//! `endpoints`.

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::problem::Position;
use super::section::Section;
use super::wire::EndpointsWire;
use crate::endpoints::Settings;
use crate::endpoints::address::{self, Address, MetadataPaths};

/// `endpoints`. Where no tokens are issued, nobody can log in, and there are no keys, no issuer and no users to tell of; foreign
/// tokens can still be revoked and introspected.
pub(super) fn endpoints(section: &Section<'_>, wire: EndpointsWire, issues: bool) -> Settings {
    let prefix =
        section.field("prefix").and_then(|field| prefix(&field)).unwrap_or_else(|| defaults::PREFIX.to_owned());
    let mut taken = Vec::new();
    let mut endpoint = |key, default| path(section, key, default, &prefix, &mut taken);
    let token = endpoint("token", defaults::TOKEN_PATH);
    let settings = Settings {
        refresh: endpoint("refresh", defaults::REFRESH_PATH),
        revoke: endpoint("revoke", defaults::REVOKE_PATH),
        introspect: endpoint("introspect", defaults::INTROSPECT_PATH),
        userinfo: endpoint("userinfo", defaults::USERINFO_PATH),
        jwks: endpoint("jwks", defaults::JWKS_PATH),
        token,
        token_aliases: aliases(section, &prefix, &mut taken),
        // Clients make these addresses themselves, of the issuer and the resource (RFC 8414 §3, RFC 9728 §3).
        metadata: path(section, "metadata", defaults::METADATA_PATH, "", &mut taken),
        resource_metadata: path(section, "resource_metadata", defaults::RESOURCE_METADATA_PATH, "", &mut taken),
        forms: wire.forms,
        implied_password_grant: wire.implied_password_grant,
        realm: wire.realm,
        failed_grant_is_401: wire.failed_grant_is_401,
    };
    if issues {
        settings
    } else {
        Settings {
            token: None,
            token_aliases: Vec::new(),
            refresh: None,
            userinfo: None,
            jwks: None,
            metadata: None,
            ..settings
        }
    }
}

/// The paths that no route can be for, since they are answered here.
pub(super) struct OwnPaths {
    /// Exactly these.
    pub(super) exact: Vec<String>,
    /// This one and all below it.
    pub(super) below: Option<String>,
}

impl OwnPaths {
    /// Those of `settings`: `issuer` is that of own tokens, `public_url` what clients call this server.
    pub(super) fn new(settings: &Settings, issuer: &str, public_url: Option<&str>) -> Self {
        let Settings { token, refresh, revoke, introspect, userinfo, jwks, metadata, resource_metadata, .. } = settings;
        let named = [token, refresh, revoke, introspect, userinfo, jwks].into_iter().flatten();
        let mut exact: Vec<_> = named.chain(&settings.token_aliases).cloned().collect();
        if let (Some(metadata), Some(issuer)) = (metadata, Address::parse(issuer)) {
            let public = public_url.and_then(Address::parse);
            let MetadataPaths { oauth, openid } = address::metadata(metadata, &issuer, public.as_ref());
            exact.push(oauth);
            exact.extend(openid);
        }
        Self { exact, below: resource_metadata.clone() }
    }
}

/// The path of one endpoint, with the prefix; `None` if it is switched off.
fn path(
    section: &Section<'_>,
    key: &'static str,
    default: &str,
    prefix: &str,
    taken: &mut Vec<(String, Position)>,
) -> Option<String> {
    let (path, at) = match section.field(key) {
        None => (default.to_owned(), section.at()),
        Some(field) if field.is_null() => return None,
        Some(field) => (plain_path(&field)?, field.at()),
    };
    Some(take(section, (key, at), format!("{prefix}{path}"), taken))
}

/// More paths of the token endpoint, as clients have them compiled in.
fn aliases(section: &Section<'_>, prefix: &str, taken: &mut Vec<(String, Position)>) -> Vec<String> {
    let items = section.field("token_aliases").and_then(|field| field.list()).unwrap_or_default();
    let alias = |item: Field<'_>| {
        let path = plain_path(&item)?;
        Some(take(section, ("token_aliases[]", item.at()), format!("{prefix}{path}"), taken))
    };
    items.into_iter().filter_map(alias).collect()
}

fn take(
    section: &Section<'_>,
    (key, at): (&str, Position),
    path: String,
    taken: &mut Vec<(String, Position)>,
) -> String {
    if let Some((_, first)) = taken.iter().find(|(known, _)| *known == path) {
        let message = format!("`endpoints.{key}` has the path of another endpoint, line {}", first.line);
        section.reader().problem(at, Code::Duplicate, &message, "give each its own path, or `null` to switch it off");
    }
    taken.push((path.clone(), at));
    path
}

fn prefix(field: &Field<'_>) -> Option<String> {
    if field.text()?.is_empty() { Some(String::new()) } else { plain_path(field) }
}

/// A path that has one spelling and one meaning: any other could be matched as one thing and read as another.
pub(super) fn plain_path(field: &Field<'_>) -> Option<String> {
    let text = field.text()?;
    let plain = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()+,=:@".contains(&byte))
    };
    match text.strip_prefix('/') {
        Some(rest) if text.len() <= PATH_LIMIT && rest.split('/').all(plain) => Some(text.into_owned()),
        _ => field.refuse(
            Code::BadPath,
            "is no plain absolute path",
            "write `/token`: no template, `%`, `;`, `//`, `..`, query or slash at the end",
        ),
    }
}

/// Bytes of an endpoint's path.
const PATH_LIMIT: usize = 256;
