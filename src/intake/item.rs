//! What waits in the write queue, and what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use crate::domain::answer::{Answer, CheckResult};
use crate::domain::audit::AuditEvent;
use crate::domain::click::Click;
use crate::domain::conversion::{Amounts, Change, Conversion, Figures};
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::ConversionId;
use crate::domain::money::{Currency, Micros};
use crate::domain::receipt::Receipt;
use crate::domain::screening::{Hit, Judgement, Known, Refusal};
use crate::domain::status::Status;

/// One tracking event, or a change by an operator: they are settled alike.
#[derive(Debug)]
pub(super) enum Item {
    /// Postback, clickless, pixel, rejection, status.
    Hit(Arc<Hit>),
    Click(Arc<Click>),
    Changes(Box<OperatorChanges>),
    /// Of a request without a verified token.
    Receipt(Box<Receipt>),
}

/// Where an item comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From a door, minted just now.
    Door,
    /// Kept somewhere before: it may be in the database already.
    Kept,
}

/// What an operator wants to become of conversions, in one transaction: of one, or of many.
#[derive(Clone, Debug)]
pub struct OperatorChanges {
    pub changes: Vec<OperatorChange>,
    pub policy: ErrorPolicy,
    /// The call under its key; kept with the changes, and only with them.
    pub once: Option<KeyedCall>,
}

/// What to do when some of many cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// The others are changed.
    SkipFailed,
    /// None is changed.
    RejectEverything,
}

/// A call that may be sent twice, on its way through intake.
#[derive(Clone, Debug)]
pub struct KeyedCall {
    pub call: IdempotentCall,
    /// What the use case has to know to say its answer again; what became of the changes is added to it.
    pub answer: String,
}

#[derive(Clone, Debug)]
pub struct OperatorChange {
    pub conversion: ConversionId,
    pub wish: Wish,
    pub note: Option<String>,
    /// The opaque id of whoever asks.
    pub actor: String,
    /// False: no publisher is told.
    pub notify_publisher: bool,
    /// Committed with the change, and only with one; its list of fields is filled in then.
    pub audit: AuditEvent,
}

/// What a conversion is to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    Move {
        to: Status,
        /// Of a rejection.
        reason: Option<String>,
    },
    /// Other amounts, by somebody who saw this version.
    Amend { version: i32, amounts: Amounts },
    /// As it is, with a note.
    Note,
}

/// What became of [`OperatorChanges`].
#[derive(Clone, Debug)]
pub enum ChangesOutcome {
    /// Of each, in its order.
    Done(Vec<ChangeOutcome>),
    /// Some cannot be changed, so none was: what each would have come to.
    Refused(Vec<ChangeOutcome>),
    /// The same call was carried out before: what its answer can be said again from.
    Repeated(String),
    /// The key was used for another call.
    OtherArguments,
}

/// What became of one [`OperatorChange`].
#[derive(Clone, Debug)]
pub enum ChangeOutcome {
    Changed(Box<Conversion>, Box<Change>),
    NoChange(Box<Conversion>),
    /// The transition table says no.
    Forbidden(Box<Conversion>),
    /// It is of another version by now.
    Stale(Box<Conversion>),
    NotFound,
}

impl ChangeOutcome {
    /// Could it not be done?
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Changed(..) | Self::NoChange(_) => false,
            Self::Forbidden(_) | Self::Stale(_) | Self::NotFound => true,
        }
    }

    /// One letter for what is kept of a call; [`Self::Stale`] never is, since such a call changes one thing only.
    pub const fn letter(&self) -> char {
        match self {
            Self::Changed(..) => 'c',
            Self::NoChange(_) => 'n',
            Self::Forbidden(_) => 'f',
            Self::Stale(_) => 's',
            Self::NotFound => 'm',
        }
    }
}

/// By how much the figures of revenue and payout moved, in each currency.
pub fn effects(done: &[ChangeOutcome]) -> BTreeMap<Currency, (Micros, Micros)> {
    let mut moved: BTreeMap<Currency, Figures> = BTreeMap::new();
    for outcome in done {
        if let ChangeOutcome::Changed(conversion, change) = outcome {
            let figures = moved.entry(change.currency).or_default();
            figures.add(conversion.figures(), 1);
            figures.add(conversion.figures_before(change), -1);
        }
    }
    moved.into_iter().map(|(currency, figures)| (currency, (figures.revenue, figures.payout))).collect()
}

/// What one item came to.
#[derive(Debug)]
pub(super) enum Settled {
    Answer(Box<Answer>),
    Changed(ChangesOutcome),
    Stored,
}

/// No outcome, as far as the caller can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unsettled {
    /// The queue of its class has no room.
    #[error("the write queue is full")]
    Full,
    /// It is in the queue or in a transaction, and may still commit.
    #[error("not settled in time")]
    Late,
    #[error("the database is away")]
    Away,
    /// Kept, synced, in the spool: it is settled when the database takes it. Of clicks and pixels only.
    #[error("kept in the spool until the database takes it")]
    Spooled,
    /// The database refuses this item alone: our fault.
    #[error("the database refuses this item")]
    Internal,
}

/// What a request would come to, on the data of now, with nothing written.
#[derive(Debug)]
pub struct Rehearsed {
    pub known: Known,
    /// As it would be answered; without ids that would only be made.
    pub answer: Answer,
    pub checks: Vec<CheckResult>,
    pub judged: Result<Judgement, Refusal>,
}

impl Item {
    /// About how many bytes it holds while it waits.
    pub(super) fn weight(&self) -> usize {
        let held = |texts: &[&str]| texts.iter().map(|text| text.len()).sum::<usize>();
        match self {
            Self::Hit(hit) => 2048 + held(&[&hit.params, &hit.arrival.path, &hit.arrival.host]) * 2,
            Self::Click(_) => 1024,
            Self::Changes(all) => all.changes.len().saturating_mul(512).saturating_add(512),
            Self::Receipt(receipt) => 1024 + held(&[&receipt.params]),
        }
    }
}
