//! The checks of a click: they need no token, no key and no database.

use crate::domain::code::Code;
use crate::domain::ids::PublisherId;
use crate::domain::inbound::{Inbound, Problem, Slot};
use crate::domain::offer::{Offer, OfferState};
use crate::domain::snapshot::Snapshot;

use super::admit::publisher_slot;
use super::{Check, Refusal};

/// Where a click may go.
#[derive(Clone, Copy, Debug)]
pub struct ClickAdmission<'a> {
    pub offer: &'a Offer,
    pub publisher: PublisherId,
}

/// The checks of a click, in order. `is_test` (a valid MAC of a test link) ignores who may promote what.
///
/// # Errors
/// The refusal, with the offer where it is known: a refused click goes to its fallback.
pub fn admit_click<'a>(
    inbound: &Inbound,
    snapshot: &'a Snapshot,
    is_test: bool,
) -> Result<ClickAdmission<'a>, (Refusal, Option<&'a Offer>)> {
    let unknown_offer = |problem: Option<&Problem>| match problem {
        Some(problem) => Refusal { code: Code::UnknownOffer, ..Refusal::of(Check::OfferKnown, problem.clone()) },
        None => Refusal::new(Check::OfferKnown, Code::UnknownOffer),
    };
    let offer = match &inbound.offer {
        Slot::Value(id) => snapshot.offers.get(id).ok_or_else(|| (unknown_offer(None), None))?,
        Slot::Absent => return Err((unknown_offer(None), None)),
        Slot::Bad(problem) => return Err((unknown_offer(Some(problem)), None)),
    };
    let refuse = |check, code| (Refusal::new(check, code), Some(offer));
    if offer.state != OfferState::Active && !(is_test && offer.state == OfferState::Paused) {
        return Err(refuse(Check::OfferActive, Code::OfferInactive));
    }
    let publisher = publisher_slot(inbound).map_err(|refusal| (refusal, Some(offer)))?;
    if !snapshot.publishers.contains_key(&publisher) {
        return Err(refuse(Check::PublisherKnown, Code::UnknownPublisher));
    }
    if !is_test && !snapshot.publisher_active(publisher) {
        return Err(refuse(Check::PublisherActive, Code::PublisherNotAllowed));
    }
    if !is_test && !offer.open_to(publisher) {
        return Err(refuse(Check::PublisherAccess, Code::PublisherNotAllowed));
    }
    Ok(ClickAdmission { offer, publisher })
}
