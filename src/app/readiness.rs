//! Can work be taken, and if not, why?
//!
//! What the writers have found out about the database counts first: it may answer, and take no write. A server without
//! traffic asks it. Draining is the door's own affair.

use std::time::Duration;

use tokio::time::timeout;

use super::App;

/// A database that takes longer is not one that a postback could be settled on.
const PING_PATIENCE: Duration = Duration::from_secs(1);

pub use crate::intake::SpoolState;

/// Why work cannot be taken: `database` (it does not answer), `read_only`, `disk_full`; none when it can.
pub async fn hindrance(app: &App) -> Option<&'static str> {
    if let Some(outage) = app.intake.outage() {
        return Some(outage.as_str());
    }
    let answers = timeout(PING_PATIENCE, app.database.ping()).await.is_ok_and(|pinged| pinged.is_ok());
    (!answers).then_some("database")
}
