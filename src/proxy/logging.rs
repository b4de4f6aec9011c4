//! The last phase: what happened, told once.

use pingora::Error;
use pingora::proxy::Session;

use super::context::{Context, State};
use super::facts::RawRequest;
use super::failure::Failure;
use crate::connection::Ongoing;
use crate::policy::Reason;
use crate::telemetry::{Audit, Decision, Listener, Request};

/// Tells a request that has ended.
pub fn tell(session: &Session, error: Option<&Error>, context: &mut Context) {
    let status = session.response_written().map_or(0, |response| response.status.as_u16());
    if status >= 200
        && let Some(ongoing) = Ongoing::current()
    {
        ongoing.answered();
    }
    write(context, session.req_header().raw_path(), status, error.map(Failure::of));
    context.told = true;
}

/// Tells a request whose session is gone.
pub(super) fn tell_dropped(context: &Context) {
    write(context, b"", context.noted.status, None);
}

fn write(context: &Context, unread_path: &[u8], status: u16, failure: Option<Failure>) {
    let path = String::from_utf8_lossy(context.raw.as_ref().map_or(unread_path, RawRequest::path));
    let noted = &context.noted;
    let claims = noted.verified.as_ref().map(|verified| verified.claims());
    let address = context.client.address;
    let decision = match (&context.state, noted.endpoint, noted.refused) {
        (_, Some(_), _) => Decision::Own,
        (_, _, Some(_)) => Decision::Deny,
        _ if noted.preflight => Decision::Own,
        (State::Permitted { .. }, _, _) => Decision::Allow,
        (State::Answered, _, _) => Decision::Own,
        _ => Decision::Error,
    };
    let route = match noted.endpoint {
        Some(endpoint) => context.site.labels.own(endpoint),
        None => context.site.labels.route(noted.route),
    };
    let reason = noted.refused.map(Reason::as_str).or(noted.own_reason);
    let now = context.clock.now();
    context.telemetry.request(&Request {
        at: now,
        id: context.id.as_str(),
        listener: Listener::Public,
        route,
        method: context.method,
        path: &path,
        status,
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
            issuer: claims.map(|claims| &*claims.issuer),
            client: claims.and_then(|claims| claims.client.as_deref()),
            route: Some(route.name()),
            id: Some(context.id.as_str()),
            address,
        };
        context.telemetry.audit(now, &refused);
    }
}
