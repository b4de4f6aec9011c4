//! An empty name. // forbidden
pub struct Any;
