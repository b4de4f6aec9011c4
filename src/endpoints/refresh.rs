//! `POST /refresh-token`: the refresh grant, as the tutorials call it.

use super::parameters::{Parameters, Sources};
use super::{Exchange, Forms, OAuthError, Reply, token};
use crate::grants::{GrantKind, Grants};

pub(super) async fn answer(grants: &Grants, exchange: &Exchange<'_>, forms: Forms) -> Result<Reply, OAuthError> {
    let result = refresh(grants, exchange, forms).await;
    token::count(grants, "refresh_token", &result);
    result
}

async fn refresh(grants: &Grants, exchange: &Exchange<'_>, forms: Forms) -> Result<Reply, OAuthError> {
    let parameters = Parameters::read(exchange, SOURCES, forms).await?;
    if parameters.from_query {
        grants.telemetry.metrics.deprecated_request("query_token");
    }
    match parameters.value("grant_type") {
        None | Some("refresh_token") if grants.clients.offer(GrantKind::RefreshToken) => {
            token::refresh(grants, exchange, &parameters).await
        }
        _ => Err(OAuthError::UnsupportedGrantType),
    }
}

const SOURCES: Sources = Sources {
    reads: &["grant_type", "refresh_token", "scope", "client_id", "client_secret", "username", "password", "token"],
    in_query: Some("refresh_token"),
    json: true,
};
