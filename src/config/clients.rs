//! `clients`: who may ask for tokens, and how each shows that it is who it says.

use std::sync::Arc;

use super::code::Code;
use super::field::Field;
use super::problem::Position;
use super::section::Section;
use crate::grants::{Client, GrantKind, SecretHash};
use crate::users::StoredHash;

/// `clients`, read from the document's root; `off` says where no tokens are issued.
pub(super) fn clients(root: &Section<'_>, off: Option<Position>) -> Vec<Client> {
    let Some(field) = root.field("clients") else { return Vec::new() };
    let items = field.list().unwrap_or_default();
    if off.is_some() && !items.is_empty() {
        field.warn(Code::NoEffect, "is given, and `tokens` is `null`: no tokens are issued to anybody", "take it out");
    }
    let mut known: Vec<(Client, Position)> = Vec::new();
    let mut default: Option<Position> = None;
    for item in items {
        let Some(Some(Written { client, default_at })) = item.section(client) else { continue };
        if let Some((_, first)) = known.iter().find(|(other, _)| other.id == client.id) {
            let what = format!("has the id of the client in line {}", first.line);
            item.refuse::<()>(Code::Duplicate, &what, "keep one of the two");
        }
        match (default, default_at) {
            (Some(first), Some(at)) => {
                let what = format!("the client in line {} is the default already", first.line);
                root.reader().problem(
                    at,
                    Code::TwoDefaults,
                    &what,
                    "one client alone can be that of requests that name none",
                );
            }
            (None, Some(at)) => default = Some(at),
            (_, None) => {}
        }
        known.push((client, item.at()));
    }
    known.into_iter().map(|(client, _)| client).collect()
}

/// A client, and where it says that it is the default.
struct Written {
    client: Client,
    default_at: Option<Position>,
}

fn client(section: &Section<'_>) -> Option<Written> {
    let id = section.required("id", "give every client an id").map(|field| client_id(&field));
    let secret = section.nullable("secret_hash").map(|field| secret_hash(&field));
    let grants = section.nullable("grants").map(|field| (field.at(), grants(&field)));
    let scopes = section.nullable("scopes").map(|field| field.scope_rule());
    let default = section.field("default").and_then(|field| Some((field.flag()?, field.at())));
    let default_at = default.and_then(|(is_default, at)| is_default.then_some(at));
    let is_public = secret.is_none();
    if let (Some(at), false) = (default_at, is_public) {
        let what = "the default client has a secret, which requests that name no client cannot show";
        section.reader().problem(
            at,
            Code::Contradiction,
            what,
            "take `default` out, or make a public client the default",
        );
    }
    let grants = match grants {
        Some((at, grants)) => {
            if is_public && grants.contains(&GrantKind::ClientCredentials) {
                let what = "`client_credentials` is for clients with a secret: anybody can say to be this one";
                let help = "give it a `secret_hash`, or take the grant out";
                section.reader().problem(at, Code::Contradiction, what, help);
            }
            grants
        }
        None if is_public => vec![GrantKind::Password, GrantKind::RefreshToken],
        None => GrantKind::ALL.into(),
    };
    // What is given and cannot be read must not come to mean what is left out.
    let client = Client {
        id: id??,
        secret: secret.map_or(Some(None), |secret| secret.map(Some))?,
        grants,
        scopes: scopes.map_or(Some(None), |scopes| scopes.map(Some))?,
        default: default_at.is_some(),
    };
    Some(Written { client, default_at })
}

/// `VSCHAR` (RFC 6749 §A.1), less what ends an id in `Basic` and what form-encoding would change.
fn client_id(field: &Field<'_>) -> Option<String> {
    let name = field.name()?;
    if name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b':' | b'%' | b'+')) {
        return Some(name);
    }
    let help = "write letters, digits and signs other than `:`, `%` and `+`: clients encode these in different ways";
    field.refuse(Code::BadName, "is no id that every client can send", help)
}

fn secret_hash(field: &Field<'_>) -> Option<SecretHash> {
    let text = field.text()?;
    if let Some(hash) = SecretHash::sha256(&text) {
        return Some(hash);
    }
    let what = if text.starts_with("$argon2") {
        match StoredHash::parse(&text) {
            Ok(hash) => return Some(SecretHash::Argon2(Arc::new(hash))),
            Err(error) => format!("cannot be used: {error}"),
        }
    } else if text.starts_with('$') {
        "is neither a hash of argon2 nor one that `doorward keygen --client-secret` made".to_owned()
    } else {
        "is no hash: a secret itself does not belong here".to_owned()
    };
    let help = "make a secret and its hash with `doorward keygen --client-secret`, or hash your own with `doorward hash-password`";
    field.refuse(Code::BadSecretHash, &what, help)
}

fn grants(field: &Field<'_>) -> Vec<GrantKind> {
    let words = GrantKind::ALL.map(|kind| (kind.as_str(), kind));
    let mut grants = Vec::new();
    for item in field.filled_list("name a grant, or leave the key out for its default").unwrap_or_default() {
        let Some(kind) = item.word(&words) else { continue };
        if grants.contains(&kind) {
            item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
        }
        grants.push(kind);
    }
    grants
}
