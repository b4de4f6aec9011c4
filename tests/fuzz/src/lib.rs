//! What must hold whatever comes in: one property a reader, held against second opinions.
//!
//! A [`Target`] has the reader as it is, and some with a bug planted in them, as bugs of their kind were found elsewhere. The
//! property must hold for the first, and must be seen to fail for each of the others: one that cannot fail would prove nothing.

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
    /// The same property, for readers with a planted bug: one for each thing it says.
    pub planted: &'static [fn(&[u8])],
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

/// One input; with a number in `DOORWARD_FUZZ_PLANTED`, counted from 0, for that reader with a bug. A number that is none's is
/// said to be.
pub fn run(target: Target, data: &[u8]) {
    static CHECK: std::sync::OnceLock<fn(&[u8])> = std::sync::OnceLock::new();
    let chosen = || match std::env::var("DOORWARD_FUZZ_PLANTED") {
        Err(_) => target.check,
        Ok(number) => match number.parse().ok().and_then(|number: usize| target.planted.get(number)) {
            Some(check) => *check,
            None => {
                eprintln!("{NO_SUCH_BUG}");
                std::process::exit(1)
            }
        },
    };
    CHECK.get_or_init(chosen)(data);
}

/// What run.sh waits for.
const NO_SUCH_BUG: &str = "there is no such planted bug";
