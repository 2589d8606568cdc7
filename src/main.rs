//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use roundtrip::cli::{self, Cli};

/// An item is made by the task of a connection and freed by its writer's thread, which the system's allocator is slow
/// at: docs/decisions/0009-the-write-path.md.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    cli::main(Cli::parse())
}
