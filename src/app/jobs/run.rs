//! The servers' turns at jobs: claim, one step, save.
//!
//! A claim is a lease of thirty seconds; a step that does not end in twenty is given up, so nobody else begins while it
//! is still at work. A step that fails by our fault is tried again after a pause that grows, ten times in all, also when
//! it takes its server down with it: then the job fails and says so. A server that is told to end finishes its step and
//! begins none.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{Step, StepFailed, StepOf};
use crate::app::{App, AppError};
use crate::domain::clock::random_bytes;
use crate::domain::job::{Job, JobError, JobState, Progress};
use crate::store::StoreError;
use crate::store::jobs::{self, End, Saved};
use crate::telemetry::field;

/// Steps that one server takes at a time.
pub const STEPS_AT_ONCE: usize = 2;
/// How long a step may take.
pub const STEP_SECONDS_MAX: u64 = 20;
/// How long nobody else touches a job that somebody is at work on.
pub const LEASE_SECONDS: i64 = 30;
/// Tries of one step.
pub const ATTEMPTS_MAX: i32 = 10;
/// After the first try that failed; after the second twice as long, and so on.
pub const RETRY_SECONDS: i64 = 5;
/// How often a server looks for jobs of others, and for leases that ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two steps: jobs never keep tracking events from the database for long.
const PAUSE: Duration = Duration::from_millis(5);

/// Takes turns until `stopped`, then ends once the step that is under way is saved.
pub async fn run(app: Arc<App>, step_of: StepOf, stopped: watch::Receiver<bool>) {
    let hands = std::iter::repeat_with(|| one_hand(&app, step_of, stopped.clone())).take(STEPS_AT_ONCE);
    futures_util::future::join_all(hands).await;
}

async fn one_hand(app: &App, step_of: StepOf, mut stopped: watch::Receiver<bool>) {
    let owner = Uuid::from_bytes(random_bytes(&*app.entropy));
    let mut away = false;
    while !*stopped.borrow() {
        let rest = match take_turn(app, owner, step_of).await {
            Ok(true) => PAUSE,
            Ok(false) => LOOK_EVERY,
            Err(error) if !away => {
                away = true;
                tracing::warn!({ field::ERROR } = %error, "jobs wait: the database cannot be asked");
                continue;
            }
            Err(_) => LOOK_EVERY,
        };
        away = false;
        tokio::select! {
            () = sleep(rest) => {}
            () = app.jobs.due.notified(), if rest == LOOK_EVERY => {}
            // An error means that the sender is gone, and the server with it.
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}

/// One step of the job that has waited longest. `false` when there was nothing to do.
///
/// # Errors
/// The database cannot be asked, or what was done could not be saved.
pub async fn take_turn(app: &App, owner: Uuid, step_of: StepOf) -> Result<bool, AppError> {
    let now = app.clock.now();
    if !jobs::has_due(&app.database, now).await? {
        return Ok(false);
    }
    let lease_until = now.plus_seconds(LEASE_SECONDS);
    let claimed = app
        .database
        .side_write(Box::new(move |tx| Box::pin(async move { jobs::claim(tx, owner, now, lease_until).await })));
    let Some(job) = claimed.await? else { return Ok(false) };
    app.jobs.announce(job.id);
    let worked = if job.cancel_requested {
        Ok(end_of(app, &job, owner, JobState::Cancelled, None))
    } else if job.attempts > ATTEMPTS_MAX {
        Ok(end_of(app, &job, owner, JobState::Failed, Some(GIVEN_UP.to_owned())))
    } else {
        attempt(app, &job, owner, step_of).await
    };
    match worked {
        Ok(saved) => save(app, saved).await?,
        Err(error) => postpone(app, &job, owner, &error).await?,
    }
    app.jobs.announce(job.id);
    Ok(true)
}

const GIVEN_UP: &str = "It was tried ten times and failed on our side each time; the log says more.";

async fn attempt(app: &App, job: &Job, owner: Uuid, step_of: StepOf) -> Result<Saved, AppError> {
    let step = AssertUnwindSafe(step_of(app, job)).catch_unwind();
    let stepped = timeout(Duration::from_secs(STEP_SECONDS_MAX), step).await;
    let stepped = match stepped {
        Ok(Ok(stepped)) => stepped,
        Ok(Err(_panic)) => return Err(AppError::Internal("a step panicked".to_owned())),
        Err(_late) => return Err(AppError::Internal("a step took too long".to_owned())),
    };
    match stepped {
        Ok(step) => Ok(after(app, job, owner, step)),
        Err(StepFailed::Impossible(why)) => Ok(end_of(app, job, owner, JobState::Failed, Some(why))),
        Err(StepFailed::Ours(error)) => Err(error),
    }
}

fn after(app: &App, job: &Job, owner: Uuid, step: Step) -> Saved {
    let mut progress = Progress { total: step.did.total.or(job.progress.total), ..job.progress };
    progress.add(step.did);
    let first = i32::try_from(job.progress.failed).unwrap_or(i32::MAX);
    let errors = step.errors.into_iter().zip(1_i32..).map(|(error, place)| JobError {
        number: first.saturating_add(place),
        subject: error.subject,
        code: error.fault.code.as_str().to_owned(),
        message: error.fault.message,
    });
    let end = step.next.is_none().then(|| End {
        state: progress.end(),
        failure: None,
        // The download of an export still has to know whom it is about.
        forgets_input: job.kind.is_personal() && !job.kind.is_export(),
    });
    Saved { id: job.id, owner, position: step.next, progress, errors: errors.collect(), end, now: app.clock.now() }
}

fn end_of(app: &App, job: &Job, owner: Uuid, state: JobState, failure: Option<String>) -> Saved {
    let end = Some(End { state, failure, forgets_input: job.kind.is_personal() });
    let position = job.position.clone();
    Saved { id: job.id, owner, position, progress: job.progress, errors: Vec::new(), end, now: app.clock.now() }
}

async fn save(app: &App, saved: Saved) -> Result<(), StoreError> {
    let id = saved.id;
    let is_saved = app.database.side_write(Box::new(move |tx| Box::pin(async move { jobs::save(tx, &saved).await })));
    if !is_saved.await? {
        tracing::warn!({ field::JOB } = %id, "a step was not saved: its lease is somebody else's by now");
    }
    Ok(())
}

async fn postpone(app: &App, job: &Job, owner: Uuid, error: &AppError) -> Result<(), StoreError> {
    tracing::warn!({ field::JOB } = %job.id, { field::ERROR } = %error, "a step of a job failed; it is tried again");
    let pause = RETRY_SECONDS.saturating_mul(i64::from(job.attempts));
    let (id, until) = (job.id, app.clock.now().plus_seconds(pause));
    let write = app
        .database
        .side_write(Box::new(move |tx| Box::pin(async move { jobs::postpone(tx, id, owner, until).await })));
    write.await
}
