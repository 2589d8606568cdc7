//! The statements of a settled batch: whole columns in, rows out, all on one [`Tx`](super::Tx).
//!
//! Each function is one statement for the whole batch (a few on SQLite, by chunk). Order matters on PostgreSQL,
//! where other servers write too: keys are claimed and locked in byte order, conversions are locked in the order
//! of their ids, figures are upserted in key order, each writer's on rows of its own; so two batches wait for each other and never in a ring.

mod audit;
mod clicks;
mod columns;
mod conversions;
mod deliveries;
mod feed;
mod foreign_clicks;
mod idempotency;
mod keys;
mod receipts;
mod rollups;
mod tokens;

pub use clicks::{find_clicks, insert_missing_clicks};
pub use conversions::{
    Extra, ParkedRejection, awaiting_click, conversions_by_ids, conversions_by_transactions, delete_parked, has_change,
    parked_by_keys, update_conversions, upsert_parked,
};
pub use deliveries::release_deliveries;
pub use feed::FeedEntry;
pub use foreign_clicks::{find_aliases, find_foreign_clicks};
pub use idempotency::{KeptCall, find_call};
pub use keys::{KeyOwner, assign_keys, claim_keys, find_keys, highest_repeat, release_keys};
pub use receipts::{existing_receipts, insert_missing_receipts};
pub use rollups::Bucket;
pub use tokens::{MARK_MILLIS, mark_tokens_used};

use super::connect::Tx;
use super::error::StoreError;
use crate::domain::audit::AuditEvent;
use crate::domain::click::Click;
use crate::domain::clock::Timestamp;
use crate::domain::conversion::{Change, Conversion, Figures};
use crate::domain::delivery::NewDelivery;
use crate::domain::receipt::Receipt;
use sea_orm::{FromQueryResult, QueryResult};

/// Can a row with a key that was minted for it be there already? Then an insert has to look first, which costs
/// PostgreSQL a second WAL record for each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// It was minted for this batch, which has not been tried before.
    Never,
    /// An earlier try may have committed it.
    Possible,
}

/// New rows of a batch that depend on nothing that is read.
#[derive(Debug)]
pub struct NewRows<'a> {
    /// Minted for this batch: their ids are known to nobody else.
    pub clicks: &'a [&'a Click],
    pub conversions: &'a [&'a Conversion],
    pub changes: &'a [Change],
    pub extras: &'a [Extra],
    /// What the changes tell publishers.
    pub deliveries: &'a [NewDelivery],
    pub receipts: &'a [Receipt],
    /// What is followed live of all that the batch wrote; one entry at most.
    pub feed: &'a [FeedEntry],
    pub audit: &'a [AuditEvent],
    pub calls: &'a [KeptCall],
    /// Differences, in key order; added up where a row is there.
    pub figures: &'a [(&'a Bucket, &'a Figures)],
    /// Where the days begin whose facts this batch touches, also where no figure moves.
    pub days: &'a [Timestamp],
    /// Which count of days they are of.
    pub day_generation: i32,
    /// The writer's own: two writers never meet on a row of figures.
    pub slot: i16,
}

/// # Errors
/// `Taken` when a row that must be new is there already.
pub async fn insert_new(tx: &mut Tx, new: &NewRows<'_>) -> Result<(), StoreError> {
    tx.insert_together(vec![
        clicks::click_rows(new.clicks),
        conversions::conversion_rows(new.conversions),
        conversions::change_rows(new.changes),
        conversions::extra_rows(new.extras),
        deliveries::delivery_rows(new.deliveries),
        receipts::receipt_rows(new.receipts, ""),
        feed::feed_rows(new.feed),
        audit::audit_rows(new.audit)?,
        idempotency::call_rows(new.calls),
        rollups::figure_rows(new.slot, new.figures),
        rollups::change_rows((new.day_generation, new.slot), new.days),
    ])
    .await
}

fn models<M: FromQueryResult>(rows: &[QueryResult]) -> Result<Vec<M>, StoreError> {
    rows.iter().map(|row| M::from_query_result(row, "").map_err(StoreError::from)).collect()
}
