//! `foreign_click`: the ids of another system, looked up for a whole batch.

use std::collections::HashMap;

use super::models;
use crate::domain::click::Click;
use crate::domain::foreign_click::{Aliases, ForeignClick};
use crate::domain::transaction_id::TransactionId;
use crate::store::connect::Tx;
use crate::store::dialect::Column;
use crate::store::error::StoreError;
use crate::store::foreign_clicks::foreign_click;

/// The sealed ids of those foreign ones that were imported.
pub async fn find_aliases(tx: &mut Tx, foreign_ids: &[&str]) -> Result<Aliases, StoreError> {
    let wanted = Column::Text(foreign_ids.iter().map(|id| Some(*id)).collect());
    let rows = tx.select_by("SELECT * FROM foreign_click WHERE foreign_id IN", wanted, "", "").await?;
    let clicks = models(&rows)?.into_iter().map(foreign_click);
    clicks
        .map(|click| click.map(|ForeignClick { foreign_id, transaction_id, .. }| (foreign_id, transaction_id)))
        .collect()
}

/// The imported clicks behind these sealed ids, as far as they are imported ones.
pub async fn find_foreign_clicks(
    tx: &mut Tx,
    transactions: &[TransactionId],
) -> Result<HashMap<TransactionId, Click>, StoreError> {
    let wanted = Column::Bytes(transactions.iter().map(|id| Some(id.as_bytes().as_slice())).collect());
    let rows = tx.select_by("SELECT * FROM foreign_click WHERE transaction_id IN", wanted, "", "").await?;
    let clicks = models(&rows)?.into_iter().map(foreign_click);
    clicks.map(|click| click.map(|click| (click.transaction_id, click.click()))).collect()
}
