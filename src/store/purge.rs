//! What is deleted once it is old: receipts, parked rejections, deliveries that have ended, finished jobs, keys of calls,
//! clicks of another system, rows of the feed. Nothing else ever is, but sessions, at a sign-in.
//!
//! In small batches, each a transaction of its own, so that tracking events never wait long behind one.

use entity::{conversion_key, delivery, delivery_attempt, feed, foreign_click, parked_rejection, receipt};
use sea_orm::{ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::domain::clock::Timestamp;

use super::connect::Database;
use super::error::StoreError;
use super::feed::{Head, head as feed_head};
use super::filter::lowest_id;
use super::{idempotency, jobs};

/// Rows of one transaction.
const BATCH_ROWS: u64 = 500;

/// Deletes receipts that arrived before `before`; returns how many.
pub async fn purge_receipts(database: &Database, before: Timestamp) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let batch = database
            .side_write(Box::new(move |transaction| Box::pin(purge_receipt_batch(transaction, before))))
            .await?;
        purged += batch;
        if batch < BATCH_ROWS {
            return Ok(purged);
        }
    }
}

/// Deletes parked rejections that expired before `now`, each with the key that it held; returns how many.
pub async fn purge_parked(database: &Database, now: Timestamp) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let batch =
            database.side_write(Box::new(move |transaction| Box::pin(purge_parked_batch(transaction, now)))).await?;
        purged += batch;
        if batch < BATCH_ROWS {
            return Ok(purged);
        }
    }
}

/// Deletes rows of the feed that were settled before `before`, but the last of them; returns how many.
pub async fn purge_feed(database: &Database, before: Timestamp) -> Result<u64, StoreError> {
    let head = feed_head(database).await?;
    let mut purged = 0;
    loop {
        let batch = database
            .side_write(Box::new(move |transaction| Box::pin(purge_feed_batch(transaction, before, head))))
            .await?;
        purged += batch;
        if batch < BATCH_ROWS {
            return Ok(purged);
        }
    }
}

/// Deletes jobs that ended before `before`, with their errors; returns how many.
pub async fn purge_jobs(database: &Database, before: Timestamp) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let batch = database
            .side_write(Box::new(move |transaction| {
                Box::pin(async move { jobs::purge(transaction, before, BATCH_ROWS).await })
            }))
            .await?;
        purged += batch;
        if batch < BATCH_ROWS {
            return Ok(purged);
        }
    }
}

/// Empties what jobs were asked for that ended before `before`: it may name people. Returns how many there were.
pub async fn forget_job_inputs(database: &Database, before: Timestamp) -> Result<u64, StoreError> {
    let write = database.side_write(Box::new(move |transaction| {
        Box::pin(async move { jobs::forget_inputs(transaction, before).await })
    }));
    write.await
}

/// Deletes deliveries that were made before `before` and have ended, each with its tries; returns how many.
pub async fn purge_deliveries(database: &Database, before: Timestamp) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let batch = database
            .side_write(Box::new(move |transaction| Box::pin(purge_delivery_batch(transaction, before))))
            .await?;
        purged += batch;
        if batch < BATCH_ROWS {
            return Ok(purged);
        }
    }
}

/// Deletes keys of calls that are no longer remembered; returns how many.
pub async fn purge_idempotency_keys(database: &Database, now: Timestamp) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let batch = database
            .side_write(Box::new(move |transaction| {
                Box::pin(async move { idempotency::purge(transaction, now, BATCH_ROWS).await })
            }))
            .await?;
        purged += batch;
        if batch < BATCH_ROWS {
            return Ok(purged);
        }
    }
}

/// Deletes imported clicks from before `before`; returns how many.
pub async fn purge_foreign_clicks(database: &Database, before: Timestamp) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let batch = database
            .side_write(Box::new(move |transaction| Box::pin(purge_foreign_click_batch(transaction, before))))
            .await?;
        purged += batch;
        if batch < BATCH_ROWS {
            return Ok(purged);
        }
    }
}

/// One that is sent again meanwhile is open again, and stays with all of its tries.
async fn purge_delivery_batch(transaction: &DatabaseTransaction, before: Timestamp) -> Result<u64, StoreError> {
    let ids: Vec<uuid::Uuid> = delivery::Entity::find()
        .select_only()
        .column(delivery::Column::Id)
        .filter(delivery::Column::Id.lt(lowest_id(before)))
        .filter(delivery::Column::FinishedAt.is_not_null())
        .order_by_asc(delivery::Column::Id)
        .limit(BATCH_ROWS)
        .lock_exclusive()
        .into_tuple()
        .all(transaction)
        .await?;
    let attempts = delivery_attempt::Entity::delete_many();
    attempts.filter(delivery_attempt::Column::DeliveryId.is_in(ids.clone())).exec(transaction).await?;
    let delete = delivery::Entity::delete_many().filter(delivery::Column::Id.is_in(ids));
    Ok(delete.exec(transaction).await?.rows_affected)
}

async fn purge_receipt_batch(transaction: &DatabaseTransaction, before: Timestamp) -> Result<u64, StoreError> {
    let ids: Vec<uuid::Uuid> = receipt::Entity::find()
        .select_only()
        .column(receipt::Column::Id)
        .filter(receipt::Column::Id.lt(lowest_id(before)))
        .order_by_asc(receipt::Column::Id)
        .limit(BATCH_ROWS)
        .into_tuple()
        .all(transaction)
        .await?;
    let delete = receipt::Entity::delete_many().filter(receipt::Column::Id.is_in(ids));
    Ok(delete.exec(transaction).await?.rows_affected)
}

/// The keys are locked first, in byte order as the writer of tracking events does: a conversion that takes one of
/// them meanwhile keeps it, and two servers never wait for each other.
async fn purge_parked_batch(transaction: &DatabaseTransaction, now: Timestamp) -> Result<u64, StoreError> {
    let keys: Vec<Vec<u8>> = parked_rejection::Entity::find()
        .select_only()
        .column(parked_rejection::Column::Key)
        .filter(parked_rejection::Column::ExpiresAt.lt(now.as_millis()))
        .order_by_asc(parked_rejection::Column::ExpiresAt)
        .limit(BATCH_ROWS)
        .into_tuple()
        .all(transaction)
        .await?;
    let free = conversion_key::Entity::find()
        .filter(conversion_key::Column::Key.is_in(keys.clone()))
        .filter(conversion_key::Column::ConversionId.is_null())
        .order_by_asc(conversion_key::Column::Key)
        .lock_exclusive()
        .all(transaction)
        .await?;
    let free = free.into_iter().map(|row| row.key);
    conversion_key::Entity::delete_many().filter(conversion_key::Column::Key.is_in(free)).exec(transaction).await?;
    let delete = parked_rejection::Entity::delete_many()
        .filter(parked_rejection::Column::Key.is_in(keys))
        .filter(parked_rejection::Column::ExpiresAt.lt(now.as_millis()));
    Ok(delete.exec(transaction).await?.rows_affected)
}

async fn purge_foreign_click_batch(transaction: &DatabaseTransaction, before: Timestamp) -> Result<u64, StoreError> {
    let ids: Vec<String> = foreign_click::Entity::find()
        .select_only()
        .column(foreign_click::Column::ForeignId)
        .filter(foreign_click::Column::ClickedAt.lt(before.as_millis()))
        .order_by_asc(foreign_click::Column::ClickedAt)
        .limit(BATCH_ROWS)
        .into_tuple()
        .all(transaction)
        .await?;
    let delete = foreign_click::Entity::delete_many().filter(foreign_click::Column::ForeignId.is_in(ids));
    Ok(delete.exec(transaction).await?.rows_affected)
}

/// The lowest row that is left tells followers what is gone, so the last old one stays. One that lies ahead of
/// everything that can be read came from another cluster, and would be read as new one day.
async fn purge_feed_batch(transaction: &DatabaseTransaction, before: Timestamp, head: Head) -> Result<u64, StoreError> {
    let is_old = feed::Column::At.lt(before.as_millis());
    let last: Option<i64> = feed::Entity::find()
        .select_only()
        .column(feed::Column::Position)
        .filter(is_old.clone())
        .filter(feed::Column::Position.lte(head.safe()))
        .order_by_desc(feed::Column::Position)
        .limit(1)
        .into_tuple()
        .one(transaction)
        .await?;
    let Some(last) = last else { return Ok(0) };
    let others = Condition::any().add(feed::Column::Position.lt(last)).add(feed::Column::Position.gt(head.safe()));
    let positions: Vec<i64> = feed::Entity::find()
        .select_only()
        .column(feed::Column::Position)
        .filter(is_old)
        .filter(others)
        .order_by_asc(feed::Column::Position)
        .limit(BATCH_ROWS)
        .into_tuple()
        .all(transaction)
        .await?;
    let delete = feed::Entity::delete_many().filter(feed::Column::Position.is_in(positions));
    Ok(delete.exec(transaction).await?.rows_affected)
}
