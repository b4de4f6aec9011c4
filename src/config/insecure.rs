//! `insecure`: the only place where a default can be weakened, each by its name.

use super::code::Code;
use super::field::Field;
use super::problem::Position;
use super::reader::Reader;
use super::section::Section;
use super::settings::Insecure;
use crate::policy::{Access, RouteSpec};

/// Paths of routes that take a token in the query, as they are written, each with its place.
pub(super) type QueryTokens = Vec<(String, Position)>;

pub(super) fn insecure(section: &Section<'_>) -> (Insecure, QueryTokens) {
    let weakened = |key, what| {
        let Some(field) = section.field(key) else { return false };
        let weakened = field.flag().unwrap_or(false);
        if weakened {
            warn(&field, what);
        }
        weakened
    };
    let http_issuers = weakened(
        "http_issuers",
        "is on: whoever is between here and an issuer can put keys of his own in the place of the issuer's",
    );
    let readable_key_files =
        weakened("readable_key_files", "is on: whoever can read a key on this machine can sign tokens with it");
    let query_tokens = section.field("query_token").map(|field| query_tokens(&field)).unwrap_or_default();
    (Insecure { http_issuers, readable_key_files, query_token: !query_tokens.is_empty() }, query_tokens)
}

fn query_tokens(field: &Field<'_>) -> QueryTokens {
    let items = field.list().unwrap_or_default();
    if !items.is_empty() {
        warn(field, "names routes: their tokens will be found in the logs and histories of whatever sees their URLs");
    }
    items.iter().filter_map(|item| Some((item.text()?.into_owned(), item.at()))).collect()
}

fn warn(field: &Field<'_>, what: &str) {
    field.warn(Code::Insecure, what, "take it out as soon as it is not needed any more");
}

/// Has the routes that are listed take a token in the query.
pub(super) fn take_query_tokens(reader: &Reader<'_>, routes: &mut [RouteSpec], listed: &QueryTokens) {
    for (path, at) in listed {
        let mut known = false;
        for route in routes.iter_mut().filter(|route| route.path.as_str() == path) {
            route.query_token = matches!(route.access, Access::Authenticated | Access::Optional);
            known |= route.query_token;
        }
        if !known {
            let message = "`insecure.query_token[]` is the path of no route that looks at a token";
            let help =
                "write a `path` of `policy.routes` to the letter, one with `access: authenticated` or `optional`";
            reader.problem(*at, Code::UnknownRoute, message, help);
        }
    }
}
