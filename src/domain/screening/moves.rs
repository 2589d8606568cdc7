//! The transition table with its reasons and its time limit: the same for senders and operators.

use crate::domain::clock::Timestamp;
use crate::domain::code::Code;
use crate::domain::conversion::{Amounts, ChangeKind, Conversion, Effect, Money, Transition};
use crate::domain::status::{Move, Party, SENDER_UNDO_SECONDS, Status, transition};

/// What becomes of a wish to move a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveRuling {
    Apply(Code, Box<Transition>),
    NoChange,
    Forbidden,
}

/// The transition table, with its reasons and its time limit: the same for senders and operators.
pub fn rule_move(
    conversion: &Conversion,
    to: Status,
    reason: Option<String>,
    party: Party,
    at: Timestamp,
) -> MoveRuling {
    let apply = |code, kind, effect| {
        let transition = Transition { kind, to, pending_reason: None, reason: reason.clone(), effect, money: None };
        MoveRuling::Apply(code, Box::new(transition))
    };
    match transition(conversion.status, conversion.rejected_by, to, party) {
        Move::Same => MoveRuling::NoChange,
        Move::Forbidden => MoveRuling::Forbidden,
        Move::Allowed if to == Status::Rejected => apply(Code::Rejected, ChangeKind::Rejected, Effect::Standing),
        Move::Allowed if conversion.status == Status::Rejected => {
            let late = at.millis_since(conversion.status_changed_at) > SENDER_UNDO_SECONDS * 1000;
            if party == Party::Sender && late {
                MoveRuling::Forbidden
            } else {
                apply(Code::StatusChanged, ChangeKind::Reinstated, Effect::Standing)
            }
        }
        Move::Allowed => apply(Code::StatusChanged, ChangeKind::StatusChanged, Effect::Standing),
        Move::ReplacesReason => {
            let same = conversion.rejection_reason == reason && conversion.rejected_by == Some(party);
            if same || reason.is_none() {
                MoveRuling::NoChange
            } else {
                apply(Code::ReasonUpdated, ChangeKind::ReasonChanged, Effect::Standing)
            }
        }
        Move::AddsReason => {
            if conversion.advertiser_reason == reason || reason.is_none() {
                MoveRuling::NoChange
            } else {
                apply(Code::ReasonAdded, ChangeKind::ReasonChanged, Effect::ReasonBeside)
            }
        }
    }
}

/// What becomes of other amounts, put right by an operator: none where they are the same.
pub fn rule_amendment(conversion: &Conversion, amounts: Amounts) -> Option<Transition> {
    let money = conversion.money.amended(amounts);
    (money != conversion.money).then(|| standing_still(conversion, ChangeKind::Amended, Some(money)))
}

/// A note, which changes nothing.
pub fn note(conversion: &Conversion) -> Transition {
    standing_still(conversion, ChangeKind::NoteAdded, None)
}

fn standing_still(conversion: &Conversion, kind: ChangeKind, money: Option<Money>) -> Transition {
    Transition {
        kind,
        to: conversion.status,
        pending_reason: conversion.pending_reason,
        reason: None,
        effect: Effect::MoneyOnly,
        money: money.map(|money| (money, conversion.reported)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::conversion::Author;
    use crate::domain::fixtures::conversion;
    use crate::domain::ids::ChangeId;
    use crate::domain::money::Micros;
    use crate::domain::transaction_id::TransactionId;

    fn approved() -> Conversion {
        conversion(TransactionId::from_bytes(&[1; 25]).unwrap(), Timestamp::from_millis(0))
    }

    fn author() -> Author {
        let at = Timestamp::from_millis(1);
        Author { party: Party::Operator, actor: "opr_1".into(), receipt: None, at, note: None }
    }

    #[test]
    fn an_amendment_moves_the_amounts_that_are_given_and_nothing_else() {
        let before = approved();
        let amounts = Amounts { payout: Some(Micros::from_i64(1)), ..Amounts::default() };
        let mut after = before.clone();
        let change =
            after.apply(ChangeId::from_uuid(uuid::Uuid::nil()), rule_amendment(&before, amounts).unwrap(), author());
        assert_eq!((after.money.revenue, after.money.payout), (before.money.revenue, Some(Micros::from_i64(1))));
        assert_eq!((after.status, after.status_changed_at), (before.status, before.status_changed_at));
        assert_eq!((change.kind, change.payout_before), (ChangeKind::Amended, before.money.payout));
        assert_eq!(after.figures_before(&change), before.figures());
        assert_eq!(rule_amendment(&after, amounts), None, "as it is already");
        assert_eq!(rule_amendment(&before, Amounts::default()), None);
    }

    #[test]
    fn a_note_moves_nothing_whatever_the_status() {
        for status in Status::ALL {
            let before = Conversion { status, ..approved() };
            let mut after = before.clone();
            let change = after.apply(ChangeId::from_uuid(uuid::Uuid::nil()), note(&before), author());
            assert_eq!((change.from, change.to, change.kind), (Some(status), status, ChangeKind::NoteAdded));
            assert_eq!(Conversion { version: before.version, ..after }, before);
        }
    }
}
