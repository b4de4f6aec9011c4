//! A connection while a statement may be running over it.

use std::time::Duration;

use deadpool_postgres::{Client, Object};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::Failure;

/// Unless it is given back, nobody knows what still runs over it: whoever asked did not wait for the end, be it that the time was over or
/// that a client hung up. Then it is let go, so that the next question does not wait behind this one, and the server is asked to stop:
/// by itself it would not notice before it is done.
pub(super) struct Held {
    client: Option<Client>,
    tls: MakeRustlsConnect,
    limit: Duration,
}

impl Held {
    /// `limit` is how long asking the server to stop may take.
    pub(super) fn new(client: Client, tls: MakeRustlsConnect, limit: Duration) -> Self {
        Self { client: Some(client), tls, limit }
    }

    /// # Errors
    /// None while it is held.
    pub(super) fn client(&mut self) -> Result<&mut Client, Failure> {
        self.client.as_mut().ok_or_else(|| Failure::Unreachable("the connection was let go".to_owned()))
    }

    /// To the pool: nothing runs over it.
    pub(super) fn give_back(mut self) {
        drop(self.client.take());
    }

    /// Not to the pool: it is of no more use, and nothing runs over it.
    pub(super) fn discard(mut self) {
        drop(self.client.take().map(Object::take));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let cancel = client.cancel_token();
        drop(Object::take(client));
        let Ok(runtime) = Handle::try_current() else { return };
        let (tls, limit) = (self.tls.clone(), self.limit);
        runtime.spawn(async move { timeout(limit, cancel.cancel_query(tls)).await.is_ok_and(|done| done.is_ok()) });
    }
}
