//! Rejecting or reinstating all conversions of a filter: a hundred at a time, each judged as one alone.
//!
//! A step is kept under a key of its own, in the transaction of its changes. A server that dies before it has saved the
//! job leaves the step to another one, which changes nothing and is told what the first one did: so every conversion is
//! counted once, also where the filter does not hold it any more.

use serde::{Deserialize, Serialize};

use super::{NewJob, Step, StepError, StepFailed, read_input, start, write_input};
use crate::app::change_conversion::no_rejection;
use crate::app::change_conversions::{BulkRequest, BulkWish, By, fault_of, fault_told, wishes};
use crate::app::{App, AppError, Outcome};
use crate::domain::audit::AuditChange;
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::ConversionId;
use crate::domain::job::{Job, JobKind, Progress};
use crate::domain::operator::Principal;
use crate::intake::{ChangeOutcome, ChangesOutcome, ErrorPolicy, KeyedCall, OperatorChanges};
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

/// What is kept of a step; what became of each change is kept behind it.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    next: Option<String>,
    /// Those that were to be changed.
    changed: Vec<ConversionId>,
    /// Those whose history says nothing of where they should go back to.
    refused: Vec<ConversionId>,
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
    let mut changes = Vec::new();
    let mut refused = Vec::new();
    for id in ids {
        match wishes.get(&id) {
            Some(Ok(wish)) => changes.push(by.change(app, id, wish.clone(), input.note.clone())),
            Some(Err(_no_rejection)) => refused.push(id),
            // It was there a moment ago, and conversions are never deleted.
            None => {}
        }
    }
    let kept = Kept { next, changed: changes.iter().map(|change| change.conversion).collect(), refused };
    let once = Some(KeyedCall { call: call_of(app, job)?, answer: write_kept(&kept)? });
    let asked = OperatorChanges { changes: changes.clone(), policy: ErrorPolicy::SkipFailed, once };
    match app.intake.settle_changes(asked).await.map_err(AppError::from)? {
        ChangesOutcome::Done(outcomes) => {
            let mut step = Step::begun(kept.next, &kept.refused);
            for (change, outcome) in changes.iter().zip(&outcomes) {
                match fault_of(outcome, &change.wish) {
                    Some(fault) => step.fail(change.conversion, fault),
                    None => step.count(matches!(outcome, ChangeOutcome::Changed(..))),
                }
            }
            Ok(step)
        }
        ChangesOutcome::Repeated(answer) => Ok(repeated(&answer)?),
        ChangesOutcome::Refused(_) | ChangesOutcome::OtherArguments => {
            Err(AppError::Internal("a step was taken for another one".to_owned()).into())
        }
    }
}

/// The step under its key: the job, and how far it was when the step began.
fn call_of(app: &App, job: &Job) -> Result<IdempotentCall, AppError> {
    let key = format!("{}/{}", job.id, job.progress.processed);
    let call = IdempotentCall::new(&app.keyring, job.created_by.clone(), job.kind.as_str(), &key, "");
    call.map_err(|refused| AppError::Internal(format!("the key of a step: {refused:?}")))
}

fn write_kept(kept: &Kept) -> Result<String, AppError> {
    serde_json::to_string(kept).map_err(|error| AppError::Internal(error.to_string()))
}

/// What a step did that was done before and not saved.
fn repeated(answer: &str) -> Result<Step, AppError> {
    let mut lines = answer.lines();
    let kept: Kept = serde_json::from_str(lines.next().unwrap_or_default())
        .map_err(|error| AppError::Internal(format!("what is kept of a step: {error}")))?;
    let letters = lines.next().unwrap_or_default();
    let mut step = Step::begun(kept.next, &kept.refused);
    for (id, letter) in kept.changed.iter().zip(letters.chars()) {
        match fault_told(letter) {
            Some(fault) => step.fail(id, fault),
            None => step.count(letter == 'c'),
        }
    }
    Ok(step)
}

impl Step {
    fn begun(next: Option<String>, refused: &[ConversionId]) -> Self {
        let mut step = Self { next, ..Self::default() };
        refused.iter().for_each(|id| step.fail(id, no_rejection()));
        step
    }

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
