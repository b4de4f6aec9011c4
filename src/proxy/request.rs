//! The phase in which a request is answered here or permitted to go on.

use http::{HeaderName, HeaderValue};
use pingora::proxy::Session;

use super::context::{Context, State};
use super::facts::{self, RawRequest};
use super::request_id::RequestIds;
use super::{forwarded, own, respond};
use crate::base::{Clock, Stopwatch};
use crate::gate::{Denial, Permit, RequestFacts};
use crate::policy::{CanonicalPath, Reason};

/// Whether the request was answered here.
///
/// # Errors
/// Pingora's, if the client has gone.
pub async fn filter(
    session: &mut Session,
    context: &mut Context,
    ids: &RequestIds,
    clock: &dyn Clock,
) -> pingora::Result<bool> {
    let raw = RawRequest::of(session);
    let answered = answer_or_permit(session, context, &raw, ids, clock).await;
    context.raw = raw.ok();
    answered
}

async fn answer_or_permit(
    session: &mut Session,
    context: &mut Context,
    raw: &Result<RawRequest, Reason>,
    ids: &RequestIds,
    clock: &dyn Clock,
) -> pingora::Result<bool> {
    let target = raw.as_ref().map_err(|reason| *reason).and_then(RawRequest::target);
    if let Ok(target) = &target
        && let Some(endpoint) = context.site.endpoints.at(target.path)
    {
        context.noted.endpoint = Some(endpoint);
        let reply = own::answer(session, &context.site, endpoint, target.query).await?;
        context.noted.own_reason = reply.reason;
        context.state = State::Answered;
        respond::write(session, reply).await?;
        return Ok(true);
    }
    let watch = Stopwatch::start();
    let decided = target.map_err(Denial::new).and_then(|target| {
        let path = CanonicalPath::parse(target.path).map_err(|_| Denial::new(Reason::AmbiguousPath))?;
        let rewritten = target.was_absolute.then(|| target.origin_form());
        let method = session.req_header().method.as_str();
        let facts = RequestFacts::new(method, &path, facts::credential(session));
        decide(context, &facts, clock).map(|permitted| (permitted, rewritten))
    });
    context.noted.decision = Some(watch.elapsed());
    match decided {
        Ok(((permit, identity), rewritten)) => {
            if let Some(origin_form) = rewritten {
                session.req_header_mut().set_raw_path(&origin_form)?;
            }
            let forwarded = forwarded::headers(session, context.site.scheme, ids);
            context.state = State::Permitted { permit, identity, forwarded };
            Ok(false)
        }
        Err(denial) => {
            context.noted.refused = Some(denial.reason);
            if denial.reason == Reason::MalformedRequest {
                // Where the next request begins, two readers could see differently.
                session.set_keepalive(None);
            }
            context.state = State::Answered;
            respond::write(session, respond::refusal(&denial, context.site.insufficient_scope_status)).await?;
            Ok(true)
        }
    }
}

/// What may be asked for in TRACE's place.
const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

type Permitted = (Permit, Vec<(HeaderName, HeaderValue)>);

fn decide(context: &mut Context, facts: &RequestFacts<'_>, clock: &dyn Clock) -> Result<Permitted, Denial> {
    if !facts::is_plain_method(facts.method) {
        return Err(Denial::new(Reason::MalformedRequest));
    }
    // It would be answered with the identity headers that were put in (RFC 9110 §9.3.8).
    if facts.method == "TRACE" {
        return Err(Denial { allow: Some(ALLOW.to_owned()), ..Denial::new(Reason::MethodNotAllowed) });
    }
    let decision = context.site.gate.decide(facts, clock.now());
    context.noted.route = decision.route;
    context.noted.verified = decision.verified;
    let permit = decision.outcome?;
    let identity = identity_headers(context, &permit)?;
    Ok((permit, identity))
}

fn identity_headers(context: &Context, permit: &Permit) -> Result<Vec<(HeaderName, HeaderValue)>, Denial> {
    let Some(claims) = permit.identity() else { return Ok(Vec::new()) };
    let values = context.site.headers.values(&claims.all).map_err(|_| Denial::identity_too_large())?;
    let header = |(name, value): (HeaderName, String)| {
        // The plan writes visible ASCII only; a value that is none must not be cut into one.
        let value = HeaderValue::from_str(&value).map_err(|_| Denial::identity_too_large())?;
        Ok((name, value))
    };
    values.into_iter().map(header).collect()
}
