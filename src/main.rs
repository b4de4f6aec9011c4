//! The `doorward` command.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// glibc's allocator keeps what a burst of large requests took: a flood would stay visible in the process's size for good.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    doorward::cli::main()
}
