//! What a command that changes control data stands on: the application without its doors.
//!
//! A server may run beside it on the same database: it sees the change within about a second. On SQLite the schema is
//! brought up to date first; on PostgreSQL a schema that is behind ends the command.

use std::sync::Arc;

use super::CliProblem;
use crate::app::{App, Outcome};
use crate::config::Config;
use crate::domain::operator::Principal;
use crate::server;
use crate::system::{SystemClock, SystemEntropy};

/// Opens the database and the keys, and reads the control data. Nothing listens and nothing settles.
pub(super) async fn open(config: &Config) -> Result<Arc<App>, CliProblem> {
    Ok(server::open(config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?)
}

/// Who acts at the command line, as the audit trail names it.
pub(super) fn principal() -> Principal {
    Principal { label: "cli".to_owned(), request_id: "cli".to_owned(), ..Principal::system() }
}

/// What a use case made, or why it did not.
pub(super) fn done<T>(outcome: Outcome<T>) -> Result<T, CliProblem> {
    outcome?.map_err(CliProblem::Refused)
}
