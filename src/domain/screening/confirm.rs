//! The first server-to-server postback of a transaction that an image pixel has reported.

use crate::domain::code::Code;
use crate::domain::conversion::{ChangeKind, Conversion, Money, Reported, Transition};
use crate::domain::inbound::Warning;
use crate::domain::status::Status;

use super::record::{Worth, standing};
use super::{Admission, Check, Hit, Judgement, Ruling};

/// The first server-to-server postback of a transaction that a pixel reported.
pub(super) fn confirm(
    hit: &Hit,
    admission: &Admission<'_>,
    pixel: &Conversion,
    worth: Worth,
    warnings: Vec<Warning>,
) -> Judgement {
    let money = Some((worth.money, worth.reported));
    let (decisive, standing) = standing(hit, admission, worth, pixel.converted_at);
    let moves = pixel.status != Status::Rejected && !held_by_a_person(pixel);
    let transition = if moves {
        Transition {
            kind: ChangeKind::Confirmed,
            to: standing.status,
            pending_reason: standing.pending_reason,
            reason: standing.reason,
            beside: false,
            money,
        }
    } else {
        stays(pixel, money)
    };
    let rejected = pixel.status == Status::Rejected;
    Judgement {
        ruling: Ruling::Confirm {
            of: pixel.id,
            transition: Box::new(transition),
            answer: if rejected { Code::Duplicate } else { Code::Confirmed },
        },
        decisive: if rejected { Some(Check::NotSeenBefore) } else { decisive },
        detail: None,
        warnings,
    }
}

/// Pending because somebody said so, not because a rule did.
fn held_by_a_person(conversion: &Conversion) -> bool {
    conversion.status == Status::Pending && conversion.pending_reason.is_none()
}

/// Takes the money and keeps everything else as it is.
pub(super) fn stays(conversion: &Conversion, money: Option<(Money, Reported)>) -> Transition {
    let kind = if conversion.awaits_confirmation() { ChangeKind::Confirmed } else { ChangeKind::Amended };
    Transition {
        kind,
        to: conversion.status,
        pending_reason: conversion.pending_reason,
        reason: None,
        beside: false,
        money,
    }
}
