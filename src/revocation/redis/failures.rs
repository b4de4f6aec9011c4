//! Failed logins of all replicas, counted in one place.
//!
//! What stands there are keyed hashes, and cells of a table that names share, as in memory: so it has a bound however many names are
//! tried, and nobody's failures are pushed out by others'. Each key goes when nothing in it counts any more.

use std::time::Duration;

use redis::Value;

use super::connections::Deadline;
use super::link::{Request, unexpected};
use super::script::{self, Script};
use super::store::RedisStore;
use crate::base::Timestamp;
use crate::revocation::StoreError;

/// A login that is being tried, or a client's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// Those of one kind are counted apart from those of others; a word.
    pub kind: &'static str,
    /// A number of its own.
    pub id: [u8; 8],
    /// A keyed hash of the name.
    pub user: [u8; 16],
    /// A keyed hash of the address.
    pub address: [u8; 16],
    /// What is borne of a name at an address where it has logged in; `None` = anything.
    pub known: Option<Borne>,
    /// What is borne of a name.
    pub per_user: Option<Borne>,
    /// What is borne of an address.
    pub per_address: Option<Borne>,
    /// When; `None` = by the server's clock, which is the same for all.
    pub now: Option<Timestamp>,
    /// Until when somebody waits for the answer, by the same clock: afterwards it is not let in, and not counted. A server that was frozen
    /// does all at once what was asked of it meanwhile.
    pub until: Timestamp,
}

/// So many failures within nine slots of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Borne {
    /// At least one.
    pub failures: u32,
    /// In milliseconds; at least one.
    pub slot: u64,
}

/// Whether an attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes. It counts as failed until [`RedisStore::settle`].
    Admitted {
        /// As of a user who has logged in there.
        is_known: bool,
    },
    /// Not before it is known of those that are being tried, all of which may be right.
    ForOthers,
    /// Too many have failed.
    In(Duration),
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The password was wrong, or nobody waited for the answer.
    Failed,
    /// Nobody can tell.
    Untold,
    /// The password was right.
    Succeeded,
}

impl RedisStore {
    /// Lets an attempt be made, in one round trip and as one step.
    ///
    /// # Errors
    /// [`StoreError`] if nobody can tell; it may be counted then.
    pub async fn admit(&self, attempted: &Attempted) -> Result<Admission, StoreError> {
        let until = attempted.until.millis().to_string();
        let answer = self.run(&script::ADMIT, attempted, &[LONGEST_TRY, &until]).await?;
        let Value::Array(answer) = answer else { return Err(unexpected().into()) };
        match answer.as_slice() {
            [Value::Int(1), Value::Int(is_known)] => Ok(Admission::Admitted { is_known: *is_known == 1 }),
            [Value::Int(2)] => Ok(Admission::ForOthers),
            [Value::Int(3), Value::Int(wait)] => {
                Ok(Admission::In(Duration::from_millis(u64::try_from(*wait).unwrap_or(0))))
            }
            [Value::Int(4)] => Err(StoreError::Unavailable(
                "Redis: a request came too late, or the clocks are not yet compared".to_owned(),
            )),
            _ => Err(unexpected().into()),
        }
    }

    /// Says what came of it, if it was let in `is_known` or not known, and else nothing. To say it again changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] if it may not be known there: it stays counted then.
    pub async fn settle(&self, attempted: &Attempted, is_known: bool, outcome: Outcome) -> Result<(), StoreError> {
        let word = match outcome {
            Outcome::Failed => "failed",
            Outcome::Untold => "untold",
            Outcome::Succeeded => "succeeded",
        };
        let is_known = if is_known { "1" } else { "0" };
        self.run(&script::SETTLE, attempted, &[word, is_known, LONGEST_TRY, REMEMBERED]).await.map(drop)
    }

    async fn run(&self, script: &Script, attempted: &Attempted, more: &[&str]) -> Result<Value, StoreError> {
        let Attempted { kind, id, user, address, known, per_user, per_address, now, .. } = attempted;
        let (id, user_name, address_name) = (hex(id), hex(user), hex(address));
        let known_name = format!("{user_name}:{address_name}");
        let [known_limit, known_slot] = told(*known);
        let mut keys = vec![
            self.keys.failures(kind, &format!("known-{known_slot}"), &user_name),
            self.keys.failures(kind, "tried", &known_name),
            self.keys.failures(kind, "tried-user", &user_name),
            self.keys.failures(kind, "tried-address", &address_name),
        ];
        let now = now.map_or_else(|| "-".to_owned(), |now| now.millis().to_string());
        let mut arguments = vec![now, id, address_name, known_limit, known_slot];
        for (borne, of, hash) in [(per_user, "user", user), (per_address, "address", address)] {
            let [limit, length] = told(*borne);
            // Counts of windows of other lengths cannot be read as those of this one.
            let table = format!("{of}-{length}");
            arguments.extend([limit, length]);
            for (part, cell) in cells(hash) {
                keys.push(self.keys.failures(kind, &table, &part));
                arguments.push(cell);
            }
        }
        arguments.extend(more.iter().map(|text| (*text).to_owned()));
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        let request = Request::Script { script, keys: &keys, arguments: &arguments };
        let key = keys.first().copied().unwrap_or_default();
        self.ask(key, request, Deadline::begin()).await
    }
}

fn told(borne: Option<Borne>) -> [String; 2] {
    borne.map_or_else(|| ["0".to_owned(), "1".to_owned()], |borne| [borne.failures.to_string(), borne.slot.to_string()])
}

/// One cell in each of four rows, each of 16 bits of the hash that no other has: in which part of the table it is, and where there.
///
/// A part has so few cells that Redis keeps them in one piece, and drops it in no time.
fn cells(hash: &[u8; 16]) -> impl Iterator<Item = (String, String)> {
    let rows = hash.chunks_exact(2).take(ROWS).enumerate();
    rows.map(|(row, bytes)| {
        let number = bytes.iter().fold(0_u16, |number, byte| number << 8 | u16::from(*byte));
        (format!("{row}-{:x}", number / CELLS_OF_PART), (number % CELLS_OF_PART).to_string())
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const ROWS: usize = 4;

/// 2,048 parts with a quarter of a million cells in all: some 10 MiB for each table when each cell is in use.
const CELLS_OF_PART: u16 = 128;

/// How long those that come after it wait for one that nobody hears of any more, in milliseconds: longer than a login takes that waits for
/// its turn to be hashed.
const LONGEST_TRY: &str = "30000";

/// How long it is remembered from where a user has logged in, in milliseconds: 30 days. Some 300 bytes for each user with one address, and
/// nobody gets one without a password.
const REMEMBERED: &str = "2592000000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_bits_of_its_own() {
        let mut hash = [0; 16];
        hash[..8].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0x80, 0x12, 0x34]);
        let found: Vec<_> = cells(&hash).collect();
        let expected = [("0-0", "0"), ("1-1ff", "127"), ("2-1", "0"), ("3-24", "52")];
        assert_eq!(found, expected.map(|(part, cell)| (part.to_owned(), cell.to_owned())));
    }
}
