//! The line of a request.

use tracing::Level;

use super::events::Request;
use super::line::Line;
use super::settings::Format;

pub(super) fn write(out: &mut String, format: Format, request: &Request<'_>) {
    // Queries carry tokens (`?access_token=`), so one that a caller forgot to take off goes no further.
    let path = request.path.split(['?', '#']).next().unwrap_or_default();
    Line::start(out, format, request.at, Level::INFO)
        .event("access")
        .text("id", request.id)
        .text("listener", request.listener.as_str())
        .text("route", request.route.name())
        .text("method", request.method.as_str())
        .text("path", path)
        .number("status", request.status)
        .text("decision", request.decision.as_str())
        .optional("reason", request.reason)
        .optional("subject", request.subject)
        .optional("client", request.client)
        .optional("issuer", request.issuer)
        .address("address", request.client_address)
        .millis("duration_ms", Some(request.duration))
        .millis("decision_ms", request.decision_duration)
        .millis("upstream_ms", request.upstream_duration)
        .optional("upstream_error", request.upstream_error)
        .finish();
}
