//! `users`: where they are and how passwords are checked. What is in the file: `users_document`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::code::Code;
use super::defaults;
use super::field::Field;
use super::postgres;
use super::problem::Position;
use super::section::Section;
use crate::users::{HashingSettings, PostgresSettings, ThrottleSettings};

/// Where the users are.
pub(super) enum UsersSource {
    File(UsersFile),
    /// `None` if something is wrong with it, which is noted.
    Postgres(Option<Box<PostgresSettings>>),
}

/// The users' file.
pub(super) struct UsersFile {
    pub(super) path: PathBuf,
    /// Whether the configuration names it: then it must exist.
    pub(super) named: bool,
    /// Where it names it.
    pub(super) at: Position,
}

pub(super) fn users(section: &Section<'_>) -> (UsersSource, HashingSettings, ThrottleSettings, Option<Duration>) {
    let named = section.field("file");
    let postgres = section.nullable("postgres");
    if let (Some(_), Some(postgres)) = (&named, &postgres) {
        let help = "take one of the two out";
        postgres.refuse::<()>(Code::TwoUserStores, "is given beside `users.file`", help);
    }
    let default = section.reader().resolve(defaults::USERS_FILE);
    let path = named.as_ref().and_then(Field::file_path).unwrap_or_else(|| default.clone());
    // The example writes the default out, and must start before there is a user.
    let file = UsersFile {
        named: named.is_some() && path != default,
        at: named.map_or(section.at(), |field| field.at()),
        path,
    };
    let source = match postgres {
        Some(field) => UsersSource::Postgres(field.section(postgres::postgres).flatten().map(Box::new)),
        None => UsersSource::File(file),
    };
    let hashing = section.section("hashing", hashing);
    let (throttle, off) = section.switched("throttle", throttle);
    let none = ThrottleSettings { per_user: None, per_address: None };
    let recheck = section.nullable("recheck").and_then(|field| field.duration(SHORTEST_RECHECK..=LONGEST_RECHECK));
    (source, hashing, if off.is_some() { none } else { throttle }, recheck)
}

fn throttle(section: &Section<'_>) -> ThrottleSettings {
    let allowance = |key, default| match section.field(key) {
        Some(field) if field.is_null() => None,
        field => Some(field.and_then(|field| field.allowance(1..=MOST_FAILURES)).unwrap_or(default)),
    };
    ThrottleSettings {
        per_user: allowance("per_user", defaults::FAILURES_PER_USER),
        per_address: allowance("per_address", defaults::FAILURES_PER_ADDRESS),
    }
}

fn hashing(section: &Section<'_>) -> HashingSettings {
    let concurrency = section.nullable("concurrency").and_then(|field| field.integer(1..=MOST_HASHES));
    let queue = section.integer("queue", defaults::HASHING_QUEUE, 0..=LONGEST_QUEUE);
    HashingSettings { concurrency: concurrency.and_then(|number| NonZeroUsize::new(size(number))), queue: size(queue) }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// More often than that the store of users has nothing else to do.
const SHORTEST_RECHECK: Duration = Duration::from_secs(1);

/// Access tokens do not live much longer.
const LONGEST_RECHECK: Duration = Duration::from_hours(1);

/// Beyond this nothing is throttled that hashing does not throttle.
const MOST_FAILURES: u32 = 10_000;

/// Each takes a core and tens of megabytes.
const MOST_HASHES: u64 = 1024;

/// Each holds a connection and a password; beyond this nobody waits for the answer.
const LONGEST_QUEUE: u64 = 100_000;
