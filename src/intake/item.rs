//! What waits in the write queue, and what comes back.

use std::sync::Arc;

use thiserror::Error;

use crate::domain::answer::{Answer, CheckResult};
use crate::domain::audit::AuditEvent;
use crate::domain::click::Click;
use crate::domain::conversion::{Change, Conversion};
use crate::domain::ids::ConversionId;
use crate::domain::receipt::Receipt;
use crate::domain::screening::{Hit, Judgement, Known, Refusal};
use crate::domain::status::Status;

/// One tracking event, or a change by an operator: they are settled alike.
#[derive(Debug)]
pub(super) enum Item {
    /// Postback, clickless, pixel, rejection, status.
    Hit(Arc<Hit>),
    Click(Arc<Click>),
    Change(Box<OperatorChange>),
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

/// What an operator wants to become of a conversion.
#[derive(Clone, Debug)]
pub struct OperatorChange {
    pub conversion: ConversionId,
    pub to: Status,
    pub reason: Option<String>,
    pub note: Option<String>,
    /// The opaque id of whoever asks.
    pub actor: String,
    /// Committed with the change, and only with one; its list of fields is filled in then.
    pub audit: AuditEvent,
}

/// What became of an [`OperatorChange`].
#[derive(Clone, Debug)]
pub enum ChangeOutcome {
    Changed(Box<Conversion>, Box<Change>),
    NoChange(Box<Conversion>),
    /// The transition table says no.
    Forbidden(Box<Conversion>),
    NotFound,
}

/// What one item came to.
#[derive(Debug)]
pub(super) enum Settled {
    Answer(Box<Answer>),
    Changed(ChangeOutcome),
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
            Self::Change(_) => 512,
            Self::Receipt(receipt) => 1024 + held(&[&receipt.params]),
        }
    }
}
