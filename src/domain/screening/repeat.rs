//! A conversion that was seen before: what is said about it, and what a `status` beside it does.

use crate::domain::conversion::Conversion;
use crate::domain::inbound::{AmountSlot, Inbound, Warning, WarningCode};
use crate::domain::money::Micros;
use crate::domain::secure_token::Capability;
use crate::domain::status::Party;

use super::change::{as_status_change, moved};
use super::judge::asked_status;
use super::moves::rule_move;
use super::{Admission, Check, Hit, Judgement, Ruling, warning};

/// Check 9.
pub(super) fn seen_before(
    hit: &Hit,
    admission: &Admission<'_>,
    existing: &Conversion,
    by_first: bool,
    mut warnings: Vec<Warning>,
) -> Judgement {
    let other_order = admission.order_id.filter(|order| by_first && existing.order_id.as_deref() != Some(*order));
    if other_order.is_some() {
        warnings.push(warning(WarningCode::DifferentOrderId, "order_id"));
    }
    for (field, sent, kept) in amounts_of(&hit.inbound, existing) {
        if sent.is_some() && !kept.contains(&sent) {
            warnings.push(warning(WarningCode::DuplicateDiffers, field));
        }
    }
    let asked = asked_status(&hit.inbound).filter(|asked| *asked != existing.status);
    let may = admission.token.is_some_and(|token| token.capabilities.has(Capability::Status));
    let duplicate = Judgement {
        ruling: Ruling::Duplicate(existing.id),
        decisive: Some(Check::NotSeenBefore),
        detail: None,
        warnings,
    };
    match asked {
        None => duplicate,
        Some(_) if !may => {
            let mut duplicate = duplicate;
            duplicate.warnings.push(warning(WarningCode::StatusIgnored, "status"));
            duplicate
        }
        Some(asked) => {
            let reason = hit.inbound.third_party_rejected_reason.clone();
            let ruling = rule_move(existing, asked, reason, Party::Sender, hit.arrival.at);
            Judgement { warnings: duplicate.warnings, ..as_status_change(moved(existing, ruling)) }
        }
    }
}

type AmountSent = (&'static str, Option<Micros>, [Option<Micros>; 2]);

/// Each amount as sent, beside the two places where it may have been kept.
fn amounts_of(inbound: &Inbound, existing: &Conversion) -> [AmountSent; 3] {
    let value = |slot: &AmountSlot| match slot {
        AmountSlot::Value(micros) => Some(*micros),
        AmountSlot::Absent | AmountSlot::Unreadable(_) => None,
    };
    let (money, reported) = (&existing.money, &existing.reported);
    [
        ("revenue", value(&inbound.revenue), [money.revenue, reported.revenue]),
        ("payout", value(&inbound.payout), [money.payout, reported.payout]),
        ("purchase_value", value(&inbound.purchase_value), [money.purchase_value, money.purchase_value]),
    ]
}
