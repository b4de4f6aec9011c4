//! What a request can know of the connection it came on, and do to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Waker};

use parking_lot::Mutex;

use crate::message::Head;

tokio::task_local! {
    static CURRENT: Arc<Ongoing>;
}

/// A request that is being served.
#[derive(Debug, Default)]
pub struct Ongoing {
    head: Mutex<Option<Head>>,
    /// 0, or an [`End`] that was asked for.
    end: AtomicU8,
    waits: Mutex<Option<Waker>>,
    answered: AtomicBool,
}

/// How a stream is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A WebSocket: with a close frame of code 1008 (RFC 6455 §7.4.1), then the connection.
    WebSocket = 1,
    /// Anything else: the connection, or on HTTP/2 the stream.
    Cut = 2,
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

    /// Ends it, wherever it is. What was asked for first holds; nothing happens to a request that has ended already.
    pub fn end(&self, how: End) {
        if self.end.compare_exchange(0, how as u8, Ordering::AcqRel, Ordering::Acquire).is_ok()
            && let Some(waker) = self.waits.lock().take()
        {
            waker.wake();
        }
    }

    /// Its client has had the head of an answer. Nobody else can know: a request that was taken back ends like any other.
    pub fn answered(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn new(head: Option<Head>) -> Arc<Self> {
        Arc::new(Self { head: Mutex::new(head), ..Self::default() })
    }

    /// The end that was asked for.
    pub(super) fn asked(&self) -> Option<End> {
        match self.end.load(Ordering::Acquire) {
            0 => None,
            1 => Some(End::WebSocket),
            _ => Some(End::Cut),
        }
    }

    /// [`Ongoing::asked`]; where nothing was, the task is woken when it is.
    pub(super) fn wait(&self, context: &Context<'_>) -> Option<End> {
        let mut waits = self.waits.lock();
        if !waits.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waits = Some(context.waker().clone());
        }
        drop(waits);
        // Behind that, so that who asks meanwhile finds the waker or is seen.
        self.asked()
    }

    /// Has `future` find this as [`Ongoing::current`].
    pub(super) async fn scope<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }
}
