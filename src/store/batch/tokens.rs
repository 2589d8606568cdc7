//! `secure_token`: the marks of last use.

use std::collections::BTreeMap;

use crate::domain::clock::Timestamp;
use crate::domain::ids::TokenId;
use crate::store::connect::Tx;
use crate::store::dialect::Column;
use crate::store::error::StoreError;

/// A token's mark is written at most once in this many milliseconds.
pub const MARK_MILLIS: i64 = 60_000;

/// Marks tokens as used, in the order of their ids; a mark younger than a minute stays as it is.
pub async fn mark_tokens_used(tx: &mut Tx, uses: &BTreeMap<TokenId, (Timestamp, String)>) -> Result<(), StoreError> {
    for (token, (at, network)) in uses {
        let sql = "UPDATE secure_token SET last_used_at = $1, last_used_address = $2 \
            WHERE id = $3 AND (last_used_at IS NULL OR last_used_at <= $4)";
        let values = vec![
            Column::I64(vec![Some(at.as_millis())]),
            Column::Text(vec![Some(network.as_str())]),
            Column::Uuid(vec![Some(token.uuid())]),
            Column::I64(vec![Some(at.as_millis().saturating_sub(MARK_MILLIS))]),
        ];
        tx.run(sql, values).await?;
    }
    Ok(())
}
