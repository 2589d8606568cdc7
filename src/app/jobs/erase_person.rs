//! Erasing a person: what is personal in conversions, clicks and receipts is emptied, by e-mail, device or visit.
//!
//! Nothing is deleted but additional parameters: conversions, keys, history and figures stay, or never twice and every
//! report would lose what happened. A visit that is found is emptied as a whole, whatever it was found by. First the
//! visits, two hundred at a time, then the receipts that name the person and belong to no visit of theirs. Free texts of
//! operators (notes, reasons) are theirs to keep clean; clicks that still wait in a server's spool are there in seconds,
//! so a person who was here a moment ago is erased once more a minute later.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NewJob, Step, StepFailed, read_input, start, write_input};
use crate::app::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::AuditChange;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::job::{Job, JobKind, Progress};
use crate::domain::operator::Principal;
use crate::domain::person::{Person, PersonLookup};
use crate::store::persons;

const VERSION: i16 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Input {
    person: Person,
}

/// Where the next step begins, behind the visits: the receipt that was looked at last.
#[derive(Debug, Serialize, Deserialize)]
struct Behind {
    receipt: Uuid,
}

/// Starts the erasure of a person.
///
/// # Errors
/// `Invalid` (what nobody can be found by); those of every job.
pub async fn erase_person(
    app: &App,
    principal: &Principal,
    by: &PersonLookup,
    once: Option<IdempotentCall>,
) -> Outcome<Job> {
    let Some(person) = by.read(&app.keyring) else { return Ok(Err(vec![nobody()])) };
    let about = vec![AuditChange::new("by", None, Some(person.kind().to_owned()))];
    let input = write_input(&Input { person }, VERSION)?;
    start(app, principal, NewJob { kind: JobKind::PersonErase, input, total: None, about }, once).await
}

pub(super) fn nobody() -> UserError {
    let message = "Nobody can be found by this: send an e-mail address, a device id or a transaction id.";
    UserError::new(UserErrorCode::Invalid, &["by"], message)
}

/// Empties the next rows.
pub(super) async fn step(app: &App, job: &Job) -> Result<Step, StepFailed> {
    let Input { person } = read_input(&job.input, VERSION)?;
    match &job.position {
        None => visits(app, person).await,
        Some(position) => match serde_json::from_str(position) {
            Ok(Behind { receipt }) => receipts(app, person, receipt).await,
            Err(_) => visits(app, person).await,
        },
    }
}

const VISITS: &str = "visits";

async fn visits(app: &App, person: Person) -> Result<Step, StepFailed> {
    let has_mark = person.mark_in_params().is_some();
    let write =
        app.database.side_write(Box::new(move |tx| Box::pin(async move { persons::erase_visits(tx, &person).await })));
    let erased = write.await?;
    let next = match (erased.rows(), has_mark) {
        (0, false) => None,
        (0, true) => Some(behind(Uuid::nil())?),
        (_, _) => Some(VISITS.to_owned()),
    };
    Ok(stepped(next, erased.rows()))
}

async fn receipts(app: &App, person: Person, after: Uuid) -> Result<Step, StepFailed> {
    let Some(mark) = person.mark_in_params() else { return Ok(Step::default()) };
    let (ids, last) = persons::find_receipts(&app.database, &mark, after).await?;
    let mut erased = 0;
    if !ids.is_empty() {
        let write = app
            .database
            .side_write(Box::new(move |tx| Box::pin(async move { persons::erase_receipts(tx, ids).await })));
        erased = write.await?;
    }
    Ok(stepped(last.map(behind).transpose()?, erased))
}

fn behind(receipt: Uuid) -> Result<String, AppError> {
    serde_json::to_string(&Behind { receipt }).map_err(|error| AppError::Internal(error.to_string()))
}

/// Rows that were emptied.
fn stepped(next: Option<String>, rows: u64) -> Step {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    Step { next, did: Progress { processed: rows, succeeded: rows, ..Progress::default() }, ..Step::default() }
}
