//! Pingora as `cargo build --release` makes it, with the system's allocator; built with the profile `stock`.

mod passthrough;

use std::process::ExitCode;

fn main() -> ExitCode {
    passthrough::serve(passthrough::Kind { work_stealing: true, modules: true })
}
