//! The only place that knows Pingora's proxy: one file a phase, each a line in [`service`].

pub mod authorization;
pub mod context;
pub mod cookies;
pub mod cors;
pub mod facts;
pub mod failure;
pub mod failure_log;
pub mod forwarded;
pub mod labels;
pub mod logging;
pub mod own;
pub mod preflight;
pub mod refusal;
pub mod request;
pub mod request_body;
pub mod request_id;
pub mod respond;
pub mod service;
pub mod settings;
pub mod site;
pub mod streams;
pub mod upgrade;
pub mod upstream;
pub mod upstream_addresses;
pub mod upstream_request;
pub mod upstream_response;
pub mod upstream_tls;
pub mod websocket;

pub use refusal::Refusals;
pub use service::Door;
pub use settings::{
    ConnectSettings, CorsSettings, IdentityHeader, RequestLimits, UpstreamSettings, UpstreamTls, UpstreamUrl,
};
pub use site::Site;
pub use upstream::Upstream;
