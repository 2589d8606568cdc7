//! The export of conversions: the job counts them, the download reads them.
//!
//! Nothing is written to a disk and no copy is kept: whoever downloads reads the rows of the filter as they are then, page
//! by page, up to the instant at which the export was asked for. So every server can serve it, and a person who was
//! erased meanwhile is not in it. `docs/decisions/0013-exports-and-jobs.md` says what was weighed.

use serde::{Deserialize, Serialize};

use super::{NewJob, Step, StepFailed, counted, described, read_input, start, write_input};
use crate::app::exports::choose_columns;
use crate::app::form::sentence;
use crate::app::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::AuditChange;
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::job::{Job, JobKind};
use crate::domain::operator::Principal;
use crate::store::conversions::{self, ConversionFilter, ConversionSort};
use crate::store::filter::TimeRange;
use crate::store::page::PageRequest;

const VERSION: i16 = 1;
/// Rows of one step.
const STEP_ROWS: u64 = 2000;

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::app) struct Input {
    pub(in crate::app) filter: ConversionFilter,
    /// Conversions of later are not in it.
    pub(in crate::app) asked_at: Timestamp,
    /// Their names, in the order that was asked for.
    pub(in crate::app) columns: Vec<String>,
}

pub(in crate::app) fn read(job: &Job) -> Result<Input, StepFailed> {
    read_input(&job.input, VERSION)
}

/// Starts the export of what a filter matches now; without `columns`, with all of them.
///
/// # Errors
/// `Invalid`, `Required` (columns), `Invalid` (a filter that no index helps, without a range); those of every job.
pub async fn export_conversions(
    app: &App,
    principal: &Principal,
    mut filter: ConversionFilter,
    columns: Option<Vec<String>>,
    once: Option<IdempotentCall>,
) -> Outcome<Job> {
    let now = app.clock.now();
    let columns = match choose_columns(columns) {
        Ok(columns) => columns,
        Err(errors) => return Ok(Err(errors)),
    };
    if let Err(refused) = filter.check(now) {
        let message = sentence(&refused);
        return Ok(Err(vec![UserError::new(UserErrorCode::Invalid, &["filter"], message)]));
    }
    filter.converted_at = Some(TimeRange::until_now(filter.converted_at, now));
    let about = vec![AuditChange::new("filter", None, Some(described(&filter)?))];
    let input = write_input(&Input { filter, asked_at: now, columns }, VERSION)?;
    start(app, principal, NewJob { kind: JobKind::ConversionsExport, input, total: None, about }, once).await
}

/// Counts the next rows.
pub(super) async fn step(app: &App, job: &Job) -> Result<Step, StepFailed> {
    let input = read(job)?;
    let page = PageRequest::walk(ConversionSort::OLDEST, STEP_ROWS, job.position.as_deref());
    let page = page.map_err(|refused| AppError::Internal(refused.to_string()))?;
    let page = conversions::walk(&app.database, &input.filter, &page, input.asked_at).await?;
    let page = page.map_err(|refused| StepFailed::Impossible(refused.to_string()))?;
    Ok(counted(job, &page))
}
