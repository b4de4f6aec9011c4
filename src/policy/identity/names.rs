//! Names of headers that are not the client's to send, or not identity's to take; the one list of them.

use super::protected::{CGI, fold};

/// What a name is for, to whoever reads it upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It says who asks. Identity may have the name, and a trusted proxy may be let say so.
    Identity,
    /// It is doorward's word on who asks (`X-Doorward-`), whatever a proxy says.
    Own,
    /// It says where the client is and how it came, which a trusted proxy may be let say.
    Client,
    /// It says so, and doorward writes it, or takes it out, for every request.
    Written,
    /// It names the request. A client's own is kept where it is one, in this spelling; another would stand beside it.
    Trace,
    /// It changes the path, the method or the host that was decided about.
    Target,
    /// It is the connection's, the message's, the browser's, or a credential; clients send it, and identity must not.
    Message,
}

impl Purpose {
    /// Of a header's name in any spelling; `None` for one that means nothing here.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let folded = fold(name);
        Self::of_folded(&folded).or_else(|| Self::of_folded(folded.strip_prefix(CGI)?))
    }

    /// A whole name says more than how it begins.
    fn of_folded(folded: &str) -> Option<Self> {
        let exact = NAMES.iter().find(|(name, _)| *name == folded);
        exact.or_else(|| PREFIXES.iter().find(|(prefix, _)| folded.starts_with(prefix))).map(|(_, purpose)| *purpose)
    }

    /// Whether clients must not send it upstream.
    #[must_use]
    pub(super) const fn is_protected(self) -> bool {
        !matches!(self, Self::Message)
    }

    /// Whether an identity header may have such a name.
    #[must_use]
    pub const fn may_be_identity(self) -> bool {
        matches!(self, Self::Identity | Self::Own)
    }

    /// Whether doorward writes it, so that nobody else's can be kept.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::Own | Self::Written | Self::Trace)
    }
}

/// All names that begin so: families of headers by which products say who asks and from where.
pub(super) const PREFIXES: &[(&str, Purpose)] = &[
    ("x-doorward-", Purpose::Own),
    // oauth2-proxy, Traefik, every proxy. The upstream takes them for ours.
    ("x-forwarded-", Purpose::Identity),
    ("x-auth-request-", Purpose::Identity),
    ("x-jwt-", Purpose::Identity),
    // Authelia and Apache; `Remote-Addr` and the like of CGI; and what Kubernetes' front proxy says.
    ("remote-", Purpose::Identity),
    ("x-remote-", Purpose::Identity),
    // Not all of `X-Goog-*`: `X-Goog-Api-Key` and others are the client's own.
    ("x-goog-authenticated-", Purpose::Identity),
    ("x-goog-iap-", Purpose::Identity),
    ("x-amzn-oidc-", Purpose::Identity),
    ("cf-access-", Purpose::Identity),
    // Azure's App Service.
    ("x-ms-client-principal", Purpose::Identity),
    ("x-ms-token-", Purpose::Identity),
    // A certificate that somebody else has checked (RFC 9440, nginx, HAProxy, AWS).
    ("client-cert", Purpose::Client),
    ("x-client-cert", Purpose::Client),
    ("ssl-client-", Purpose::Client),
    ("x-ssl-client-", Purpose::Client),
    ("x-amzn-mtls-", Purpose::Client),
    // The client's address, as others write it: frameworks believe all of them (chi, Rails, remix-utils).
    ("cf-connecting-ip", Purpose::Client),
    ("x-client-ip", Purpose::Client),
    // Symfony, IIS, Envoy, nginx, Next.js.
    ("x-original-", Purpose::Target),
    ("x-rewrite-", Purpose::Target),
    ("x-envoy-original-", Purpose::Target),
    ("x-accel-", Purpose::Target),
    ("x-middleware-", Purpose::Target),
    ("x-http-method", Purpose::Target),
    // Conditions, what is accepted and what the body is (RFC 9110 §8, §12, §13), and what browsers vouch for (Fetch, RFC 6455).
    ("accept-", Purpose::Message),
    ("access-control-", Purpose::Message),
    ("content-", Purpose::Message),
    ("if-", Purpose::Message),
    ("proxy-", Purpose::Message),
    ("sec-", Purpose::Message),
];

/// Whole names.
pub(super) const NAMES: &[(&str, Purpose)] = &[
    // What is left of `X-Doorward-` when it is freed of what is no letter at its end.
    ("x-doorward", Purpose::Own),
    ("forwarded", Purpose::Written),
    ("x-forwarded", Purpose::Written),
    ("x-forwarded-for", Purpose::Written),
    ("x-forwarded-host", Purpose::Written),
    ("x-forwarded-port", Purpose::Written),
    ("x-forwarded-prefix", Purpose::Written),
    ("x-forwarded-proto", Purpose::Written),
    ("x-real-ip", Purpose::Written),
    ("traceparent", Purpose::Trace),
    ("tracestate", Purpose::Trace),
    ("x-request-id", Purpose::Trace),
    // The client's side of a connection.
    ("x-forwarded-by", Purpose::Client),
    ("x-forwarded-client-cert", Purpose::Client),
    ("x-forwarded-protocol", Purpose::Client),
    ("x-forwarded-scheme", Purpose::Client),
    ("x-forwarded-server", Purpose::Client),
    ("x-forwarded-ssl", Purpose::Client),
    ("x-forwarded-tls-client-cert", Purpose::Client),
    ("x-forwarded-tls-client-cert-info", Purpose::Client),
    ("remote-addr", Purpose::Client),
    ("remote-host", Purpose::Client),
    ("remote-port", Purpose::Client),
    ("client-ip", Purpose::Client),
    ("true-client-ip", Purpose::Client),
    ("x-cluster-client-ip", Purpose::Client),
    ("x-originating-ip", Purpose::Client),
    ("fastly-client-ip", Purpose::Client),
    ("x-envoy-external-address", Purpose::Client),
    ("x-envoy-internal", Purpose::Client),
    ("x-scheme", Purpose::Client),
    ("x-url-scheme", Purpose::Client),
    ("front-end-https", Purpose::Client),
    ("x-arr-clientcert", Purpose::Client),
    ("x-arr-ssl", Purpose::Client),
    ("x-ssl-cert", Purpose::Client),
    // Gunicorn takes the two of CGI from the wire.
    ("x-forwarded-method", Purpose::Target),
    ("x-forwarded-path", Purpose::Target),
    ("x-forwarded-uri", Purpose::Target),
    ("x-method-override", Purpose::Target),
    ("x-script-name", Purpose::Target),
    ("script-name", Purpose::Target),
    ("path-info", Purpose::Target),
    ("x-host", Purpose::Target),
    ("x-http-host-override", Purpose::Target),
    // `HTTP_PROXY` to a CGI program (httpoxy).
    ("proxy", Purpose::Target),
    // The connection's and the framing's (RFC 9110 §7.6, RFC 9113 §8.2.2), credentials, and what clients say of themselves.
    ("accept", Purpose::Message),
    ("authorization", Purpose::Message),
    ("cache-control", Purpose::Message),
    ("connection", Purpose::Message),
    ("cookie", Purpose::Message),
    ("date", Purpose::Message),
    ("dpop", Purpose::Message),
    ("expect", Purpose::Message),
    ("from", Purpose::Message),
    ("host", Purpose::Message),
    ("http2-settings", Purpose::Message),
    ("keep-alive", Purpose::Message),
    ("max-forwards", Purpose::Message),
    ("origin", Purpose::Message),
    ("pragma", Purpose::Message),
    ("range", Purpose::Message),
    ("referer", Purpose::Message),
    ("set-cookie", Purpose::Message),
    ("te", Purpose::Message),
    ("trailer", Purpose::Message),
    ("transfer-encoding", Purpose::Message),
    ("upgrade", Purpose::Message),
    ("user-agent", Purpose::Message),
    ("via", Purpose::Message),
    ("www-authenticate", Purpose::Message),
];
