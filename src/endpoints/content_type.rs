//! Which form a body has (RFC 9110 §8.3).

/// The forms a body may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyType {
    /// `application/x-www-form-urlencoded`.
    Urlencoded,
    /// `multipart/form-data` with its boundary.
    Multipart(String),
    /// `application/json`.
    Json,
}

impl BodyType {
    /// Reads the value of a `Content-Type`; `None` for other types and for another charset than UTF-8.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        let value = std::str::from_utf8(value).ok()?;
        let mut parts = value.split(';');
        let media_type = parts.next()?.trim();
        let mut boundary = None;
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "charset" if !value.eq_ignore_ascii_case("utf-8") && !value.eq_ignore_ascii_case("utf8") => {
                    return None;
                }
                "boundary" => boundary = Some(value.to_owned()),
                _ => {}
            }
        }
        match media_type.to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => Some(Self::Urlencoded),
            "multipart/form-data" => boundary.map(Self::Multipart),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_without_case_and_with_any_parameters() {
        for (value, read) in [
            ("application/x-www-form-urlencoded", Some(BodyType::Urlencoded)),
            ("Application/X-WWW-Form-URLEncoded; Charset=\"utf-8\"", Some(BodyType::Urlencoded)),
            ("application/x-www-form-urlencoded;charset=UTF-8;x=y", Some(BodyType::Urlencoded)),
            ("application/x-www-form-urlencoded; charset=utf-7", None),
            ("application/json", Some(BodyType::Json)),
            ("multipart/form-data; boundary=xyz", Some(BodyType::Multipart("xyz".to_owned()))),
            ("multipart/form-data", None),
            ("text/plain", None),
            ("", None),
        ] {
            assert_eq!(BodyType::read(value.as_bytes()), read, "{value}");
        }
    }
}
