//! Sending refused requests again, the oldest first: so that a conversion comes before its events, and a rejection
//! after what it rejects. One at a time, for the same reason.
//!
//! A step that is done again leaves a second receipt of what it had sent before, and nothing else: by then it is a
//! duplicate.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{NewJob, Step, StepError, StepFailed, read_input, start, write_input};
use crate::app::replay_receipts::{rehearse, send_again};
use crate::app::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::answer::Answer;
use crate::domain::audit::AuditChange;
use crate::domain::clock::Timestamp;
use crate::domain::code::Verdict;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::ReceiptId;
use crate::domain::job::{Job, JobKind};
use crate::domain::operator::Principal;
use crate::domain::receipt::Receipt;
use crate::store::filter::TimeRange;
use crate::store::receipts::{self, ReceiptFilter};

const VERSION: i16 = 1;
/// Receipts that one call can name.
pub const IDS_MAX: usize = 500;
/// Receipts of one step.
const STEP_ROWS: u64 = 100;
/// A step ends early after this time, so that a slow database never outlives the lease.
const STEP_PATIENCE: Duration = Duration::from_secs(5);

/// Which receipts: exactly one of the two.
#[derive(Clone, Debug, Default)]
pub struct ReplayRequest {
    pub ids: Option<Vec<ReceiptId>>,
    pub filter: Option<ReceiptFilter>,
    /// Only say what they would come to.
    pub dry_run: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Input {
    which: Which,
    dry_run: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum Which {
    /// In the order of their time.
    Ids(Vec<ReceiptId>),
    Filter(Box<ReceiptFilter>),
}

/// Starts to send again what is chosen: named ones, or those refused ones of a filter that came until now.
///
/// # Errors
/// `Invalid` unless exactly one of `ids` and `filter` is there, `Required` for an empty list, `LimitExceeded` for more
/// than 500 ids; those of every job.
pub async fn replay_receipts(
    app: &App,
    principal: &Principal,
    request: ReplayRequest,
    once: Option<IdempotentCall>,
) -> Outcome<Job> {
    let dry_run = request.dry_run;
    let (which, total) = match read_request(request, app.clock.now()) {
        Ok(read) => read,
        Err(error) => return Ok(Err(vec![error])),
    };
    let mut about = vec![AuditChange::new("dry_run", None, Some(dry_run.to_string()))];
    about.push(match &which {
        Which::Ids(ids) => AuditChange::new("receipts", None, Some(ids.len().to_string())),
        Which::Filter(filter) => {
            AuditChange::new("received_at", None, filter.received_at.map(|range| range.to_string()))
        }
    });
    let input = write_input(&Input { which, dry_run }, VERSION)?;
    start(app, principal, NewJob { kind: JobKind::ReceiptsReplay, input, total, about }, once).await
}

fn read_request(request: ReplayRequest, now: Timestamp) -> Result<(Which, Option<i64>), UserError> {
    match (request.ids, request.filter) {
        (Some(ids), None) if ids.is_empty() => {
            Err(UserError::new(UserErrorCode::Required, &["ids"], "Name at least one receipt."))
        }
        (Some(ids), None) if ids.len() > IDS_MAX => {
            let message = format!("One call names at most {IDS_MAX} receipts.");
            Err(UserError::new(UserErrorCode::LimitExceeded, &["ids"], message).with_hint("Send a filter instead."))
        }
        (Some(mut ids), None) => {
            ids.sort_unstable();
            ids.dedup();
            let total = i64::try_from(ids.len()).ok();
            Ok((Which::Ids(ids), total))
        }
        (None, Some(filter)) => Ok((Which::Filter(Box::new(until_now(filter, now))), None)),
        (Some(_), Some(_)) | (None, None) => {
            Err(UserError::new(UserErrorCode::Invalid, &["ids"], "Send either ids or a filter."))
        }
    }
}

/// What is refused meanwhile is not of this call.
fn until_now(filter: ReceiptFilter, now: Timestamp) -> ReceiptFilter {
    let end = now.plus_millis(1);
    let range = filter.received_at.unwrap_or(TimeRange { since: Timestamp::from_millis(0), until: None });
    let received_at = Some(TimeRange { until: Some(range.until.unwrap_or(end).min(end)), ..range });
    ReceiptFilter { received_at, ..filter }
}

/// Sends the next ones again.
pub(super) async fn step(app: &App, job: &Job) -> Result<Step, StepFailed> {
    let input: Input = read_input(&job.input, VERSION)?;
    let after = job.position.as_deref().and_then(ReceiptId::parse);
    let due = due(app, &input.which, after).await?;
    let (begun, mut step) = (Instant::now(), Step::default());
    let last = due.last().map(|(id, _)| *id);
    for (id, receipt) in due {
        match again(app, receipt.as_ref(), input.dry_run).await? {
            Ok(()) => step.did.succeeded += 1,
            Err(fault) => {
                step.did.failed += 1;
                step.errors.push(StepError { subject: Some(id.to_string()), fault });
            }
        }
        step.did.processed += 1;
        step.next = Some(id.to_string());
        if begun.elapsed() > STEP_PATIENCE {
            break;
        }
    }
    let is_over =
        step.did.processed < i64::try_from(STEP_ROWS).unwrap_or(i64::MAX) && step.next == last.map(|id| id.to_string());
    if is_over {
        step.next = None;
    }
    Ok(step)
}

/// The next receipts after one; none where an id names nothing.
async fn due(
    app: &App,
    which: &Which,
    after: Option<ReceiptId>,
) -> Result<Vec<(ReceiptId, Option<Receipt>)>, AppError> {
    let database = &app.database;
    match which {
        Which::Filter(filter) => {
            let found = receipts::list_replayable(database, filter, after, STEP_ROWS).await?;
            Ok(found.into_iter().map(|receipt| (receipt.id, Some(receipt))).collect())
        }
        Which::Ids(ids) => {
            let ids = ids.iter().copied().filter(|id| after.is_none_or(|after| *id > after));
            let ids: Vec<ReceiptId> = ids.take(usize::try_from(STEP_ROWS).unwrap_or(usize::MAX)).collect();
            let mut found = receipts::find_many(database, &ids).await?;
            let mut take = |id| found.iter().position(|receipt| receipt.id == id).map(|at| found.swap_remove(at));
            Ok(ids.into_iter().map(|id| (id, take(id))).collect())
        }
    }
}

/// One of them: what keeps it from being recorded is the inner error.
async fn again(app: &App, receipt: Option<&Receipt>, dry_run: bool) -> Result<Result<(), UserError>, AppError> {
    let Some(receipt) = receipt else {
        return Ok(Err(UserError::new(UserErrorCode::NotFound, &["ids"], "There is no such receipt.")));
    };
    let answered = if dry_run { rehearse(app, receipt).await? } else { send_again(app, receipt).await? };
    Ok(match answered {
        Ok(answer) => accepted(&answer),
        Err(mut faults) => faults.pop().map_or(Ok(()), Err),
    })
}

fn accepted(answer: &Answer) -> Result<(), UserError> {
    match answer.code.verdict() {
        Verdict::Recorded | Verdict::Duplicate | Verdict::NoChange | Verdict::Parked => Ok(()),
        Verdict::Refused | Verdict::Failed => {
            let detail = answer.detail.as_deref().unwrap_or(answer.code.cure());
            let message = format!("{}: {detail}", answer.code.as_str());
            Err(UserError::new(UserErrorCode::Invalid, &[], message).with_hint(answer.code.cure()))
        }
    }
}
