//! The labels that requests are counted under, looked up once per configuration.

use crate::endpoints::{Endpoint, Endpoints};
use crate::policy::Table;
use crate::telemetry::{Metrics, RouteLabel};

/// Handles on the series of every route and endpoint of one configuration.
#[derive(Clone, Debug)]
pub struct Labels {
    routes: Vec<RouteLabel>,
    default: RouteLabel,
    token: RouteLabel,
    refresh: RouteLabel,
    revoke: RouteLabel,
    introspect: RouteLabel,
    userinfo: RouteLabel,
    jwks: RouteLabel,
    metadata: RouteLabel,
    resource_metadata: RouteLabel,
}

impl Labels {
    /// The labels of a policy and its endpoints.
    #[must_use]
    pub fn new(metrics: &Metrics, table: &Table, endpoints: &Endpoints) -> Self {
        let own = |endpoint| match endpoints.path(endpoint) {
            // Switched off: no request can come to it.
            "" => metrics.unmatched().clone(),
            path => metrics.route(path),
        };
        Self {
            routes: table.routes().iter().map(|route| metrics.route(route.label())).collect(),
            default: metrics.unmatched().clone(),
            token: own(Endpoint::Token),
            refresh: own(Endpoint::Refresh),
            revoke: own(Endpoint::Revoke),
            introspect: own(Endpoint::Introspect),
            userinfo: own(Endpoint::Userinfo),
            jwks: own(Endpoint::Jwks),
            metadata: own(Endpoint::Metadata),
            resource_metadata: own(Endpoint::ResourceMetadata),
        }
    }

    /// The label of a route; `None` is what no route names.
    #[must_use]
    pub fn route(&self, index: Option<usize>) -> &RouteLabel {
        index.and_then(|index| self.routes.get(index)).unwrap_or(&self.default)
    }

    /// The label of one of doorward's own endpoints.
    #[must_use]
    pub fn own(&self, endpoint: Endpoint) -> &RouteLabel {
        match endpoint {
            Endpoint::Token => &self.token,
            Endpoint::Refresh => &self.refresh,
            Endpoint::Revoke => &self.revoke,
            Endpoint::Introspect => &self.introspect,
            Endpoint::Userinfo => &self.userinfo,
            Endpoint::Jwks => &self.jwks,
            Endpoint::Metadata => &self.metadata,
            Endpoint::ResourceMetadata => &self.resource_metadata,
        }
    }
}
