//! What a request must have to pass, decided without I/O, clock or log.

pub mod access;
pub mod authorize;
pub mod identity;
pub mod path;
pub mod pattern;
pub mod reason;
pub mod route;
pub mod table;

pub use access::Access;
pub use identity::{HeaderPlan, HeaderSettings, InvalidHeader, TooLarge};
pub use path::{CanonicalPath, ENCODED_SLASH, PathError};
pub use pattern::{PathPattern, PatternError};
pub use reason::Reason;
pub use route::{AuthorizationMode, Cors, Route, RouteSpec, Streams};
pub use table::{Conflict, ConflictKind, Found, Match, Table};
