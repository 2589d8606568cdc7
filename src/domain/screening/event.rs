//! Events after the conversion (check 8): which one is meant, and whether its conversion is there.
//!
//! An event is recorded only after the conversion of its transaction: paid for alone, a deposit would count for a
//! customer whom nobody reported. It has money, keys and a status of its own; a later rejection of the conversion
//! leaves it as it is, and one that was rejected before makes the event begin Rejected.

use crate::domain::code::Code;
use crate::domain::conversion::Conversion;
use crate::domain::inbound::{Door, Inbound, Problem, Slot, edit_distance, presentable};
use crate::domain::offer::{Offer, OfferEvent};
use crate::domain::status::Status;

use super::{Admission, Check, Facts, Refusal};

/// How many names of events an answer lists.
const LISTED_MAX: usize = 5;

/// The event that a request means, by its number, its exact name, or both; none means the conversion itself. One that
/// was removed from the offer can still be rejected, but nothing new is recorded for it.
pub(super) fn meant_event<'a>(inbound: &Inbound, offer: &'a Offer) -> Result<Option<&'a OfferEvent>, Refusal> {
    let bad = bad(&inbound.event_id).or(bad(&inbound.event_name));
    if let Some(problem) = bad {
        return Err(Refusal::of(Check::EventDefined, problem.clone()));
    }
    let usable = |event: &&OfferEvent| event.removed_at.is_none() || !records(inbound.door);
    let named = match &inbound.event_name {
        Slot::Value(name) => {
            let named = |event: &&OfferEvent| event.name == *name;
            let removed = || offer.events.iter().filter(usable).find(named);
            let found = offer.live_events().find(named).or_else(removed);
            Some(found.ok_or_else(|| unknown_event(offer, "event_name", name))?)
        }
        Slot::Absent | Slot::Bad(_) => None,
    };
    let Slot::Value(number) = &inbound.event_id else { return Ok(named) };
    let numbered = i32::try_from(*number).ok().and_then(|number| offer.event(number)).filter(usable);
    let numbered = numbered.ok_or_else(|| unknown_event(offer, "event_id", &number.to_string()))?;
    match named {
        Some(named) if named.number != numbered.number => Err(two_events(named, numbered)),
        Some(_) | None => Ok(Some(numbered)),
    }
}

fn bad<T>(slot: &Slot<T>) -> Option<&Problem> {
    match slot {
        Slot::Bad(problem) => Some(problem),
        Slot::Absent | Slot::Value(_) => None,
    }
}

fn records(door: Door) -> bool {
    match door {
        Door::Click | Door::Postback | Door::Clickless | Door::Pixel => true,
        Door::Rejection | Door::Status => false,
    }
}

fn unknown_event(offer: &Offer, field: &'static str, sent: &str) -> Refusal {
    Refusal {
        received: presentable(sent),
        ..Refusal::detailed(Check::EventDefined, Code::UnknownEvent, field, defined_events(offer, sent))
    }
}

/// What the offer defines, the nearest name first.
fn defined_events(offer: &Offer, sent: &str) -> String {
    let mut events: Vec<&OfferEvent> = offer.live_events().collect();
    if events.is_empty() {
        return "The offer defines no events.".to_owned();
    }
    events.sort_by_key(|event| distance(&event.name, sent));
    let names = events.iter().take(LISTED_MAX).map(|event| format!("{} ({})", event.name, event.number));
    let names = names.collect::<Vec<_>>().join(", ");
    let more = if events.len() > LISTED_MAX { " and others" } else { "" };
    format!("The offer defines {names}{more}.")
}

/// Of names alike but for capitals it is 0.
fn distance(name: &str, sent: &str) -> usize {
    let (name, sent) = (name.to_lowercase(), sent.to_lowercase());
    let longer = name.len().max(sent.len());
    edit_distance(name.as_bytes(), sent.as_bytes(), longer).unwrap_or(longer)
}

fn two_events(named: &OfferEvent, numbered: &OfferEvent) -> Refusal {
    let detail = format!("The event {} is {}, and {} is {}.", numbered.number, numbered.name, named.name, named.number);
    Refusal::detailed(Check::EventDefined, Code::UnknownEvent, "event_name", detail)
}

/// A clickless request names no conversion that its event could belong to.
pub(super) fn clickless_event() -> Refusal {
    let detail = "Send events of a clickless conversion to /postback, with the transaction_id of its answer.";
    Refusal::detailed(Check::BaseRecorded, Code::NoBaseConversion, "event_id", detail.to_owned())
}

/// What stands at the base of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// At least one conversion of the transaction is not rejected; or no event is meant.
    Stands,
    /// Every conversion of the transaction is.
    Rejected,
    Missing,
}

pub(super) fn base(admission: &Admission<'_>, facts: &Facts<'_>) -> Base {
    if admission.event.is_none() {
        return Base::Stands;
    }
    let is_base = |conversion: &&Conversion| conversion.event_number == 0;
    let mut bases = facts.of_transaction.iter().copied().filter(is_base).peekable();
    if bases.peek().is_none() {
        return Base::Missing;
    }
    if bases.all(|base| base.status == Status::Rejected) { Base::Rejected } else { Base::Stands }
}

pub(super) fn no_base() -> Refusal {
    let detail = "No conversion is recorded for this transaction yet.";
    Refusal::detailed(Check::BaseRecorded, Code::NoBaseConversion, "transaction_id", detail.to_owned())
}
