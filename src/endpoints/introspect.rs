//! `POST /introspect` (RFC 7662): what is true of a token now.
//!
//! Whoever may ask may see every access token that the gate takes: all of them are meant for the API behind it, and there is no
//! other audience here. A token for another audience is inactive for everybody. A refresh token is its client's alone.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::error_body::Challenge;
use super::parameters::{Parameters, Sources};
use super::{Exchange, Forms, OAuthError, Reply, client_auth};
use crate::base::Timestamp;
use crate::gate::credential::Credential;
use crate::gate::{Asked, Denial, Gate};
use crate::grants::{Client, GrantError, Grants, LiveSession, Owner};
use crate::policy::Reason;
use crate::tokens::{Claims, RefreshToken, ScopeSet};

/// # Errors
/// [`Denial`] of a Bearer token without the scope.
pub(super) async fn answer(
    grants: &Grants,
    gate: &Gate,
    exchange: &Exchange<'_>,
    forms: Forms,
) -> Result<Result<Reply, OAuthError>, Denial> {
    let parameters = match Parameters::read(exchange, SOURCES, forms).await {
        Ok(parameters) => parameters,
        Err(error) => return Ok(Err(error)),
    };
    // First who asks: nobody else learns even what a request should look like.
    let asker = match asker(grants, gate, exchange, &parameters).await? {
        Ok(asker) => asker,
        Err(error) => return Ok(Err(error)),
    };
    let Some(token) = parameters.value("token") else {
        return Ok(Err(OAuthError::InvalidRequest("token is missing")));
    };
    let found = find(grants, gate, &asker, token, exchange.token_bytes).await;
    // Unknown, forged, expired, revoked, another's: the same bytes (§2.2).
    Ok(match found {
        Ok(members) => Ok(Reply::json(200, &members.map_or_else(|| json!({ "active": false }), Value::Object))),
        Err(error) => Err(grants.refused_to_introspect(error, asker.id(), exchange.from).into()),
    })
}

/// Who may ask (§2.1).
enum Asker {
    Client(Arc<Client>),
    /// Whoever has a token with the scope; no refresh token is theirs.
    Bearer,
}

impl Asker {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Client(client) => Some(&client.id),
            Self::Bearer => None,
        }
    }
}

async fn asker(
    grants: &Grants,
    gate: &Gate,
    exchange: &Exchange<'_>,
    parameters: &Parameters,
) -> Result<Result<Asker, OAuthError>, Denial> {
    // Pages add a token to whatever they send: a client that shows its secret in the body is that client.
    let with_token = exchange.credential != Credential::None && parameters.value("client_secret").is_none();
    if with_token {
        return match gate.admit(exchange.credential, ASKED).await {
            Ok(_) => Ok(Ok(Asker::Bearer)),
            Err(denial) if denial.reason == Reason::InsufficientScope => Err(denial),
            Err(denial) if denial.status() == 503 => {
                Ok(Err(grants.refused_to_introspect(unknown(denial.reason), None, exchange.from).into()))
            }
            Err(_) => {
                grants.refused_to_introspect(GrantError::InvalidClient, None, exchange.from);
                Ok(Err(OAuthError::InvalidClient(Challenge::Token)))
            }
        };
    }
    let sender = match client_auth::identify(grants, exchange, parameters, "introspect").await {
        Ok(sender) => sender,
        Err(error) => return Ok(Err(with_challenge(error, grants, exchange))),
    };
    let client = grants.ask_to_introspect(&sender.caller, exchange.from);
    Ok(match client {
        Ok(client) => Ok(Asker::Client(Arc::clone(client))),
        Err(error) => Err(with_challenge(sender.refused(error), grants, exchange)),
    })
}

/// 401 however the client has tried, where the token endpoint would say 400 (§2.3).
fn with_challenge(error: OAuthError, grants: &Grants, exchange: &Exchange<'_>) -> OAuthError {
    let basic = grants.clients.have_secrets() && !exchange.is_from_page;
    match error {
        OAuthError::InvalidClient(Challenge::None) if basic => OAuthError::InvalidClient(Challenge::Basic),
        OAuthError::InvalidClient(Challenge::None) => OAuthError::InvalidClient(Challenge::Bearer),
        other => other,
    }
}

/// What is true of a token; `None` if it is not active.
async fn find(
    grants: &Grants,
    gate: &Gate,
    asker: &Asker,
    token: &str,
    token_bytes: usize,
) -> Result<Option<Map<String, Value>>, GrantError> {
    if token.starts_with(RefreshToken::PREFIX) {
        let Asker::Client(client) = asker else { return Ok(None) };
        let session = grants.live_session(client, token).await?;
        return Ok(session.map(|session| of_session(&session, client, &grants.settings.issuer)));
    }
    if token.len() > token_bytes {
        return Ok(None);
    }
    match gate.identify(token).await {
        Ok(verified) => {
            let claims = verified.claims();
            Ok(grants.owner(&verified).await?.map(|owner| {
                // The gate takes it for no more either.
                let scopes = match &owner {
                    Owner::User(user) => &claims.scopes.intersection(&user.scopes),
                    Owner::Client | Owner::Foreign => &claims.scopes,
                };
                of_access_token(claims, scopes)
            }))
        }
        // It may be a good one: to say that it is none would have its holder turned away (§2.2).
        Err(reason) if Denial::new(reason).status() == 503 => Err(unknown(reason)),
        Err(_) => Ok(None),
    }
}

/// Why nobody can tell.
fn unknown(reason: Reason) -> GrantError {
    if reason == Reason::StoreUnavailable { GrantError::StandingUnknown } else { GrantError::KeysUnavailable }
}

fn of_access_token(claims: &Claims, scopes: &ScopeSet) -> Map<String, Value> {
    let mut members = active(claims.user(), claims.client.as_deref(), &scopes.to_string());
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("token_type", "Bearer".into());
    set("exp", claims.expires_at.seconds().into());
    if let Some(issued_at) = claims.issued_at {
        set("iat", issued_at.seconds().into());
    }
    // A token that says nothing else is good from when it was issued.
    if let Some(not_before) = claims.not_before.or(claims.issued_at) {
        set("nbf", not_before.seconds().into());
    }
    if let Some(audience) = claims.all.read().shift_remove("aud") {
        set("aud", audience);
    }
    set("iss", (&*claims.issuer).into());
    if let Some(token_id) = &claims.token_id {
        set("jti", (&**token_id).into());
    }
    members
}

/// Without `token_type`: it says how a token is shown to an API, and this one is not.
fn of_session(session: &LiveSession, client: &Client, issuer: &str) -> Map<String, Value> {
    let mut members = active(&session.user.username, Some(&client.id), &session.scope.to_string());
    let mut date = |name: &str, value: Timestamp| members.insert(name.to_owned(), value.seconds().into());
    date("exp", session.expires_at);
    date("iat", session.issued_at);
    date("nbf", session.issued_at);
    members.insert("iss".to_owned(), issuer.into());
    members
}

/// Never a null member, nor a scope of nothing.
fn active(subject: &str, client: Option<&str>, scope: &str) -> Map<String, Value> {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
    set("active", true.into());
    if !scope.is_empty() {
        set("scope", scope.into());
    }
    if let Some(client) = client {
        set("client_id", client.into());
    }
    // Of another issuer's user behind its prefix, as everywhere: two issuers may both have an `admin`.
    set("username", subject.into());
    set("sub", subject.into());
    members
}

const ASKED: Asked = Asked { scope: "introspect", own: false };

const SOURCES: Sources = Sources {
    reads: &["token", "token_type_hint", "client_id", "client_secret", "refresh_token", "username", "password"],
    in_query: None,
    json: false,
};
