//! The connection to one server, made when it is needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value, cmd};
use tokio::time::{Duration, Instant, timeout, timeout_at};

use super::attempt::Attempt;
use super::dial::Dialer;
use super::failure::{Failure, REPLICA, SENTINEL};
use super::script::Script;
use super::settings::{Address, Wait};

/// A server, and the connection to it while there is one.
pub(super) struct Link {
    address: Address,
    dialer: Arc<Dialer>,
    role: Role,
    live: Mutex<Option<Live>>,
    dialling: Attempt<Result<Live, Failure>>,
    /// Connections made, of all links together.
    made: Arc<AtomicU64>,
}

/// A connection that was made, and which one it was.
#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    number: u64,
}

/// What a server must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A master, or what is read is old.
    Master,
    /// Anything: a Sentinel, or a node of a Cluster, which sends away whoever asks it for what it has not.
    Any,
}

/// What is asked.
#[derive(Clone, Copy)]
pub(super) enum Request<'a> {
    Command(&'a Cmd),
    Script { script: &'a Script, keys: &'a [&'a str], arguments: &'a [&'a [u8]] },
}

impl Link {
    pub(super) fn new(address: Address, dialer: Arc<Dialer>, role: Role, made: Arc<AtomicU64>) -> Self {
        Self { address, dialer, role, live: Mutex::default(), dialling: Attempt::default(), made }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// The answer to a request, before the `deadline`. With `asking`, also for a slot that is only on its way to this node. With `wait`,
    /// once so many replicas have it.
    pub(super) async fn ask(
        self: &Arc<Self>,
        request: Request<'_>,
        asking: bool,
        wait: Option<Wait>,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let live = self.connection(deadline).await?;
        let number = live.number;
        let answer = timeout_at(deadline, self.exchange(live.connection, request, asking, wait)).await;
        self.judged(number, answer.unwrap_or_else(|_| Err(Failure::Slow(self.address.clone()))))
    }

    /// Connects, unless it is connected.
    pub(super) async fn connect(self: &Arc<Self>, deadline: Instant) -> Result<(), Failure> {
        self.connection(deadline).await.map(drop)
    }

    async fn exchange(
        &self,
        mut connection: MultiplexedConnection,
        request: Request<'_>,
        asking: bool,
        wait: Option<Wait>,
    ) -> Result<Value, Failure> {
        let answer = match request {
            Request::Command(command) => self.send(&mut connection, command, asking).await,
            Request::Script { script, keys, arguments } => {
                match self.send(&mut connection, &script.by_name(keys, arguments), asking).await {
                    Err(Failure::NoScript) => {
                        self.send(&mut connection, &script.by_text(keys, arguments), asking).await
                    }
                    answer => answer,
                }
            }
        }?;
        if let Some(Wait { replicas, timeout }) = wait {
            let mut command = cmd("WAIT");
            command.arg(replicas).arg(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
            // Over the same connection: it counts those who have what that wrote.
            let got = number(&self.send(&mut connection, &command, false).await?)?;
            if got < i64::from(replicas) {
                return Err(Failure::Unconfirmed { got: u32::try_from(got).unwrap_or(0), wanted: replicas });
            }
        }
        Ok(answer)
    }

    /// After some failures the next request makes a new connection: this one answers nobody, or what it leads to is not what it was.
    /// Over the new one it must say anew what it is: a replica answers what is read with what is old.
    fn judged<T>(&self, number: u64, answer: Result<T, Failure>) -> Result<T, Failure> {
        if answer.as_ref().is_err_and(Failure::is_of_the_place) {
            let mut live = self.live.lock();
            // Only the one that was used: others may have made a better one since.
            if live.as_ref().is_some_and(|live| live.number == number) {
                *live = None;
            }
        }
        answer
    }

    /// The connection there is, or a new one.
    async fn connection(self: &Arc<Self>, deadline: Instant) -> Result<Live, Failure> {
        if let Some(live) = &*self.live.lock() {
            return Ok(live.clone());
        }
        let this = Arc::clone(self);
        let dialled = self.dialling.join(|| async move { this.dial().await });
        let slow = || Err(Failure::Slow(self.address.clone()));
        timeout_at(deadline, dialled).await.ok().flatten().unwrap_or_else(slow)
    }

    async fn dial(&self) -> Result<Live, Failure> {
        if let Some(live) = &*self.live.lock() {
            return Ok(live.clone());
        }
        let made = timeout(PATIENCE, self.greet()).await;
        let connection = made.unwrap_or_else(|_| Err(Failure::Slow(self.address.clone())))?;
        // INVARIANT: counted before it is used, so that whoever remembers something about the server sees that it may be another.
        let live = Live { connection, number: self.made.fetch_add(1, Ordering::SeqCst) };
        *self.live.lock() = Some(live.clone());
        Ok(live)
    }

    async fn greet(&self) -> Result<MultiplexedConnection, Failure> {
        let mut connection = self.dialer.dial(&self.address).await?;
        if self.role == Role::Master {
            let role = self.send(&mut connection, &cmd("ROLE"), false).await?;
            is_master(&role)?;
        }
        Ok(connection)
    }

    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        command: &Cmd,
        asking: bool,
    ) -> Result<Value, Failure> {
        let answer = if asking {
            let mut both = redis::pipe();
            both.cmd("ASKING").ignore().add_command(command.clone());
            // The first answer is skipped, the second is wanted.
            connection.send_packed_commands(&both, 1, 1).await.map(|mut answers| answers.pop().unwrap_or(Value::Nil))
        } else {
            connection.send_packed_command(command).await
        };
        match answer {
            Ok(Value::ServerError(error)) => Err(Failure::of(&RedisError::from(error), &self.address)),
            Ok(value) => Ok(value),
            Err(error) => Err(Failure::of(&error, &self.address)),
        }
    }
}

/// Whether the answer to `ROLE` is that of a server which has the last word.
pub(super) fn is_master(role: &Value) -> Result<(), Failure> {
    let name = if let Value::Array(parts) = role { parts.first() } else { None };
    match name {
        Some(Value::BulkString(name)) if name == b"master" => Ok(()),
        Some(Value::BulkString(name)) if name == b"sentinel" => Err(Failure::NotServing(SENTINEL)),
        _ => Err(Failure::NotServing(REPLICA)),
    }
}

/// A whole number.
pub(super) fn number(value: &Value) -> Result<i64, Failure> {
    if let Value::Int(number) = value { Ok(*number) } else { Err(unexpected()) }
}

/// An answer that makes no sense: whatever answers there, it is not the Redis that doorward needs.
pub(super) fn unexpected() -> Failure {
    Failure::Refused("an answer is not as Redis 7 gives it".to_owned())
}

/// Less than a request waits, so that a new connection leaves it some time.
const PATIENCE: Duration = Duration::from_millis(700);
