//! The export of what is stored of a person: the job counts, the download reads, as with every export.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::erase_person::nobody;
use super::{NewJob, Step, StepFailed, read_input, start, write_input};
use crate::app::{App, AppError, Outcome};
use crate::domain::audit::AuditChange;
use crate::domain::click::Click;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::job::{Job, JobKind, Progress};
use crate::domain::operator::Principal;
use crate::domain::person::{Person, PersonLookup};
use crate::domain::receipt::Receipt;
use crate::domain::transaction_id::TransactionId;
use crate::store::conversions::{self, ConversionListed};
use crate::store::persons;

const VERSION: i16 = 1;
/// Visits of one person that are exported; nobody real has as many.
const VISITS_MAX: usize = 10_000;
/// Visits of one piece.
const PIECE_VISITS: usize = 200;

#[derive(Debug, Serialize, Deserialize)]
struct Input {
    person: Person,
}

/// Where the next piece begins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::app) enum Place {
    /// So many visits are done.
    Visit(usize),
    /// All visits are, and receipts up to this one.
    Receipt(Uuid),
}

impl Place {
    pub(in crate::app) const BEGINNING: Self = Self::Visit(0);
}

/// Some of what is stored of a person.
#[derive(Debug, Default)]
pub(in crate::app) struct Piece {
    pub(in crate::app) conversions: Vec<ConversionListed>,
    pub(in crate::app) clicks: Vec<Click>,
    pub(in crate::app) receipts: Vec<Receipt>,
    pub(in crate::app) next: Option<Place>,
}

pub(in crate::app) fn read(job: &Job) -> Result<Person, StepFailed> {
    read_input(&job.input, VERSION).map(|input: Input| input.person)
}

/// Starts the export of a person.
///
/// # Errors
/// `Invalid` (what nobody can be found by); those of every job.
pub async fn export_person(
    app: &App,
    principal: &Principal,
    by: &PersonLookup,
    once: Option<IdempotentCall>,
) -> Outcome<Job> {
    let Some(person) = by.read(&app.keyring) else { return Ok(Err(vec![nobody()])) };
    let about = vec![AuditChange::new("by", None, Some(person.kind().to_owned()))];
    let input = write_input(&Input { person }, VERSION)?;
    start(app, principal, NewJob { kind: JobKind::PersonExport, input, total: None, about }, once).await
}

/// Counts the next rows.
pub(super) async fn step(app: &App, job: &Job) -> Result<Step, StepFailed> {
    let person = read(job)?;
    let place = match &job.position {
        None => Place::BEGINNING,
        Some(text) => serde_json::from_str(text).map_err(|error| AppError::Internal(error.to_string()))?,
    };
    let piece = piece(app, &person, place).await?;
    let rows = piece.conversions.len().saturating_add(piece.clicks.len()).saturating_add(piece.receipts.len());
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let total = piece.next.is_none().then_some(job.progress.processed.saturating_add(rows));
    let next = piece.next.map(|place| serde_json::to_string(&place)).transpose();
    let next = next.map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(Step { next, did: Progress { total, processed: rows, succeeded: rows, failed: 0 }, ..Step::default() })
}

/// What is stored of a person from a place on.
pub(in crate::app) async fn piece(app: &App, person: &Person, place: Place) -> Result<Piece, StepFailed> {
    match place {
        Place::Visit(done) => visits(app, person, done).await,
        Place::Receipt(after) => receipts(app, person, after).await,
    }
}

async fn visits(app: &App, person: &Person, done: usize) -> Result<Piece, StepFailed> {
    let visits_max = u64::try_from(VISITS_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let visits = persons::find_visits(&app.database, person, visits_max).await?;
    if visits.len() > VISITS_MAX {
        return Err(StepFailed::Impossible(format!(
            "More than {VISITS_MAX} visits have this mark: it is nobody's own."
        )));
    }
    let some: &[TransactionId] = visits.get(done..).unwrap_or_default();
    let some = some.get(..PIECE_VISITS).unwrap_or(some);
    let conversions = conversions::find_all_of(&app.database, some).await?;
    let (clicks, receipts) = persons::find_rows(&app.database, some).await?;
    let done = done.saturating_add(some.len());
    let next = if done < visits.len() {
        Some(Place::Visit(done))
    } else {
        person.mark_in_params().map(|_| Place::Receipt(Uuid::nil()))
    };
    Ok(Piece { conversions, clicks, receipts, next })
}

/// Those of visits were there before.
async fn receipts(app: &App, person: &Person, after: Uuid) -> Result<Piece, StepFailed> {
    let Some(mark) = person.mark_in_params() else { return Ok(Piece::default()) };
    let (ids, last) = persons::find_receipts(&app.database, &mark, after).await?;
    let found = persons::find_receipts_by_id(&app.database, ids).await?;
    let visits = persons::find_visits(&app.database, person, u64::try_from(VISITS_MAX).unwrap_or(u64::MAX)).await?;
    let is_new = |receipt: &Receipt| receipt.transaction_id.is_none_or(|id| visits.binary_search(&id).is_err());
    let receipts = found.into_iter().filter(is_new).collect();
    Ok(Piece { receipts, next: last.map(Place::Receipt), ..Piece::default() })
}
