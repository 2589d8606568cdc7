//! Clicks, as they are read.
//!
//! Nothing here writes. A look-up by id alone would visit every day's partition, so it takes the click's
//! millisecond too, which the sealed id tells.

use entity::click as row;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Statement};

use crate::domain::click::Click;
use crate::domain::clock::Timestamp;
use crate::domain::transaction_id::{TransactionId, lowest_of};

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;

/// `clicked_at` is the millisecond under the id's seal; without it every partition is asked.
pub async fn find(
    database: &Database,
    transaction: &TransactionId,
    clicked_at: Option<Timestamp>,
) -> Result<Option<Click>, StoreError> {
    let of_transaction = row::Entity::find().filter(row::Column::TransactionId.eq(transaction.as_bytes().to_vec()));
    let select = match clicked_at {
        Some(at) => of_transaction.filter(row::Column::ClickedAt.eq(at.as_millis())),
        None => of_transaction,
    };
    select.one(database.read()).await?.map(click).transpose()
}

/// The clicks of these transactions that are there, in no order; `clicked_at` as for [`find`].
pub async fn find_many(database: &Database, ids: &[(TransactionId, Timestamp)]) -> Result<Vec<Click>, StoreError> {
    let transactions = ids.iter().map(|(id, _)| id.as_bytes().to_vec());
    let times = ids.iter().map(|(_, at)| at.as_millis());
    let rows = row::Entity::find()
        .filter(row::Column::TransactionId.is_in(transactions))
        .filter(row::Column::ClickedAt.is_in(times))
        .all(database.read())
        .await?;
    rows.into_iter().map(click).collect()
}

/// Clicks that are there, of conversions recorded `since` then that still wait for theirs; the oldest first.
pub async fn awaited_since(database: &Database, since: Timestamp, items_max: u64) -> Result<Vec<Click>, StoreError> {
    const SQL: &str = "SELECT k.* FROM conversion c \
        JOIN click k ON k.transaction_id = c.transaction_id AND k.clicked_at = c.clicked_at \
        WHERE c.click_pending AND c.recorded_at >= $1 ORDER BY c.recorded_at LIMIT $2";
    let backend = database.read().get_database_backend();
    let items_max = i64::try_from(items_max).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(backend, SQL, [since.as_millis().into(), items_max.into()]);
    let rows = row::Entity::find().from_raw_sql(statement).all(database.read()).await?;
    rows.into_iter().map(click).collect()
}

/// The first bytes (key number and kind) that the ids of clicks have: ids of one first byte lie in the order of time.
pub(super) async fn headers(database: &Database) -> Result<Vec<u8>, StoreError> {
    let mut headers = Vec::new();
    let mut from = Some(0_u8);
    while let Some(low) = from {
        let first = first_from(database, vec![low]).await?.and_then(|(id, _)| id.first().copied());
        headers.extend(first);
        from = first.and_then(|header| header.checked_add(1));
    }
    Ok(headers)
}

/// The first click whose id is not below `low`: its id, and when it was.
pub(super) async fn first_from(database: &Database, low: Vec<u8>) -> Result<Option<(Vec<u8>, i64)>, StoreError> {
    let select = row::Entity::find().select_only().columns([row::Column::TransactionId, row::Column::ClickedAt]);
    let first = select.filter(row::Column::TransactionId.gte(low)).order_by_asc(row::Column::TransactionId);
    Ok(first.limit(1).into_tuple().one(database.read()).await?)
}

/// Where the clicks of a time are looked for: their only index is by id. A condition with parameters from `$first` on,
/// and what they are bound to.
pub(super) fn ranges(headers: &[u8], (from, to): (Timestamp, Timestamp), first: usize) -> (String, Vec<Vec<u8>>) {
    let (mut ranges, mut bounds) = (Vec::new(), Vec::new());
    for header in headers {
        let at = first + bounds.len();
        ranges.push(format!("(transaction_id >= ${at} AND transaction_id < ${})", at + 1));
        bounds.extend([from, to].map(|instant| lowest_of(*header, instant).to_vec()));
    }
    let ranges = if ranges.is_empty() { "1 = 0".to_owned() } else { ranges.join(" OR ") };
    (ranges, bounds)
}

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
