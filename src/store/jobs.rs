//! Jobs and their errors: rows in and out.
//!
//! A server takes one step of one job at a time, under a lease: nobody else touches the job before the lease ends, so a
//! server that is gone holds nobody up for longer than that. What a step did is saved only by whoever still holds the
//! lease. Several servers ask at once; a job that one of them is looking at is passed over by the others.

use entity::{job as row, job_error as error_row};
use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
};
use sea_orm::{PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, Select};
use uuid::Uuid;

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use super::filter::one_of;
use super::page::{self, BoundedCount, Direction, Key, KeyKind, Order, Page, PageRequest, Sort};
use crate::domain::clock::Timestamp;
use crate::domain::ids::JobId;
use crate::domain::job::{ERRORS_KEPT_MAX, Job, JobError, JobInput, JobKind, JobState, Progress};

const TABLE: &str = "job";

/// Which jobs a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// In any of these; none for all.
    pub states: Option<Vec<JobState>>,
}

/// The order of jobs: newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestJob;

/// The order of a job's errors: as they happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstError;

/// What is left of one step.
#[derive(Clone, Debug)]
pub(crate) struct Saved {
    pub(crate) id: JobId,
    /// Who holds the lease.
    pub(crate) owner: Uuid,
    pub(crate) position: Option<String>,
    pub(crate) progress: Progress,
    /// Those of this step, numbered on from the ones before.
    pub(crate) errors: Vec<JobError>,
    pub(crate) end: Option<End>,
    pub(crate) now: Timestamp,
}

/// How a job ends.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) state: JobState,
    pub(crate) failure: Option<String>,
    /// What was asked for names a person.
    pub(crate) forgets_input: bool,
}

/// # Errors
/// As of every read.
pub async fn list(
    database: &Database,
    filter: &JobFilter,
    request: &PageRequest<NewestJob>,
) -> Result<Page<Job>, StoreError> {
    let keys = |row: &row::Model| vec![Key::Uuid(row.id)];
    page::fetch(database.read(), select(filter), request, &[row::Column::Id.into_expr()], keys, job).await
}

/// How many there are, up to a bound.
///
/// # Errors
/// As of every read.
pub async fn count(database: &Database, filter: &JobFilter) -> Result<BoundedCount, StoreError> {
    page::count(database.read(), select(filter).into_query()).await
}

/// # Errors
/// As of every read.
pub async fn find(database: &Database, id: JobId) -> Result<Option<Job>, StoreError> {
    find_in(database.read(), id).await
}

/// Those of these jobs that are there.
///
/// # Errors
/// As of every read.
pub async fn find_many(database: &Database, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
    let rows = row::Entity::find().filter(row::Column::Id.is_in(ids.iter().map(|id| id.uuid())));
    rows.all(database.read()).await?.into_iter().map(job).collect()
}

/// A job as a write sees it.
pub(crate) async fn find_in(connection: &impl ConnectionTrait, id: JobId) -> Result<Option<Job>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(connection).await?.map(job).transpose()
}

/// What a job could not do, in the order in which it happened.
///
/// # Errors
/// As of every read.
pub async fn errors(
    database: &Database,
    id: JobId,
    request: &PageRequest<FirstError>,
) -> Result<Page<JobError>, StoreError> {
    let select = error_row::Entity::find().filter(error_row::Column::JobId.eq(id.uuid()));
    let keys = |row: &error_row::Model| vec![Key::I32(row.number)];
    let convert = |row: error_row::Model| {
        Ok(JobError { number: row.number, subject: row.subject, code: row.code, message: row.message })
    };
    page::fetch(database.read(), select, request, &[error_row::Column::Number.into_expr()], keys, convert).await
}

pub(crate) async fn count_unfinished(connection: &impl ConnectionTrait) -> Result<u64, StoreError> {
    Ok(row::Entity::find().filter(row::Column::FinishedAt.is_null()).count(connection).await?)
}

/// A new job, which has not had a turn.
pub(crate) async fn insert(connection: &impl ConnectionTrait, job: &Job) -> Result<(), StoreError> {
    let row = row::Model {
        id: job.id.uuid(),
        kind: job.kind.as_str().to_owned(),
        input: job.input.text.clone(),
        input_version: job.input.version,
        state: job.state.as_str().to_owned(),
        position: job.position.clone(),
        total: job.progress.total,
        processed: job.progress.processed,
        succeeded: job.progress.succeeded,
        failed: job.progress.failed,
        failure: job.failure.clone(),
        cancel_requested: job.cancel_requested,
        created_by: job.created_by.clone(),
        created_by_label: job.created_by_label.clone(),
        created_at: job.created_at.as_millis(),
        started_at: job.started_at.map(Timestamp::as_millis),
        finished_at: job.finished_at.map(Timestamp::as_millis),
        turn_at: job.created_at.as_millis(),
        lease_owner: None,
        lease_until: None,
        attempts: job.attempts,
    };
    row::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(connection).await?;
    Ok(())
}

/// Is there a job whose next step may be taken now? Asked before [`claim`], which needs the right to write.
///
/// # Errors
/// As of every read.
pub async fn has_due(database: &Database, now: Timestamp) -> Result<bool, StoreError> {
    let due = row::Entity::find().select_only().column(row::Column::Id).filter(is_due(now)).limit(1);
    Ok(due.into_tuple::<Uuid>().one(database.read()).await?.is_some())
}

/// Takes the step of the job that has waited longest for its turn, until `lease_until`.
pub(crate) async fn claim(
    connection: &impl ConnectionTrait,
    owner: Uuid,
    now: Timestamp,
    lease_until: Timestamp,
) -> Result<Option<Job>, StoreError> {
    let due = row::Entity::find()
        .filter(is_due(now))
        .order_by_asc(row::Column::TurnAt)
        .order_by_asc(row::Column::Id)
        .limit(1)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(connection)
        .await?;
    let Some(found) = due else { return Ok(None) };
    let claimed = row::Model {
        state: JobState::Running.as_str().to_owned(),
        started_at: found.started_at.or(Some(now.as_millis())),
        lease_owner: Some(owner),
        lease_until: Some(lease_until.as_millis()),
        attempts: found.attempts.saturating_add(1),
        ..found
    };
    row::Entity::update_many()
        .col_expr(row::Column::State, Expr::value(claimed.state.clone()))
        .col_expr(row::Column::StartedAt, Expr::value(claimed.started_at))
        .col_expr(row::Column::LeaseOwner, Expr::value(claimed.lease_owner))
        .col_expr(row::Column::LeaseUntil, Expr::value(claimed.lease_until))
        .col_expr(row::Column::Attempts, Expr::value(claimed.attempts))
        .filter(row::Column::Id.eq(claimed.id))
        .exec(connection)
        .await?;
    job(claimed).map(Some)
}

/// Saves what a step did, and gives the lease back. `false`, and nothing is written, when somebody else has it by now.
pub(crate) async fn save(connection: &impl ConnectionTrait, saved: &Saved) -> Result<bool, StoreError> {
    let now = saved.now.as_millis();
    let mut update = row::Entity::update_many()
        .col_expr(row::Column::Position, Expr::value(saved.position.clone()))
        .col_expr(row::Column::Total, Expr::value(saved.progress.total))
        .col_expr(row::Column::Processed, Expr::value(saved.progress.processed))
        .col_expr(row::Column::Succeeded, Expr::value(saved.progress.succeeded))
        .col_expr(row::Column::Failed, Expr::value(saved.progress.failed))
        .col_expr(row::Column::TurnAt, Expr::value(now))
        .col_expr(row::Column::Attempts, Expr::value(0))
        .col_expr(row::Column::LeaseOwner, Expr::value(Option::<Uuid>::None))
        .col_expr(row::Column::LeaseUntil, Expr::value(Option::<i64>::None));
    if let Some(end) = &saved.end {
        update = update
            .col_expr(row::Column::State, Expr::value(end.state.as_str()))
            .col_expr(row::Column::Failure, Expr::value(end.failure.clone()))
            .col_expr(row::Column::FinishedAt, Expr::value(now));
        if end.forgets_input {
            update = update.col_expr(row::Column::Input, Expr::value(""));
        }
    }
    let done = update.filter(held(saved.id, saved.owner)).exec(connection).await?;
    if done.rows_affected == 1 {
        insert_errors(connection, saved.id, &saved.errors).await?;
    }
    Ok(done.rows_affected == 1)
}

/// Gives the lease back without a step: nobody tries again before `until`.
pub(crate) async fn postpone(
    connection: &impl ConnectionTrait,
    id: JobId,
    owner: Uuid,
    until: Timestamp,
) -> Result<(), StoreError> {
    row::Entity::update_many()
        .col_expr(row::Column::TurnAt, Expr::value(until.as_millis()))
        .col_expr(row::Column::LeaseOwner, Expr::value(Option::<Uuid>::None))
        .col_expr(row::Column::LeaseUntil, Expr::value(until.as_millis()))
        .filter(held(id, owner))
        .exec(connection)
        .await?;
    Ok(())
}

/// Marks a job that is not finished as unwanted. `false` when it has ended, or is not there.
pub(crate) async fn mark_unwanted(connection: &impl ConnectionTrait, id: JobId) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::CancelRequested, Expr::value(true))
        .filter(row::Column::Id.eq(id.uuid()))
        .filter(row::Column::FinishedAt.is_null())
        .exec(connection)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Removes jobs that ended before `before`, with their errors, at most `rows_max` of them; returns how many.
pub(crate) async fn purge(
    connection: &impl ConnectionTrait,
    before: Timestamp,
    rows_max: u64,
) -> Result<u64, StoreError> {
    let ids: Vec<Uuid> = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::FinishedAt.lt(before.as_millis()))
        .order_by_asc(row::Column::FinishedAt)
        .limit(rows_max)
        .into_tuple()
        .all(connection)
        .await?;
    let errors = error_row::Column::JobId.is_in(ids.clone());
    error_row::Entity::delete_many().filter(errors).exec(connection).await?;
    let delete = row::Entity::delete_many().filter(row::Column::Id.is_in(ids));
    Ok(delete.exec(connection).await?.rows_affected)
}

/// Empties what jobs were asked for that ended before `before`; returns how many there were.
pub(crate) async fn forget_inputs(connection: &impl ConnectionTrait, before: Timestamp) -> Result<u64, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::Input, Expr::value(""))
        .filter(row::Column::FinishedAt.lt(before.as_millis()))
        .filter(row::Column::Input.ne(""))
        .exec(connection)
        .await?;
    Ok(done.rows_affected)
}

impl Sort for NewestJob {
    fn order(self) -> Order {
        Order { name: "job.id", direction: Direction::Descending, keys: &[KeyKind::Uuid] }
    }
}

impl Sort for FirstError {
    fn order(self) -> Order {
        Order { name: "job_error.number", direction: Direction::Ascending, keys: &[KeyKind::I32] }
    }
}

fn select(filter: &JobFilter) -> Select<row::Entity> {
    let states = filter.states.as_deref().map(|all| all.iter().map(|state| state.as_str()));
    row::Entity::find().filter(Condition::all().add_option(one_of(row::Column::State, states)))
}

/// Not finished, of a kind that this server knows, and with nobody at work on it.
fn is_due(now: Timestamp) -> Condition {
    let free =
        Condition::any().add(row::Column::LeaseUntil.is_null()).add(row::Column::LeaseUntil.lte(now.as_millis()));
    Condition::all()
        .add(row::Column::FinishedAt.is_null())
        .add(row::Column::Kind.is_in(JobKind::ALL.iter().map(|kind| kind.as_str())))
        .add(free)
}

fn held(id: JobId, owner: Uuid) -> Condition {
    Condition::all()
        .add(row::Column::Id.eq(id.uuid()))
        .add(row::Column::LeaseOwner.eq(owner))
        .add(row::Column::FinishedAt.is_null())
}

async fn insert_errors(connection: &impl ConnectionTrait, id: JobId, errors: &[JobError]) -> Result<(), StoreError> {
    let kept = errors.iter().filter(|error| i64::from(error.number) <= ERRORS_KEPT_MAX);
    let rows: Vec<_> = kept
        .map(|error| {
            let row = error_row::Model {
                job_id: id.uuid(),
                number: error.number,
                subject: error.subject.clone(),
                code: error.code.clone(),
                message: error.message.clone(),
            };
            row.into_active_model().reset_all()
        })
        .collect();
    if !rows.is_empty() {
        error_row::Entity::insert_many(rows).exec_without_returning(connection).await?;
    }
    Ok(())
}

fn job(row: row::Model) -> Result<Job, StoreError> {
    let cell = |column| Cell(TABLE, column);
    Ok(Job {
        id: JobId::from_uuid(row.id),
        kind: cell("kind").word(&row.kind, JobKind::parse)?,
        input: JobInput { text: row.input, version: row.input_version },
        state: cell("state").word(&row.state, JobState::parse)?,
        position: row.position,
        progress: Progress { total: row.total, processed: row.processed, succeeded: row.succeeded, failed: row.failed },
        failure: row.failure,
        cancel_requested: row.cancel_requested,
        created_by: row.created_by,
        created_by_label: row.created_by_label,
        created_at: Timestamp::from_millis(row.created_at),
        started_at: row.started_at.map(Timestamp::from_millis),
        finished_at: row.finished_at.map(Timestamp::from_millis),
        attempts: row.attempts,
    })
}
