//! The second step: what is to be done about an admitted request, given what is already recorded.
//!
//! Pure, and the only place that decides it: `settle` gathers the [`Facts`] and carries the [`Ruling`] out.

use crate::domain::code::Code;
use crate::domain::conversion::{Conversion, Money, PendingReason, Reported, Transition};
use crate::domain::conversion_key::ConversionKey;
use crate::domain::ids::ConversionId;
use crate::domain::inbound::{Door, Inbound, Slot, Warning};
use crate::domain::pricing::WireAmounts;
use crate::domain::status::{Party, Status};

use super::change::{judge_rejection, judge_status};
use super::record::judge_conversion;
use super::{Admission, Check, Hit, Refusal};

/// What is already recorded, as far as one request is concerned.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    pub by_order: Option<&'a Conversion>,
    pub by_external: Option<&'a Conversion>,
    /// Inside its repeat window only.
    pub by_repeat: Option<&'a Conversion>,
    pub by_first: Option<&'a Conversion>,
    /// A rejection waits on one of the keys.
    pub parked: bool,
    /// Every conversion of the transaction, events too; looked up for rejections, status changes and events.
    pub of_transaction: &'a [&'a Conversion],
}

/// How a conversion counts when it is recorded or confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub status: Status,
    pub pending_reason: Option<PendingReason>,
    pub reason: Option<String>,
    pub rejected_by: Option<Party>,
    pub money: Money,
    pub reported: Reported,
}

impl Standing {
    /// Who made it so: the sender, unless a rule of ours rejected it or holds it back.
    pub fn decided_by(&self) -> Party {
        match (self.rejected_by, self.pending_reason) {
            (Some(party), _) => party,
            (None, Some(_)) => Party::System,
            (None, None) => Party::Sender,
        }
    }
}

/// What is to be done about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// A new conversion.
    Record(Box<Standing>),
    /// Nothing: it is this one.
    Duplicate(ConversionId),
    /// A postback confirms what a pixel reported; `answer` is `confirmed`, or `duplicate` where it stays rejected.
    Confirm {
        of: ConversionId,
        transition: Box<Transition>,
        answer: Code,
    },
    /// A change of one that exists.
    Move {
        of: ConversionId,
        transition: Box<Transition>,
        answer: Code,
    },
    /// It is already as asked.
    NoChange(ConversionId),
    /// The rejection waits for its conversion on this key.
    Park(ConversionKey),
    Refuse(Refusal),
}

/// A ruling, the check that decided it, and what else is to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub ruling: Ruling,
    /// None: every check passed.
    pub decisive: Option<Check>,
    /// Which reason to wait, or what exactly failed.
    pub detail: Option<String>,
    pub warnings: Vec<Warning>,
}

impl Judgement {
    /// What is answered when this is carried out.
    pub fn code(&self) -> Code {
        match &self.ruling {
            Ruling::Record(_) => Code::Recorded,
            Ruling::Duplicate(_) => Code::Duplicate,
            Ruling::Confirm { answer, .. } | Ruling::Move { answer, .. } => *answer,
            Ruling::NoChange(_) => Code::NoChange,
            Ruling::Park(_) => Code::Parked,
            Ruling::Refuse(refusal) => refusal.code,
        }
    }

    /// The conversion that it is about, where one exists.
    pub fn conversion(&self) -> Option<ConversionId> {
        match &self.ruling {
            Ruling::Duplicate(id) | Ruling::NoChange(id) => Some(*id),
            Ruling::Confirm { of, .. } | Ruling::Move { of, .. } => Some(*of),
            Ruling::Record(_) | Ruling::Park(_) | Ruling::Refuse(_) => None,
        }
    }

    pub(super) fn refuse(refusal: Refusal) -> Self {
        Self {
            decisive: Some(refusal.check),
            detail: refusal.detail.clone(),
            ruling: Ruling::Refuse(refusal),
            warnings: Vec::new(),
        }
    }
}

/// The second step: pure, over what `settle` gathered.
pub fn judge(hit: &Hit, admission: &Admission<'_>, facts: &Facts<'_>) -> Judgement {
    let mut judgement = match hit.inbound.door {
        Door::Postback | Door::Clickless | Door::Pixel | Door::Click => judge_conversion(hit, admission, facts),
        Door::Rejection => judge_rejection(hit, admission, facts),
        Door::Status => judge_status(hit, admission, facts),
    };
    judgement.warnings.splice(0..0, admission.warnings.iter().cloned());
    judgement
}

pub(super) fn wire_amounts(inbound: &Inbound) -> WireAmounts {
    WireAmounts {
        revenue: inbound.revenue.clone(),
        payout: inbound.payout.clone(),
        purchase_value: inbound.purchase_value.clone(),
        currency: inbound.currency.clone(),
    }
}

pub(super) fn asked_status(inbound: &Inbound) -> Option<Status> {
    match &inbound.status {
        Slot::Value(status) => Some(*status),
        Slot::Absent | Slot::Bad(_) => None,
    }
}
