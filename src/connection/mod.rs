//! From a bound socket to a stream that Pingora reads requests from: how many there may be, how long they may take, and TLS.

mod frames;
mod head;
mod http1;
mod http2;
mod idle;
pub mod ongoing;
pub mod refuse;
pub mod registry;
mod request;
pub mod server;
pub mod settings;
mod socket;
pub mod stream;
pub mod tls;
mod unsent;

pub use ongoing::{End, Ongoing};
pub use refuse::{Plain, Refuse, Refused};
pub use registry::Registry;
pub use server::{Listener, Server};
pub use settings::{Limits, TlsSettings};
pub use socket::KEEPALIVE;
pub use tls::ServerTls;

#[cfg(test)]
mod tests;
