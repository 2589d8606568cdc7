//! What an operator does to one conversion: reject it, reinstate it, give it a status, put its amounts right, note
//! something. To many at once: `change_conversions.rs`.
//!
//! It goes through intake, as an advertiser's `/reject` does: there it waits its turn among the tracking events, is
//! judged by the same transition table, and commits in one transaction with its history, its figures and its audit
//! entry. Nothing here reads a conversion in order to decide about it: between the read and the write it could move.
//! The one exception looks for the status before the last rejection, which is history and does not change.

use super::form::{Form, conflict};
use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::{AuditEvent, actor};
use crate::domain::conversion::{Amounts, Change, Conversion};
use crate::domain::ids::ConversionId;
use crate::domain::operator::Principal;
use crate::domain::status::Status;
use crate::intake::{ChangeOutcome, ChangesOutcome, ErrorPolicy, OperatorChange, OperatorChanges, Wish};
use crate::store::conversions;

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

/// What goes with a change beside what it changes.
#[derive(Clone, Copy, Debug)]
pub struct Aside<'a> {
    /// For people in the network only.
    pub note: Option<&'a str>,
    /// False: no outbound postback tells of it.
    pub notify_publisher: bool,
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
    aside: Aside<'_>,
) -> Outcome<Changed> {
    let Aside { note, notify_publisher } = aside;
    let read = (text("reason", reason, REASON_CHARACTERS_MAX), optional_note(note));
    match read {
        (Ok(reason), Ok(note)) => {
            let wish = Wish::Move { to: Status::Rejected, reason: Some(reason) };
            change(app, principal, id, "conversion.reject", Asked { wish, note, notify_publisher }).await
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
    aside: Aside<'_>,
    restore_previous: bool,
) -> Outcome<Changed> {
    let note = match optional_note(aside.note) {
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
    let wish = Wish::Move { to, reason: None };
    let asked = Asked { wish, note, notify_publisher: aside.notify_publisher };
    change(app, principal, id, "conversion.reinstate", asked).await
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
    let asked = match to {
        Status::Rejected => Asked::told(Wish::Move { to, reason: Some(note) }, None),
        Status::Approved | Status::Pending => Asked::told(Wish::Move { to, reason: None }, Some(note)),
    };
    change(app, principal, id, "conversion.set_status", asked).await
}

/// Puts amounts right; those that are none stay as they are. In the currency that the conversion has.
///
/// # Errors
/// `Required` (an amount, note), `Invalid`, `TooLarge` (amounts), `TooLong` (note), `ConflictVersion`, `NotFound`.
pub async fn amend_conversion(
    app: &App,
    principal: &Principal,
    (id, version): (ConversionId, i32),
    draft: &AmountsDraft,
) -> Outcome<Changed> {
    let (amounts, note) = match read_amounts(draft) {
        Ok(read) => read,
        Err(faults) => return Ok(Err(faults)),
    };
    let asked = Asked::told(Wish::Amend { version, amounts }, Some(note));
    change(app, principal, id, "conversion.amend", asked).await
}

/// Notes something in a conversion's history, for people in the network only.
///
/// # Errors
/// `Required` and `TooLong` (note), `NotFound`.
pub async fn add_note(app: &App, principal: &Principal, id: ConversionId, note: &str) -> Outcome<Changed> {
    match text("note", note, NOTE_CHARACTERS_MAX) {
        Ok(note) => change(app, principal, id, "conversion.note", Asked::told(Wish::Note, Some(note))).await,
        Err(fault) => Ok(Err(vec![fault])),
    }
}

/// Amounts as they were typed, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AmountsDraft {
    pub revenue: Option<String>,
    pub payout: Option<String>,
    pub purchase_value: Option<String>,
    pub note: String,
}

fn read_amounts(draft: &AmountsDraft) -> Result<(Amounts, String), Vec<UserError>> {
    let mut form = Form::new(Some("input"));
    let mut read = |name, typed: &Option<String>| typed.as_deref().and_then(|typed| form.amount(&[name], typed));
    let amounts = Amounts {
        revenue: read("revenue", &draft.revenue),
        payout: read("payout", &draft.payout),
        purchase_value: read("purchaseValue", &draft.purchase_value),
    };
    if [&draft.revenue, &draft.payout, &draft.purchase_value].iter().all(|typed| typed.is_none()) {
        form.refuse(UserErrorCode::Required, &["revenue"], "Give at least one amount.");
    }
    let note = text("note", &draft.note, NOTE_CHARACTERS_MAX);
    match (form.finish(Some(amounts)), note) {
        (Ok(amounts), Ok(note)) => Ok((amounts, note)),
        (amounts, note) => {
            let note = note.err().map(|fault| UserError { field: vec!["input".into(), "note".into()], ..fault });
            Err(amounts.err().into_iter().flatten().chain(note).collect())
        }
    }
}

/// What is asked for, read.
pub(super) struct Asked {
    pub(super) wish: Wish,
    pub(super) note: Option<String>,
    /// False: no outbound postback tells of it.
    pub(super) notify_publisher: bool,
}

impl Asked {
    /// Told to whoever is told of such a change.
    fn told(wish: Wish, note: Option<String>) -> Self {
        Self { wish, note, notify_publisher: true }
    }
}

async fn change(app: &App, principal: &Principal, id: ConversionId, action: &str, asked: Asked) -> Outcome<Changed> {
    let label = id.to_string();
    let audit = AuditEvent::new(principal, action, (&id, &label), Vec::new(), (&*app.clock, &*app.entropy));
    let wanted = wanted(&asked.wish);
    let Asked { wish, note, notify_publisher } = asked;
    let change = OperatorChange { conversion: id, wish, note, actor: actor(principal), notify_publisher, audit };
    let one = OperatorChanges { changes: vec![change], policy: ErrorPolicy::SkipFailed, once: None };
    match app.intake.settle_changes(one).await? {
        ChangesOutcome::Done(mut outcomes) => Ok(changed(outcomes.pop().unwrap_or(ChangeOutcome::NotFound), wanted)),
        ChangesOutcome::Refused(_) | ChangesOutcome::Repeated(_) | ChangesOutcome::OtherArguments => {
            Err(AppError::Internal("a change without a key, alone, was taken for another".to_owned()))
        }
    }
}

/// The status that a wish is about.
pub(super) fn wanted(wish: &Wish) -> Option<Status> {
    match wish {
        Wish::Move { to, .. } => Some(*to),
        Wish::Amend { .. } | Wish::Note => None,
    }
}

fn changed(outcome: ChangeOutcome, wanted: Option<Status>) -> Result<Changed, Vec<UserError>> {
    match outcome {
        ChangeOutcome::Changed(conversion, change) => Ok(Changed { conversion: *conversion, change: Some(*change) }),
        ChangeOutcome::NoChange(conversion) => Ok(Changed { conversion: *conversion, change: None }),
        ChangeOutcome::Forbidden(conversion) => Err(vec![forbidden(&conversion, wanted)]),
        ChangeOutcome::Stale(conversion) => Err(vec![conflict(conversion.version)]),
        ChangeOutcome::NotFound => Err(vec![not_found()]),
    }
}

/// The status that the last rejection took away.
async fn status_before_rejection(app: &App, id: ConversionId) -> Outcome1<Status> {
    if let Some(before) = conversions::statuses_before_rejection(&app.database, &[id]).await?.remove(&id) {
        return Ok(Ok(before));
    }
    let is_there = conversions::find(&app.database, id).await?.is_some();
    Ok(Err(if is_there { no_rejection() } else { not_found() }))
}

pub(super) fn no_rejection() -> UserError {
    UserError::new(UserErrorCode::InvalidTransition, &["restorePrevious"], "There is no rejection to be undone.")
        .with_hint("Without restorePrevious it becomes Approved.")
}

/// As [`Outcome`], with one fault at most.
type Outcome1<T> = Result<Result<T, UserError>, AppError>;

pub(super) fn forbidden(conversion: &Conversion, to: Option<Status>) -> UserError {
    let to = to.map_or("that", Status::as_str);
    let message = format!("It is {} and cannot become {to}.", conversion.status.as_str());
    UserError::new(UserErrorCode::InvalidTransition, &["status"], message)
}

pub(super) fn not_found() -> UserError {
    UserError::new(UserErrorCode::NotFound, &["id"], "There is no such conversion.")
}

pub(super) fn optional_note(note: Option<&str>) -> Result<Option<String>, UserError> {
    let note = note.map(str::trim).filter(|note| !note.is_empty());
    note.map(|note| text("note", note, NOTE_CHARACTERS_MAX)).transpose()
}

/// A text that has to be there, trimmed. A NUL would be refused by one of the engines only.
pub(super) fn text(field: &'static str, text: &str, characters_max: usize) -> Result<String, UserError> {
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
