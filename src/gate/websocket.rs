//! The credential of a browser's WebSocket: browsers can set no header but `Sec-WebSocket-Protocol` (RFC 6455 §4.1), so a token
//! comes as the subprotocol that follows `bearer`.

use super::credential::{self, Credential};

/// The subprotocol that says that the next one is a token.
pub const BEARER: &str = "bearer";

/// Reads all `Sec-WebSocket-Protocol` fields of a request; tokens longer than `limit` bytes are not looked at.
///
/// Without `bearer` there is no credential. With it, there is one field, `bearer` once, and a token right behind it: of anything
/// else two readers could take different tokens.
pub fn credential<'a>(fields: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Credential<'a> {
    let mut fields = fields.into_iter();
    match (fields.next(), fields.next()) {
        (None, _) => Credential::None,
        (Some(field), None) => read(field, limit),
        (Some(_), Some(_)) => Credential::Malformed,
    }
}

/// What of such a field is left for the upstream: all but `bearer` and the token; `None` if nothing is.
#[must_use]
pub fn without_token(field: &str) -> Option<String> {
    let mut items = field.split(',').map(trim);
    let mut left = Vec::new();
    while let Some(item) = items.next() {
        if is_bearer(item) {
            items.next();
        } else {
            left.push(item);
        }
    }
    (!left.is_empty()).then(|| left.join(", "))
}

fn read(field: &[u8], limit: usize) -> Credential<'_> {
    let Ok(field) = std::str::from_utf8(field) else { return Credential::Malformed };
    let mut items = field.split(',').map(trim);
    let mut token = None;
    while let Some(item) = items.next() {
        if !is_bearer(item) {
            if !is_protocol(item) {
                return Credential::Malformed;
            }
            continue;
        }
        let Some(next) = items.next().filter(|_| token.is_none()) else { return Credential::Malformed };
        token = Some(next);
    }
    match token {
        None => Credential::None,
        Some(token) if token.len() > limit => Credential::TooLarge,
        Some(token) if credential::is_b64token(token) && !is_bearer(token) => Credential::Bearer(token),
        Some(_) => Credential::Malformed,
    }
}

/// In any case, as the scheme is in `Authorization`: what is left for the upstream must have no token in it.
fn is_bearer(item: &str) -> bool {
    item.eq_ignore_ascii_case(BEARER)
}

/// `token` (RFC 9110 §5.6.2).
fn is_protocol(item: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !item.is_empty() && item.bytes().all(allowed)
}

/// Optional white space (RFC 9110 §5.6.3).
fn trim(item: &str) -> &str {
    item.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_bearer() {
        use Credential::{Bearer, Malformed, None, TooLarge};
        for (field, read, left) in [
            ("bearer, a.b.c", Bearer("a.b.c"), Option::None),
            ("bearer,a.b.c", Bearer("a.b.c"), Option::None),
            ("\tBearer ,\ta.b.c ", Bearer("a.b.c"), Option::None),
            ("bearer, a+/~_-.9==", Bearer("a+/~_-.9=="), Option::None),
            ("chat, bearer, a.b.c, v2", Bearer("a.b.c"), Some("chat, v2")),
            ("graphql-ws,bearer,a.b.c", Bearer("a.b.c"), Some("graphql-ws")),
            ("bearer, a.b.c,soap", Bearer("a.b.c"), Some("soap")),
            ("chat", None, Some("chat")),
            ("bearer2, a.b.c", None, Some("bearer2, a.b.c")),
            ("base64url.bearer.authorization.k8s.io.abc", None, Some("base64url.bearer.authorization.k8s.io.abc")),
            ("bearer, aaaaaaaaaaaaaaaaa", TooLarge, Option::None),
        ] {
            assert_eq!(credential([field.as_bytes()], 16), read, "{field:?}");
            assert_eq!(without_token(field).as_deref(), left, "{field:?}");
        }
        for field in [
            "",
            ",",
            "bearer",
            "chat, bearer",
            "bearer,",
            "bearer, ",
            "bearer, , a.b.c",
            "bearer, bearer",
            "bearer, bearer, a.b.c",
            "bearer, a.b.c, bearer, d.e.f",
            "bearer, a.b.c, BEARER",
            "bearer a.b.c",
            "bearer, a b",
            "bearer, =",
            "bearer, a=b",
            "bearer, \"a\"",
            "bearer, é",
            "bearer, a.b.c, ",
            "chat room, bearer, a.b.c",
            "é, bearer, a.b.c",
        ] {
            assert_eq!(credential([field.as_bytes()], 16), Malformed, "{field:?}");
        }
        assert_eq!(credential([b"bearer, \xff".as_slice()], 16), Malformed);
        assert_eq!(credential([b"bearer".as_slice(), b"a.b.c"], 16), Malformed);
        assert_eq!(credential([b"chat".as_slice(), b"bearer, a.b.c"], 16), Malformed);
        assert_eq!(credential([], 16), None);
    }
}
