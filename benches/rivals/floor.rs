//! The floor: the same Pingora, allocator and profile as doorward, and nothing else. What is above it is doorward's.

mod passthrough;

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    passthrough::serve(passthrough::Kind { work_stealing: false, modules: false })
}
