//! Every store against one suite, and each against the faults it says it survives.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail as its tests do"
)]

/// The file of the embedded store: made, opened, refused, shared.
mod file;
/// Sessions and marks to test with.
mod fixtures;
/// A full disk, a failing one, and a memory store without room.
mod full;
/// `kill -9`, in a process of its own.
mod kill;
/// What the embedded store makes of that disk.
mod power;
/// A disk whose power is cut.
mod power_cut;
/// Redis and Valkey: their servers, and what becomes of the store when these fail.
mod redis;
/// The view and the answers before it.
mod revocations;
/// What every store does, whichever it is.
mod suite;

#[path = "../support/failing_store.rs"]
mod failing_store;
