//! `feed`: which receipts and which entries of histories a batch wrote, in the transaction that wrote them.
//!
//! The database gives the position: see `store/feed.rs`, which reads it.

use super::columns::Of;
use crate::domain::clock::Timestamp;
use crate::domain::conversion::Change;
use crate::domain::receipt::Receipt;
use crate::store::dialect::Rows;

/// What one batch adds to the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    at: Timestamp,
    receipts: Vec<u8>,
    changes: Vec<u8>,
}

impl FeedEntry {
    /// The entry of a batch, in the order of its items; none where nobody would miss it.
    pub fn of<'a>(at: Timestamp, receipts: impl Iterator<Item = &'a Receipt>, changes: &[Change]) -> Vec<Self> {
        let receipts: Vec<u8> = receipts.flat_map(|receipt| receipt.id.uuid().into_bytes()).collect();
        let changes: Vec<u8> = changes.iter().flat_map(|change| change.id.uuid().into_bytes()).collect();
        let is_empty = receipts.is_empty() && changes.is_empty();
        (!is_empty).then_some(Self { at, receipts, changes }).into_iter().collect()
    }
}

pub(super) fn feed_rows(entries: &[FeedEntry]) -> Rows<'_> {
    let of = Of(entries);
    let columns = vec![
        ("at", of.i64(|entry| Some(entry.at.as_millis()))),
        ("receipts", of.bytes(|entry| Some(entry.receipts.as_slice()))),
        ("changes", of.bytes(|entry| Some(entry.changes.as_slice()))),
    ];
    Rows { table: "feed", columns, tail: "" }
}
