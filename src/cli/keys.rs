//! `keys`: a new key file, and the rotation of the one key in it that can be replaced without losing anything.
//!
//! Nothing is printed of a key but by the command that makes a whole file. Servers read the file when they start.

use clap::Subcommand;
use secrecy::ExposeSecret;

use super::{CliProblem, print};
use crate::config::Config;
use crate::config::keys::{new_key_file, prepare_sessions, rotate_sessions};
use crate::system::SystemEntropy;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Put a new key in the place of the one that signs sessions; nobody is signed out.
    RotateSessions {
        /// Only add the key that will sign next: for several servers, before the rotation itself.
        #[arg(long)]
        prepare: bool,
    },
}

/// Fresh keys with every call; they are kept nowhere.
pub(super) fn print_new() -> Result<(), CliProblem> {
    print(new_key_file(&SystemEntropy)?.expose_secret())
}

pub(super) fn run(config: &Config, action: Action) -> Result<(), CliProblem> {
    let (path, Action::RotateSessions { prepare }) = (&config.keys_file, action);
    if prepare {
        prepare_sessions(path, &SystemEntropy)?;
        return print("the next key is in the file: give it to every server, restart them, then rotate\n");
    }
    rotate_sessions(path, &SystemEntropy)?;
    print("sessions have another key: restart the server; tokens of the old key go on until they end\n")
}
