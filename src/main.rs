//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use roundtrip::cli::{self, Cli};

fn main() -> ExitCode {
    cli::main(Cli::parse())
}
