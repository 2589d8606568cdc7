//! `migrate`: applies what is missing of the schema's history. Safe to run again, and beside another one: a lock
//! lets one at a time. On SQLite `serve` does the same by itself.

use super::{CliProblem, print};
use crate::config::Config;
use crate::server::connect_options;
use crate::store::Database;

pub(super) async fn migrate(config: &Config) -> Result<(), CliProblem> {
    let database = Database::connect(&connect_options(config)).await?;
    let missing = database.pending_migrations().await?;
    database.migrate().await?;
    database.close().await;
    print(&match missing {
        0 => "the schema was up to date\n".to_owned(),
        1 => "applied 1 step: the schema is up to date\n".to_owned(),
        steps => format!("applied {steps} steps: the schema is up to date\n"),
    })
}
