//! The statements of a settled batch: whole columns in, rows out, all on one [`Tx`](super::Tx).
//!
//! Each function is one statement for the whole batch (a few on SQLite, by chunk). Order matters on PostgreSQL,
//! where other servers write too: keys are claimed and locked in byte order, conversions are locked in the order
//! of their ids, figures are upserted in key order; so two batches wait for each other and never in a ring.

mod audit;
mod clicks;
mod columns;
mod conversions;
mod keys;
mod receipts;
mod rollups;
mod tokens;

pub use audit::insert_audit;
pub use clicks::{find_clicks, insert_clicks};
pub use conversions::{
    Extra, ParkedRejection, awaiting_click, conversions_by_ids, conversions_by_transactions, delete_parked, has_change,
    insert_changes, insert_conversions, insert_extras, parked_by_keys, update_conversions, upsert_parked,
};
pub use keys::{KeyOwner, assign_keys, claim_keys, find_keys, highest_repeat, release_keys};
pub use receipts::{existing_receipts, insert_receipts};
pub use rollups::{Bucket, add_figures};
pub use tokens::mark_tokens_used;

use super::error::StoreError;
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

fn models<M: FromQueryResult>(rows: &[QueryResult]) -> Result<Vec<M>, StoreError> {
    rows.iter().map(|row| M::from_query_result(row, "").map_err(StoreError::from)).collect()
}
