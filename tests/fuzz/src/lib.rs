//! What must hold whatever comes in: one property a reader, held against second opinions.
//!
//! A [`Target`] has the reader as it is, and one with a bug planted in it, as bugs of its kind were found elsewhere. The property
//! must hold for the first, and must be seen to fail for the second: a property that cannot fail would prove nothing.

pub mod authorization;
pub mod canonical_path;
pub mod compact_token;
pub mod configuration;
pub mod form_body;
pub mod jwk_set;
pub mod request_head;

/// A reader under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// Of its corpus and its program.
    pub name: &'static str,
    /// The property, for the reader as it is: panics where it does not hold.
    pub check: fn(&[u8]),
    /// The same property, for a reader with a planted bug.
    pub check_planted: fn(&[u8]),
}

/// All of them.
pub const TARGETS: [Target; 7] = [
    authorization::TARGET,
    canonical_path::TARGET,
    compact_token::TARGET,
    configuration::TARGET,
    form_body::TARGET,
    jwk_set::TARGET,
    request_head::TARGET,
];

/// One input; with `DOORWARD_FUZZ_PLANTED` in the environment for the reader with the bug.
pub fn run(target: Target, data: &[u8]) {
    static PLANTED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    if *PLANTED.get_or_init(|| std::env::var_os("DOORWARD_FUZZ_PLANTED").is_some()) {
        (target.check_planted)(data);
    } else {
        (target.check)(data);
    }
}
