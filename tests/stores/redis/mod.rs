//! Redis and Valkey: their servers, and what becomes of the store when these fail.

/// Servers that belong together.
pub mod deployments;
/// What servers look like from outside.
mod examine;
/// A failover, a Cluster that changes, one frozen node.
mod failover;
/// Failed logins of several instances.
mod failures;
/// One server: frozen, killed, full, made a replica.
mod faults;
/// Following what changes.
mod feed;
/// What is in the server, and until when.
mod layout;
/// Passwords, ACL users, TLS.
mod login;
/// What was done, and nobody was told.
mod lossy;
/// The list of instances.
mod replicas;
/// Servers.
pub mod server;
