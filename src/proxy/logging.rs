//! The last phase: what happened, told once.

use std::sync::Arc;

use pingora::Error;
use pingora::proxy::Session;

use super::context::{Context, State};
use super::facts::{self, RawRequest};
use super::failure::Failure;
use crate::base::Timestamp;
use crate::telemetry::{Audit, Decision, Listener, Method, Request, Telemetry};

/// Tells a request that has ended.
pub fn tell(
    session: &Session,
    error: Option<&Error>,
    context: &mut Context,
    telemetry: &Arc<Telemetry>,
    now: Timestamp,
) {
    let path = context.raw.as_ref().map_or(session.req_header().raw_path(), RawRequest::path);
    let path = String::from_utf8_lossy(path);
    let noted = &context.noted;
    let claims = noted.verified.as_ref().map(|verified| verified.claims());
    let address = facts::client_address(session);
    let failure = error.map(Failure::of);
    let decision = match (&context.state, noted.endpoint, noted.refused) {
        (_, Some(_), _) => Decision::Own,
        (_, _, Some(_)) => Decision::Deny,
        (State::Permitted { .. }, _, _) => Decision::Allow,
        (State::Answered, _, _) => Decision::Own,
        _ => Decision::Error,
    };
    let route = match noted.endpoint {
        Some(endpoint) => context.site.labels.own(endpoint),
        None => context.site.labels.route(noted.route),
    };
    let reason = noted.refused.map(crate::policy::Reason::as_str).or(noted.own_reason);
    telemetry.request(&Request {
        at: now,
        id: &context.id,
        listener: Listener::Public,
        route,
        method: Method::of(session.req_header().method.as_str()),
        path: &path,
        status: session.response_written().map_or(0, |response| response.status.as_u16()),
        decision,
        reason,
        subject: claims.map(|claims| &*claims.subject),
        client: claims.and_then(|claims| claims.client.as_deref()),
        issuer: claims.map(|claims| &*claims.issuer),
        client_address: address,
        duration: context.received.elapsed(),
        decision_duration: noted.decision,
        upstream_duration: noted.answered,
        upstream_error: noted.upstream_error.or(failure.filter(|failure| failure.is_upstreams()).map(Failure::as_str)),
    });
    if let Some(reason) = noted.refused {
        let refused = Audit::Refused {
            what: "request",
            reason: reason.as_str(),
            subject: claims.map(|claims| &*claims.subject),
            route: Some(route.name()),
            id: Some(&context.id),
            address,
        };
        telemetry.audit(now, &refused);
    }
}
