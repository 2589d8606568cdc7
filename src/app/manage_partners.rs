//! Making and changing publishers and advertisers.
//!
//! Nothing is deleted: links and conversions name them for ever. Whoever is archived keeps its number. The two are
//! alike but for their tables, so one macro writes the use cases of both; what they share is below it.

use std::fmt::Display;

use super::form::{Form, conflict};
use super::idempotency::{gone, reused};
use super::snapshot::refresh_after_write;
use super::{App, Outcome, UserError, UserErrorCode};
use crate::domain::advertiser::Advertiser;
use crate::domain::audit::{AuditChange, AuditEvent, beginnings, differences};
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::{AdvertiserId, NUMBER_MAX, PublisherId};
use crate::domain::operator::Principal;
use crate::domain::publisher::{PartnerState, Publisher};
use crate::store::idempotency::Earlier;
use crate::store::{advertisers, audit, idempotency, publishers};

/// What a form says about a publisher or an advertiser; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartnerDraft {
    /// Needed at creation.
    pub name: Option<String>,
    /// At creation only; the next free one by default.
    pub number: Option<i32>,
    pub state: Option<PartnerState>,
    /// `Some(None)` clears them.
    pub notes: Option<Option<String>>,
}

macro_rules! partner {
    ($noun:literal, $module:ident, $partner:ident, $id:ident, $create:ident, $create_once:ident, $update:ident) => {
        /// # Errors
        /// `Required`, `Invalid`, `TooLong`, `TooSmall` for a field; `Taken` for the number; `LimitExceeded` where no
        /// number is free.
        pub async fn $create(app: &App, principal: &Principal, draft: &PartnerDraft) -> Outcome<$partner> {
            $create_once(app, principal, draft, None).await
        }

        /// Sent twice under one key, it makes one.
        ///
        /// # Errors
        /// Those of a creation; `IdempotencyKeyReused`, `NotFound`.
        pub async fn $create_once(
            app: &App,
            principal: &Principal,
            draft: &PartnerDraft,
            once: Option<IdempotentCall>,
        ) -> Outcome<$partner> {
            let (name, read) = match read_new($noun, draft) {
                Ok(read) => read,
                Err(errors) => return Ok(Err(errors)),
            };
            let (event, now) = (event(app, principal, concat!($noun, ".create")), app.clock.now());
            let written = app.database.control_decision(Box::new(move |tx| {
                Box::pin(async move {
                    match idempotency::find(tx, once.as_ref(), now).await? {
                        Earlier::None => {}
                        Earlier::OtherArguments => return Ok(Err(vec![reused()])),
                        Earlier::Same(answer) => {
                            let first = match $id::parse(&answer) {
                                Some(id) => $module::find_in(tx, id).await?,
                                None => None,
                            };
                            return Ok(first.ok_or_else(gone));
                        }
                    }
                    let id = match read.number {
                        Some(number) => $id::new(number),
                        None => $module::next_number(tx).await?,
                    };
                    let Some(id) = id else { return Ok(Err(vec![no_number($noun, read.number)])) };
                    if $module::find_in(tx, id).await?.is_some() {
                        return Ok(Err(vec![taken($noun)]));
                    }
                    let partner = $partner {
                        id,
                        name,
                        state: read.state.unwrap_or(PartnerState::Active),
                        notes: read.notes.flatten(),
                        version: 1,
                        created_at: now,
                        updated_at: now,
                    };
                    idempotency::insert(tx, once.as_ref(), id.to_string(), now).await?;
                    $module::insert(tx, &partner).await?;
                    audit::insert(tx, about(event, &id, &partner.name, beginnings(fields!(partner)))).await?;
                    Ok(Ok(partner))
                })
            }));
            let written = written.await?;
            refresh_after_write(app).await;
            Ok(written)
        }

        /// `version` is that of the row which the form was loaded from.
        ///
        /// # Errors
        /// `NotFound`, `ConflictVersion`; for a field those of creation; `Invalid` for another number.
        pub async fn $update(
            app: &App,
            principal: &Principal,
            (id, version): ($id, i32),
            draft: &PartnerDraft,
        ) -> Outcome<$partner> {
            let read = match read_change($noun, draft, id.number()) {
                Ok(read) => read,
                Err(errors) => return Ok(Err(errors)),
            };
            let (event, now) = (event(app, principal, concat!($noun, ".update")), app.clock.now());
            let written = app.database.control_decision(Box::new(move |tx| {
                Box::pin(async move {
                    let Some(before) = $module::find_in(tx, id).await? else {
                        return Ok(Err(vec![not_found($noun)]));
                    };
                    if before.version != version {
                        return Ok(Err(vec![conflict(before.version)]));
                    }
                    let mut after = before.clone();
                    after.name = read.name.unwrap_or(after.name);
                    after.state = read.state.unwrap_or(after.state);
                    after.notes = read.notes.unwrap_or(after.notes);
                    let changes = differences(fields!(before), fields!(after));
                    if changes.is_empty() {
                        return Ok(Ok(before));
                    }
                    (after.version, after.updated_at) = (version.saturating_add(1), now);
                    if !$module::update(tx, &after, version).await? {
                        return Ok(Err(vec![conflict(before.version)]));
                    }
                    audit::insert(tx, about(event, &id, &after.name, changes)).await?;
                    Ok(Ok(after))
                })
            }));
            let written = written.await?;
            refresh_after_write(app).await;
            Ok(written)
        }
    };
}

/// What the audit trail compares.
macro_rules! fields {
    ($partner:ident) => {
        vec![
            ("name", Some($partner.name.clone())),
            ("state", Some($partner.state.as_str().to_owned())),
            ("notes", $partner.notes.clone()),
        ]
    };
}

partner!("publisher", publishers, Publisher, PublisherId, create_publisher, create_publisher_once, update_publisher);
partner!(
    "advertiser",
    advertisers,
    Advertiser,
    AdvertiserId,
    create_advertiser,
    create_advertiser_once,
    update_advertiser
);

fn read_new(noun: &'static str, draft: &PartnerDraft) -> Result<(String, PartnerDraft), Vec<UserError>> {
    let mut form = Form::new(Some(noun));
    form.require("name", draft.name.as_ref());
    form.bounded("number", draft.number, 1..=NUMBER_MAX);
    let read = read(&mut form, draft);
    form.finish(read.name.clone().map(|name| (name, read)))
}

fn read_change(noun: &'static str, draft: &PartnerDraft, number: i32) -> Result<PartnerDraft, Vec<UserError>> {
    let mut form = Form::new(Some(noun));
    if draft.number.is_some_and(|wanted| wanted != number) {
        form.refuse(UserErrorCode::Invalid, &["number"], "A number is chosen at creation and stays.");
    }
    let read = read(&mut form, draft);
    form.finish(Some(read))
}

/// The same draft with its texts trimmed and checked.
fn read(form: &mut Form, draft: &PartnerDraft) -> PartnerDraft {
    PartnerDraft {
        name: form.name(draft.name.as_deref()),
        number: draft.number,
        state: draft.state,
        notes: form.text("notes", draft.notes.as_ref().map(Option::as_deref)),
    }
}

fn event(app: &App, principal: &Principal, action: &str) -> AuditEvent {
    AuditEvent::new(principal, action, (&"", ""), Vec::new(), (&*app.clock, &*app.entropy))
}

/// The event once it is known what it is about.
fn about(event: AuditEvent, subject: &dyn Display, subject_label: &str, changes: Vec<AuditChange>) -> AuditEvent {
    AuditEvent { subject: subject.to_string(), subject_label: subject_label.to_owned(), changes, ..event }
}

fn no_number(noun: &str, wanted: Option<i32>) -> UserError {
    match wanted {
        Some(_) => UserError::new(UserErrorCode::TooSmall, &[noun, "number"], "A number is at least 1."),
        None => {
            let message = "No number is free behind the highest one.";
            UserError::new(UserErrorCode::LimitExceeded, &[noun, "number"], message).with_hint("Choose a free number.")
        }
    }
}

fn taken(noun: &str) -> UserError {
    UserError::new(UserErrorCode::Taken, &[noun, "number"], "This number is in use.")
}

fn not_found(noun: &str) -> UserError {
    UserError::new(UserErrorCode::NotFound, &["id"], format!("There is no such {noun}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::{manager, test_app};

    fn named(name: &str) -> PartnerDraft {
        PartnerDraft { name: Some(name.into()), ..PartnerDraft::default() }
    }

    fn codes<T>(outcome: Outcome<T>) -> Vec<(UserErrorCode, String)> {
        let errors = outcome.unwrap().err().unwrap_or_default();
        errors.into_iter().map(|error| (error.code, error.field.join("."))).collect()
    }

    #[tokio::test]
    async fn a_new_publisher_has_the_next_number_and_is_known_at_once() {
        let (app, _folder) = test_app().await;
        let chosen = PartnerDraft { number: Some(7), ..named("  Seven  ") };
        let seven = create_publisher(&app, &manager(), &chosen).await.unwrap().unwrap();
        let eight = create_publisher(&app, &manager(), &named("Eight")).await.unwrap().unwrap();
        assert_eq!((seven.id.number(), seven.name.as_str(), eight.id.number()), (7, "Seven", 8));
        assert!(app.snapshot.load().publisher_active(eight.id));
        let taken = create_publisher(&app, &manager(), &chosen).await;
        assert_eq!(codes(taken), [(UserErrorCode::Taken, "publisher.number".into())]);
    }

    #[tokio::test]
    async fn a_change_needs_the_version_that_it_was_made_from_and_leaves_an_entry() {
        let (app, _folder) = test_app().await;
        let made = create_advertiser(&app, &manager(), &named("Before")).await.unwrap().unwrap();
        let draft = PartnerDraft { state: Some(PartnerState::Paused), ..named("After") };
        let changed = update_advertiser(&app, &manager(), (made.id, 1), &draft).await.unwrap().unwrap();
        assert_eq!((changed.version, changed.state), (2, PartnerState::Paused));
        let stale = update_advertiser(&app, &manager(), (made.id, 1), &named("Late")).await;
        assert_eq!(codes(stale), [(UserErrorCode::ConflictVersion, "version".into())]);
        let same = update_advertiser(&app, &manager(), (made.id, 2), &draft).await.unwrap().unwrap();
        assert_eq!(same.version, 2);
        let trail = audit::find_by_subject(&app.database, &made.id.to_string(), 10).await.unwrap();
        let actions: Vec<_> = trail.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(actions.len(), 2);
        let update = trail.iter().find(|event| event.action == "advertiser.update").unwrap();
        assert_eq!(update.changes[0], AuditChange::new("name", Some("Before".into()), Some("After".into())));
        assert_eq!(update.changes.len(), 2);
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_at_once_with_its_path() {
        let (app, _folder) = test_app().await;
        let draft = PartnerDraft { number: Some(0), notes: Some(Some("\u{1}".into())), ..named("  ") };
        let expected = [
            (UserErrorCode::TooSmall, "publisher.number".to_owned()),
            (UserErrorCode::Required, "publisher.name".to_owned()),
            (UserErrorCode::Invalid, "publisher.notes".to_owned()),
        ];
        assert_eq!(codes(create_publisher(&app, &manager(), &draft).await), expected);
        for (length, refused) in [(199, false), (200, false), (201, true)] {
            let made = create_publisher(&app, &manager(), &named(&"é".repeat(length))).await.unwrap();
            assert_eq!(made.is_err(), refused, "{length}");
        }
        let nobody = update_publisher(&app, &manager(), (PublisherId::new(999).unwrap(), 1), &named("x")).await;
        assert_eq!(codes(nobody), [(UserErrorCode::NotFound, "id".into())]);
    }
}
