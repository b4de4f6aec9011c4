//! What every floor may use and what uses nothing of ours: time, randomness, secrets, base64url, strict JSON.

pub mod base64url;
pub mod clock;
pub mod entropy;
pub mod json;
pub mod secret;
pub mod stopwatch;
pub mod uptime;

pub use clock::{Clock, ManualClock, SystemClock, Times, Timestamp};
pub use secret::Secret;
pub use stopwatch::Stopwatch;
pub use uptime::Uptime;
