//! `server.cors`.

use std::time::Duration;

use url::{Origin, Url};

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::section::Section;
use crate::proxy::CorsSettings;

pub(super) fn cors(section: &Section<'_>) -> CorsSettings {
    let allow_origins = section.field("allow_origins").map(|field| origins(&field)).unwrap_or_default();
    let credentials = section.field("allow_credentials");
    let allow_credentials = credentials.as_ref().and_then(Field::flag).unwrap_or(false);
    if let Some(field) = credentials.filter(|_| allow_credentials) {
        let help = "name the origins that may send cookies";
        if allow_origins.iter().any(|origin| origin == ANY) {
            // Browsers refuse the pair, and echoing any origin instead would open every session to every site.
            field.refuse::<()>(Code::Contradiction, "is `true` where `allow_origins` is `*`", help);
        } else if allow_origins.is_empty() {
            field.warn(Code::NoEffect, "is `true` where `allow_origins` names nobody", help);
        }
    }
    let max_age = section.duration("max_age", defaults::CORS_MAX_AGE, Duration::ZERO..=LONGEST_AGE);
    CorsSettings { allow_origins, allow_credentials, max_age }
}

fn origins(field: &Field<'_>) -> Vec<String> {
    let mut origins: Vec<String> = Vec::new();
    let items = field.list().unwrap_or_default();
    let alone = items.len() == 1;
    for item in items {
        let Some(text) = item.text() else { continue };
        if origins.iter().any(|known| *known == text) {
            item.refuse::<()>(Code::Duplicate, "stands in the list already", "take one of the two out");
        } else if text == ANY && !alone {
            let help = "write `[\"*\"]` for any origin, or name them";
            item.refuse::<()>(Code::Contradiction, "is `*` among others", help);
        } else if text == "null" {
            // Any site can have it: a sandboxed frame does.
            item.refuse::<()>(Code::BadOrigin, "is an origin that every site can take", "take it out");
        } else if text != ANY && !is_origin(&text) {
            let help = "write it as browsers send it, as `https://app.example.com` or `http://localhost:3000`: in lower case, \
                        without path, slash at the end and default port";
            item.refuse::<()>(Code::BadOrigin, "is no origin", help);
        } else {
            origins.push(text.into_owned());
        }
    }
    origins
}

/// Whether it is the serialisation of an origin (RFC 6454 §6.2), which is compared byte for byte.
fn is_origin(text: &str) -> bool {
    // A `*` for a part of the host would be a host of that name, which has no pages.
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
    let (Ok(url), Some((scheme, host))) = (Url::parse(text), text.split_once("://")) else { return false };
    scheme == url.scheme()
        && !host.is_empty()
        && host.bytes().all(plain)
        && match url.origin() {
            origin @ Origin::Tuple(..) => origin.ascii_serialization() == text,
            // Of applications, as `capacitor://localhost` and `chrome-extension://id`.
            Origin::Opaque(_) => scheme != "file",
        }
}

/// Any origin.
pub(super) const ANY: &str = "*";

/// Firefox remembers an answer no longer, others two hours.
const LONGEST_AGE: Duration = Duration::from_hours(24);
