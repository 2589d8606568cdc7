//! The sums of one day: `rollup_day` by offer and publisher, `rollup_day_sum` by either alone, and `rollup_sum` the same in
//! 15 minutes.
//!
//! They are part of the count of a day that `sub_ids` makes, and hold when it does. What they sum is `rollup`, which is
//! exact; so is a report that reads them only for days whose count is as new as their facts.
//! A sum by offer has publisher 0 and a sum by publisher offer 0: neither number is ever given.

use std::collections::BTreeMap;

use entity::{rollup_day as day, rollup_day_sum as day_sum, rollup_sum as row};
use futures_util::{StreamExt as _, pin_mut};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryResult, QuerySelect as _};

use super::connect::Database;
use super::error::StoreError;
use super::sub_ids::{CHUNK_ROWS, COUNTS, insert};
use crate::domain::clock::Timestamp;

/// Sums one day. No more than its whole sums and one chunk of its 15 minutes are in memory.
pub(super) async fn write(
    database: &Database,
    edition: i64,
    (from, to): (Timestamp, Timestamp),
) -> Result<(), StoreError> {
    for by in ["offer_id, 0 AS publisher_id", "0 AS offer_id, publisher_id"] {
        let days = write_quarters(database, edition, &sums_sql("bucket_at", by, (from, to))).await?;
        insert::<day_sum::ActiveModel>(database, days).await?;
    }
    let sql = sums_sql(&from.as_millis().to_string(), "offer_id, publisher_id", (from, to));
    let mut read = database.open_long_read().await?;
    let rows = read.stream(&sql, Vec::new());
    pin_mut!(rows);
    let mut days = Vec::new();
    while let Some(row) = rows.next().await {
        days.push(of_pair(read_row(edition, &row?)?));
    }
    insert::<day::ActiveModel>(database, days).await
}

/// Returns what the 15 minutes come to.
async fn write_quarters(database: &Database, edition: i64, sql: &str) -> Result<Vec<day_sum::Model>, StoreError> {
    let mut read = database.open_long_read().await?;
    let rows = read.stream(sql, Vec::new());
    pin_mut!(rows);
    let mut days: BTreeMap<(i32, i32, String), day_sum::Model> = BTreeMap::new();
    let mut ready = Vec::new();
    while let Some(row) = rows.next().await {
        let quarter = read_row(edition, &row?)?;
        let key = (quarter.publisher_id, quarter.offer_id, quarter.currency.clone());
        match days.get_mut(&key) {
            Some(day) => add(day, &quarter),
            None => drop(days.insert(key, of_day(&quarter))),
        }
        ready.push(quarter);
        if ready.len() >= CHUNK_ROWS {
            insert::<row::ActiveModel>(database, std::mem::take(&mut ready)).await?;
        }
    }
    insert::<row::ActiveModel>(database, ready).await?;
    Ok(days.into_values().collect())
}

/// Deletes the sums of an edition, a publisher at a time, so that nobody waits long.
pub(super) async fn delete(database: &Database, edition: i64) -> Result<(), StoreError> {
    let next = || {
        let of_edition = row::Column::Edition.eq(edition);
        row::Entity::find().select_only().column(row::Column::PublisherId).filter(of_edition).limit(1)
    };
    while let Some(publisher) = next().into_tuple::<i32>().one(database.read()).await? {
        let work = database.side_write(Box::new(move |transaction| {
            Box::pin(async move {
                let delete = row::Entity::delete_many().filter(row::Column::Edition.eq(edition));
                delete.filter(row::Column::PublisherId.eq(publisher)).exec(transaction).await?;
                Ok(())
            })
        }));
        work.await?;
    }
    let work = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            day_sum::Entity::delete_many().filter(day_sum::Column::Edition.eq(edition)).exec(transaction).await?;
            day::Entity::delete_many().filter(day::Column::Edition.eq(edition)).exec(transaction).await?;
            Ok(())
        })
    }));
    work.await
}

fn sums_sql(at: &str, by: &str, (from, to): (Timestamp, Timestamp)) -> String {
    let sums = COUNTS.map(|name| format!("CAST(SUM({name}) AS BIGINT) AS {name}")).join(", ");
    format!(
        "SELECT CAST({at} AS BIGINT) AS at, {by}, currency, {sums} FROM rollup
         WHERE bucket_at >= {} AND bucket_at < {} GROUP BY 1, 2, 3, 4",
        from.as_millis(),
        to.as_millis()
    )
}

fn read_row(edition: i64, fact: &QueryResult) -> Result<row::Model, StoreError> {
    let sum = |column| fact.try_get::<i64>("", column);
    Ok(row::Model {
        edition,
        publisher_id: fact.try_get("", "publisher_id")?,
        offer_id: fact.try_get("", "offer_id")?,
        currency: fact.try_get("", "currency")?,
        bucket_at: sum("at")?,
        clicks: sum("clicks")?,
        conversions: sum("conversions")?,
        approved: sum("approved")?,
        pending: sum("pending")?,
        rejected: sum("rejected")?,
        events: sum("events")?,
        revenue_micros: sum("revenue_micros")?,
        payout_micros: sum("payout_micros")?,
    })
}

fn of_day(quarter: &row::Model) -> day_sum::Model {
    let row::Model {
        edition, publisher_id, offer_id, clicks, conversions, approved, pending, rejected, events, ..
    } = *quarter;
    day_sum::Model {
        edition,
        publisher_id,
        offer_id,
        currency: quarter.currency.clone(),
        clicks,
        conversions,
        approved,
        pending,
        rejected,
        events,
        revenue_micros: quarter.revenue_micros,
        payout_micros: quarter.payout_micros,
    }
}

fn of_pair(sum: row::Model) -> day::Model {
    let row::Model {
        edition, publisher_id, offer_id, clicks, conversions, approved, pending, rejected, events, ..
    } = sum;
    day::Model {
        edition,
        offer_id,
        publisher_id,
        currency: sum.currency,
        clicks,
        conversions,
        approved,
        pending,
        rejected,
        events,
        revenue_micros: sum.revenue_micros,
        payout_micros: sum.payout_micros,
    }
}

fn add(day: &mut day_sum::Model, quarter: &row::Model) {
    for (sum, more) in [
        (&mut day.clicks, quarter.clicks),
        (&mut day.conversions, quarter.conversions),
        (&mut day.approved, quarter.approved),
        (&mut day.pending, quarter.pending),
        (&mut day.rejected, quarter.rejected),
        (&mut day.events, quarter.events),
        (&mut day.revenue_micros, quarter.revenue_micros),
        (&mut day.payout_micros, quarter.payout_micros),
    ] {
        *sum = sum.saturating_add(more);
    }
}
