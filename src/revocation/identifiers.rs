//! What of a token a mark can match.

use aws_lc_rs::digest::{Context, SHA256};

use super::mark::absorb;
use super::sid::first_half;
use super::{MarkKey, MarkKind};
use crate::base::Timestamp;
use crate::tokens::Verified;

/// What a token is known by.
#[derive(Clone, Copy, Debug)]
pub struct Identifiers<'a> {
    /// `iss`; everything below is within it.
    pub issuer: &'a str,
    /// `jti`, or the hash of `header.payload` of a token that has none.
    pub jti: Option<&'a str>,
    /// `sid`.
    pub sid: Option<&'a str>,
    /// `sub`.
    pub subject: &'a str,
    /// `client_id`, or the `azp` of a token that has none.
    pub client: Option<&'a str>,
    /// `iat`. A token without one is older than every cut-off: it cannot show that it is not.
    pub issued_at: Option<Timestamp>,
}

impl<'a> Identifiers<'a> {
    /// Those of a verified token.
    #[must_use]
    pub fn of(token: &'a Verified) -> Self {
        let claims = token.claims();
        Self {
            issuer: &claims.issuer,
            jti: Some(token.identifier()),
            sid: claims.session.as_deref(),
            subject: &claims.subject,
            client: claims.client.as_deref().or(claims.authorized_party.as_deref()),
            issued_at: claims.issued_at,
        }
    }

    /// The keys of the marks that would match, in the order of [`MarkKind::ALL`].
    pub(super) fn keys(&self) -> Keys {
        Keys(MarkKind::ALL.map(|kind| {
            let value = match kind {
                MarkKind::Jti => self.jti,
                MarkKind::Sid => self.sid,
                MarkKind::Sub => Some(self.subject),
                MarkKind::Client => self.client,
            };
            value.map(|value| MarkKey::of(kind, self.issuer, value))
        }))
    }

    /// Names everything above at once. Not the `jti` alone: two tokens that share one, as a careless issuer makes them, must
    /// not answer for each other.
    pub(super) fn digest(&self) -> [u8; 16] {
        let mut context = Context::new(&SHA256);
        for part in [Some(self.issuer), self.jti, self.sid, Some(self.subject), self.client] {
            context.update(&[u8::from(part.is_some())]);
            absorb(&mut context, part.unwrap_or_default().as_bytes());
        }
        context.update(&self.issued_at.map_or(i64::MIN, Timestamp::millis).to_be_bytes());
        first_half(context)
    }
}

/// Where the marks on one token would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Keys([Option<MarkKey>; MarkKind::ALL.len()]);

impl Keys {
    pub(super) fn iter(&self) -> impl Iterator<Item = (MarkKind, &MarkKey)> {
        MarkKind::ALL.into_iter().zip(&self.0).filter_map(|(kind, key)| Some((kind, key.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_differ_in_anything_have_answers_of_their_own() {
        let token = Identifiers {
            issuer: "i",
            jti: Some("j"),
            sid: Some("s"),
            subject: "u",
            client: Some("c"),
            issued_at: Some(Timestamp::from_seconds(1)),
        };
        for (what, other) in [
            ("issuer", Identifiers { issuer: "x", ..token }),
            ("jti", Identifiers { jti: Some("x"), ..token }),
            ("no jti", Identifiers { jti: None, ..token }),
            ("empty jti", Identifiers { jti: Some(""), ..token }),
            ("sid", Identifiers { sid: Some("x"), ..token }),
            ("no sid", Identifiers { sid: None, ..token }),
            ("moved border", Identifiers { jti: Some("js"), sid: Some(""), ..token }),
            ("subject", Identifiers { subject: "x", ..token }),
            ("client", Identifiers { client: Some("x"), ..token }),
            ("no client", Identifiers { client: None, ..token }),
            ("iat", Identifiers { issued_at: Some(Timestamp::from_seconds(2)), ..token }),
            ("no iat", Identifiers { issued_at: None, ..token }),
        ] {
            assert_ne!(token.digest(), other.digest(), "{what}");
        }
        assert_ne!(
            Identifiers { jti: None, ..token }.digest(),
            Identifiers { jti: Some(""), ..token }.digest(),
            "absent and empty"
        );
        assert_eq!(token.keys().iter().count(), 4);
        assert_eq!(Identifiers { jti: None, sid: None, client: None, ..token }.keys().iter().count(), 1);
    }
}
