//! The phase in which a request is answered here or permitted to go on.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use pingora::proxy::Session;
use serde_json::json;

use super::authorization::{self, Authorization};
use super::context::{Context, IdentityHeaders, State};
use super::facts::{self, RawRequest};
use super::forwarded::Forwarded;
use super::request_id::RequestIds;
use super::{own, preflight, request_body, respond, websocket};
use crate::base::{Clock, Stopwatch};
use crate::endpoints::Reply;
use crate::gate::credential::Credential;
use crate::gate::{Denial, Permit, RequestFacts, query as query_token};
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
    let answered = match RawRequest::of(session, &context.site.head_limits) {
        Ok(raw) => {
            let answered = answer_or_permit(session, context, &raw, ids, clock).await;
            context.raw = Some(raw);
            answered?
        }
        Err(error) => Some(refuse(session, context, None, &error.into())),
    };
    let Some(reply) = answered else { return Ok(false) };
    context.state = State::Answered;
    respond::write(session, &context.site.cors, reply).await?;
    Ok(true)
}

/// What is answered here; `None` = the request may go on.
async fn answer_or_permit(
    session: &mut Session,
    context: &mut Context,
    raw: &RawRequest,
    ids: &RequestIds,
    clock: &dyn Clock,
) -> pingora::Result<Option<Reply>> {
    if raw.is_asterisk() {
        // It is about the server as such; to the application it would be a path that no route can name.
        return Ok(Some(Reply::no_content()));
    }
    let target = raw.target();
    let asked = preflight::asked(session);
    if let Some(endpoint) = context.site.endpoints.at(target.path) {
        context.noted.endpoint = Some(endpoint);
        let from = context.client.address;
        let reply = match asked {
            Some(_) => preflight::own(&context.site.cors, session.req_header(), endpoint),
            None => match own::answer(session, &context.site, endpoint, target, from).await? {
                Ok(reply) => reply,
                // In the words of every refusal; that nothing of it is kept is said to the oldest caches, too.
                Err(denial) => refuse(session, context, Some(raw), &denial).with_header("Pragma", "no-cache"),
            },
        };
        context.noted.own_reason = reply.reason;
        return Ok(Some(reply));
    }
    let watch = Stopwatch::start();
    let permitted = permit(session, context, raw, asked.as_deref(), clock).await;
    context.noted.decision = Some(watch.elapsed());
    match permitted {
        Ok(Permitted { answers: Some(methods), .. }) => {
            context.noted.preflight = true;
            Ok(Some(preflight::proxied(&context.site.cors, session.req_header(), &methods)))
        }
        // Upstream it would be a plain request, whose answer is none to what was asked for.
        Ok(_) if context.site.upstream.settings().http2 && websocket::is_upgrade(session.req_header()) => {
            Ok(Some(Reply::json(501, &json!({ "detail": "Not Implemented" }))))
        }
        Ok(Permitted { permit, authorization, identity, answers: None }) => {
            // Also where Pingora escaped some of it: what was decided on is what goes upstream.
            let form = form_upstream(&authorization, raw, &permit);
            if session.req_header().raw_path() != &*form {
                session.req_header_mut().set_raw_path(&form)?;
            }
            let forwarded = Forwarded::of(session, &context.client, context.site.scheme, ids);
            context.state = State::Permitted { permit, authorization, identity, forwarded };
            Ok(None)
        }
        Err(denial) => Ok(Some(refuse(session, context, Some(raw), &denial))),
    }
}

fn refuse(session: &mut Session, context: &mut Context, raw: Option<&RawRequest>, denial: &Denial) -> Reply {
    context.noted.refused = Some(denial.reason);
    if matches!(denial.status(), 400 | 413 | 414 | 431) {
        // Who sends this may not mean the same by what follows.
        session.set_keepalive(None);
    }
    let path = raw.and_then(|raw| CanonicalPath::parse(raw.path()).ok());
    let metadata = path.as_ref().and_then(|path| context.site.endpoints.resource_metadata(path.reading()));
    respond::refusal(denial, &context.site.wording, metadata)
}

/// The target as it came; without the token in it, where tokens are not for the upstream.
fn form_upstream<'r>(authorization: &Authorization, raw: &'r RawRequest, permit: &Permit) -> Cow<'r, [u8]> {
    let target = raw.target();
    match (target.query, authorization) {
        (Some(query), Authorization::Removed | Authorization::Minted(_)) if permit.has_query_token() => {
            let left = query_token::without_token(query);
            let mark: &[u8] = if left.is_empty() { b"" } else { b"?" };
            Cow::Owned([target.path, mark, &left].concat())
        }
        _ => Cow::Borrowed(raw.origin_form()),
    }
}

struct Permitted {
    permit: Permit,
    authorization: Authorization,
    identity: Option<Arc<IdentityHeaders>>,
    /// The methods to answer a preflight with that is answered here.
    answers: Option<String>,
}

async fn permit(
    session: &Session,
    context: &mut Context,
    raw: &RawRequest,
    asked: Option<&str>,
    clock: &dyn Clock,
) -> Result<Permitted, Denial> {
    let path = CanonicalPath::parse(raw.path()).map_err(|_| Denial::new(Reason::AmbiguousPath))?;
    let (request, token_bytes) = (session.req_header(), context.site.limits.token_bytes);
    let query = raw.target().query.filter(|_| context.site.gate.table().takes_query_tokens());
    let facts = RequestFacts {
        query: query.map_or(Credential::None, |query| query_token::credential(query, token_bytes)),
        websocket: websocket::credential(request, token_bytes),
        preflight: asked,
        ..RequestFacts::new(request.method.as_str(), &path, facts::credential(session, token_bytes))
    };
    let decision = context.site.gate.decide_with_new_keys(&facts).await;
    context.noted.route = decision.route;
    context.noted.verified = decision.verified;
    let permit = decision.outcome?;
    request_body::check_declared(raw.body(), &context.site.limits)?;
    let identity = identity_headers(context, &permit)?;
    let mode = context.site.gate.table().authorization(
        &path,
        facts.preflight.unwrap_or(facts.method),
        context.site.authorization,
    );
    let authorization =
        authorization::upstream(mode, context.site.mint.as_ref(), &permit, context.site.gate.times(clock.now()))?;
    let answers = preflight::methods_to_answer(&context.site, context.noted.route, &facts);
    Ok(Permitted { permit, authorization, identity, answers })
}

/// Once for each token that is remembered: what its headers say does not change, and the plan is one configuration's.
fn identity_headers(context: &Context, permit: &Permit) -> Result<Option<Arc<IdentityHeaders>>, Denial> {
    let Some(token) = permit.token() else { return Ok(None) };
    let made = token.made(|| {
        let values =
            context.site.headers.values(&token.claims().all.read()).map_err(|_| Denial::identity_too_large())?;
        // One piece of memory for all of them: there are as many as tokens that are remembered.
        let mut rest = Bytes::from(values.iter().map(|(_, value)| value.as_str()).collect::<String>());
        let header = |(name, value): (&'static str, String)| {
            // The plan writes visible ASCII only; a value that is none must not be cut into one.
            let value = HeaderValue::from_maybe_shared(rest.split_to(value.len()));
            Ok((name, value.map_err(|_| Denial::identity_too_large())?))
        };
        values.into_iter().map(header).collect::<Result<IdentityHeaders, Denial>>()
    });
    made.map(Some)
}
