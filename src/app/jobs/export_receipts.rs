//! The export of receipts: as that of conversions, newest first.

use serde::{Deserialize, Serialize};

use super::{NewJob, Step, StepFailed, counted, read_input, start, write_input};
use crate::app::{App, AppError, Outcome};
use crate::domain::audit::AuditChange;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::job::{Job, JobKind};
use crate::domain::operator::Principal;
use crate::store::filter::TimeRange;
use crate::store::page::PageRequest;
use crate::store::receipts::{self, Newest, ReceiptFilter};

const VERSION: i16 = 1;
/// Rows of one step.
const STEP_ROWS: u64 = 2000;

#[derive(Debug, Serialize, Deserialize)]
pub(in crate::app) struct Input {
    pub(in crate::app) filter: ReceiptFilter,
}

pub(in crate::app) fn read(job: &Job) -> Result<Input, StepFailed> {
    read_input(&job.input, VERSION)
}

/// Starts the export of what a filter matches now.
///
/// # Errors
/// Those of every job.
pub async fn export_receipts(
    app: &App,
    principal: &Principal,
    mut filter: ReceiptFilter,
    once: Option<IdempotentCall>,
) -> Outcome<Job> {
    filter.received_at = Some(TimeRange::until_now(filter.received_at, app.clock.now()));
    let about = vec![AuditChange::new("received_at", None, filter.received_at.map(|range| range.to_string()))];
    let input = write_input(&Input { filter }, VERSION)?;
    start(app, principal, NewJob { kind: JobKind::ReceiptsExport, input, total: None, about }, once).await
}

/// Counts the next rows.
pub(super) async fn step(app: &App, job: &Job) -> Result<Step, StepFailed> {
    let input = read(job)?;
    let page = PageRequest::walk(Newest, STEP_ROWS, job.position.as_deref());
    let page = page.map_err(|refused| AppError::Internal(refused.to_string()))?;
    Ok(counted(job, &receipts::walk(&app.database, &input.filter, &page).await?))
}
