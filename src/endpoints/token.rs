//! `POST /token`.

use serde_json::{Map, Value};

use super::parameters::{Parameters, Sources};
use super::{Exchange, OAuthError, Reply};
use crate::base::Secret;
use crate::grants::{Grants, Login, Minted};
use crate::telemetry::GrantType;
use crate::tokens::ScopeSet;

pub(super) async fn answer(grants: &Grants, exchange: &Exchange<'_>) -> Result<Reply, OAuthError> {
    let (grant, result) = grant(grants, exchange).await;
    count(grants, grant, &result);
    result
}

async fn grant(grants: &Grants, exchange: &Exchange<'_>) -> (&'static str, Result<Reply, OAuthError>) {
    let parameters = match Parameters::read(exchange, SOURCES).await {
        Ok(parameters) => parameters,
        Err(error) => return ("other", Err(error)),
    };
    match parameters.value("grant_type") {
        Some("password") => ("password", password(grants, exchange, &parameters).await),
        Some("refresh_token") => ("refresh_token", refresh(grants, exchange, &parameters).await),
        Some(_) => ("other", Err(OAuthError::UnsupportedGrantType)),
        // FastAPI's own form does not ask for it.
        None if parameters.value("username").is_some() => ("password", password(grants, exchange, &parameters).await),
        None => ("other", Err(OAuthError::InvalidRequest("grant_type is missing"))),
    }
}

async fn password(grants: &Grants, exchange: &Exchange<'_>, parameters: &Parameters) -> Result<Reply, OAuthError> {
    let username = parameters.required("username", MAX_USERNAME_BYTES, "username is missing")?;
    let password = parameters.required("password", MAX_PASSWORD_BYTES, "password is missing")?;
    let login = Login { username, password: Secret::new(password), scope: scope(parameters)?, from: exchange.from };
    Ok(success(&grants.log_in(login).await?))
}

/// The refresh grant, shared with `/refresh-token`.
pub(super) async fn refresh(
    grants: &Grants,
    exchange: &Exchange<'_>,
    parameters: &Parameters,
) -> Result<Reply, OAuthError> {
    let token = parameters.value("refresh_token").ok_or(OAuthError::InvalidRequest("refresh_token is missing"))?;
    let scope = scope(parameters)?;
    Ok(success(&grants.refresh(token, scope.as_ref(), exchange.from).await?))
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
    set("refresh_token", minted.refresh_token.as_str().into());
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
