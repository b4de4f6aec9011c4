//! Who may log in, and with which password.

pub mod file;
pub mod password;
pub mod postgres;
pub mod recheck;
pub mod settings;
pub mod shared_throttle;
pub mod standing;
pub mod store;
pub mod throttle;
mod turnstile;
pub mod user;

pub use file::FileUsers;
pub use password::{Busy, Hasher, StoredHash, Verdict};
pub use postgres::{PostgresSettings, PostgresUsers};
pub use recheck::{EndTokens, NotEnded, Recheck, Standing};
pub use settings::HashingSettings;
pub use shared_throttle::SharedFailures;
pub use standing::{Rights, UserStanding};
pub use store::{Candidate, InMemory, UserStore, UserStoreError};
pub use throttle::{Allowance, Throttle, ThrottleSettings, Throttled};
pub use turnstile::{Throttles, Turn, Turnstile};
pub use user::User;
