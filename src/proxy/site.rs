//! All that answers requests under one reading of the configuration.

use std::sync::Arc;

use super::labels::Labels;
use super::{CorsSettings, IdentityHeader, RequestLimits, Upstream};
use crate::endpoints::Endpoints;
use crate::gate::{Gate, Wording};
use crate::message::{HeadLimits, TrustedProxies};
use crate::policy::{AuthorizationMode, Cors, HeaderPlan, Streams};
use crate::tokens::Mint;

/// Built off the request path and swapped whole. A request takes one at its first phase and keeps it, so it never sees two
/// policies.
#[derive(Debug)]
pub struct Site {
    /// Decides.
    pub gate: Arc<Gate>,
    /// Doorward's own endpoints.
    pub endpoints: Endpoints,
    /// Where the rest goes.
    pub upstream: Arc<Upstream>,
    /// Which headers are taken out and put in.
    pub headers: HeaderPlan,
    /// The headers of those that tell who asks, which no answer may show.
    pub identity_headers: Vec<IdentityHeader>,
    /// What becomes of `Authorization`, where a route does not say otherwise.
    pub authorization: AuthorizationMode,
    /// Makes the upstream's tokens, where it is to have its own.
    pub mint: Option<Mint>,
    /// How refusals are worded.
    pub wording: Wording,
    /// What clients use to reach this: `http` or `https`.
    pub scheme: &'static str,
    /// The size of a head. On HTTP/1 it was held against it when it was read.
    pub head_limits: HeadLimits,
    /// What a request must keep to once it is read.
    pub limits: RequestLimits,
    /// Whose word on the client is taken.
    pub trusted_proxies: TrustedProxies,
    /// Who may read our own answers from a browser.
    pub cors: CorsSettings,
    /// Whose the CORS of proxied paths is, where a route does not say otherwise.
    pub preflights: Cors,
    /// What becomes of a stream when its token ends, where a route does not say otherwise.
    pub streams: Streams,
    /// The labels of this policy's routes.
    pub labels: Labels,
}
