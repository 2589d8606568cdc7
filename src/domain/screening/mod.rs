//! Screening: the ordered, named checks that every tracking request passes, and the verdict.
//!
//! Two pure steps. [`admit`] looks at the request and the snapshot: may this sender say this at all, and of
//! which offer and transaction? [`judge`] looks at what is already recorded: is it new, and how does it count?
//! `settle` gathers the facts between the two; a dry run takes the same two steps and writes nothing.
//! The first failing check decides, and nothing about a request is told before its token is verified.
//! To add a check: a variant of [`Check`], its place in [`Door::checks`], the line below, a test.

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::code::Code;
use super::ids::{OfferId, PublisherId, ReceiptId, TokenId};
use super::inbound::{Inbound, Problem, Warning, WarningCode};
use super::privacy::{PrivateAddress, PrivateEmail};
use super::receipt::Arrival;
use super::transaction_id::TransactionId;

mod admission;
mod admit;
mod change;
mod checks;
mod click;
mod confirm;
mod event;
mod judge;
mod moves;
mod record;
mod repeat;
#[cfg(test)]
mod tests;

pub use admission::Admission;
pub use admit::{admit, admit_read, live_token};
pub use checks::Check;
pub use click::{ClickAdmission, admit_click};
pub use judge::{Facts, Judgement, Ruling, Standing, judge};
pub use moves::{MoveRuling, note, rule_amendment, rule_move};

/// One tracking request, read and about to be judged.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hit {
    pub inbound: Inbound,
    pub arrival: Arrival,
    pub receipt: ReceiptId,
    /// The parameters in canonical, private form: the receipt's, and what a fingerprint is taken over.
    pub params: String,
    /// What the receipt keeps in their place, where the workspace drops e-mails. The fingerprint stays: were it to
    /// change with the setting, a retry would count again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_params: Option<String>,
    pub address: PrivateAddress,
    pub conversion_ip: Option<PrivateAddress>,
    pub email: Option<PrivateEmail>,
    /// Additional parameters in private forms, to be kept with the conversion.
    pub extras: Vec<(String, String)>,
    /// Sent again from a receipt; never written down.
    #[serde(skip)]
    pub replay: Option<Replay>,
}

/// What a request is that is sent again from its receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The receipt of the first attempt, which keeps its own verdict.
    pub of: ReceiptId,
    /// When it is sent again; the request itself has its own time.
    pub at: Timestamp,
}

impl Hit {
    /// The parameters that its receipt keeps.
    pub fn receipt_params(&self) -> &str {
        self.kept_params.as_deref().unwrap_or(&self.params)
    }
}

/// What is known of a request so far, whatever becomes of it: for its receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Set once the token is verified: only then may an answer tell details.
    pub token: Option<TokenId>,
    pub lenient: bool,
    pub offer: Option<OfferId>,
    pub publisher: Option<PublisherId>,
    pub transaction_id: Option<TransactionId>,
    pub is_test: bool,
}

/// The check that failed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub check: Check,
    pub code: Code,
    /// The parameter at fault.
    pub field: Option<&'static str>,
    pub received: Option<String>,
    pub detail: Option<String>,
}

impl Refusal {
    pub fn new(check: Check, code: Code) -> Self {
        Self { check, code, field: None, received: None, detail: None }
    }

    fn of(check: Check, problem: Problem) -> Self {
        Self {
            check,
            code: problem.code,
            field: Some(problem.field),
            received: problem.received,
            detail: Some(problem.detail),
        }
    }

    fn detailed(check: Check, code: Code, field: &'static str, detail: String) -> Self {
        Self { check, code, field: Some(field), received: None, detail: Some(detail) }
    }
}

fn warning(code: WarningCode, field: &str) -> Warning {
    Warning { code, field: field.to_owned(), hint: None }
}
