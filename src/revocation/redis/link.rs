//! The connection to one server, made when it is needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value, cmd};
use tokio::sync::Mutex;

use super::dial::Dialer;
use super::failure::Failure;
use super::script::Script;
use super::settings::{Address, Wait};

/// A server, and the connection to it while there is one.
pub(super) struct Link {
    address: Address,
    dialer: Arc<Dialer>,
    role: Role,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// Connections made, of all links together.
    made: Arc<AtomicU64>,
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
        Self { address, dialer, role, connection: Mutex::default(), made }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Connects, unless it is connected.
    pub(super) async fn connect(&self) -> Result<(), Failure> {
        self.connection().await.map(drop)
    }

    /// The answer to a request. With `asking`, also for a slot that is only on its way to this node. With `wait`, once so many
    /// replicas have it.
    pub(super) async fn ask(&self, request: Request<'_>, asking: bool, wait: Option<Wait>) -> Result<Value, Failure> {
        let mut connection = self.connection().await?;
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

    /// The next request makes a new connection: this one answers nobody, and may never.
    pub(super) fn forget(&self) {
        if let Ok(mut connection) = self.connection.try_lock() {
            *connection = None;
        }
    }

    async fn connection(&self) -> Result<MultiplexedConnection, Failure> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let mut new = self.dialer.dial(&self.address).await?;
        if self.role == Role::Master {
            self.check_role(&mut new).await?;
        }
        // INVARIANT: counted before it is used, so that whoever remembers something about the server sees that it may be another.
        self.made.fetch_add(1, Ordering::SeqCst);
        *connection = Some(new.clone());
        Ok(new)
    }

    async fn check_role(&self, connection: &mut MultiplexedConnection) -> Result<(), Failure> {
        let role = self.send(connection, &cmd("ROLE"), false).await?;
        let name = if let Value::Array(parts) = &role { parts.first() } else { None };
        match name {
            Some(Value::BulkString(name)) if name == b"master" => Ok(()),
            _ => Err(Failure::NotServing("the server is a replica")),
        }
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
        let failure = match answer {
            Ok(Value::ServerError(error)) => return Err(Failure::of(&RedisError::from(error), &self.address)),
            Ok(value) => return Ok(value),
            Err(error) => Failure::of(&error, &self.address),
        };
        if matches!(failure, Failure::Broken(_)) {
            self.forget();
        }
        Err(failure)
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
