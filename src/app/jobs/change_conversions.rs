//! Rejecting or reinstating all conversions of a filter: a hundred at a time, each judged as one alone.
//!
//! A step that is done twice changes nothing the second time: what is rejected for the same reason stays as it is.

use serde::{Deserialize, Serialize};

use super::{NewJob, Step, StepError, StepFailed, read_input, start, write_input};
use crate::app::change_conversions::{BulkRequest, BulkWish, By, fault_of, wishes};
use crate::app::{App, AppError, Outcome};
use crate::domain::audit::AuditChange;
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::job::{Job, JobKind, Progress};
use crate::domain::operator::Principal;
use crate::intake::{ChangeOutcome, ChangesOutcome, ErrorPolicy, OperatorChanges};
use crate::store::conversions::{self, ConversionFilter, ConversionSort};
use crate::store::page::PageRequest;

const VERSION: i16 = 1;
/// Conversions of one step, which is one transaction of intake: few enough that postbacks beside it wait no longer than
/// for a batch of their own.
const STEP_ROWS: u64 = 100;

#[derive(Debug, Serialize, Deserialize)]
struct Input {
    filter: ConversionFilter,
    asked_at: Timestamp,
    wish: BulkWish,
    note: Option<String>,
    notify_publishers: bool,
}

/// Starts the job of a request whose filter was checked.
///
/// # Errors
/// Those of every job.
pub(in crate::app) async fn start_job(
    app: &App,
    principal: &Principal,
    (filter, request): (ConversionFilter, &BulkRequest),
    total: Option<i64>,
    once: Option<IdempotentCall>,
) -> Outcome<Job> {
    let kind = match &request.wish {
        BulkWish::Reject { .. } => JobKind::ConversionsReject,
        BulkWish::Reinstate { .. } => JobKind::ConversionsReinstate,
    };
    let about = vec![AuditChange::new("filter", None, Some(super::described(&filter)?))];
    let (wish, note, notify_publishers) = (request.wish.clone(), request.note.clone(), request.notify_publishers);
    let input = Input { filter, asked_at: app.clock.now(), wish, note, notify_publishers };
    let input = write_input(&input, VERSION)?;
    start(app, principal, NewJob { kind, input, total, about }, once).await
}

/// Changes the next hundred.
pub(super) async fn step(app: &App, job: &Job) -> Result<Step, StepFailed> {
    let input: Input = read_input(&job.input, VERSION)?;
    let page = PageRequest::walk(ConversionSort::OLDEST, STEP_ROWS, job.position.as_deref());
    let page = page.map_err(|refused| AppError::Internal(refused.to_string()))?;
    let page = conversions::walk(&app.database, &input.filter, &page, input.asked_at).await?;
    let page = page.map_err(|refused| StepFailed::Impossible(refused.to_string()))?;
    let next = page.items.last().filter(|_| page.has_next).map(|item| item.cursor.clone());
    let ids = page.into_values();
    let wishes = wishes(app, &ids, &input.wish).await?;
    let by = By::job(job, &input.wish, input.notify_publishers);
    let mut step = Step { next, ..Step::default() };
    let mut changes = Vec::new();
    for id in ids {
        match wishes.get(&id) {
            Some(Ok(wish)) => changes.push(by.change(app, id, wish.clone(), input.note.clone())),
            Some(Err(fault)) => step.fail(id, fault.clone()),
            // It was there a moment ago, and conversions are never deleted.
            None => {}
        }
    }
    let asked = OperatorChanges { changes: changes.clone(), policy: ErrorPolicy::SkipFailed, once: None };
    let outcomes = match app.intake.settle_changes(asked).await.map_err(AppError::from)? {
        ChangesOutcome::Done(outcomes) => outcomes,
        ChangesOutcome::Refused(_) | ChangesOutcome::Repeated(_) | ChangesOutcome::OtherArguments => {
            return Err(AppError::Internal("changes without a key were taken for others".to_owned()).into());
        }
    };
    for (change, outcome) in changes.iter().zip(&outcomes) {
        match fault_of(outcome, &change.wish) {
            Some(fault) => step.fail(change.conversion, fault),
            None => step.count(matches!(outcome, ChangeOutcome::Changed(..))),
        }
    }
    Ok(step)
}

impl Step {
    fn fail(&mut self, subject: impl ToString, fault: crate::app::UserError) {
        self.errors.push(StepError { subject: Some(subject.to_string()), fault });
        self.add(Progress { processed: 1, failed: 1, ..Progress::default() });
    }

    /// What was as wanted already is looked at, and neither done nor failed.
    fn count(&mut self, is_changed: bool) {
        self.add(Progress { processed: 1, succeeded: i64::from(is_changed), ..Progress::default() });
    }

    fn add(&mut self, did: Progress) {
        self.did.add(did);
    }
}
