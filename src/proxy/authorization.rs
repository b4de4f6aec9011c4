//! `Authorization` as it goes upstream.

use http::HeaderValue;
use http::header::AUTHORIZATION;
use pingora::http::RequestHeader;

use crate::base::{Times, entropy};
use crate::gate::{Denial, Permit};
use crate::policy::{AuthorizationMode, Reason};
use crate::tokens::Mint;

/// What of it goes with a request, at every attempt the same.
pub enum Authorization {
    /// As it came.
    Received,
    /// None.
    Removed,
    /// One made here in the place of what came.
    Minted(HeaderValue),
}

/// What goes with a request that may pass.
///
/// # Errors
/// [`Reason::SigningFailed`]: without a token of its own the upstream gets no request, and never the client's token instead.
pub fn upstream(
    mode: AuthorizationMode,
    mint: Option<&Mint>,
    permit: &Permit,
    now: Times,
) -> Result<Authorization, Denial> {
    match (mode, permit.token()) {
        (AuthorizationMode::Pass, _) => Ok(Authorization::Received),
        (AuthorizationMode::Strip, _) | (AuthorizationMode::Mint, None) => Ok(Authorization::Removed),
        (AuthorizationMode::Mint, Some(token)) => {
            let failed = || Denial::new(Reason::SigningFailed);
            let made = mint.and_then(|mint| mint.authorization(token, now, entropy::random).ok()).ok_or_else(failed)?;
            let mut value = HeaderValue::try_from(made).map_err(|_| failed())?;
            value.set_sensitive(true);
            Ok(Authorization::Minted(value))
        }
    }
}

impl Authorization {
    /// Puts it into a request that goes upstream.
    ///
    /// # Errors
    /// None: the values are valid.
    pub fn apply(&self, received: &RequestHeader, request: &mut RequestHeader) -> pingora::Result<()> {
        match (self, received.headers.get(AUTHORIZATION)) {
            // A client that names it in `Connection` has it dropped on the way, and what was checked must arrive. As it came
            // otherwise: to insert it is to spell its name anew.
            (Self::Received, Some(checked)) if !request.headers.contains_key(AUTHORIZATION) => {
                request.insert_header("Authorization", checked.clone())
            }
            (Self::Received, _) => Ok(()),
            (Self::Removed, _) => {
                request.remove_header(&AUTHORIZATION);
                Ok(())
            }
            (Self::Minted(value), _) => request.insert_header("Authorization", value.clone()),
        }
    }
}
