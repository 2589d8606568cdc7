//! What an operator does to one conversion: reject it, reinstate it, give it a status.
//!
//! It goes through intake, as an advertiser's `/reject` does: there it waits its turn among the tracking events, is
//! judged by the same transition table, and commits in one transaction with its history, its figures and its audit
//! entry. Nothing here reads a conversion in order to decide about it: between the read and the write it could move.
//! The one exception looks for the status before the last rejection, which is history and does not change.

use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::{AuditEvent, actor};
use crate::domain::conversion::{Change, Conversion};
use crate::domain::ids::ConversionId;
use crate::domain::operator::Principal;
use crate::domain::status::Status;
use crate::intake::{ChangeOutcome, OperatorChange, Unsettled};
use crate::store::conversions::{self, Oldest};
use crate::store::page::{PAGE_SIZE_MAX, PageRequest};

/// Longest reason of a rejection, in characters: that of the wire.
pub const REASON_CHARACTERS_MAX: usize = 500;
/// Longest note of an operator, in characters.
pub const NOTE_CHARACTERS_MAX: usize = 1000;

/// A conversion after a change.
#[derive(Clone, Debug)]
pub struct Changed {
    pub conversion: Conversion,
    /// None: it was already as asked.
    pub change: Option<Change>,
}

/// Rejects a conversion. There is no version that could be stale: a rejection always wins.
///
/// # Errors
/// `Required` and `TooLong` (reason, note), `NotFound`.
pub async fn reject_conversion(
    app: &App,
    principal: &Principal,
    id: ConversionId,
    reason: &str,
    note: Option<&str>,
) -> Outcome<Changed> {
    let read = (text("reason", reason, REASON_CHARACTERS_MAX), optional_note(note));
    match read {
        (Ok(reason), Ok(note)) => {
            let wish = Wish { to: Status::Rejected, reason: Some(reason), note };
            change(app, principal, id, "conversion.reject", wish).await
        }
        (reason, note) => Ok(Err(reason.err().into_iter().chain(note.err()).collect())),
    }
}

/// Makes a Rejected or Pending conversion Approved; with `restore_previous` undoes its last rejection.
///
/// # Errors
/// `TooLong` (note), `NotFound`, `InvalidTransition` where there is no rejection to be undone.
pub async fn reinstate_conversion(
    app: &App,
    principal: &Principal,
    id: ConversionId,
    note: Option<&str>,
    restore_previous: bool,
) -> Outcome<Changed> {
    let note = match optional_note(note) {
        Ok(note) => note,
        Err(fault) => return Ok(Err(vec![fault])),
    };
    let to = match restore_previous {
        true => match status_before_rejection(app, id).await? {
            Ok(status) => status,
            Err(fault) => return Ok(Err(vec![fault])),
        },
        false => Status::Approved,
    };
    change(app, principal, id, "conversion.reinstate", Wish { to, reason: None, note }).await
}

/// Gives a conversion any status that an operator may give it. To Rejected, the note is the reason.
///
/// # Errors
/// `Required` and `TooLong` (note), `NotFound`, `InvalidTransition`.
pub async fn set_conversion_status(
    app: &App,
    principal: &Principal,
    id: ConversionId,
    to: Status,
    note: &str,
) -> Outcome<Changed> {
    let characters_max = match to {
        Status::Rejected => REASON_CHARACTERS_MAX,
        Status::Approved | Status::Pending => NOTE_CHARACTERS_MAX,
    };
    let note = match text("note", note, characters_max) {
        Ok(note) => note,
        Err(fault) => return Ok(Err(vec![fault])),
    };
    let wish = match to {
        Status::Rejected => Wish { to, reason: Some(note), note: None },
        Status::Approved | Status::Pending => Wish { to, reason: None, note: Some(note) },
    };
    change(app, principal, id, "conversion.set_status", wish).await
}

struct Wish {
    to: Status,
    reason: Option<String>,
    note: Option<String>,
}

async fn change(app: &App, principal: &Principal, id: ConversionId, action: &str, wish: Wish) -> Outcome<Changed> {
    let label = id.to_string();
    let audit = AuditEvent::new(principal, action, (&id, &label), Vec::new(), (&*app.clock, &*app.entropy));
    let change = OperatorChange {
        conversion: id,
        to: wish.to,
        reason: wish.reason,
        note: wish.note,
        actor: actor(principal),
        audit,
    };
    match app.intake.settle_change(change).await.map_err(unsettled)? {
        ChangeOutcome::Changed(conversion, change) => {
            Ok(Ok(Changed { conversion: *conversion, change: Some(*change) }))
        }
        ChangeOutcome::NoChange(conversion) => Ok(Ok(Changed { conversion: *conversion, change: None })),
        ChangeOutcome::Forbidden(conversion) => Ok(Err(vec![forbidden(&conversion, wish.to)])),
        ChangeOutcome::NotFound => Ok(Err(vec![not_found()])),
    }
}

/// The status that the last rejection took away.
async fn status_before_rejection(app: &App, id: ConversionId) -> Outcome1<Status> {
    let newest = PageRequest::parse(Oldest, None, None, Some(PAGE_SIZE_MAX), None);
    let newest = newest.map_err(|refused| AppError::Internal(refused.to_string()))?;
    let history = conversions::changes(&app.database, id, &newest).await?.into_values();
    if history.is_empty() {
        return Ok(Err(not_found()));
    }
    let is_rejected = history.last().is_some_and(|change| change.to == Status::Rejected);
    let rejection = history.iter().rev().find(|change| change.from != Some(Status::Rejected));
    let before = rejection.filter(|_| is_rejected).and_then(|rejection| rejection.from);
    Ok(before.ok_or_else(|| {
        UserError::new(UserErrorCode::InvalidTransition, &["restorePrevious"], "There is no rejection to be undone.")
            .with_hint("Without restorePrevious it becomes Approved.")
    }))
}

/// As [`Outcome`], with one fault at most.
type Outcome1<T> = Result<Result<T, UserError>, AppError>;

fn unsettled(unsettled: Unsettled) -> AppError {
    match unsettled {
        Unsettled::Full | Unsettled::Late | Unsettled::Away | Unsettled::Spooled => AppError::Busy,
        // The writer has logged why.
        Unsettled::Internal => AppError::Internal("the change could not be written".to_owned()),
    }
}

fn forbidden(conversion: &Conversion, to: Status) -> UserError {
    let message = format!("It is {} and cannot become {}.", conversion.status.as_str(), to.as_str());
    UserError::new(UserErrorCode::InvalidTransition, &["status"], message)
}

fn not_found() -> UserError {
    UserError::new(UserErrorCode::NotFound, &["id"], "There is no such conversion.")
}

fn optional_note(note: Option<&str>) -> Result<Option<String>, UserError> {
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    note.map(|note| text("note", note, NOTE_CHARACTERS_MAX)).transpose()
}

/// A text that has to be there, trimmed. A NUL would be refused by one of the engines only.
fn text(field: &'static str, text: &str, characters_max: usize) -> Result<String, UserError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UserError::new(UserErrorCode::Required, &[field], format!("A {field} is needed.")));
    }
    if text.contains('\0') {
        return Err(UserError::new(UserErrorCode::Invalid, &[field], "It holds a character that no text may hold."));
    }
    if text.chars().count() > characters_max {
        let message = format!("At most {characters_max} characters.");
        return Err(UserError::new(UserErrorCode::TooLong, &[field], message));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_its_limit_in_characters() {
        let of = |count: usize| text("note", &"é".repeat(count), 10).map(|text| text.chars().count());
        assert_eq!(of(9), Ok(9));
        assert_eq!(of(10), Ok(10));
        assert_eq!(of(11).unwrap_err().code, UserErrorCode::TooLong);
        assert_eq!(text("note", " \t", 10).unwrap_err().code, UserErrorCode::Required);
        assert_eq!(text("note", "a\0b", 10).unwrap_err().code, UserErrorCode::Invalid);
        assert_eq!(optional_note(Some("  ")), Ok(None));
    }
}
