//! `GET /revocations?after=&limit=`: the live marks, a page at a time.

use serde_json::{Value, json};

use super::trouble::Trouble;
use crate::base::{Timestamp, base64url};
use crate::endpoints::{Reply, urlencoded};
use crate::grants::{Grants, OrderKind};
use crate::revocation::{MarkKey, StoredMark};

/// Answers with the marks that are alive at `now`. Those past their time are left out, so a page may be short, and even empty;
/// the last one is that without a `next`.
pub(super) async fn answer(grants: &Grants, query: Option<&[u8]>, now: Timestamp) -> Result<Reply, Trouble> {
    let Page { after, limit } = page(query.unwrap_or_default())?;
    let marks = grants.revocations.store().marks(after, limit).await.inspect_err(|error| {
        grants.telemetry.metrics.store_error("revocations");
        grants.telemetry.metrics.set_store_up(false);
        tracing::error!(operation = "revocations", %error, "the store of sessions does not answer");
    })?;
    grants.telemetry.metrics.set_store_up(true);
    let next = marks.last().filter(|_| marks.len() >= limit).map(|mark| opaque(mark.key));
    let live: Vec<Value> = marks.iter().filter(|mark| mark.expires_at > now).map(shown).collect();
    Ok(Reply::json(200, &json!({ "revocations": live, "next": next })))
}

struct Page {
    after: Option<MarkKey>,
    limit: usize,
}

fn page(query: &[u8]) -> Result<Page, Trouble> {
    let mut page = Page { after: None, limit: USUAL };
    let mut seen = Vec::new();
    for (name, value) in urlencoded::pairs(query).map_err(|_| Trouble::Invalid("The query cannot be read"))? {
        match name.as_str() {
            "after" if value.is_empty() => {}
            "after" => page.after = Some(key(&value).ok_or(Trouble::Invalid("`after` is not a `next` of here"))?),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                page.limit = limit.ok_or(Trouble::Invalid("`limit` must be a number from 1 to 1000"))?;
            }
            _ => return Err(Trouble::Invalid("The query has `after` and `limit`, and nothing else")),
        }
        if seen.contains(&name) {
            return Err(Trouble::Invalid("A parameter is repeated"));
        }
        seen.push(name);
    }
    Ok(page)
}

/// Never a token: what a mark names them by.
fn shown(mark: &StoredMark) -> Value {
    let name = mark.name.as_ref();
    json!({
        "id": opaque(mark.key),
        "kind": name.map(|name| OrderKind::of_mark(name.kind).as_str()),
        "issuer": name.map(|name| name.issuer.as_str()),
        "value": name.map(|name| name.value.as_str()),
        "issued_before": mark.issued_before.map(Timestamp::seconds),
        "expires_at": mark.expires_at.seconds(),
    })
}

fn opaque(key: MarkKey) -> String {
    base64url::encode(key.as_bytes())
}

fn key(text: &str) -> Option<MarkKey> {
    Some(MarkKey::from_bytes(base64url::decode(text).ok()?.try_into().ok()?))
}

/// Marks of a page if nobody says how many.
const USUAL: usize = 100;
const MOST: usize = 1000;
