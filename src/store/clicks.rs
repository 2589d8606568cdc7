//! Clicks, as they are read.
//!
//! Nothing here writes. A look-up by id alone would visit every day's partition, so it takes the click's
//! millisecond too, which the sealed id tells.

use entity::click as row;

use crate::domain::click::Click;
use crate::domain::clock::Timestamp;

use super::columns::Cell;
use super::error::StoreError;

/// # Errors
/// `Unreadable` for a row that our own code did not write like this.
pub(super) fn click(row: row::Model) -> Result<Click, StoreError> {
    let cell = |column| Cell("click", column);
    Ok(Click {
        transaction_id: cell("transaction_id").transaction(&row.transaction_id)?,
        clicked_at: Timestamp::from_millis(row.clicked_at),
        offer: cell("offer_id").offer(row.offer_id)?,
        publisher: cell("publisher_id").publisher(row.publisher_id)?,
        sub_ids: [row.sub_id, row.sub_id_2, row.sub_id_3, row.sub_id_4, row.sub_id_5, row.sub_id_6],
        external_transaction_id: row.external_transaction_id,
        device_id: row.device_id,
        address: cell("address").address(row.address, row.address_hash)?,
        user_agent: row.user_agent,
        referrer_origin: row.referrer_origin,
        is_bot: row.is_bot,
        is_test: row.is_test,
    })
}
