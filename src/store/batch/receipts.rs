//! `receipt`: one row a request.

use std::collections::HashSet;

use sea_orm::QueryResult;
use uuid::Uuid;

use super::columns::Of;
use crate::domain::ids::{ConversionId, OfferId, PublisherId, ReceiptId, TokenId};
use crate::domain::receipt::Receipt;
use crate::store::connect::Tx;
use crate::store::dialect::{Column, Rows};
use crate::store::error::StoreError;
use crate::store::receipts::warnings_text;

pub(super) fn receipt_rows<'a>(receipts: &'a [Receipt], tail: &'static str) -> Rows<'a> {
    let warnings = receipts.iter().map(|receipt| warnings_text(&receipt.warnings)).collect();
    let of = Of(receipts);
    let columns = vec![
        ("id", of.uuid(|r| Some(r.id.uuid()))),
        ("received_at", of.i64(|r| Some(r.received_at.as_millis()))),
        ("door", of.text(|r| r.door.as_str())),
        ("verdict", of.text(|r| r.code.verdict().as_str())),
        ("code", of.text(|r| r.code.as_str())),
        ("decisive_check", of.text_or_null(|r| r.decisive_check.map(|check| check.as_str()))),
        ("detail", of.text_or_null(|r| r.detail.as_deref())),
        ("field", of.text_or_null(|r| r.field.as_deref())),
        ("received", of.text_or_null(|r| r.received.as_deref())),
        ("method", of.text(|r| &r.method)),
        ("host", of.text(|r| &r.host)),
        ("path", of.text(|r| &r.path)),
        ("params", of.text(|r| &r.params)),
        ("address", of.text_or_null(|r| r.address.as_ref().map(|address| address.network.as_str()))),
        ("address_hash", of.bytes(|r| r.address.as_ref().map(|address| address.hash.as_bytes().as_slice()))),
        ("user_agent", of.text_or_null(|r| r.user_agent.as_deref())),
        ("latency_us", of.i64(|r| Some(r.latency_us))),
        ("is_test", of.bool(|r| r.is_test)),
        ("lenient", of.bool(|r| r.lenient)),
        ("token_id", of.uuid(|r| r.token.map(TokenId::uuid))),
        ("offer_id", of.i32(|r| r.offer.map(OfferId::number))),
        ("publisher_id", of.i32(|r| r.publisher.map(PublisherId::number))),
        ("transaction_id", of.bytes(|r| r.transaction_id.as_ref().map(|id| id.as_bytes().as_slice()))),
        ("conversion_id", of.uuid(|r| r.conversion.map(ConversionId::uuid))),
        ("status", of.text_or_null(|r| r.status.map(|status| status.as_str()))),
        ("warnings", Column::MadeText(warnings)),
        ("request_id", of.text(|r| &r.request_id)),
        ("replay_of", of.uuid(|r| r.replay_of.map(ReceiptId::uuid))),
    ];
    Rows { table: "receipt", columns, tail }
}

/// Inserts those that are not there, and says which they were. A receipt's id is minted once: one that is there already
/// can only be the same, kept by an earlier try.
pub async fn insert_missing_receipts(tx: &mut Tx, receipts: &[Receipt]) -> Result<HashSet<ReceiptId>, StoreError> {
    receipt_ids(&tx.insert(receipt_rows(receipts, "ON CONFLICT DO NOTHING RETURNING id")).await?)
}

/// Which of these receipts are there: how the outcome of an unknown commit is read back.
pub async fn existing_receipts(tx: &mut Tx, ids: &[ReceiptId]) -> Result<HashSet<ReceiptId>, StoreError> {
    let wanted = Column::Uuid(ids.iter().map(|id| Some(id.uuid())).collect());
    let rows = tx.select_by("SELECT id FROM receipt WHERE id IN", wanted, "", "").await?;
    receipt_ids(&rows)
}

fn receipt_ids(rows: &[QueryResult]) -> Result<HashSet<ReceiptId>, StoreError> {
    rows.iter().map(|row| Ok(ReceiptId::from_uuid(row.try_get::<Uuid>("", "id")?))).collect()
}
