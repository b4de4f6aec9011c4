//! `trusted_issuers`.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use url::Url;

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::problem::Position;
use super::section::Section;
use super::settings::{Insecure, TrustedIssuer};
use crate::issuers::KeySource;
use crate::issuers::address::may_be_fetched;
use crate::keys::Algorithm;
use crate::tokens::rules::FIXED;
use crate::tokens::verify::{LONGEST_OWN_LIFE, MAX_LEEWAY};
use crate::tokens::{ClaimPath, IssuerRules, TokenType};

/// What an issuer is held against.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// `iss` of our own tokens; if there are none, where that is said.
    pub(super) own: Result<&'a str, Position>,
    /// `tokens.leeway`, for issuers that say none.
    pub(super) leeway: Duration,
    pub(super) insecure: Insecure,
}

/// `trusted_issuers`, read from the document's root.
pub(super) fn trusted_issuers(root: &Section<'_>, around: Around<'_>) -> Vec<TrustedIssuer> {
    let items = root.field("trusted_issuers").map_or_else(|| Some(Vec::new()), |field| field.list());
    // What is no list at all is a problem of its own.
    if let (Err(at), Some([])) = (around.own, items.as_deref()) {
        let what = "`tokens` is `null`, and `trusted_issuers` names nobody: no token would pass";
        let help = "name an issuer in `trusted_issuers`, or take `tokens: null` out to have tokens issued here";
        root.reader().problem(at, Code::NoIssuer, what, help);
    }
    let items = items.unwrap_or_default();
    let alone = items.len() + usize::from(around.own.is_ok()) < 2;
    let mut issuers: Vec<(TrustedIssuer, Position)> = Vec::new();
    let mut prefixes: Vec<String> = around.own.iter().map(|_| String::new()).collect();
    for item in items {
        let issuer = item.section(|section| issuer(section, around, (alone, &prefixes))).flatten();
        let Some(issuer) = issuer else { continue };
        prefixes.push(issuer.rules.subject_prefix.clone());
        match issuers.iter().find(|(known, _)| known.rules.issuer == issuer.rules.issuer) {
            Some((_, first)) => {
                let what = format!("names the issuer in line {} again", first.line);
                item.refuse::<()>(Code::Duplicate, &what, "put what you need into one entry: `audience` is a list");
            }
            None => issuers.push((issuer, item.at())),
        }
    }
    issuers.into_iter().map(|(issuer, _)| issuer).collect()
}

/// One of them. It may be `alone`; if not, the others have these `prefixes`.
fn issuer(section: &Section<'_>, around: Around<'_>, (alone, prefixes): (bool, &[String])) -> Option<TrustedIssuer> {
    let name = section.required("issuer", "say whose tokens: `issuer: https://tenant.example.auth0.com/`");
    let url = name.as_ref().and_then(|field| issuer_url(field, around));
    let audience = audience(section);
    let jwks_url = section.nullable("jwks_url").map(|field| plain_url(&field, around.insecure));
    let algorithms = match section.field("algorithms") {
        Some(field) => algorithms(&field),
        None => defaults::ISSUER_ALGORITHMS.into(),
    };
    let scope_claim = section.field("scope_claim").and_then(|field| field.name());
    let claims = section.field("claims").map(|field| claims(&field)).unwrap_or_default();
    let max_stale = section.duration("max_stale", defaults::MAX_STALE, SHORTEST..=LONGEST_STALE);
    let max_lifetime = section.duration("max_lifetime", defaults::MAX_LIFETIME, SHORTEST..=LONGEST_OWN_LIFE);
    let token_types = match section.field("token_types") {
        Some(field) => token_types(&field),
        None => TokenType::ALL.into(),
    };
    let scopes = section.nullable("scopes").map(|field| field.scope_rule());
    let prefix = section.nullable("subject_prefix");
    if prefix.is_none() && !alone {
        let what = "`trusted_issuers[].subject_prefix` is missing, and tokens of another issuer are taken too";
        let help =
            "give the users of each issuer a prefix of their own, as `okta:`, or `\"\"` where their names cannot meet";
        section.reader().problem(section.at(), Code::NoPrefix, what, help);
    }
    let subject_prefix = prefix.map(|field| subject_prefix(&field, prefixes));
    let leeway = section.nullable("leeway").and_then(|field| field.duration(Duration::ZERO..=MAX_LEEWAY));
    let ca = section.nullable("ca_file");
    let roots = ca.as_ref().map(Field::authorities);
    // What is left out has a default; what is given and cannot be read must not come to mean that.
    let (issuer, url) = url?;
    let jwks_url = jwks_url.map_or(Some(None), |url| url.map(Some))?;
    if let Some(field) =
        ca.filter(|_| url.scheme() == "http" && jwks_url.as_ref().is_none_or(|url| url.scheme() == "http"))
    {
        field.warn(Code::NoEffect, "is given for an issuer that is reached over `http`", "take it out");
    }
    let rules = IssuerRules {
        issuer: issuer.clone(),
        own: false,
        audience: audience?,
        algorithms: Some(algorithms.clone()),
        token_types,
        scope_claim: ClaimPath::new(scope_claim.unwrap_or_else(|| defaults::SCOPE_CLAIM.to_owned())),
        claims,
        scopes: scopes.map_or(Some(None), |scopes| scopes.map(Some))?,
        subject_prefix: subject_prefix.unwrap_or_else(|| Some(String::new()))?,
        leeway: leeway.unwrap_or(around.leeway),
        max_lifetime,
    };
    let keys = KeySource {
        issuer,
        jwks_url,
        algorithms,
        max_stale,
        roots: roots.unwrap_or_else(|| Some(Vec::new()))?.into_iter().map(CertificateDer::from).collect(),
        allow_http: around.insecure.http_issuers,
    };
    Some(TrustedIssuer { rules, keys })
}

/// `iss`, byte for byte, and the same as a URL (RFC 8414 §2: without query and fragment).
fn issuer_url(field: &Field<'_>, around: Around<'_>) -> Option<(String, Url)> {
    let name = field.name()?;
    let url = plain_url(field, around.insecure)?;
    if url.query().is_some() {
        return field.refuse(
            Code::BadUrl,
            "has a query",
            "write it as the issuer writes `iss`, without query and fragment",
        );
    }
    if around.own == Ok(name.as_str()) {
        let help =
            "take it out: doorward's own tokens are taken anyway; another instance needs a `tokens.issuer` of its own";
        return field.refuse(Code::Duplicate, "is doorward's own issuer", help);
    }
    Some((name, url))
}

/// Keys that came over plain HTTP are those of whoever was in between.
fn plain_url(field: &Field<'_>, insecure: Insecure) -> Option<Url> {
    let text = field.text()?;
    let help = "write `https://host/path`, as the issuer's documentation has it";
    // The parser would drop some of these, and `iss` is compared byte for byte.
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    let Some(url) = Url::parse(&text).ok().filter(|url| printable && url.has_host()) else {
        return field.refuse(Code::BadUrl, "is no URL", help);
    };
    if !matches!(url.scheme(), "https" | "http") {
        return field.refuse(Code::BadUrl, "has a scheme other than `https`", help);
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return field.refuse(Code::BadUrl, "has a user or fragment", help);
    }
    if !may_be_fetched(&url, insecure.http_issuers) {
        let help = "write `https://`; plain `http` is for this machine, or with `insecure: { http_issuers: true }`";
        return field.refuse(Code::BadUrl, "is `http`: whoever is in between could put in keys of his own", help);
    }
    Some(url)
}

/// An issuer makes tokens for many. Without a name to look for, those meant for any of its other clients would pass (RFC 8725 §3.9).
fn audience(section: &Section<'_>) -> Option<Vec<String>> {
    let help = "name what the issuer writes into `aud` for this API: `audience: [https://api.example.com]`";
    let Some(field) = section.nullable("audience") else {
        let what = "`trusted_issuers[].audience` is missing: tokens meant for anybody would pass";
        section.reader().problem(section.at(), Code::NoAudience, what, help);
        return None;
    };
    let audience = field.names_once()?;
    if audience.is_empty() && field.list().is_some_and(|items| items.is_empty()) {
        return field.refuse(Code::NoAudience, "names nobody: tokens meant for anybody would pass", help);
    }
    Some(audience)
}

fn algorithms(field: &Field<'_>) -> Vec<Algorithm> {
    let known = Algorithm::ALL.into_iter().filter(|algorithm| !is_hmac(algorithm.name()));
    let words: Vec<_> = known.map(|algorithm| (algorithm.name(), algorithm)).collect();
    let help = "name what the issuer signs with, as `RS256`, or leave the key out";
    let mut algorithms = Vec::new();
    for item in field.filled_list(help).unwrap_or_default() {
        if item.text().is_some_and(|text| is_hmac(&text)) {
            let what = "is an HMAC: whoever could verify with its secret could sign as the issuer";
            item.refuse::<()>(Code::HmacIssuer, what, "let the issuer sign with `RS256`, `ES256` or `EdDSA`");
        } else if let Some(algorithm) = item.word(&words) {
            if algorithms.contains(&algorithm) {
                item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
            }
            algorithms.push(algorithm);
        }
    }
    algorithms
}

fn is_hmac(name: &str) -> bool {
    name.starts_with("HS")
}

fn token_types(field: &Field<'_>) -> Vec<TokenType> {
    let words = TokenType::ALL.map(|kind| (kind.name(), kind));
    let mut types = Vec::new();
    for item in field.filled_list("name a kind, or leave the key out for all of them").unwrap_or_default() {
        let Some(kind) = item.word(&words) else { continue };
        if types.contains(&kind) {
            item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
        }
        types.push(kind);
    }
    types
}

/// Claims of ours, each with where the issuer has it. Not those that say who the token is of and for how long: they are checked, and
/// a claim that users may choose must not come to stand in their place.
fn claims(field: &Field<'_>) -> Vec<(String, ClaimPath)> {
    let mut claims = Vec::new();
    for entry in field.entries().unwrap_or_default() {
        let reader = field.reader();
        let theirs = Field::new(reader, &entry.value, field.path().to_owned()).name();
        if FIXED.contains(&entry.key.as_str()) {
            let help = "take it out; `scope_claim` and `subject_prefix` are for scopes and users' names";
            reader.problem(entry.key_at, Code::ReservedName, "this claim is one that doorward checks itself", help);
        } else if entry.key.is_empty() || entry.key.chars().any(char::is_control) {
            reader.problem(
                entry.key_at,
                Code::BadName,
                "this is no name of a claim",
                "write ours: theirs, as `tenant: org_id`",
            );
        } else if let Some(theirs) = theirs {
            claims.push((entry.key.clone(), ClaimPath::new(theirs)));
        }
    }
    claims
}

/// It stands in headers, in front of what the issuer wrote.
fn subject_prefix(field: &Field<'_>, others: &[String]) -> Option<String> {
    let text = field.text()?;
    if text.len() > PREFIX_LIMIT || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let help = format!("it may have up to {PREFIX_LIMIT} letters, digits and signs, as `okta:`; `\"\"` = none");
        return field.refuse(Code::BadName, "is no usable prefix", &help);
    }
    warn_of_shared_subjects(field, &text, others);
    Some(text.into_owned())
}

/// The application sees the name with its prefix and nothing else: one name must not be two people.
fn warn_of_shared_subjects(field: &Field<'_>, prefix: &str, others: &[String]) {
    let meets = |other: &String| match (prefix, other.as_str()) {
        ("", "") => true,
        ("", _) | (_, "") => false,
        (one, other) => one.starts_with(other) || other.starts_with(one),
    };
    if others.iter().any(meets) {
        let help = "give each issuer's users a prefix that no other begins with, if both may have an `admin`";
        field.warn(Code::SharedSubjects, "does not tell its users from those of another issuer", help);
    }
}

/// Below a second nothing here is measured.
const SHORTEST: Duration = Duration::from_secs(1);

/// A month: who withdrew a key must be heard some day.
const LONGEST_STALE: Duration = Duration::from_hours(30 * 24);

/// Bytes of `subject_prefix`; it stands in front of every name.
const PREFIX_LIMIT: usize = 64;
