//! `conversion` with its history, its additional parameters and the rejections that wait for it.

use uuid::Uuid;

use super::columns::Of;
use super::models;
use crate::domain::clock::Timestamp;
use crate::domain::conversion::{Change, Conversion};
use crate::domain::conversion_key::ConversionKey;
use crate::domain::ids::{ChangeId, ConversionId, OfferId, ReceiptId, TokenId};
use crate::domain::money::{Currency, Micros};
use crate::domain::transaction_id::TransactionId;
use crate::store::connect::Tx;
use crate::store::conversions::conversion;
use crate::store::dialect::{Column, Rows};
use crate::store::error::StoreError;

/// A rejection that waits for its conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedRejection {
    pub key: ConversionKey,
    pub transaction_id: TransactionId,
    pub offer: OfferId,
    pub order_id: Option<String>,
    pub event_number: i32,
    pub reason: String,
    pub token: Option<TokenId>,
    pub receipt: ReceiptId,
    pub parked_at: Timestamp,
    pub expires_at: Timestamp,
}

/// The conversions with these ids; with `lock`, nobody else may change them until the transaction ends.
pub async fn conversions_by_ids(tx: &mut Tx, ids: &[ConversionId], lock: bool) -> Result<Vec<Conversion>, StoreError> {
    let wanted = Column::Uuid(ids.iter().map(|id| Some(id.uuid())).collect());
    let lock = if lock { "FOR UPDATE" } else { "" };
    let rows = tx.select_by("SELECT * FROM conversion WHERE id IN", wanted, "ORDER BY id", lock).await?;
    models(&rows)?.into_iter().map(conversion).collect()
}

/// The ids of every conversion of these transactions.
pub async fn conversions_by_transactions(
    tx: &mut Tx,
    transactions: &[TransactionId],
) -> Result<Vec<ConversionId>, StoreError> {
    let wanted = Column::Bytes(transactions.iter().map(|id| Some(id.as_bytes().as_slice())).collect());
    let rows = tx.select_by("SELECT id FROM conversion WHERE transaction_id IN", wanted, "", "").await?;
    rows.iter().map(|row| Ok(ConversionId::from_uuid(row.try_get::<Uuid>("", "id")?))).collect()
}

/// The conversions of these transactions that were recorded before their click was there.
pub async fn awaiting_click(tx: &mut Tx, transactions: &[TransactionId]) -> Result<Vec<ConversionId>, StoreError> {
    let wanted = Column::Bytes(transactions.iter().map(|id| Some(id.as_bytes().as_slice())).collect());
    let head = "SELECT id FROM conversion WHERE click_pending AND transaction_id IN";
    let rows = tx.select_by(head, wanted, "", "").await?;
    rows.iter().map(|row| Ok(ConversionId::from_uuid(row.try_get::<Uuid>("", "id")?))).collect()
}

/// Is this entry of a history there: how the outcome of an unknown commit is read back.
pub async fn has_change(tx: &mut Tx, id: ChangeId) -> Result<bool, StoreError> {
    let wanted = Column::Uuid(vec![Some(id.uuid())]);
    Ok(!tx.select_by("SELECT id FROM conversion_change WHERE id IN", wanted, "", "").await?.is_empty())
}

pub(super) fn conversion_rows<'a>(conversions: &'a [&'a Conversion]) -> Rows<'a> {
    Rows { table: "conversion", columns: columns(conversions), tail: "" }
}

/// Writes what can change of conversions that this transaction has locked.
pub async fn update_conversions(tx: &mut Tx, conversions: &[&Conversion]) -> Result<(), StoreError> {
    tx.insert(Rows { table: "conversion", columns: columns(conversions), tail: UPDATE }).await?;
    Ok(())
}

const UPDATE: &str = "ON CONFLICT (id) DO UPDATE SET \
    status = excluded.status, pending_reason = excluded.pending_reason, \
    rejection_reason = excluded.rejection_reason, rejected_by = excluded.rejected_by, \
    advertiser_reason = excluded.advertiser_reason, order_id = excluded.order_id, \
    external_transaction_id = excluded.external_transaction_id, \
    sub_id = excluded.sub_id, sub_id_2 = excluded.sub_id_2, sub_id_3 = excluded.sub_id_3, \
    sub_id_4 = excluded.sub_id_4, sub_id_5 = excluded.sub_id_5, sub_id_6 = excluded.sub_id_6, \
    adv_sub_id = excluded.adv_sub_id, adv_sub_id_2 = excluded.adv_sub_id_2, adv_sub_id_3 = excluded.adv_sub_id_3, \
    adv_sub_id_4 = excluded.adv_sub_id_4, adv_sub_id_5 = excluded.adv_sub_id_5, \
    adv_sub_id_6 = excluded.adv_sub_id_6, \
    session_time_seconds = excluded.session_time_seconds, conversion_ip = excluded.conversion_ip, \
    conversion_ip_hash = excluded.conversion_ip_hash, user_agent = excluded.user_agent, \
    device_id = excluded.device_id, email_masked = excluded.email_masked, email_hash = excluded.email_hash, \
    currency = excluded.currency, revenue_micros = excluded.revenue_micros, payout_micros = excluded.payout_micros, \
    purchase_value_micros = excluded.purchase_value_micros, \
    reported_revenue_micros = excluded.reported_revenue_micros, \
    reported_payout_micros = excluded.reported_payout_micros, reported_currency = excluded.reported_currency, \
    click_pending = excluded.click_pending, token_id = excluded.token_id, confirmed_at = excluded.confirmed_at, \
    clicked_at = excluded.clicked_at, status_changed_at = excluded.status_changed_at, version = excluded.version";

const SUB_IDS: [&str; 6] = ["sub_id", "sub_id_2", "sub_id_3", "sub_id_4", "sub_id_5", "sub_id_6"];
const ADV_SUB_IDS: [&str; 6] =
    ["adv_sub_id", "adv_sub_id_2", "adv_sub_id_3", "adv_sub_id_4", "adv_sub_id_5", "adv_sub_id_6"];

fn columns<'a>(conversions: &'a [&'a Conversion]) -> Vec<(&'static str, Column<'a>)> {
    let of = Of(conversions);
    let mut columns = identity_columns(&of);
    columns.extend(status_columns(&of));
    columns.extend(visitor_columns(&of));
    columns.extend(money_columns(&of));
    columns.extend(time_columns(&of));
    for (index, name) in SUB_IDS.into_iter().enumerate() {
        columns.push((name, of.text_or_null(move |c| c.sub_ids[index].as_deref())));
    }
    for (index, name) in ADV_SUB_IDS.into_iter().enumerate() {
        columns.push((name, of.text_or_null(move |c| c.adv_sub_ids[index].as_deref())));
    }
    columns
}

fn identity_columns<'a>(of: &Of<'a, &'a Conversion>) -> Vec<(&'static str, Column<'a>)> {
    vec![
        ("id", of.uuid(|c| Some(c.id.uuid()))),
        ("transaction_id", of.bytes(|c| Some(c.transaction_id.as_bytes()))),
        ("event_number", of.i32(|c| Some(c.event_number))),
        ("source", of.text(|c| c.source.as_str())),
        ("offer_id", of.i32(|c| Some(c.offer.number()))),
        ("publisher_id", of.i32(|c| Some(c.publisher.number()))),
        ("order_id", of.text_or_null(|c| c.order_id.as_deref())),
        ("external_transaction_id", of.text_or_null(|c| c.external_transaction_id.as_deref())),
        ("click_pending", of.bool(|c| c.click_pending)),
        ("is_test", of.bool(|c| c.is_test)),
        ("token_id", of.uuid(|c| c.token.map(TokenId::uuid))),
        ("version", of.i32(|c| Some(c.version))),
    ]
}

fn status_columns<'a>(of: &Of<'a, &'a Conversion>) -> Vec<(&'static str, Column<'a>)> {
    vec![
        ("status", of.text(|c| c.status.as_str())),
        ("pending_reason", of.text_or_null(|c| c.pending_reason.map(|reason| reason.as_str()))),
        ("rejection_reason", of.text_or_null(|c| c.rejection_reason.as_deref())),
        ("rejected_by", of.text_or_null(|c| c.rejected_by.map(|party| party.as_str()))),
        ("advertiser_reason", of.text_or_null(|c| c.advertiser_reason.as_deref())),
    ]
}

fn visitor_columns<'a>(of: &Of<'a, &'a Conversion>) -> Vec<(&'static str, Column<'a>)> {
    vec![
        ("session_time_seconds", of.i32(|c| c.session_time_seconds)),
        ("conversion_ip", of.text_or_null(|c| c.conversion_ip.as_ref().map(|ip| ip.network.as_str()))),
        ("conversion_ip_hash", of.bytes(|c| c.conversion_ip.as_ref().map(|ip| ip.hash.as_bytes().as_slice()))),
        ("user_agent", of.text_or_null(|c| c.user_agent.as_deref())),
        ("device_id", of.text_or_null(|c| c.device_id.as_deref())),
        ("email_masked", of.text_or_null(|c| c.email.as_ref().map(|email| email.masked.as_str()))),
        ("email_hash", of.bytes(|c| c.email.as_ref().map(|email| email.hash.as_bytes().as_slice()))),
    ]
}

fn money_columns<'a>(of: &Of<'a, &'a Conversion>) -> Vec<(&'static str, Column<'a>)> {
    vec![
        ("currency", of.text(|c| c.money.currency.as_str())),
        ("revenue_micros", of.i64(|c| c.money.revenue.map(Micros::as_i64))),
        ("payout_micros", of.i64(|c| c.money.payout.map(Micros::as_i64))),
        ("purchase_value_micros", of.i64(|c| c.money.purchase_value.map(Micros::as_i64))),
        ("reported_revenue_micros", of.i64(|c| c.reported.revenue.map(Micros::as_i64))),
        ("reported_payout_micros", of.i64(|c| c.reported.payout.map(Micros::as_i64))),
        ("reported_currency", of.text_or_null(|c| c.reported.currency.as_ref().map(Currency::as_str))),
    ]
}

fn time_columns<'a>(of: &Of<'a, &'a Conversion>) -> Vec<(&'static str, Column<'a>)> {
    vec![
        ("confirmed_at", of.i64(|c| c.confirmed_at.map(Timestamp::as_millis))),
        ("clicked_at", of.i64(|c| c.clicked_at.map(Timestamp::as_millis))),
        ("converted_at", of.i64(|c| Some(c.converted_at.as_millis()))),
        ("recorded_at", of.i64(|c| Some(c.recorded_at.as_millis()))),
        ("status_changed_at", of.i64(|c| Some(c.status_changed_at.as_millis()))),
    ]
}

pub(super) fn change_rows(changes: &[Change]) -> Rows<'_> {
    let of = Of(changes);
    let columns = vec![
        ("id", of.uuid(|c| Some(c.id.uuid()))),
        ("conversion_id", of.uuid(|c| Some(c.conversion.uuid()))),
        ("number", of.i32(|c| Some(c.number))),
        ("at", of.i64(|c| Some(c.author.at.as_millis()))),
        ("kind", of.text(|c| c.kind.as_str())),
        ("from_status", of.text_or_null(|c| c.from.map(|status| status.as_str()))),
        ("to_status", of.text(|c| c.to.as_str())),
        ("reason", of.text_or_null(|c| c.reason.as_deref())),
        ("note", of.text_or_null(|c| c.author.note.as_deref())),
        ("party", of.text(|c| c.author.party.as_str())),
        ("actor", of.text(|c| &c.author.actor)),
        ("receipt_id", of.uuid(|c| c.author.receipt.map(ReceiptId::uuid))),
        ("revenue_before_micros", of.i64(|c| c.revenue_before.map(Micros::as_i64))),
        ("revenue_after_micros", of.i64(|c| c.revenue_after.map(Micros::as_i64))),
        ("payout_before_micros", of.i64(|c| c.payout_before.map(Micros::as_i64))),
        ("payout_after_micros", of.i64(|c| c.payout_after.map(Micros::as_i64))),
        ("currency", of.text(|c| c.currency.as_str())),
    ];
    Rows { table: "conversion_change", columns, tail: "" }
}

/// One additional parameter of a conversion.
pub type Extra = (ConversionId, String, String);

pub(super) fn extra_rows(extras: &[Extra]) -> Rows<'_> {
    let of = Of(extras);
    let columns = vec![
        ("conversion_id", of.uuid(|(id, _, _)| Some(id.uuid()))),
        ("name", of.text(|(_, name, _)| name)),
        ("value", of.text(|(_, _, value)| value)),
    ];
    Rows { table: "conversion_extra", columns, tail: "ON CONFLICT DO NOTHING" }
}

/// The rejections that wait on these keys.
pub async fn parked_by_keys(tx: &mut Tx, keys: &[ConversionKey]) -> Result<Vec<ParkedRejection>, StoreError> {
    let wanted = Column::Bytes(keys.iter().map(|key| Some(key.as_bytes())).collect());
    let rows = tx.select_by("SELECT * FROM parked_rejection WHERE key IN", wanted, "", "").await?;
    models(&rows)?.into_iter().map(parked).collect()
}

fn parked(row: entity::parked_rejection::Model) -> Result<ParkedRejection, StoreError> {
    let bad = |what| StoreError::unreadable("parked_rejection", what);
    Ok(ParkedRejection {
        key: ConversionKey::from_bytes(row.key),
        transaction_id: TransactionId::from_bytes(&row.transaction_id).ok_or_else(|| bad("transaction_id"))?,
        offer: OfferId::new(row.offer_id).ok_or_else(|| bad("offer_id"))?,
        order_id: row.order_id,
        event_number: row.event_number,
        reason: row.reason,
        token: row.token_id.map(TokenId::from_uuid),
        receipt: ReceiptId::from_uuid(row.receipt_id),
        parked_at: Timestamp::from_millis(row.parked_at),
        expires_at: Timestamp::from_millis(row.expires_at),
    })
}

/// One rejection waits on a key: a later one replaces it.
pub async fn upsert_parked(tx: &mut Tx, parked: &[ParkedRejection]) -> Result<(), StoreError> {
    let of = Of(parked);
    let columns = vec![
        ("key", of.bytes(|p| Some(p.key.as_bytes()))),
        ("transaction_id", of.bytes(|p| Some(p.transaction_id.as_bytes()))),
        ("offer_id", of.i32(|p| Some(p.offer.number()))),
        ("order_id", of.text_or_null(|p| p.order_id.as_deref())),
        ("event_number", of.i32(|p| Some(p.event_number))),
        ("reason", of.text(|p| &p.reason)),
        ("token_id", of.uuid(|p| p.token.map(TokenId::uuid))),
        ("receipt_id", of.uuid(|p| Some(p.receipt.uuid()))),
        ("parked_at", of.i64(|p| Some(p.parked_at.as_millis()))),
        ("expires_at", of.i64(|p| Some(p.expires_at.as_millis()))),
    ];
    let tail = "ON CONFLICT (key) DO UPDATE SET reason = excluded.reason, token_id = excluded.token_id, \
        receipt_id = excluded.receipt_id, parked_at = excluded.parked_at";
    tx.insert(Rows { table: "parked_rejection", columns, tail }).await?;
    Ok(())
}

pub async fn delete_parked(tx: &mut Tx, keys: &[ConversionKey]) -> Result<(), StoreError> {
    let wanted = Column::Bytes(keys.iter().map(|key| Some(key.as_bytes())).collect());
    tx.select_by("DELETE FROM parked_rejection WHERE key IN", wanted, "", "").await?;
    Ok(())
}
