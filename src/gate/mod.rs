//! The one decision: may this request pass, and as whom.

pub mod bearer;
pub mod credential;
pub mod decide;
pub mod denial;
mod front;
mod identify;
pub mod permit;
pub mod query;
mod user;
pub mod websocket;
pub mod wording;

pub use bearer::Asked;
pub use decide::{Decision, Gate, RequestFacts};
pub use denial::{Denial, RETRY_SECONDS};
pub use permit::Permit;
pub use wording::{ChallengeStyle, Wording};
