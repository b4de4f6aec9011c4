//! `GET|POST /userinfo` (OpenID Connect Core §5.3): who the user of an access token is, as JSON.

use serde_json::{Map, Value};

use super::{Exchange, Reply};
use crate::gate::{Asked, Denial, Gate};
use crate::grants::{Grants, Owner};
use crate::policy::Reason;
use crate::tokens::Claims;
use crate::users::User;

/// # Errors
/// [`Denial`] of a token that is none of ours, has no `openid`, or is of a user who may not log in any more.
pub(super) async fn answer(grants: &Grants, gate: &Gate, exchange: &Exchange<'_>) -> Result<Reply, Denial> {
    let verified = gate.admit(exchange.credential, ASKED).await?;
    let denied = |reason| Denial { scope: Some(ASKED.scope.into()), ..Denial::new(reason) };
    let owner = grants.owner(&verified).await.map_err(|error| {
        tracing::error!(operation = "userinfo", %error, "the user of a token cannot be looked up");
        denied(Reason::StoreUnavailable)
    })?;
    match owner {
        Some(Owner::User(user)) => Ok(Reply::json(200, &Value::Object(claims(&user, verified.claims())))),
        // A service has no user to tell of, and another issuer's users are its own to tell of.
        Some(Owner::Client | Owner::Foreign) => Err(Denial::new(Reason::RouteDenied)),
        None => Err(denied(Reason::UserDisabled)),
    }
}

/// `sub` and what the scopes ask for (§5.4), of what the store knows now.
fn claims(user: &User, token: &Claims) -> Map<String, Value> {
    let asked = |scope: &str| token.scopes.iter().any(|granted| granted.as_str() == scope);
    let lists = [("profile", PROFILE), ("email", EMAIL)];
    let names = lists.into_iter().filter(|(scope, _)| asked(scope)).flat_map(|(_, names)| names);
    let known = names.filter_map(|name| Some(((*name).to_owned(), user.attribute(name)?)));
    // Never a null member (§5.3.2); a store that has one knows nothing.
    let known = known.filter(|(_, value)| !value.is_null());
    std::iter::once(("sub".to_owned(), user.username.as_str().into())).chain(known).collect()
}

/// The claims of `profile`.
const PROFILE: &[&str] = &[
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];

/// The claims of `email`.
const EMAIL: &[&str] = &["email", "email_verified"];

const ASKED: Asked = Asked { scope: "openid", own: true };
