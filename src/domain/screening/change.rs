//! Rejections and status changes of a conversion that exists, or that may still come.

use crate::domain::code::Code;
use crate::domain::conversion::{ChangeKind, Conversion, Money, Reported, Source};
use crate::domain::ids::ConversionId;
use crate::domain::inbound::{AmountSlot, CurrencySlot, Problem, Slot, Warning};
use crate::domain::money::Price;
use crate::domain::offer::{Offer, Prices};
use crate::domain::pricing::{self, WireAmounts};
use crate::domain::status::{Party, Status};

use super::confirm::stays;
use super::judge::{asked_status, wire_amounts};
use super::moves::{MoveRuling, rule_move};
use super::{Admission, Check, Facts, Hit, Judgement, Refusal, Ruling};

pub(super) fn moved(conversion: &Conversion, ruling: MoveRuling) -> Judgement {
    let (ruling, decisive) = match ruling {
        MoveRuling::Apply(answer, transition) => (Ruling::Move { of: conversion.id, transition, answer }, None),
        MoveRuling::NoChange => (Ruling::NoChange(conversion.id), None),
        MoveRuling::Forbidden => {
            return Judgement::refuse(Refusal::detailed(
                Check::MoveAllowed,
                Code::InvalidTransition,
                "status",
                forbidden(conversion),
            ));
        }
    };
    Judgement { ruling, decisive, detail: None, warnings: Vec::new() }
}

fn forbidden(conversion: &Conversion) -> String {
    let by = match conversion.rejected_by {
        Some(Party::Sender) => " by you, more than 30 days ago or for good",
        Some(Party::Operator) => " by the network",
        Some(Party::System) => " by a rule",
        None => "",
    };
    format!("The conversion is {}{by}; this change is not yours to make.", conversion.status.as_str())
}

/// At the status door, and beside a postback, a rejection is a change of status like the others.
pub(super) fn as_status_change(mut judgement: Judgement) -> Judgement {
    if let Ruling::Move { answer, .. } = &mut judgement.ruling
        && *answer == Code::Rejected
    {
        *answer = Code::StatusChanged;
    }
    judgement
}

/// Which conversion of the transaction is meant.
enum Target<'a> {
    One(&'a Conversion),
    None,
    Many(usize),
}

fn target<'a>(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'a>) -> Target<'a> {
    let named = match &hit.inbound.conversion_id {
        Slot::Value(text) => Some(ConversionId::parse(text)),
        Slot::Absent => None,
        Slot::Bad(_) => Some(None),
    };
    let mut candidates = facts.of_transaction.iter().copied().filter(|conversion| match named {
        Some(id) => Some(conversion.id) == id,
        None => {
            conversion.event_number == admission.event_number()
                && admission.order_id.is_none_or(|order| conversion.order_id.as_deref() == Some(order))
        }
    });
    match (candidates.next(), candidates.count()) {
        (None, _) => Target::None,
        (Some(one), 0) => Target::One(one),
        (Some(_), more) => Target::Many(more.saturating_add(1)),
    }
}

pub(super) fn judge_rejection(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'_>) -> Judgement {
    match target(hit, admission, facts) {
        Target::One(conversion) => {
            let reason = hit.inbound.rejected_reason.clone();
            moved(conversion, rule_move(conversion, Status::Rejected, reason, Party::Sender, hit.arrival.at))
        }
        Target::Many(count) => ambiguous(count),
        Target::None => park_or_refuse(hit, admission),
    }
}

fn ambiguous(count: usize) -> Judgement {
    Judgement::refuse(Refusal::detailed(
        Check::TargetUnambiguous,
        Code::AmbiguousTarget,
        "transaction_id",
        format!("The transaction has {count} conversions."),
    ))
}

/// A rejection may come before its conversion, as long as that may still come.
fn park_or_refuse(hit: &Hit, admission: &Admission<'_>) -> Judgement {
    let not_found = || Judgement::refuse(Refusal::new(Check::TargetFound, Code::ConversionNotFound));
    let Some((id, unsealed)) = &admission.transaction else {
        return not_found();
    };
    let named = !matches!(hit.inbound.conversion_id, Slot::Absent);
    let late = hit.arrival.at.millis_since(unsealed.minted_at) > admission.offer.parking_window_seconds() * 1000;
    if named || late || unsealed.kind.is_clickless() || unsealed.key_revoked {
        return not_found();
    }
    let key = admission.parking_key(id);
    Judgement { ruling: Ruling::Park(key), decisive: Some(Check::TargetFound), detail: None, warnings: Vec::new() }
}

pub(super) fn judge_status(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'_>) -> Judgement {
    let conversion = match target(hit, admission, facts) {
        Target::One(conversion) => conversion,
        Target::Many(count) => return ambiguous(count),
        Target::None => return Judgement::refuse(Refusal::new(Check::TargetFound, Code::ConversionNotFound)),
    };
    let asked = asked_status(&hit.inbound).unwrap_or(conversion.status);
    let amended = match amended(hit, admission, conversion) {
        Ok(amended) => amended,
        Err(problem) => return Judgement::refuse(Refusal::of(Check::AmountsRead, problem)),
    };
    let ruling = rule_move(conversion, asked, hit.inbound.rejected_reason.clone(), Party::Sender, hit.arrival.at);
    let mut judgement = as_status_change(moved(conversion, ruling));
    judgement.warnings = amended.warnings;
    match (&mut judgement.ruling, amended.money) {
        (Ruling::Move { transition, .. }, Some(money)) => transition.money = Some(money),
        (ruling @ Ruling::NoChange(_), Some(money)) => {
            let transition = Box::new(stays(conversion, ChangeKind::Amended, money));
            *ruling = Ruling::Move { of: conversion.id, transition, answer: Code::StatusChanged };
        }
        (
            Ruling::Move { .. }
            | Ruling::NoChange(_)
            | Ruling::Refuse(_)
            | Ruling::Record(_)
            | Ruling::Duplicate(_)
            | Ruling::Confirm { .. }
            | Ruling::Park(_),
            _,
        ) => {}
    }
    judgement
}

struct Amended {
    /// None: as it was.
    money: Option<(Money, Reported)>,
    warnings: Vec<Warning>,
}

/// New money that a status change brings: what was sent where the offer takes it, and percentages anew. What was
/// agreed as a fixed amount stays as it was recorded; what would make it wait is only reported.
fn amended(hit: &Hit, admission: &Admission<'_>, conversion: &Conversion) -> Result<Amended, Problem> {
    let sent = WireAmounts { payout: AmountSlot::Absent, ..wire_amounts(&hit.inbound) };
    if sent.revenue == AmountSlot::Absent && sent.purchase_value == AmountSlot::Absent {
        return Ok(Amended { money: None, warnings: Vec::new() });
    }
    // A pixel's amounts are never believed; these came with a token.
    let source = match conversion.source {
        Source::Clickless => Source::Clickless,
        Source::Postback | Source::ImagePixel => Source::Postback,
    };
    let basket = match sent.purchase_value {
        AmountSlot::Absent => conversion.money.purchase_value.map_or(AmountSlot::Absent, AmountSlot::Value),
        AmountSlot::Value(_) | AmountSlot::Unreadable(_) => sent.purchase_value.clone(),
    };
    let wire = WireAmounts { purchase_value: basket, ..sent.clone() };
    let prices = admission.offer.prices(conversion.publisher, admission.offer.event(conversion.event_number));
    let priced = pricing::price(admission.offer, prices, source, &wire)?;
    let (money, reported) = if priced.holds.is_empty() {
        amended_money((admission.offer, prices), source, &sent, conversion, priced.money, priced.reported)
    } else {
        (conversion.money, only_reported(&sent, conversion.reported))
    };
    let changed = (money, reported) != (conversion.money, conversion.reported);
    Ok(Amended { money: changed.then_some((money, reported)), warnings: priced.warnings })
}

fn amended_money(
    (offer, prices): (&Offer, Prices),
    source: Source,
    sent: &WireAmounts,
    conversion: &Conversion,
    priced: Money,
    reported: Reported,
) -> (Money, Reported) {
    let by_percent = |price: Price| matches!(price, Price::Percent(_));
    let takes_revenue = source == Source::Clickless || offer.switches.wire_revenue_trusted;
    let revenue_sent = takes_revenue && sent.revenue != AmountSlot::Absent;
    let basket_sent = sent.purchase_value != AmountSlot::Absent;
    let revenue_moves = revenue_sent || by_percent(prices.revenue) && basket_sent;
    let payout_moves = by_percent(prices.payout) && (basket_sent || revenue_sent);
    let money = Money {
        currency: priced.currency,
        revenue: if revenue_moves { priced.revenue } else { conversion.money.revenue },
        payout: if payout_moves { priced.payout } else { conversion.money.payout },
        purchase_value: priced.purchase_value,
    };
    let kept = conversion.reported;
    let reported = Reported {
        revenue: reported.revenue.or(kept.revenue),
        payout: kept.payout,
        currency: reported.currency.or(kept.currency),
    };
    (money, reported)
}

/// An amount that cannot count yet is kept as it was sent.
fn only_reported(sent: &WireAmounts, kept: Reported) -> Reported {
    let revenue = match sent.revenue {
        AmountSlot::Value(micros) => Some(micros),
        AmountSlot::Absent | AmountSlot::Unreadable(_) => None,
    };
    let currency = match sent.currency {
        CurrencySlot::Known(currency) => Some(currency),
        CurrencySlot::Absent | CurrencySlot::Unknown(_) => None,
    };
    Reported { revenue: revenue.or(kept.revenue), payout: kept.payout, currency: currency.or(kept.currency) }
}
