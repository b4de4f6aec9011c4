//! `tokens`, less its keys: those are in `keys`.

use std::time::Duration;

use url::Url;

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::keys;
use super::problem::Position;
use super::profile::Rules;
use super::reader::Reader;
use super::section::Section;
use super::settings::{Listen, Server};
use crate::grants::{ScopeClaim, Settings};
use crate::keys::{KeyKind, SigningKey};
use crate::tokens::TokenType;
use crate::tokens::issue::RESERVED;
use crate::tokens::verify::{LONGEST_OWN_LIFE, MAX_LEEWAY};

/// What `tokens` says.
pub(super) struct Tokens {
    pub(super) grants: Settings,
    pub(super) keys: Vec<SigningKey>,
    /// Whether it names keys; none of them may be usable.
    pub(super) keys_named: bool,
    /// Where the audience stands, or would.
    audience_at: Position,
    /// Whether the issuer was made from the listener's address.
    pub(super) issuer_from_listen: bool,
}

impl Tokens {
    /// Where tokens are issued, a profile may want them meant for somebody.
    pub(super) fn ask_for_audience(&self, reader: &Reader<'_>, rules: &Rules) {
        if rules.audience_required && self.grants.audience.is_empty() {
            let what =
                "`tokens.audience` is missing or empty: with `profile: strict` every token is meant for somebody";
            let help = "name this API, as `audience: [https://api.example.com]`; an application that checks tokens itself must be told it";
            reader.problem(self.audience_at, Code::NoOwnAudience, what, help);
        }
    }
}

/// `cascade` is what `revocation` says.
pub(super) fn tokens(section: &Section<'_>, server: &Server, (cascade, rules): (bool, &Rules)) -> Tokens {
    let issuer = section.nullable("issuer").and_then(|field| issuer(&field)).or_else(|| server.public_url.clone());
    let scope_claims = [("scope", ScopeClaim::Scope), ("scopes", ScopeClaim::Scopes)];
    let types = [("JWT", "JWT"), ("at+jwt", "at+jwt")];
    let typ = section.nullable("typ").and_then(|field| field.word(&types)).unwrap_or(rules.typ);
    let audience = section.field("audience");
    let audience_at = audience.as_ref().map_or(section.at(), Field::at);
    let audience = audience.and_then(|field| field.names_once()).unwrap_or_default();
    let keys = section.field("keys").map(|field| (keys::keys(&field), field.at()));
    if let Some((keys, at)) = &keys
        && audience.is_empty()
    {
        warn_of_shared_secret(section.reader(), keys, *at);
    }
    let life = |key, default| section.duration(key, default, SHORTEST_LIFE..=LONGEST_LIFE);
    Tokens {
        issuer_from_listen: issuer.is_none(),
        grants: Settings {
            issuer: issuer.unwrap_or_else(|| address_of(server)),
            audience,
            typ: typ.to_owned(),
            token_types: token_types(typ, rules),
            scope_claim: section.word("scope_claim", ScopeClaim::Scope, &scope_claims),
            default_scopes: section.nullable("default_scopes").and_then(|field| field.scopes()),
            access_ttl: section.duration("access_ttl", defaults::ACCESS_TTL, SHORTEST_LIFE..=LONGEST_OWN_LIFE),
            refresh_ttl: life("refresh_ttl", defaults::REFRESH_TTL),
            refresh_idle: life("refresh_idle", defaults::REFRESH_IDLE),
            refresh_grace: section.duration("refresh_grace", rules.refresh_grace, Duration::ZERO..=LONGEST_GRACE),
            leeway: section.duration("leeway", defaults::LEEWAY, Duration::ZERO..=MAX_LEEWAY),
            claims: match section.field("claims") {
                Some(field) => claims(&field),
                None => defaults::CLAIMS.map(str::to_owned).into(),
            },
            cascade,
            // They follow from the public URL, which may be known at the start alone.
            resources: Vec::new(),
        },
        keys_named: keys.is_some(),
        keys: keys.map(|(keys, _)| keys).unwrap_or_default(),
        audience_at,
    }
}

/// What is issued passes; what was issued before, too, where a profile says so.
fn token_types(typ: &str, rules: &Rules) -> Vec<TokenType> {
    if rules.every_own_type {
        return TokenType::ALL.into();
    }
    TokenType::ALL.into_iter().filter(|kind| *kind == TokenType::AccessToken || kind.name() == typ).collect()
}

/// Nothing but the issuer says then which service a token is for, and who copies a key copies that with it.
fn warn_of_shared_secret(reader: &Reader<'_>, keys: &[SigningKey], at: Position) {
    if keys.iter().any(|key| key.algorithm().kind() == KeyKind::Secret) {
        let what = "a secret signs, and there is no `tokens.audience`: services that share secret and issuer take each other's tokens";
        let help = "give each service a secret of its own, or another `tokens.issuer`, or an audience that its application is told of";
        reader.warning(at, Code::SharedSecret, what, help);
    }
}

/// What clients most likely call us when nobody said it.
fn address_of(server: &Server) -> String {
    let tcp = server.listen.iter().find_map(|listen| match listen {
        Listen::Tcp(address) => Some(address),
        Listen::Unix(_) => None,
    });
    let scheme = if server.tls.is_some() { "https" } else { "http" };
    tcp.map_or_else(|| "http://localhost".to_owned(), |address| format!("{scheme}://{address}"))
}

/// A `StringOrURI` (RFC 7519 §2): what has a `:` must be a URI.
fn issuer(field: &Field<'_>) -> Option<String> {
    let name = field.name()?;
    let usable = !name.contains(char::is_whitespace) && (!name.contains(':') || Url::parse(&name).is_ok());
    if usable {
        Some(name)
    } else {
        field.refuse(Code::BadUrl, "is no issuer", "write a URL, as `https://api.example.com`, or a plain word")
    }
}

fn claims(field: &Field<'_>) -> Vec<String> {
    let names = field.names_once().unwrap_or_default();
    if names.iter().any(|name| is_reserved(name)) {
        let help = "take them out: access tokens have them anyway, or must not have them";
        field.refuse::<()>(Code::ReservedName, "names claims that doorward sets itself", help);
    }
    names
}

/// Whether a claim is doorward's own: a user's attribute of this name would say who the token is for, or for how long.
pub(super) fn is_reserved(claim: &str) -> bool {
    RESERVED.contains(&claim)
}

/// A NumericDate as we write it has whole seconds.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// Ten years. Marks and families live as long, so there has to be an end.
const LONGEST_LIFE: Duration = Duration::from_hours(3650 * 24);

/// A stolen refresh token can be repeated this long without being noticed as reuse.
const LONGEST_GRACE: Duration = Duration::from_mins(1);
