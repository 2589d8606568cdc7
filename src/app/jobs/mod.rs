//! Jobs: work that goes on behind an answer, in steps, on whatever server has room.
//!
//! A job is started by the use case that has its rules, through [`start`], in one transaction with its audit entry and
//! the key of the call. The servers then take turns ([`run`]): one step of one job at a time, under a lease, so that a
//! crash costs one step and a long job never holds up a short one. **A step that was done and could not be saved is done
//! again**: it must be one that may be (a bulk change finds its own key; a row that is empty is emptied).
//!
//! To add a kind:
//! 1. a word in `domain::job::JobKind`, with the role that it needs and whether its input names a person;
//! 2. a file here with its `Input` (serde, a `VERSION` raised when an older server would misread it) and `step`, which
//!    does a bounded piece (well below [`run::STEP_SECONDS_MAX`]) from the position that it gets, and says where the
//!    next one begins;
//! 3. its line in [`step_of`], and its word with a description in `graphql::types::words` (the compiler asks for both);
//! 4. the use case and the mutation that start it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{Notify, Semaphore, broadcast};

use super::exports::DOWNLOADS_MAX;
use super::idempotency::{again_if_taken, gone, reused};
use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::{AuditChange, AuditEvent, actor};
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::JobId;
use crate::domain::job::{Job, JobInput, JobKind, JobState, Progress, UNFINISHED_MAX};
use crate::domain::operator::Principal;
use crate::store::conversions::ConversionFilter;
use crate::store::idempotency::Earlier;
use crate::store::page::Page;
use crate::store::{StoreError, audit, idempotency, jobs};

pub mod change_conversions;
pub mod erase_person;
pub mod export_conversions;
pub mod export_person;
pub mod export_receipts;
pub mod replay_receipts;
pub mod retry_deliveries;
pub mod run;

/// Changes of jobs that a subscriber may be behind; whoever is further behind reads the job anew.
const CHANGES_KEPT: usize = 256;

/// How a server hears of jobs at once; what other servers do it finds out by looking.
#[derive(Debug)]
pub struct JobSignals {
    due: Notify,
    changed: broadcast::Sender<JobId>,
    /// Places for downloads of exports.
    pub(super) downloads: Arc<Semaphore>,
}

impl Default for JobSignals {
    fn default() -> Self {
        Self {
            due: Notify::new(),
            changed: broadcast::Sender::new(CHANGES_KEPT),
            downloads: Arc::new(Semaphore::new(DOWNLOADS_MAX)),
        }
    }
}

impl JobSignals {
    /// The ids of jobs that this server has just changed. A subscriber that lags is told so, and reads what it needs.
    pub fn subscribe(&self) -> broadcast::Receiver<JobId> {
        self.changed.subscribe()
    }

    fn announce(&self, id: JobId) {
        // Nobody may be listening.
        let _ = self.changed.send(id);
    }
}

/// What a use case asks for.
#[derive(Clone, Debug)]
pub(super) struct NewJob {
    pub(super) kind: JobKind,
    pub(super) input: JobInput,
    /// Where it is known.
    pub(super) total: Option<i64>,
    /// For the audit trail: what is asked for, without personal values.
    pub(super) about: Vec<AuditChange>,
}

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Where the next one begins; none when the job is done.
    pub next: Option<String>,
    /// A total replaces the one that was known.
    pub did: Progress,
    pub errors: Vec<StepError>,
}

/// One thing that a step could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepError {
    /// The opaque id of what it is about.
    pub subject: Option<String>,
    pub fault: UserError,
}

/// Why a step was not done.
#[derive(Debug, thiserror::Error)]
pub enum StepFailed {
    /// Our failure: it is tried again a few times.
    #[error(transparent)]
    Ours(#[from] AppError),
    /// It can never be done; the text is for people.
    #[error("{0}")]
    Impossible(String),
}

impl From<StoreError> for StepFailed {
    fn from(error: StoreError) -> Self {
        Self::Ours(error.into())
    }
}

/// Does the next step of a job.
pub type StepOf = for<'a> fn(&'a App, &'a Job) -> BoxFuture<'a, Result<Step, StepFailed>>;

/// The steps of every kind.
pub fn step_of<'a>(app: &'a App, job: &'a Job) -> BoxFuture<'a, Result<Step, StepFailed>> {
    match job.kind {
        JobKind::PersonExport => Box::pin(export_person::step(app, job)),
        JobKind::PersonErase => Box::pin(erase_person::step(app, job)),
        JobKind::ConversionsReject | JobKind::ConversionsReinstate => Box::pin(change_conversions::step(app, job)),
        JobKind::ConversionsExport => Box::pin(export_conversions::step(app, job)),
        JobKind::ReceiptsExport => Box::pin(export_receipts::step(app, job)),
        JobKind::ReceiptsReplay => Box::pin(replay_receipts::step(app, job)),
        JobKind::DeliveriesRetry => Box::pin(retry_deliveries::step(app, job)),
    }
}

/// Writes what a kind is asked for.
pub(super) fn write_input(input: &impl Serialize, version: i16) -> Result<JobInput, AppError> {
    let text = serde_json::to_string(input).map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(JobInput { text, version })
}

/// Reads what a kind was asked for.
///
/// # Errors
/// A newer server wrote it, or it is damaged.
pub(super) fn read_input<T: DeserializeOwned>(input: &JobInput, version: i16) -> Result<T, StepFailed> {
    let unreadable = || StepFailed::Impossible("This server does not know this version of the job.".to_owned());
    if input.version > version {
        return Err(unreadable());
    }
    serde_json::from_str(&input.text).map_err(|_| unreadable())
}

/// Starts a job.
///
/// # Errors
/// `LimitExceeded` while a hundred jobs are unfinished; `IdempotencyKeyReused`.
pub(super) async fn start(app: &App, principal: &Principal, new: NewJob, once: Option<IdempotentCall>) -> Outcome<Job> {
    let id = JobId::mint(&*app.clock, &*app.entropy);
    let now = app.clock.now();
    let action = new.kind.as_str();
    let event = AuditEvent::new(principal, action, (&id, action), new.about, (&*app.clock, &*app.entropy));
    let job = Job {
        id,
        kind: new.kind,
        input: new.input,
        state: JobState::Queued,
        position: None,
        progress: Progress { total: new.total, ..Progress::default() },
        failure: None,
        cancel_requested: false,
        created_by: actor(principal),
        created_by_label: principal.label.clone(),
        created_at: now,
        started_at: None,
        finished_at: None,
        attempts: 0,
    };
    let started = again_if_taken(|| {
        let (job, event, once) = (job.clone(), event.clone(), once.clone());
        app.database.side_decision(Box::new(move |tx| {
            Box::pin(async move {
                match idempotency::find(tx, once.as_ref(), now).await? {
                    Earlier::None => {}
                    Earlier::OtherArguments => return Ok(Err(vec![reused()])),
                    Earlier::Same(answer) => {
                        let first = match JobId::parse(&answer) {
                            Some(id) => jobs::find_in(tx, id).await?,
                            None => None,
                        };
                        return Ok(first.ok_or_else(gone));
                    }
                }
                if jobs::count_unfinished(tx).await? >= UNFINISHED_MAX {
                    return Ok(Err(vec![too_many()]));
                }
                idempotency::insert(tx, once.as_ref(), job.id.to_string(), now).await?;
                jobs::insert(tx, &job).await?;
                audit::insert(tx, event).await?;
                Ok(Ok(job))
            })
        }))
    });
    let started = started.await?;
    if let Ok(job) = &started {
        app.jobs.due.notify_one();
        app.jobs.announce(job.id);
    }
    Ok(started)
}

/// The job of an id.
///
/// # Errors
/// Ours.
pub async fn find(app: &App, id: JobId) -> Result<Option<Job>, AppError> {
    Ok(jobs::find(&app.database, id).await?)
}

/// The step of an export, whose rows are read when they are downloaded.
fn counted<T>(job: &Job, page: &Page<T>) -> Step {
    let found = i64::try_from(page.items.len()).unwrap_or(i64::MAX);
    let total = (!page.has_next).then_some(job.progress.processed.saturating_add(found));
    let next = page.items.last().filter(|_| page.has_next).map(|item| item.cursor.clone());
    Step { next, did: Progress { total, processed: found, succeeded: found, failed: 0 }, errors: Vec::new() }
}

/// Stops a job before its next step; what was done stays done. A job that has ended stays as it is.
///
/// # Errors
/// `NotFound`.
pub async fn cancel(app: &App, principal: &Principal, id: JobId) -> Outcome<Job> {
    let event = AuditEvent::new(principal, "job.cancel", (&id, ""), Vec::new(), (&*app.clock, &*app.entropy));
    let cancelled = app.database.side_decision(Box::new(move |tx| {
        Box::pin(async move {
            let is_news = jobs::mark_unwanted(tx, id).await?;
            let Some(job) = jobs::find_in(tx, id).await? else { return Ok(Err(vec![not_found()])) };
            if is_news {
                let subject_label = job.kind.as_str().to_owned();
                audit::insert(tx, AuditEvent { subject_label, ..event }).await?;
            }
            Ok(Ok(job))
        })
    }));
    let cancelled = cancelled.await?;
    app.jobs.due.notify_one();
    app.jobs.announce(id);
    Ok(cancelled)
}

fn too_many() -> UserError {
    let message = format!("{UNFINISHED_MAX} jobs are not finished yet.");
    UserError::new(UserErrorCode::LimitExceeded, &[], message).with_hint("Wait for one to end, or cancel one.")
}

fn not_found() -> UserError {
    UserError::new(UserErrorCode::NotFound, &["id"], "There is no such job.")
}

/// For the audit trail. Texts that are looked for may name a person, so that they were asked for is all that is said.
fn described(filter: &ConversionFilter) -> Result<String, AppError> {
    let mut json = serde_json::to_value(filter).map_err(|error| AppError::Internal(error.to_string()))?;
    for (name, value) in json.as_object_mut().into_iter().flatten() {
        let is_private = matches!(name.as_str(), "device_id" | "conversion_ips" | "search" | "sub_id" | "adv_sub_id");
        if is_private && !value.is_null() {
            *value = "(given)".into();
        }
    }
    if let Some(fields) = json.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    Ok(json.to_string())
}
