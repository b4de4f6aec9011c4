//! What operators ask of a running instance: `/revocations` and `/store`, on the admin listener alone.
//!
//! Whoever may connect to it is nobody in particular: a pod's containers share loopback, and so does every page in a browser
//! on the same machine. So each request shows a secret, and none may come from a page.

mod listing;
mod request;
mod transfer;
mod trouble;

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;

use self::request::Asked;
use self::trouble::Trouble;
use super::Reply;
use crate::base::{Secret, Timestamp};
use crate::grants::Grants;
use crate::policy::Reason;

/// What operators may do with one configuration.
#[derive(Debug)]
pub struct Operators {
    grants: Arc<Grants>,
    token: Option<Secret>,
}

/// The head of a request to the admin listener, as far as it is looked at.
#[derive(Clone, Debug, Default)]
pub struct OperatorHead<'a> {
    /// One of [`Operators::PATH`] and [`Operators::STORE_PATH`].
    pub path: &'a str,
    /// As it came.
    pub method: &'a str,
    /// What stands behind the `?`, undecoded.
    pub query: Option<&'a [u8]>,
    /// Whether a page sent it: it has a header field that only browsers write.
    pub is_from_page: bool,
    /// Every `Authorization` field.
    pub authorizations: Vec<&'a [u8]>,
    /// Every `Content-Type` field.
    pub content_types: Vec<&'a [u8]>,
    /// Every `Content-Encoding` field.
    pub content_encodings: Vec<&'a [u8]>,
    /// Who asks; `None` over a Unix socket.
    pub from: Option<IpAddr>,
}

/// Why no body came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// It is longer than it may be.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// Its framing is broken.
    Unreadable,
}

impl Operators {
    /// Where marks are made and listed.
    pub const PATH: &'static str = "/revocations";

    /// Where the store is sealed and read, to be taken elsewhere.
    pub const STORE_PATH: &'static str = "/store";

    /// Whose token a 401 asks for (RFC 9110 §11.5), as no other listener does.
    pub const REALM: &'static str = "doorward admin";

    /// The methods it has, as `Allow` lists them.
    pub const METHODS: &'static str = "GET, HEAD, POST";

    /// For those who show `token`; `None` = for everybody who can connect, as to a Unix socket that is this user's alone.
    #[must_use]
    pub fn new(grants: Arc<Grants>, token: Option<Secret>) -> Self {
        Self { grants, token }
    }

    /// Whether the request may be answered; to be asked before its body is read. A preflight is refused too, so that no page ever
    /// learns that it may ask.
    ///
    /// # Errors
    /// The reply for one that may not.
    pub fn admit(&self, head: &OperatorHead<'_>) -> Result<(), Reply> {
        let refused = if head.is_from_page {
            Err((Trouble::FromPage, Reason::MalformedRequest.as_str()))
        } else {
            self.check_token(head)
        };
        let (trouble, reason) = match refused {
            Ok(()) if Self::METHODS.split(", ").any(|method| method == head.method) => return check_type(head),
            Ok(()) => return Err(Trouble::Method.reply()),
            Err(refused) => refused,
        };
        let what = if head.path == Self::STORE_PATH { "store" } else { "revocations" };
        self.grants.audit_refused(what, reason, None, head.from);
        Err(trouble.reply())
    }

    /// Answers a request that was admitted.
    pub async fn answer(&self, head: &OperatorHead<'_>, body: Result<&[u8], BodyError>) -> Reply {
        let answer = match (head.method, body) {
            ("POST", Ok(body)) if head.path == Self::STORE_PATH => transfer::seal(&self.grants, body, self.now()).await,
            ("POST", Ok(body)) => self.revoke(head, body).await,
            ("POST", Err(BodyError::TooLarge)) => Err(Trouble::TooLarge),
            ("POST", Err(BodyError::TooSlow)) => Err(Trouble::TooSlow),
            ("POST", Err(BodyError::Unreadable)) => Err(Trouble::Invalid("The request body cannot be read")),
            _ if head.path == Self::STORE_PATH => transfer::page(&self.grants, head.query).await,
            _ => listing::answer(&self.grants, head.query, self.now()).await,
        };
        answer.unwrap_or_else(Trouble::reply)
    }

    async fn revoke(&self, head: &OperatorHead<'_>, body: &[u8]) -> Result<Reply, Trouble> {
        if head.query.is_some_and(|query| !query.is_empty()) {
            return Err(Trouble::Invalid("What to revoke belongs in the body, not in the query"));
        }
        let Asked { order, wait } = request::read(body)?;
        let done = self.grants.order(&order, head.from).await?;
        let confirmation = self.grants.revocations.confirmation(done.position, wait).await.map_err(|error| {
            self.grants.telemetry.metrics.store_error("revocations");
            tracing::error!(%error, "a revocation is durable, and nobody knows who has it");
            Trouble::Unconfirmed
        })?;
        Ok(Reply::json(
            200,
            &json!({
                "durable": true,
                "expires_at": done.expires_at.seconds(),
                "confirmed_by": confirmation.confirmed_by,
                "missing": confirmation.missing,
            }),
        ))
    }

    /// The same error code for none and for a wrong one: who guesses learns nothing but that it was no good guess.
    fn check_token(&self, head: &OperatorHead<'_>) -> Result<(), (Trouble, &'static str)> {
        let Some(token) = &self.token else { return Ok(()) };
        match shown(&head.authorizations) {
            // In constant time.
            Some(shown) if Secret::new(shown) == *token => Ok(()),
            None if head.authorizations.is_empty() => Err((Trouble::NoToken, Reason::NoCredential.as_str())),
            _ => Err((Trouble::WrongToken, Reason::BadSignature.as_str())),
        }
    }

    fn now(&self) -> Timestamp {
        self.grants.clock.now()
    }
}

/// A form, or text, is what a page can send to another origin without asking first.
fn check_type(head: &OperatorHead<'_>) -> Result<(), Reply> {
    if head.method == "POST" && !request::is_json(&head.content_types, &head.content_encodings) {
        return Err(Trouble::MediaType.reply());
    }
    Ok(())
}

/// The one Bearer token of a request (RFC 6750 §2.1); of two nobody could say which counts.
fn shown<'a>(fields: &[&'a [u8]]) -> Option<&'a [u8]> {
    let [field] = fields else { return None };
    let (scheme, rest) = field.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| rest.trim_ascii())
}
