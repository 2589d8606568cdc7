//! What the server has promised: an entry for each answer, made when it was read and before anything else happens.
//!
//! It lives in the torturer's memory, which no fault of ours touches.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// 16 bytes of an id that has a time in it.
pub(super) type Id = [u8; 16];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promised {
    pub(super) transaction: Vec<u8>,
    pub(super) status: &'static str,
    /// The kinds of its changes, from the first.
    pub(super) history: Vec<&'static str>,
    /// A request that changes it is on its way.
    pub(super) is_moving: bool,
}

#[derive(Clone, Debug)]
pub(super) struct ReceiptPromised {
    pub(super) code: String,
    pub(super) conversion: Option<Id>,
}

#[derive(Clone, Debug)]
pub(super) struct ClickPromised {
    pub(super) transaction: Vec<u8>,
    /// Answered in good time while the database was well.
    pub(super) is_settled: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    pub(super) conversions: HashMap<Id, Promised>,
    pub(super) receipts: HashMap<Id, ReceiptPromised>,
    pub(super) clicks: Vec<ClickPromised>,
    /// Clicks that were asked for, answered or not.
    pub(super) clicks_sent: u64,
    /// Answers that the contract does not allow.
    pub(super) broken: Vec<String>,
}

#[derive(Default)]
pub(super) struct Ledger(Mutex<Book>);

impl Ledger {
    pub(super) fn open(&self) -> MutexGuard<'_, Book> {
        // What a worker that panicked wrote before is true all the same.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn copy(&self) -> Book {
        self.open().clone()
    }
}
