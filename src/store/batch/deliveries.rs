//! `delivery`: the outbox, written with the change that it tells.

use super::columns::Of;
use crate::domain::delivery::{DeliveryState, NewDelivery};
use crate::domain::ids::ConversionId;
use crate::store::connect::Tx;
use crate::store::dialect::{Column, Rows};
use crate::store::error::StoreError;

/// They are as new as their change is.
pub(super) fn delivery_rows(deliveries: &[NewDelivery]) -> Rows<'_> {
    let of = Of(deliveries);
    let columns = vec![
        ("id", of.uuid(|d| Some(d.id.uuid()))),
        ("outbound_id", of.uuid(|d| Some(d.rule.uuid()))),
        ("conversion_id", of.uuid(|d| Some(d.conversion.uuid()))),
        ("change_number", of.i32(|d| Some(d.change_number))),
        ("moment", of.text(|d| d.moment.as_str())),
        ("state", of.text(|_| DeliveryState::Pending.as_str())),
        ("attempts", of.i32(|_| Some(0))),
        ("tries", of.i32(|_| Some(0))),
        ("awaits_click", of.bool(|d| d.awaits_click)),
        ("created_at", of.i64(|d| Some(d.created_at.as_millis()))),
        ("ready_at", of.i64(|d| Some(d.ready_at.as_millis()))),
        ("due_at", of.i64(|d| Some(d.due_at.as_millis()))),
    ];
    Rows { table: "delivery", columns, tail: "" }
}

/// Their click is there now: what waited for it goes when it is ready.
pub async fn release_deliveries(tx: &mut Tx, conversions: &[ConversionId]) -> Result<(), StoreError> {
    let wanted = Column::Uuid(conversions.iter().map(|id| Some(id.uuid())).collect());
    let head = "UPDATE delivery SET due_at = ready_at, awaits_click = FALSE WHERE awaits_click AND conversion_id IN";
    tx.select_by(head, wanted, "", "").await?;
    Ok(())
}
