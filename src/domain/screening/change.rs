//! Rejections and status changes of a conversion that exists, or that may still come.

use crate::domain::code::Code;
use crate::domain::conversion::{Conversion, Money, Reported, Source};
use crate::domain::ids::ConversionId;
use crate::domain::inbound::{AmountSlot, Problem, Slot, Warning};
use crate::domain::money::Micros;
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
                format!("It is {}, and not by you or not lately.", conversion.status.as_str()),
            ));
        }
    };
    Judgement { ruling, decisive, detail: None, warnings: Vec::new() }
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
            conversion.event_number == admission.event_number
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
    let mut judgement = moved(conversion, ruling);
    judgement.warnings = amended.warnings;
    match (&mut judgement.ruling, amended.money) {
        (Ruling::Move { transition, .. }, Some(money)) => transition.money = Some(money),
        (ruling @ Ruling::NoChange(_), Some(money)) => {
            let transition = Box::new(stays(conversion, Some(money)));
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

/// New money that a status change brings, priced by the offer's rules; what would make it wait is only reported.
fn amended(hit: &Hit, admission: &Admission<'_>, conversion: &Conversion) -> Result<Amended, Problem> {
    let sent = wire_amounts(&hit.inbound);
    if sent.revenue == AmountSlot::Absent && sent.purchase_value == AmountSlot::Absent {
        return Ok(Amended { money: None, warnings: Vec::new() });
    }
    let kept = |slot: AmountSlot, kept: Option<Micros>| match (slot, kept) {
        (AmountSlot::Absent, Some(micros)) => AmountSlot::Value(micros),
        (slot, _) => slot,
    };
    let trusts_revenue = admission.offer.switches.wire_revenue_trusted;
    let wire = WireAmounts {
        revenue: kept(sent.revenue, conversion.money.revenue.filter(|_| trusts_revenue)),
        payout: AmountSlot::Absent,
        purchase_value: kept(sent.purchase_value, conversion.money.purchase_value),
        currency: sent.currency,
    };
    let priced = pricing::price(admission.offer, conversion.publisher, Source::Postback, &wire)?;
    let held = !priced.holds.is_empty();
    let money = if held { conversion.money } else { priced.money };
    let reported = Reported { payout: conversion.reported.payout, ..priced.reported };
    let changed = (money, reported) != (conversion.money, conversion.reported);
    Ok(Amended { money: changed.then_some((money, reported)), warnings: priced.warnings })
}
