//! The events of an offer: which later results than the conversion it pays for, and what.
//!
//! The list is set as a whole. An event that is left out is removed: senders are refused, while what was recorded
//! keeps its number, its name and its money, and can still be rejected. Its number never becomes another event's; to
//! send the number again brings it back.

use std::collections::HashSet;

use super::form::{Form, PriceDraft, conflict, price_text};
use super::manage_offers::{about, event, not_found};
use super::snapshot::refresh_after_write;
use super::{App, Outcome, UserError, UserErrorCode};
use crate::domain::audit::AuditChange;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{NUMBER_MAX, OfferId};
use crate::domain::inbound::can_arrive;
use crate::domain::offer::{Offer, OfferEvent};
use crate::domain::operator::Principal;
use crate::store::{audit, offers};

/// Events that one offer can have at a time.
pub const EVENTS_MAX: usize = 50;

/// What a form says about one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDraft {
    pub number: i32,
    pub name: String,
    pub revenue: PriceDraft,
    pub payout: PriceDraft,
}

/// Makes these, and no others, the events of an offer.
///
/// # Errors
/// `NotFound`, `ConflictVersion`, `LimitExceeded`; for an event by its place in `events`: `Required`, `Invalid`,
/// `TooLong`, `TooSmall`, `TooLarge`, `Taken` (a number or a name twice).
pub async fn set_offer_events(
    app: &App,
    principal: &Principal,
    (id, version): (OfferId, i32),
    drafts: &[EventDraft],
) -> Outcome<Offer> {
    let wanted = match read_events(drafts) {
        Ok(wanted) => wanted,
        Err(errors) => return Ok(Err(errors)),
    };
    let (event, now) = (event(app, principal, "offer.events.set"), app.clock.now());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(before) = offers::find_in(tx, id).await? else { return Ok(Err(vec![not_found(&["id"])])) };
            if before.version != version {
                return Ok(Err(vec![conflict(before.version)]));
            }
            let events = replaced(&before.events, wanted, now);
            let changes = changes(&before.events, &events);
            if changes.is_empty() {
                return Ok(Ok(before));
            }
            let after = Offer { version: version.saturating_add(1), updated_at: now, events, ..before };
            offers::put_events(tx, id, &after.events).await?;
            if !offers::update(tx, &after, version).await? {
                return Ok(Err(vec![conflict(version)]));
            }
            audit::insert(tx, about(event, &after, changes)).await?;
            Ok(Ok(after))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    Ok(written)
}

fn read_events(drafts: &[EventDraft]) -> Result<Vec<OfferEvent>, Vec<UserError>> {
    let mut form = Form::new(None);
    if drafts.len() > EVENTS_MAX {
        form.refuse(UserErrorCode::LimitExceeded, &["events"], format!("An offer has at most {EVENTS_MAX} events."));
        return form.finish(None);
    }
    let (mut numbers, mut names) = (HashSet::new(), HashSet::new());
    let mut events = Vec::with_capacity(drafts.len());
    for (index, draft) in drafts.iter().enumerate() {
        let index = index.to_string();
        let field = |name| ["events", &index, name];
        if !(1..=NUMBER_MAX).contains(&draft.number) {
            form.refuse(UserErrorCode::TooSmall, &field("number"), "The least is 1: 0 is the conversion itself.");
        }
        let name = form.name_at(&field("name"), &draft.name);
        if !name.is_empty() && !can_arrive("event_name", &name, |inbound| &inbound.event_name) {
            let message = "No sender could write this name: it reads as a placeholder that was not replaced.";
            form.refuse(UserErrorCode::Invalid, &field("name"), message);
        }
        if !numbers.insert(draft.number) {
            form.refuse(UserErrorCode::Taken, &field("number"), "Another event of the list has this number.");
        }
        if !names.insert(name.to_lowercase()) {
            let message = "Another event of the list has this name, but for capitals at most.";
            form.refuse(UserErrorCode::Taken, &field("name"), message);
        }
        let revenue = form.price_at(&field("revenue"), &draft.revenue);
        let payout = form.price_at(&field("payout"), &draft.payout);
        let prices = revenue.zip(payout);
        events.extend(prices.map(|(revenue, payout)| OfferEvent {
            number: draft.number,
            name,
            revenue,
            payout,
            removed_at: None,
        }));
    }
    form.finish(Some(events))
}

/// Every event that the offer has or ever had, by number.
fn replaced(before: &[OfferEvent], mut events: Vec<OfferEvent>, now: Timestamp) -> Vec<OfferEvent> {
    let wanted: HashSet<i32> = events.iter().map(|event| event.number).collect();
    let left_out = before.iter().filter(|event| !wanted.contains(&event.number)).cloned();
    let removed = left_out.map(|event| OfferEvent { removed_at: event.removed_at.or(Some(now)), ..event });
    events.extend(removed);
    events.sort_by_key(|event| event.number);
    events
}

fn changes(before: &[OfferEvent], after: &[OfferEvent]) -> Vec<AuditChange> {
    let texts = |events: &[OfferEvent]| -> Vec<(i32, Option<String>)> {
        let live = |event: &OfferEvent| event.removed_at.is_none().then(|| event_text(event));
        events.iter().map(|event| (event.number, live(event))).collect()
    };
    let (before, after) = (texts(before), texts(after));
    let was = |number: i32| before.iter().find(|(other, _)| *other == number).and_then(|(_, text)| text.clone());
    let changed = after.into_iter().map(|(number, text)| (number, was(number), text)).filter(|(_, was, is)| was != is);
    changed.map(|(number, was, is)| AuditChange::new(format!("event {number}"), was, is)).collect()
}

fn event_text(event: &OfferEvent) -> String {
    format!("{}: revenue {}, payout {}", event.name, price_text(event.revenue), price_text(event.payout))
}
