//! The line of an audit record.

use tracing::Level;

use super::events::Audit;
use super::line::Line;
use super::settings::Format;
use super::sink::Importance;
use crate::base::Timestamp;

pub(super) fn write(out: &mut String, format: Format, at: Timestamp, audit: &Audit<'_>) {
    let mut line = Line::start(out, format, at, level(audit));
    line.event("audit").text("audit", audit.name());
    match *audit {
        Audit::Issued { grant, subject, client, sid, jti, scope, address } => line
            .text("grant", grant)
            .text("subject", subject)
            .optional("client", client)
            .optional("sid", sid)
            .text("jti", jti)
            .text("scope", scope)
            .address("address", address),
        Audit::Refreshed { subject, client, sid, jti, scope, address } => line
            .text("subject", subject)
            .optional("client", client)
            .text("sid", sid)
            .text("jti", jti)
            .text("scope", scope)
            .address("address", address),
        Audit::Repeated { subject, client, sid, jti, address, first_address } => line
            .text("subject", subject)
            .optional("client", client)
            .text("sid", sid)
            .text("jti", jti)
            .address("address", address)
            .address("first_address", first_address),
        Audit::Reused { subject, client, sid, cause, address } => line
            .text("subject", subject)
            .optional("client", client)
            .text("sid", sid)
            .text("cause", cause)
            .address("address", address),
        Audit::Refused { what, reason, subject, issuer, client, route, id, address } => line
            .text("what", what)
            .text("reason", reason)
            .optional("subject", subject)
            .optional("issuer", issuer)
            .optional("client", client)
            .optional("route", route)
            .optional("id", id)
            .address("address", address),
        Audit::Revoked { kind, subject, issuer, client, sid, jti, address, reason } => line
            .text("kind", kind)
            .optional("subject", subject)
            .optional("issuer", issuer)
            .optional("client", client)
            .optional("sid", sid)
            .optional("jti", jti)
            .address("address", address)
            .optional("reason", reason),
        Audit::Reloaded { ok, generation, problems, restart } => line
            .flag("ok", ok)
            .number("generation", generation)
            .number("problems", i128::try_from(problems).unwrap_or(i128::MAX))
            .list("restart", restart),
    }
    .finish();
}

pub(super) const fn importance(audit: &Audit<'_>) -> Importance {
    match audit {
        Audit::Refused { .. } => Importance::Refusal,
        _ => Importance::Record,
    }
}

const fn level(audit: &Audit<'_>) -> Level {
    match audit {
        Audit::Reused { .. } => Level::WARN,
        Audit::Reloaded { ok: false, .. } => Level::ERROR,
        _ => Level::INFO,
    }
}
