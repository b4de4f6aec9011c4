//! `wire`: how answers look, for clients that compare.

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::profile::Rules;
use super::section::Section;
use crate::endpoints::Forms;
use crate::gate::{ChallengeStyle, Wording};

/// What `wire` says.
pub(super) struct Wire {
    pub(super) wording: Wording,
    pub(super) endpoints: EndpointsWire,
}

/// What of it concerns doorward's own endpoints.
pub(super) struct EndpointsWire {
    pub(super) forms: Forms,
    pub(super) implied_password_grant: bool,
    /// Whether a failed login or refresh is answered 401.
    pub(super) failed_grant_is_401: bool,
    pub(super) realm: String,
}

pub(super) fn wire(section: &Section<'_>, rules: &Rules) -> Wire {
    let styles = [("full", ChallengeStyle::Full), ("minimal", ChallengeStyle::Minimal)];
    let realm = section.field("realm").and_then(|field| realm(&field)).unwrap_or_else(|| defaults::REALM.to_owned());
    let query_tokens = section.nullable("query_tokens").and_then(|field| field.flag());
    let status = section.integer("token_error_status", defaults::TOKEN_ERROR_STATUS, 400..=401);
    let without_scopes = section.field("insufficient_scope_status").and_then(|field| without_scopes(&field, rules));
    Wire {
        wording: Wording {
            style: section.word("challenge", ChallengeStyle::Full, &styles),
            realm: realm.clone(),
            insufficient_scope_status: without_scopes.unwrap_or(defaults::INSUFFICIENT_SCOPE_STATUS),
        },
        endpoints: EndpointsWire {
            forms: Forms {
                multipart: rules.multipart,
                json: rules.json,
                query_tokens: query_tokens.unwrap_or(rules.query_tokens),
            },
            implied_password_grant: rules.implied_password_grant,
            failed_grant_is_401: status == 401,
            realm,
        },
    }
}

/// It stands between quotes in a header (RFC 9110 §11.5): a quote or a line break in it would begin something else.
fn realm(field: &Field<'_>) -> Option<String> {
    let name = field.name()?;
    if name.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        return Some(name);
    }
    let help = "write letters, digits, blanks and signs of ASCII, without `\"` and `\\`";
    field.refuse(Code::BadName, "cannot stand between the quotes of a header", help)
}

fn without_scopes(field: &Field<'_>, rules: &Rules) -> Option<u16> {
    let status = field.integer(0..=u64::MAX)?;
    let known = [403_u16, 401].into_iter().find(|known| u64::from(*known) == status);
    match known {
        None => field.refuse(Code::OutOfRange, "is neither 403 nor 401", "403 is what OAuth clients expect"),
        Some(401) if !rules.missing_scope_may_be_401 => {
            let help = "take it out, or choose `profile: compat`: clients ask for more scopes after a 403 only";
            field.refuse(Code::Contradiction, "is 401, which `profile: strict` rules out", help)
        }
        Some(status) => Some(status),
    }
}
