//! `upstream.identity_headers` and `upstream.keep_headers`.

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::section::Section;
use crate::message::TrustedProxies;
use crate::policy::identity::{Purpose, fold};
use crate::policy::{HeaderPlan, HeaderSettings};
use crate::proxy::IdentityHeader;

pub(super) fn identity_headers(section: &Section<'_>) -> Vec<IdentityHeader> {
    let Some(field) = section.field("identity_headers") else {
        return defaults::IDENTITY_HEADERS.map(|(name, claim)| header(name, claim)).into();
    };
    let mut headers: Vec<IdentityHeader> = Vec::new();
    for entry in field.entries().unwrap_or_default() {
        let reader = field.reader();
        let refuse = |code, what: &str, help: &str| reader.problem(entry.key_at, code, what, help);
        let claim = Field::new(reader, &entry.value, "upstream.identity_headers".to_owned()).name();
        let folded = fold(&entry.key);
        if entry.key.len() > NAME_LIMIT || !is_token(&entry.key) || folded.is_empty() {
            refuse(Code::BadHeader, "this is no name of a header", NAME_HELP);
        } else if Purpose::of(&entry.key).is_some_and(|purpose| !purpose.may_be_identity()) {
            let what = "this header belongs to the connection, the message or the client";
            refuse(Code::BadHeader, what, "take another name, as `X-Forwarded-User`");
        } else if headers.iter().any(|known| fold(&known.name) == folded) {
            let what = "this header stands here already; case, and `_` or `.` for `-`, make no other name";
            refuse(Code::Duplicate, what, "keep one of the two");
        } else if let Some(claim) = claim {
            headers.push(header(&entry.key, &claim));
        }
    }
    headers
}

/// `upstream.keep_headers`: of the names that are taken out, those that a trusted proxy may send.
pub(super) fn keep_headers(section: &Section<'_>, ours: &[IdentityHeader], trusted: &TrustedProxies) -> Vec<String> {
    let Some(field) = section.field("keep_headers") else { return Vec::new() };
    let mut kept: Vec<String> = Vec::new();
    for item in field.list().unwrap_or_default() {
        let Some(name) = item.text() else { continue };
        let folded = fold(&name);
        if name.len() > NAME_LIMIT || !is_token(&name) || folded.is_empty() {
            item.refuse::<()>(Code::BadHeader, "is no name of a header", NAME_HELP);
        } else if ours.iter().any(|header| fold(&header.name) == folded) {
            let help = "take it out of one of the two: the proxy says who asks, or the token does";
            item.refuse::<()>(Code::Contradiction, "is one of `upstream.identity_headers`", help);
        } else if !strips(&name) {
            item.refuse::<()>(Code::BadHeader, "is a header that is passed on anyway", "take it out");
        } else if Purpose::of(&name).is_some_and(Purpose::is_ours) {
            let help = "take it out: what trusted proxies say of the client is in it anyway";
            item.refuse::<()>(Code::BadHeader, "is a header that doorward writes itself", help);
        } else if Purpose::of(&name) == Some(Purpose::Target) {
            let help = "take it out: the API would act on another path or method than was decided about";
            item.refuse::<()>(Code::BadHeader, "is a header that changes the request", help);
        } else if kept.iter().any(|known| fold(known) == folded) {
            item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
        } else {
            kept.push(name.into_owned());
        }
    }
    if !kept.is_empty() && *trusted == TrustedProxies::default() {
        let help = "name the proxy that sends them in `server.trusted_proxies`";
        field.warn(Code::NoTrustedProxy, "has no effect while `server.trusted_proxies` is empty", help);
    }
    kept
}

/// Whether clients cannot send a header of this name whatever the configuration says.
fn strips(name: &str) -> bool {
    let nothing = HeaderSettings { identity: Vec::new(), keep: &[], budget: 0 };
    HeaderPlan::new(&nothing).is_ok_and(|plan| plan.strips(name))
}

fn header(name: &str, claim: &str) -> IdentityHeader {
    IdentityHeader { name: name.to_owned(), claim: claim.to_owned() }
}

/// A `token` (RFC 9110 §5.6.2).
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

const NAME_HELP: &str = "a name has letters, digits and `-`, as `X-Forwarded-User`";

/// Bytes of a header's name.
const NAME_LIMIT: usize = 64;
