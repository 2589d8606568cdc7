//! `verify`: prints what `app::verify` proved, and ends with 1 when anything does not agree.

use super::{CliProblem, print};
use crate::app::verify;
use crate::config::Config;
use crate::server::connect_options;
use crate::store::Database;

pub(super) async fn verify(config: &Config) -> Result<(), CliProblem> {
    let database = Database::connect(&connect_options(config)).await?;
    let report = verify::verify(&database).await?;
    database.close().await;
    print(&format!("{report}\n"))?;
    if report.is_clean() { Ok(()) } else { Err(CliProblem::Drift(report.findings.count)) }
}
