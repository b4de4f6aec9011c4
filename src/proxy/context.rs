//! What a request carries from phase to phase.

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;

use super::authorization::Authorization;
use super::facts::RawRequest;
use super::forwarded::Forwarded;
use super::request_id::RequestId;
use super::streams::Followed;
use super::upgrade::Tunnel;
use super::{Site, logging};
use crate::base::{Clock, Stopwatch};
use crate::endpoints::Endpoint;
use crate::gate::Permit;
use crate::message::Client;
use crate::policy::Reason;
use crate::telemetry::{Held, Method, Telemetry};
use crate::tokens::Known;

/// The state of one request, and the one configuration it sees.
pub struct Context {
    /// Taken once; a reload meanwhile does not concern this request.
    pub site: Arc<Site>,
    /// Since the request was received.
    pub received: Stopwatch,
    /// `X-Request-Id`.
    pub id: RequestId,
    /// Its method, for the log.
    pub method: Method,
    /// Who sent it.
    pub client: Client,
    /// The request as it was read, for the log too; `None` if it could not be read.
    pub raw: Option<RawRequest>,
    /// How far it is.
    pub state: State,
    /// What was found out on the way, for the log.
    pub noted: Noted,
    /// What a request for a WebSocket is to become.
    pub tunnel: Option<Tunnel>,
    /// A stream that ends with its token.
    pub stream: Option<Followed>,
    /// Counted as long as this lives.
    pub in_flight: Held,
    /// Whether the log has it.
    pub told: bool,
    /// Where it is told.
    pub telemetry: Arc<Telemetry>,
    /// When.
    pub clock: Arc<dyn Clock>,
}

impl Drop for Context {
    /// A request whose task is dropped, as that of a stream that was ended or of a panic, has no last phase. It is told all the
    /// same: nothing that went upstream is missing from the log.
    fn drop(&mut self) {
        if !self.told {
            logging::tell_dropped(self);
        }
    }
}

/// Headers that tell the upstream who asks, by name; none of them twice.
pub type IdentityHeaders = Box<[(&'static str, HeaderValue)]>;

/// How far a request is. There is no state in which something is forwarded without a permit.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every request gets to the large one; a box would be one more allocation"
)]
pub enum State {
    /// Nothing is decided.
    Received,
    /// Answered here: refused, or by one of doorward's own endpoints.
    Answered,
    /// May go upstream.
    Permitted {
        /// The proof.
        permit: Permit,
        /// What goes upstream as `Authorization`.
        authorization: Authorization,
        /// Headers that tell the upstream who asks, for every attempt anew.
        identity: Option<Arc<IdentityHeaders>>,
        /// Headers that tell it of the connection, as it is here: what a client says of itself was taken out.
        forwarded: Forwarded,
    },
}

/// What the access log and the metrics want to know.
#[derive(Default)]
pub struct Noted {
    /// The endpoint, if it was one of doorward's own.
    pub endpoint: Option<Endpoint>,
    /// Whether it was a preflight of a proxied path that was answered here.
    pub preflight: bool,
    /// Index of the route; `None` for the default.
    pub route: Option<usize>,
    /// Why it was refused.
    pub refused: Option<Reason>,
    /// Why one of doorward's own endpoints refused.
    pub own_reason: Option<&'static str>,
    /// Whose token it was.
    pub verified: Option<Known>,
    /// Time the decision took.
    pub decision: Option<std::time::Duration>,
    /// Since the upstream was asked.
    pub asked: Option<Stopwatch>,
    /// The status of the upstream's answer.
    pub status: u16,
    /// Until the upstream answered.
    pub answered: Option<std::time::Duration>,
    /// What went wrong with the upstream.
    pub upstream_error: Option<&'static str>,
    /// How often a connection was tried.
    pub attempts: usize,
    /// The upstream's address that was asked last.
    pub address: Option<SocketAddr>,
    /// The upstream's addresses that could not be reached.
    pub tried: Vec<SocketAddr>,
}
