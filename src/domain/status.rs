//! The one transition table of a conversion's status.
//!
//! Status is the fold of the history: nothing sets it but an appended change that this table allows.

use serde::{Deserialize, Serialize};

/// Of a conversion only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pending,
    Approved,
    Rejected,
}

impl Status {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Approved, Self::Rejected];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Who moves a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// An advertiser's server, with a token.
    Sender,
    /// A person, or a key that acts for one, in the admin API.
    Operator,
    /// A rule of ours, such as the attribution window.
    System,
}

impl Party {
    pub const ALL: [Self; 3] = [Self::Sender, Self::Operator, Self::System];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|party| party.as_str() == text)
    }
}

/// How long after its own rejection a sender may undo it: 30 days.
pub const SENDER_UNDO_SECONDS: i64 = 30 * 24 * 3600;

/// What the table says to a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Allowed,
    /// Nothing would change.
    Same,
    /// Already rejected by the sender: the new reason replaces the old one.
    ReplacesReason,
    /// Already rejected by somebody else: the sender's reason is kept beside it.
    AddsReason,
    Forbidden,
}

/// May `party` move a conversion from `from` to `to`?
/// `rejected_by` says who holds a rejected one; it is not looked at for the others.
pub const fn transition(from: Status, rejected_by: Option<Party>, to: Status, party: Party) -> Move {
    match (from, to) {
        (Status::Pending, Status::Pending) | (Status::Approved, Status::Approved) => Move::Same,
        (Status::Pending | Status::Approved, Status::Rejected) | (Status::Pending, Status::Approved) => match party {
            Party::Sender | Party::Operator => Move::Allowed,
            Party::System => Move::Forbidden,
        },
        (Status::Approved, Status::Pending) | (Status::Rejected, Status::Pending) => match party {
            Party::Operator => Move::Allowed,
            Party::Sender | Party::System => Move::Forbidden,
        },
        (Status::Rejected, Status::Approved) => match (party, rejected_by) {
            (Party::Operator, _) | (Party::Sender, Some(Party::Sender)) => Move::Allowed,
            (Party::Sender, Some(Party::Operator | Party::System) | None) | (Party::System, _) => Move::Forbidden,
        },
        (Status::Rejected, Status::Rejected) => match (party, rejected_by) {
            (Party::Sender, Some(Party::Sender)) | (Party::Operator, Some(Party::Operator)) => Move::ReplacesReason,
            (Party::Sender, Some(Party::Operator | Party::System) | None) => Move::AddsReason,
            (Party::Operator, Some(Party::Sender | Party::System) | None) => Move::ReplacesReason,
            (Party::System, _) => Move::Same,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Move::*;
    use Party::*;

    /// Where a conversion may be moved, and what sender, operator and system, in this order, are told.
    type Moves = [(Status, [Move; 3]); 3];

    const TABLE: [(Status, Option<Party>, Moves); 6] = [
        (
            Status::Pending,
            None,
            [
                (Status::Pending, [Same, Same, Same]),
                (Status::Approved, [Allowed, Allowed, Forbidden]),
                (Status::Rejected, [Allowed, Allowed, Forbidden]),
            ],
        ),
        (
            Status::Approved,
            None,
            [
                (Status::Pending, [Forbidden, Allowed, Forbidden]),
                (Status::Approved, [Same, Same, Same]),
                (Status::Rejected, [Allowed, Allowed, Forbidden]),
            ],
        ),
        (
            Status::Rejected,
            Some(Sender),
            [
                (Status::Pending, [Forbidden, Allowed, Forbidden]),
                (Status::Approved, [Allowed, Allowed, Forbidden]),
                (Status::Rejected, [ReplacesReason, ReplacesReason, Same]),
            ],
        ),
        (
            Status::Rejected,
            Some(Operator),
            [
                (Status::Pending, [Forbidden, Allowed, Forbidden]),
                (Status::Approved, [Forbidden, Allowed, Forbidden]),
                (Status::Rejected, [AddsReason, ReplacesReason, Same]),
            ],
        ),
        (
            Status::Rejected,
            Some(System),
            [
                (Status::Pending, [Forbidden, Allowed, Forbidden]),
                (Status::Approved, [Forbidden, Allowed, Forbidden]),
                (Status::Rejected, [AddsReason, ReplacesReason, Same]),
            ],
        ),
        // No row of ours is like this; were there one, it would be nobody's to undo but an operator's.
        (
            Status::Rejected,
            None,
            [
                (Status::Pending, [Forbidden, Allowed, Forbidden]),
                (Status::Approved, [Forbidden, Allowed, Forbidden]),
                (Status::Rejected, [AddsReason, ReplacesReason, Same]),
            ],
        ),
    ];

    #[test]
    fn the_whole_table() {
        for (from, rejected_by, row) in TABLE {
            for (to, moves) in row {
                for (party, expected) in Party::ALL.into_iter().zip(moves) {
                    assert_eq!(
                        transition(from, rejected_by, to, party),
                        expected,
                        "{from:?} {rejected_by:?} {to:?} {party:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn who_rejected_before_does_not_matter_for_what_is_not_rejected() {
        for from in [Status::Pending, Status::Approved] {
            for to in Status::ALL {
                for party in Party::ALL {
                    for rejected_by in Party::ALL {
                        assert_eq!(transition(from, Some(rejected_by), to, party), transition(from, None, to, party));
                    }
                }
            }
        }
    }
}
