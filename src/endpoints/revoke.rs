//! `POST /revoke-token` (RFC 7009).

use serde_json::json;

use super::parameters::{Parameters, Sources};
use super::{Exchange, Forms, OAuthError, Reply, client_auth};
use crate::grants::Grants;

pub(super) async fn answer(grants: &Grants, exchange: &Exchange<'_>, forms: Forms) -> Result<Reply, OAuthError> {
    let parameters = Parameters::read(exchange, SOURCES, forms).await?;
    if parameters.from_query {
        grants.telemetry.metrics.deprecated_request("query_token");
    }
    // `token_type_hint` is not looked at: the token itself says what it is (RFC 7009 §2.1).
    let token = parameters.value("token").ok_or(OAuthError::InvalidRequest("token is missing"))?;
    let sender = client_auth::identify(grants, exchange, &parameters, "revoke").await?;
    grants.revoke(&sender.caller, token, exchange.from).await.map_err(|error| sender.refused(error))?;
    Ok(Reply::json(200, &json!({ "message": "Token revoked" })))
}

const SOURCES: Sources = Sources {
    reads: &["token", "token_type_hint", "client_id", "client_secret", "refresh_token", "username", "password"],
    in_query: Some("token"),
    json: true,
};
