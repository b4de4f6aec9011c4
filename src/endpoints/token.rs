//! `POST /token`.

use serde_json::{Map, Value};

use super::parameters::{Parameters, Sources};
use super::{Exchange, OAuthError, Reply, Settings, client_auth};
use crate::base::Secret;
use crate::grants::{GrantKind, Grants, Login, Minted};
use crate::telemetry::GrantType;
use crate::tokens::ScopeSet;

pub(super) async fn answer(grants: &Grants, exchange: &Exchange<'_>, settings: &Settings) -> Result<Reply, OAuthError> {
    let (grant, result) = grant(grants, exchange, settings).await;
    count(grants, grant, &result);
    result
}

async fn grant(
    grants: &Grants,
    exchange: &Exchange<'_>,
    settings: &Settings,
) -> (&'static str, Result<Reply, OAuthError>) {
    let parameters = match Parameters::read(exchange, SOURCES, settings.forms).await {
        Ok(parameters) => parameters,
        Err(error) => return ("other", Err(error)),
    };
    let named = parameters.value("grant_type");
    // FastAPI's own form does not ask for it.
    let is_login = || settings.implied_password_grant && parameters.value("username").is_some();
    let named = named.or_else(|| is_login().then_some(GrantKind::Password.as_str()));
    let Some(named) = named else { return ("other", Err(OAuthError::InvalidRequest("grant_type is missing"))) };
    let known = GrantKind::ALL.into_iter().find(|kind| kind.as_str() == named && grants.clients.offer(*kind));
    if known.is_some() && !parameters.resources().all(|resource| grants.settings.knows(resource)) {
        return (named_or_other(known), Err(OAuthError::InvalidTarget));
    }
    let result = match known {
        Some(GrantKind::Password) => password(grants, exchange, &parameters).await,
        Some(GrantKind::RefreshToken) => refresh(grants, exchange, &parameters).await,
        Some(GrantKind::ClientCredentials) => client_credentials(grants, exchange, &parameters).await,
        None => Err(OAuthError::UnsupportedGrantType),
    };
    (named_or_other(known), result)
}

/// As it is counted: whatever a client can think of is one.
fn named_or_other(kind: Option<GrantKind>) -> &'static str {
    kind.map_or("other", GrantKind::as_str)
}

async fn password(grants: &Grants, exchange: &Exchange<'_>, parameters: &Parameters) -> Result<Reply, OAuthError> {
    let username = parameters.required("username", MAX_USERNAME_BYTES, "username is missing")?;
    let password = parameters.required("password", MAX_PASSWORD_BYTES, "password is missing")?;
    let scope = scope(parameters)?;
    let sender = client_auth::identify(grants, exchange, parameters, "login").await?;
    let login = Login { caller: &sender.caller, username, password: Secret::new(password), scope, from: exchange.from };
    Ok(success(&grants.log_in(login).await.map_err(|error| sender.refused(error))?))
}

/// The refresh grant, shared with `/refresh-token`.
pub(super) async fn refresh(
    grants: &Grants,
    exchange: &Exchange<'_>,
    parameters: &Parameters,
) -> Result<Reply, OAuthError> {
    let token = parameters.value("refresh_token").ok_or(OAuthError::InvalidRequest("refresh_token is missing"))?;
    let scope = scope(parameters)?;
    let sender = client_auth::identify(grants, exchange, parameters, "refresh").await?;
    let minted = grants.refresh(&sender.caller, token, scope.as_ref(), exchange.from).await;
    Ok(success(&minted.map_err(|error| sender.refused(error))?))
}

async fn client_credentials(
    grants: &Grants,
    exchange: &Exchange<'_>,
    parameters: &Parameters,
) -> Result<Reply, OAuthError> {
    let scope = scope(parameters)?;
    let sender = client_auth::identify(grants, exchange, parameters, "client").await?;
    let minted = grants.issue_to_client(&sender.caller, scope.as_ref(), exchange.from).await;
    Ok(success(&minted.map_err(|error| sender.refused(error))?))
}

pub(super) fn count(grants: &Grants, grant: &'static str, result: &Result<Reply, OAuthError>) {
    let result = result.as_ref().err().map_or("ok", |error| error.code());
    grants.telemetry.metrics.token_request(GrantType::of(grant), result);
}

fn scope(parameters: &Parameters) -> Result<Option<ScopeSet>, OAuthError> {
    let Some(text) = parameters.value("scope") else { return Ok(None) };
    let scopes = ScopeSet::parse_requested(text).map_err(|_| OAuthError::InvalidScope)?;
    Ok((!scopes.is_empty()).then_some(scopes))
}

/// Never a null member: clients read one as an error, or break (RFC 6749 §5.1 leaves such members out).
fn success(minted: &Minted) -> Reply {
    let mut body = Map::new();
    let mut set = |name: &str, value: Value| body.insert(name.to_owned(), value);
    set("access_token", minted.access_token.as_str().into());
    set("token_type", "bearer".into());
    set("expires_in", minted.expires_in.as_secs().into());
    if let Some(refresh_token) = &minted.refresh_token {
        set("refresh_token", refresh_token.as_str().into());
    }
    if !minted.scope.is_empty() {
        set("scope", minted.scope.to_string().into());
    }
    Reply::json(200, &Value::Object(body))
}

const SOURCES: Sources = Sources {
    reads: &[
        "grant_type",
        "username",
        "password",
        "scope",
        "client_id",
        "client_secret",
        "refresh_token",
        "token",
        "code",
    ],
    in_query: None,
    json: false,
};

const MAX_USERNAME_BYTES: usize = 256;
const MAX_PASSWORD_BYTES: usize = 1024;
