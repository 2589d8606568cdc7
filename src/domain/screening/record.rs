//! Conversions: new, seen before, or the confirmation of what a pixel reported (checks 9 to 12).

use crate::domain::clock::Timestamp;
use crate::domain::code::Code;
use crate::domain::conversion::{BASE_REJECTED, Money, OUTSIDE_WINDOW, PendingReason, Reported, Source};
use crate::domain::inbound::WarningCode;
use crate::domain::pricing;
use crate::domain::status::{Party, Status};

use super::confirm::confirm;
use super::event::{Base, base, no_base};
use super::judge::{asked_status, wire_amounts};
use super::repeat::seen_before;
use super::{Admission, Check, Facts, Hit, Judgement, Refusal, Ruling, Standing, warning};

pub(super) fn judge_conversion(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'_>) -> Judgement {
    let base = base(admission, facts);
    if base == Base::Missing {
        return Judgement::refuse(no_base());
    }
    let source = admission.source(hit);
    let prices = admission.offer.prices(admission.publisher, admission.event);
    let priced = match pricing::price(admission.offer, prices, source, &wire_amounts(&hit.inbound)) {
        Ok(priced) => priced,
        Err(problem) => return Judgement::refuse(Refusal::of(Check::AmountsRead, problem)),
    };
    let mut warnings = priced.warnings;
    if source == Source::Clickless && admission.claim_keys(hit).repeat.is_some() {
        warnings.push(warning(WarningCode::NoDedupeKey, ""));
    }
    let found = facts.by_order.or(facts.by_external).or(facts.by_repeat);
    let confirmable = facts.by_first.filter(|first| source == Source::Postback && first.awaits_confirmation());
    let first_blocks = source == Source::ImagePixel || !admission.offer.counts_orders();
    let existing = found.or_else(|| facts.by_first.filter(|_| first_blocks));
    let worth = Worth { money: priced.money, reported: priced.reported, holds: priced.holds };
    match (found, confirmable, existing) {
        (None, Some(pixel), _) => confirm(hit, admission, facts, pixel, worth, warnings),
        (_, _, Some(existing)) => seen_before(hit, admission, existing, found.is_none(), warnings),
        (_, _, None) if leaked(admission) => leaked_key(),
        (_, _, None) => {
            let (decisive, standing) = standing(hit, admission, base, worth);
            let parked = facts.parked.then_some(Check::NotRejected);
            let said = decisive.and_then(|_| standing.reason.clone().or_else(|| held_by(&standing)));
            let detail = said.or_else(|| parked.map(|_| "A rejection was waiting for it.".to_owned()));
            let decisive = match decisive {
                Some(Check::AttributionWindow) => decisive,
                _ => parked.or(decisive),
            };
            Judgement { ruling: Ruling::Record(Box::new(standing)), decisive, detail, warnings }
        }
    }
}

/// Under a sealing key that was revoked as leaked only what exists is found: anybody could have made the id.
fn leaked(admission: &Admission<'_>) -> bool {
    admission.transaction.as_ref().is_some_and(|(_, unsealed)| unsealed.key_revoked)
}

fn leaked_key() -> Judgement {
    Judgement::refuse(Refusal::detailed(
        Check::TransactionId,
        Code::MalformedTransactionId,
        "transaction_id",
        "It was sealed with a key that has been revoked, and no conversion is known under it.".into(),
    ))
}

pub(super) struct Worth {
    pub(super) money: Money,
    pub(super) reported: Reported,
    pub(super) holds: Vec<PendingReason>,
}

impl Standing {
    fn rejected(by: Party, reason: Option<String>, worth: &Worth) -> Self {
        Self {
            status: Status::Rejected,
            pending_reason: None,
            reason,
            rejected_by: Some(by),
            money: worth.money,
            reported: worth.reported,
        }
    }
}

fn held_by(standing: &Standing) -> Option<String> {
    standing.pending_reason.map(|reason| reason.as_str().to_owned())
}

/// Checks 10 to 12: how it counts, and which check decided.
fn standing(hit: &Hit, admission: &Admission<'_>, base: Base, worth: Worth) -> (Option<Check>, Standing) {
    if outside_window(admission, hit.arrival.at) {
        let reason = Some(OUTSIDE_WINDOW.to_owned());
        return (Some(Check::AttributionWindow), Standing::rejected(Party::System, reason, &worth));
    }
    if base == Base::Rejected {
        let reason = Some(BASE_REJECTED.to_owned());
        return (Some(Check::NotRejected), Standing::rejected(Party::System, reason, &worth));
    }
    in_window_standing(hit, admission, worth)
}

/// Checks 11 and 12.
pub(super) fn in_window_standing(hit: &Hit, admission: &Admission<'_>, worth: Worth) -> (Option<Check>, Standing) {
    let asked = asked_status(&hit.inbound);
    let third_party = hit.inbound.third_party_rejected_reason.clone();
    if third_party.is_some() || asked == Some(Status::Rejected) {
        return (Some(Check::NotRejected), Standing::rejected(Party::Sender, third_party, &worth));
    }
    let hold = hold(admission, admission.source(hit), &worth.holds);
    let waits = hold.is_some() || asked == Some(Status::Pending);
    let standing = Standing {
        status: if waits { Status::Pending } else { Status::Approved },
        pending_reason: hold,
        reason: None,
        rejected_by: None,
        money: worth.money,
        reported: worth.reported,
    };
    (waits.then_some(Check::NothingHolds), standing)
}

fn outside_window(admission: &Admission<'_>, converted_at: Timestamp) -> bool {
    admission.transaction.as_ref().is_some_and(|(_, unsealed)| {
        converted_at.millis_since(unsealed.minted_at) > admission.offer.attribution_window_seconds() * 1000
    })
}

/// The first reason to wait, in the order of the closed list; a pixel's own comes before all others.
fn hold(admission: &Admission<'_>, source: Source, money: &[PendingReason]) -> Option<PendingReason> {
    let switches = admission.offer.switches;
    let holds = |reason: &PendingReason| match reason {
        PendingReason::ManualApproval => switches.manual_approval,
        PendingReason::PublisherInactive => !admission.publisher_active,
        PendingReason::PixelUnconfirmed => source == Source::ImagePixel && !switches.pixel_trusted,
        PendingReason::AmountMissing
        | PendingReason::AmountUnreadable
        | PendingReason::CurrencyUnresolved
        | PendingReason::PayoutOverCeiling => money.contains(reason),
    };
    let pixel = Some(PendingReason::PixelUnconfirmed).filter(holds);
    pixel.or_else(|| PendingReason::ALL.iter().copied().find(holds))
}
