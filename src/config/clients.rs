//! `clients`: who may ask for tokens, and how each shows that it is who it says.

use std::sync::Arc;

use super::code::Code;
use super::field::Field;
use super::problem::Position;
use super::profile::Rules;
use super::section::Section;
use crate::grants::{Client, ClientRules, GrantKind, SecretHash};
use crate::users::StoredHash;

/// `clients`, read from the document's root; `off` says where no tokens are issued.
pub(super) fn clients(root: &Section<'_>, off: Option<Position>, rules: &Rules) -> Clients {
    let field = root.field("clients");
    let items = field.as_ref().and_then(Field::list).unwrap_or_default();
    let is_empty = items.is_empty();
    let known = field.as_ref().map(|field| registered(root, (field, items), off, rules)).unwrap_or_default();
    let implied = default_grants(true, rules);
    let may_begin = |grants: &[GrantKind]| grants.iter().any(|grant| *grant != GrantKind::RefreshToken);
    let begins = if is_empty { may_begin(&implied) } else { known.iter().any(|known| may_begin(&known.client.grants)) };
    if off.is_none() && !begins {
        let what = "no client may use a grant that begins something, so nobody gets a token";
        let help = "register one with `grants: [password, refresh_token]`, or one with a secret and `grants: [client_credentials]`";
        root.reader().warning(field.map_or(root.at(), |field| field.at()), Code::NoGrants, what, help);
    }
    let unasked = rules.unasked_password_grant && (is_empty || known.iter().any(|known| !known.names_grants));
    Clients {
        registered: known.into_iter().map(|known| known.client).collect(),
        rules: ClientRules {
            first_public_is_default: rules.first_public_is_default,
            unknown_is_unnamed: rules.unknown_is_unnamed,
            tokens_name_client: rules.tokens_name_client,
            implied,
        },
        unasked_password_grant: off.is_none() && unasked,
    }
}

/// What `clients` says.
pub(super) struct Clients {
    pub(super) registered: Vec<Client>,
    pub(super) rules: ClientRules,
    /// Whether somebody may use the password grant without `grants` that name it.
    pub(super) unasked_password_grant: bool,
}

fn registered(
    root: &Section<'_>,
    (field, items): (&Field<'_>, Vec<Field<'_>>),
    off: Option<Position>,
    rules: &Rules,
) -> Vec<Written> {
    if off.is_some() && !items.is_empty() {
        field.warn(Code::NoEffect, "is given, and `tokens` is `null`: no tokens are issued to anybody", "take it out");
    }
    let mut known: Vec<Written> = Vec::new();
    let mut default: Option<Position> = None;
    for item in items {
        let Some(Some(written)) = item.section(|section| client(section, rules)) else { continue };
        if let Some(first) = known.iter().find(|other| other.client.id == written.client.id) {
            let what = format!("has the id of the client in line {}", first.at.line);
            item.refuse::<()>(Code::Duplicate, &what, "keep one of the two");
        }
        match (default, written.default_at) {
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
        known.push(written);
    }
    known
}

/// What a client may use that does not say.
fn default_grants(is_public: bool, rules: &Rules) -> Vec<GrantKind> {
    let may = |grant: &GrantKind| match grant {
        GrantKind::Password => rules.unasked_password_grant,
        GrantKind::RefreshToken => true,
        GrantKind::ClientCredentials => !is_public,
    };
    GrantKind::ALL.into_iter().filter(may).collect()
}

/// A client, and what it says.
struct Written {
    client: Client,
    at: Position,
    names_grants: bool,
    /// Where it says that it is the default.
    default_at: Option<Position>,
}

fn client(section: &Section<'_>, rules: &Rules) -> Option<Written> {
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
    let names_grants = grants.is_some();
    let grants = match grants {
        Some((at, grants)) => {
            if is_public && grants.contains(&GrantKind::ClientCredentials) {
                let what = "`client_credentials` is for clients with a secret: anybody can say to be this one";
                let help = "give it a `secret_hash`, or take the grant out";
                section.reader().problem(at, Code::Contradiction, what, help);
            }
            grants
        }
        None => default_grants(is_public, rules),
    };
    // What is given and cannot be read must not come to mean what is left out.
    let client = Client {
        id: id??,
        secret: secret.map_or(Some(None), |secret| secret.map(Some))?,
        grants,
        scopes: scopes.map_or(Some(None), |scopes| scopes.map(Some))?,
        default: default_at.is_some(),
    };
    Some(Written { client, at: section.at(), names_grants, default_at })
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
