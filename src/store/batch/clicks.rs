//! `click`: append-only.

use std::collections::HashMap;

use super::columns::Of;
use super::models;
use crate::domain::click::Click;
use crate::domain::clock::Timestamp;
use crate::domain::transaction_id::TransactionId;
use crate::store::clicks::click;
use crate::store::connect::Tx;
use crate::store::dialect::{Column, Rows, Span};
use crate::store::error::StoreError;

const SUB_IDS: [&str; 6] = ["sub_id", "sub_id_2", "sub_id_3", "sub_id_4", "sub_id_5", "sub_id_6"];

/// Inserts those that are not there, and says which were really inserted: only these count in figures.
pub async fn insert_missing_clicks(tx: &mut Tx, clicks: &[&Click]) -> Result<Vec<TransactionId>, StoreError> {
    let tail = "ON CONFLICT (transaction_id, clicked_at) DO NOTHING RETURNING transaction_id";
    let rows = tx.insert(Rows { tail, ..click_rows(clicks) }).await?;
    rows.iter()
        .map(|row| {
            let bytes: Vec<u8> = row.try_get("", "transaction_id")?;
            TransactionId::from_bytes(&bytes).ok_or_else(|| StoreError::unreadable("click", "transaction_id"))
        })
        .collect()
}

pub(super) fn click_rows<'a>(clicks: &'a [&'a Click]) -> Rows<'a> {
    let of = Of(clicks);
    let mut columns = vec![
        ("transaction_id", of.bytes(|c| Some(c.transaction_id.as_bytes().as_slice()))),
        ("clicked_at", of.i64(|c| Some(c.clicked_at.as_millis()))),
        ("offer_id", of.i32(|c| Some(c.offer.number()))),
        ("publisher_id", of.i32(|c| Some(c.publisher.number()))),
        ("external_transaction_id", of.text_or_null(|c| c.external_transaction_id.as_deref())),
        ("device_id", of.text_or_null(|c| c.device_id.as_deref())),
        ("address", of.text_or_null(|c| c.address.as_ref().map(|a| a.network.as_str()))),
        ("address_hash", of.bytes(|c| c.address.as_ref().map(|a| a.hash.as_bytes().as_slice()))),
        ("user_agent", of.text_or_null(|c| c.user_agent.as_deref())),
        ("referrer_origin", of.text_or_null(|c| c.referrer_origin.as_deref())),
        ("is_bot", of.bool(|c| c.is_bot)),
        ("is_test", of.bool(|c| c.is_test)),
    ];
    for (index, name) in SUB_IDS.into_iter().enumerate() {
        columns.push((name, of.text_or_null(move |c| c.sub_ids[index].as_deref())));
    }
    Rows { table: "click", columns, tail: "" }
}

/// The clicks of these transactions, as far as they are there. Each comes with the instant inside its id, so that
/// PostgreSQL looks into no partition of another day than theirs.
pub async fn find_clicks(
    tx: &mut Tx,
    transactions: &[(TransactionId, Timestamp)],
) -> Result<HashMap<TransactionId, Click>, StoreError> {
    let ids = Column::Bytes(transactions.iter().map(|(id, _)| Some(id.as_bytes().as_slice())).collect());
    let instants = transactions.iter().map(|(_, at)| at.as_millis());
    let (Some(first), Some(last)) = (instants.clone().min(), instants.max()) else { return Ok(HashMap::new()) };
    let days = Span { column: "clicked_at", first, last };
    let rows = tx.select_within("SELECT * FROM click WHERE transaction_id IN", ids, days).await?;
    let clicks = models(&rows)?.into_iter().map(click);
    clicks.map(|click| click.map(|click| (click.transaction_id, click))).collect()
}
