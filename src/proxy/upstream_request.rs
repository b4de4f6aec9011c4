//! The request as it goes upstream; made anew for every attempt.

use http::HeaderName;
use pingora::http::RequestHeader;
use pingora::{Error, ErrorType};

use super::context::{Context, State};
use super::{cookies, preflight, websocket};

/// Takes out what the upstream must not believe and puts in who asks.
///
/// This runs after Pingora has dropped what `Connection` names, so a client cannot have our headers dropped.
///
/// # Errors
/// 500 without a permit: a mistake in the order of phases must end here, not at the upstream.
pub fn filter(received: &RequestHeader, request: &mut RequestHeader, context: &Context) -> pingora::Result<()> {
    let State::Permitted { permit, authorization, identity, forwarded } = &context.state else {
        return Error::e_explain(ErrorType::HTTPStatus(500), "no permit");
    };
    let site = &context.site;
    // Whoever asks and for whatever: a route without an identity must not be given one either.
    let is_forbidden = |name: &&HeaderName| {
        let may_stay = context.client.through_proxy && !permit.is_preflight() && site.headers.keeps(name.as_str());
        site.headers.strips(name.as_str()) && !(may_stay && request.headers.get_all(*name).iter().count() == 1)
    };
    let forbidden: Vec<HeaderName> = request.headers.keys().filter(is_forbidden).cloned().collect();
    for name in &forbidden {
        request.remove_header(name);
    }
    authorization.apply(received, request)?;
    cookies::filter(request)?;
    for (name, value) in identity.iter().flat_map(|identity| identity.iter()) {
        request.insert_header(*name, value.clone())?;
    }
    forwarded.apply(request)?;
    request.insert_header("X-Request-Id", context.id.header().clone())?;
    if permit.is_preflight() {
        preflight::take_credentials_out(request);
        preflight::keep(received, request)?;
    }
    websocket::filter_request(received, request, permit)
}
