//! The thread that writes. One sync makes durable whatever was asked for while the one before was under way.

use std::sync::Arc;
use std::{io, thread};

use tokio::sync::{mpsc, oneshot};

use super::engine::Engine;
use super::tables::Tables;
use crate::revocation::StoreError;

/// The way to the thread. Dropping it waits until everything asked for is done and the file is closed.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Something to do in a transaction.
trait Job: Send {
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), redb::Error>;

    /// Tells whoever waits, after the commit.
    fn finish(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<F, T> {
    work: F,
    /// Whether it is done in a sealed store, too.
    unbound: bool,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Task<F, T>
where
    F: FnMut(&mut Tables<'_>) -> Result<T, redb::Error> + Send,
    T: Send,
{
    fn run(&mut self, tables: &mut Tables<'_>) -> Result<(), redb::Error> {
        // Asked here, in the transaction: whatever is acknowledged was there before the seal was.
        if self.unbound || !tables.is_sealed() {
            self.done = Some((self.work)(tables)?);
        }
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { done, reply, .. } = *self;
        // Whoever asked may have gone; what was done stays done.
        drop(reply.send(committed.and_then(|()| done.ok_or(StoreError::Sealed))));
    }
}

impl Writer {
    pub(super) fn start(engine: Arc<Engine>) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new().name("doorward-store".to_owned()).spawn(move || run(&engine, jobs))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Does `work` in a transaction, and returns when it is durable; nothing in a sealed store.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tables<'_>) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(work, false).await
    }

    /// The same in a sealed store too: what seals it, and what opens it again.
    pub(super) async fn write_unbound<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tables<'_>) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(work, true).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Tables<'_>) -> Result<T, redb::Error> + Send + 'static,
        unbound: bool,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Box::new(Task { work, unbound, done: None, reply })).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell: a panic in it is shielded.
            drop(thread.join());
        }
    }
}

fn run(engine: &Engine, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while queue.blocking_recv_many(&mut jobs, BATCH) > 0 {
        let committed = engine.write(|tables| jobs.iter_mut().try_for_each(|job| job.run(tables)));
        for job in jobs.drain(..) {
            job.finish(committed.clone());
        }
    }
    engine.end();
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store's writer has stopped".to_owned())
}

/// Writes that may wait; more wait to be let in.
const QUEUE: usize = 1024;

/// Writes in one transaction at most.
const BATCH: usize = 256;
