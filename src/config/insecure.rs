//! `insecure`: the only place where a default can be weakened, each by its name.

use super::code::Code;
use super::section::Section;
use super::settings::Insecure;

pub(super) fn insecure(section: &Section<'_>) -> Insecure {
    let weakened = |key, what| {
        let Some(field) = section.field(key) else { return false };
        let weakened = field.flag().unwrap_or(false);
        if weakened {
            field.warn(Code::Insecure, what, "take it out as soon as it is not needed any more");
        }
        weakened
    };
    Insecure {
        http_issuers: weakened(
            "http_issuers",
            "is on: whoever is between here and an issuer can put keys of his own in the place of the issuer's",
        ),
        readable_key_files: weakened(
            "readable_key_files",
            "is on: whoever can read a key on this machine can sign tokens with it",
        ),
    }
}
