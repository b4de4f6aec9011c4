//! `POST /refresh-token`: the refresh grant, as the tutorials call it.

use super::parameters::{Parameters, Sources};
use super::{Exchange, OAuthError, Reply, token};
use crate::grants::{GrantKind, Grants};

pub(super) async fn answer(grants: &Grants, exchange: &Exchange<'_>, in_query: bool) -> Result<Reply, OAuthError> {
    let result = refresh(grants, exchange, in_query).await;
    token::count(grants, "refresh_token", &result);
    result
}

async fn refresh(grants: &Grants, exchange: &Exchange<'_>, in_query: bool) -> Result<Reply, OAuthError> {
    let sources = Sources { in_query: in_query.then_some("refresh_token"), ..SOURCES };
    let parameters = Parameters::read(exchange, sources).await?;
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
    in_query: None,
    json: true,
};
