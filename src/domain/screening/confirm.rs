//! The first server-to-server postback of a transaction that an image pixel has reported.
//!
//! It brings the order and the money. It never undoes what somebody decided meanwhile: a pixel conversion that was
//! rejected stays rejected, one that was approved goes back to Pending only by a person's hand.

use crate::domain::code::Code;
use crate::domain::conversion::{ChangeKind, Conversion, Effect, Money, Reported, Transition};
use crate::domain::inbound::Warning;
use crate::domain::status::Status;

use super::record::{Worth, in_window_standing};
use super::{Admission, Check, Facts, Hit, Judgement, Ruling, Standing};

pub(super) fn confirm(
    hit: &Hit,
    admission: &Admission<'_>,
    facts: &Facts<'_>,
    pixel: &Conversion,
    worth: Worth,
    warnings: Vec<Warning>,
) -> Judgement {
    let resolved = worth.holds.is_empty();
    // Whether it came in time was decided when the pixel came.
    let (decisive, standing) = in_window_standing(hit, admission, worth);
    let stands = decided_otherwise(pixel, standing.status);
    // An approved conversion goes on counting what it counted, until there is a number to take its place.
    let money = if stands && !resolved { pixel.money } else { standing.money };
    let transition = if stands {
        stays(pixel, ChangeKind::Confirmed, (money, standing.reported))
    } else {
        confirmed(standing, money)
    };
    let rejected = pixel.status == Status::Rejected;
    let waited_for = facts.parked.then_some(Check::NotRejected);
    Judgement {
        ruling: Ruling::Confirm {
            of: pixel.id,
            transition: Box::new(transition),
            answer: if rejected { Code::Duplicate } else { Code::Confirmed },
        },
        decisive: if rejected { Some(Check::NotSeenBefore) } else { waited_for.or(decisive.filter(|_| !stands)) },
        detail: None,
        warnings,
    }
}

fn confirmed(standing: Standing, money: Money) -> Transition {
    Transition {
        kind: ChangeKind::Confirmed,
        to: standing.status,
        pending_reason: standing.pending_reason,
        reason: standing.reason,
        effect: Effect::Standing,
        money: Some((money, standing.reported)),
    }
}

/// Does what somebody decided about the pixel meanwhile stand against what the postback would make of it?
fn decided_otherwise(pixel: &Conversion, to: Status) -> bool {
    match (pixel.status, to) {
        (Status::Rejected, _) | (Status::Approved, Status::Approved | Status::Pending) => true,
        (Status::Pending | Status::Approved, Status::Rejected) => false,
        // Pending without a rule's reason: a person said so.
        (Status::Pending, Status::Approved | Status::Pending) => pixel.pending_reason.is_none(),
    }
}

/// Takes the money and keeps everything else as it is.
pub(super) fn stays(conversion: &Conversion, kind: ChangeKind, money: (Money, Reported)) -> Transition {
    Transition {
        kind,
        to: conversion.status,
        pending_reason: conversion.pending_reason,
        reason: None,
        effect: Effect::MoneyOnly,
        money: Some(money),
    }
}
