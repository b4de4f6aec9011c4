//! `/store`: sealing a store and reading all of it, so that it can be taken elsewhere.
//!
//! `POST` with `{"sealed": true}` or `false`; `GET ?after=&limit=` for what is in it, while it is sealed.

use serde_json::{Value, json};

use super::trouble::Trouble;
use crate::base::{Timestamp, json};
use crate::endpoints::{Reply, urlencoded};
use crate::grants::Grants;
use crate::revocation::StoreError;
use crate::revocation::transfer::{Cursor, Exports, Record, issued_until};

/// Seals the store, or opens it again, as `body` says. Tells whose sessions are in it, and until when what they were given lives.
pub(super) async fn seal(grants: &Grants, body: &[u8], now: Timestamp) -> Result<Reply, Trouble> {
    let exports = exports(grants)?;
    let mut members = json::object(body).map_err(|_| Trouble::Invalid(SEALED))?;
    match (members.shift_remove("sealed"), members.is_empty()) {
        (Some(Value::Bool(true)), true) => {
            let since = exports.seal(now).await.map_err(|error| failed(grants, &error))?;
            // Errors, so that they are seen: nobody can log in here until it is undone.
            tracing::error!(
                since = since.seconds(),
                "the store is sealed for an export: logins, refreshes and revocations answer 503, also after a restart; `doorward store unseal` undoes it"
            );
            let until = issued_until(grants.revocations.store()).await.map_err(|error| failed(grants, &error))?;
            Ok(Reply::json(
                200,
                &json!({
                    "sealed_at": since.millis(),
                    "origin": grants.origin(),
                    "latest_access_exp": until.tokens.millis(),
                    "latest_session_end": until.sessions.millis(),
                }),
            ))
        }
        (Some(Value::Bool(false)), true) => {
            exports.unseal().await.map_err(|error| failed(grants, &error))?;
            tracing::warn!("the store is open again: what was exported of it is out of date from now on");
            Ok(Reply::json(200, &json!({ "sealed_at": null })))
        }
        _ => Err(Trouble::Invalid(SEALED)),
    }
}

/// A page of what is in the store.
pub(super) async fn page(grants: &Grants, query: Option<&[u8]>) -> Result<Reply, Trouble> {
    let exports = exports(grants)?;
    let (mut after, mut limit) = (None, MOST);
    for (name, value) in urlencoded::pairs(query.unwrap_or_default()).map_err(|_| Trouble::Invalid(QUERY))? {
        match name.as_str() {
            "after" if value.is_empty() => {}
            "after" => after = Some(Cursor::parse(&value).ok_or(Trouble::Invalid(QUERY))?),
            "limit" => {
                let number = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                limit = number.ok_or(Trouble::Invalid(QUERY))?;
            }
            _ => return Err(Trouble::Invalid(QUERY)),
        }
    }
    let page = exports.page(after, limit).await.map_err(|error| failed(grants, &error))?;
    let Some(sealed_at) = page.sealed_at else { return Err(Trouble::NotSealed) };
    let lines: Option<Vec<String>> = page.records.iter().map(Record::line).collect();
    let next = page.records.last().map(|record| record.cursor().to_string());
    Ok(Reply::json(
        200,
        &json!({ "sealed_at": sealed_at.millis(), "records": lines.ok_or(Trouble::Internal)?, "next": next }),
    ))
}

fn exports(grants: &Grants) -> Result<&dyn Exports, Trouble> {
    grants.revocations.store().exports().ok_or(Trouble::NoToRevoke(NOT_EMBEDDED))
}

fn failed(grants: &Grants, error: &StoreError) -> Trouble {
    grants.telemetry.metrics.store_error("export");
    grants.telemetry.metrics.set_store_up(false);
    tracing::error!(operation = "export", %error, "the store of sessions does not answer");
    Trouble::Store
}

const SEALED: &str = "The body must be `{\"sealed\": true}` or `{\"sealed\": false}`";
const QUERY: &str = "The query has `after`, a `next` of here, and `limit`, a number from 1 to 1000";
const NOT_EMBEDDED: &str = "There is no embedded store here, so there is nothing to export";

/// Records of a page.
const MOST: usize = 1000;
