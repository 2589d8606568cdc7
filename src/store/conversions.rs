//! Conversions, their history and their additional parameters, as they are read.
//!
//! Nothing here writes or decides.

use entity::{conversion as row, conversion_change as change_row};

use crate::domain::clock::Timestamp;
use crate::domain::conversion::{Author, Change, ChangeKind, Conversion, Money, PendingReason, Reported, Source};
use crate::domain::ids::{ChangeId, ConversionId, ReceiptId, TokenId};
use crate::domain::money::Micros;
use crate::domain::status::{Party, Status};

use super::columns::Cell;
use super::error::StoreError;

const TABLE: &str = "conversion";
const CHANGE_TABLE: &str = "conversion_change";

/// # Errors
/// `Unreadable` for a row that our own code did not write like this.
pub(super) fn conversion(row: row::Model) -> Result<Conversion, StoreError> {
    let cell = |column| Cell(TABLE, column);
    Ok(Conversion {
        id: ConversionId::from_uuid(row.id),
        transaction_id: cell("transaction_id").transaction(&row.transaction_id)?,
        event_number: row.event_number,
        source: cell("source").word(&row.source, Source::parse)?,
        status: cell("status").word(&row.status, Status::parse)?,
        pending_reason: cell("pending_reason").optional_word(row.pending_reason.as_deref(), PendingReason::parse)?,
        rejection_reason: row.rejection_reason,
        rejected_by: cell("rejected_by").optional_word(row.rejected_by.as_deref(), Party::parse)?,
        advertiser_reason: row.advertiser_reason,
        offer: cell("offer_id").offer(row.offer_id)?,
        publisher: cell("publisher_id").publisher(row.publisher_id)?,
        order_id: row.order_id,
        external_transaction_id: row.external_transaction_id,
        sub_ids: [row.sub_id, row.sub_id_2, row.sub_id_3, row.sub_id_4, row.sub_id_5, row.sub_id_6],
        adv_sub_ids: [
            row.adv_sub_id,
            row.adv_sub_id_2,
            row.adv_sub_id_3,
            row.adv_sub_id_4,
            row.adv_sub_id_5,
            row.adv_sub_id_6,
        ],
        session_time_seconds: row.session_time_seconds,
        conversion_ip: cell("conversion_ip").address(row.conversion_ip, row.conversion_ip_hash)?,
        user_agent: row.user_agent,
        device_id: row.device_id,
        email: cell("email_masked").email(row.email_masked, row.email_hash)?,
        money: Money {
            currency: cell("currency").currency(&row.currency)?,
            revenue: row.revenue_micros.map(Micros::from_i64),
            payout: row.payout_micros.map(Micros::from_i64),
            purchase_value: row.purchase_value_micros.map(Micros::from_i64),
        },
        reported: Reported {
            revenue: row.reported_revenue_micros.map(Micros::from_i64),
            payout: row.reported_payout_micros.map(Micros::from_i64),
            currency: row.reported_currency.map(|code| cell("reported_currency").currency(&code)).transpose()?,
        },
        click_pending: row.click_pending,
        is_test: row.is_test,
        token: row.token_id.map(TokenId::from_uuid),
        confirmed_at: row.confirmed_at.map(Timestamp::from_millis),
        clicked_at: row.clicked_at.map(Timestamp::from_millis),
        converted_at: Timestamp::from_millis(row.converted_at),
        recorded_at: Timestamp::from_millis(row.recorded_at),
        status_changed_at: Timestamp::from_millis(row.status_changed_at),
        version: row.version,
    })
}

/// # Errors
/// As [`conversion`].
pub(super) fn change(row: change_row::Model) -> Result<Change, StoreError> {
    let cell = |column| Cell(CHANGE_TABLE, column);
    let to = row.to_status.as_deref().ok_or_else(|| cell("to_status").unreadable())?;
    Ok(Change {
        id: ChangeId::from_uuid(row.id),
        conversion: ConversionId::from_uuid(row.conversion_id),
        number: row.number,
        kind: cell("kind").word(&row.kind, ChangeKind::parse)?,
        from: cell("from_status").optional_word(row.from_status.as_deref(), Status::parse)?,
        to: cell("to_status").word(to, Status::parse)?,
        reason: row.reason,
        revenue_before: row.revenue_before_micros.map(Micros::from_i64),
        revenue_after: row.revenue_after_micros.map(Micros::from_i64),
        payout_before: row.payout_before_micros.map(Micros::from_i64),
        payout_after: row.payout_after_micros.map(Micros::from_i64),
        currency: cell("currency").currency(&row.currency)?,
        author: Author {
            party: cell("party").word(&row.party, Party::parse)?,
            actor: row.actor,
            receipt: row.receipt_id.map(ReceiptId::from_uuid),
            at: Timestamp::from_millis(row.at),
            note: row.note,
        },
    })
}
