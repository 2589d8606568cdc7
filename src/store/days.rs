//! `rollup_day`: figures by day of the workspace's zone, and how they come to hold what was counted before.
//!
//! A generation is one count of days, in one zone. Batches write the differences of the newest one from the moment
//! that it begins (no batch is under way then, see `settings::update`). What was counted before is its base: for each
//! day the 15 minutes less what the generation's own batches have written, taken in one statement. Both move by the
//! same amounts, so the base is the same whenever it is taken, and may be taken again, by any server.
//! A generation is read by reports once all of its days have their base.

use entity::{rollup, rollup_day, rollup_day_change, sub_id_day};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter as _, QuerySelect as _,
};
use sea_orm::{QueryTrait as _, Statement, Value};

use super::connect::Database;
use super::error::StoreError;
use super::settings::{self, Setting};
use crate::domain::calendar::{Interval, Zone};
use crate::domain::clock::Timestamp;

/// One count of days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    pub number: i32,
    pub zone: Zone,
}

/// The writer of a base: no batch has it.
pub const BASE_SLOT: i16 = -1;

/// Has everything been counted in the days of this generation?
pub async fn is_complete(database: &Database, generation: i32) -> Result<bool, StoreError> {
    is_complete_in(database.read(), generation).await
}

pub(super) async fn is_complete_in(connection: &impl ConnectionTrait, generation: i32) -> Result<bool, StoreError> {
    let complete = settings::find_in(connection, Setting::DaysComplete).await?;
    Ok(complete.is_some_and(|complete| complete == generation.to_string()))
}

/// Where the first day begins in which anything was counted; none while nothing was.
pub async fn first(database: &Database, zone: &Zone) -> Result<Option<Timestamp>, StoreError> {
    let first = rollup::Entity::find().select_only().expr_as(rollup::Column::BucketAt.min(), "first");
    let first: Option<Option<i64>> = first.into_tuple().one(database.read()).await?;
    Ok(first.flatten().map(|first| zone.day_of(Timestamp::from_millis(first))))
}

/// Takes the base of one day.
///
/// # Errors
/// The database is away; nothing was written then.
pub async fn take_base(database: &Database, generation: &Generation, day: Timestamp) -> Result<(), StoreError> {
    let next = generation.zone.next(day, Interval::Day);
    let (number, day, next) = (generation.number, day.as_millis(), next.as_millis());
    let work = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let values = [Value::from(number), Value::from(day), Value::from(next)];
            if run(transaction, TAKE_BASE, values).await? > 0 {
                run(transaction, TOUCH, [Value::from(number), Value::from(day)]).await?;
            }
            Ok(())
        })
    }));
    work.await
}

/// Says that all days of a generation have their base, unless it is no longer the newest.
pub async fn complete(database: &Database, generation: i32) -> Result<(), StoreError> {
    let work = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let newest = settings::load_in(transaction).await?.day_generation;
            if newest == generation {
                settings::set(transaction, Setting::DaysComplete, Some(&generation.to_string())).await?;
            }
            Ok(())
        })
    }));
    work.await
}

/// A day of a generation before this one; none when none is left.
pub async fn older(database: &Database, generation: i32) -> Result<Option<Timestamp>, StoreError> {
    let days = rollup_day::Entity::find().select_only().column(rollup_day::Column::DayAt);
    let days = days.filter(rollup_day::Column::Generation.lt(generation)).limit(1);
    let changes = rollup_day_change::Entity::find().select_only().column(rollup_day_change::Column::DayAt);
    let changes = changes.filter(rollup_day_change::Column::Generation.lt(generation)).limit(1);
    let counts = sub_id_day::Entity::find().select_only().column(sub_id_day::Column::DayAt);
    let counts = counts.filter(sub_id_day::Column::Generation.lt(generation)).limit(1);
    for select in [days.into_query(), changes.into_query(), counts.into_query()] {
        if let Some(row) = database.read().query_one(&select).await? {
            return Ok(Some(Timestamp::from_millis(row.try_get("", "day_at")?)));
        }
    }
    Ok(None)
}

/// Deletes this day of the generations before this one.
pub async fn delete_older(database: &Database, generation: i32, day: Timestamp) -> Result<(), StoreError> {
    let day = day.as_millis();
    database.side_write(Box::new(move |transaction| Box::pin(delete_day(transaction, generation, day)))).await
}

async fn delete_day(transaction: &DatabaseTransaction, generation: i32, day: i64) -> Result<(), StoreError> {
    rollup_day::Entity::delete_many()
        .filter(rollup_day::Column::Generation.lt(generation).and(rollup_day::Column::DayAt.eq(day)))
        .exec(transaction)
        .await?;
    rollup_day_change::Entity::delete_many()
        .filter(rollup_day_change::Column::Generation.lt(generation).and(rollup_day_change::Column::DayAt.eq(day)))
        .exec(transaction)
        .await?;
    sub_id_day::Entity::delete_many()
        .filter(sub_id_day::Column::Generation.lt(generation).and(sub_id_day::Column::DayAt.eq(day)))
        .exec(transaction)
        .await?;
    Ok(())
}

async fn run<const N: usize>(
    transaction: &DatabaseTransaction,
    sql: &'static str,
    values: [Value; N],
) -> Result<u64, StoreError> {
    let statement = Statement::from_sql_and_values(transaction.get_database_backend(), sql, values);
    Ok(transaction.execute_raw(statement).await?.rows_affected())
}

/// A day that has a base has been touched: whoever looks for days with facts finds it.
const TOUCH: &str = "INSERT INTO rollup_day_change (generation, day_at, slot, changes) VALUES ($1, $2, -1, 1)
ON CONFLICT (generation, day_at, slot) DO NOTHING";

/// Rows of nothing are written too: a base that was taken wrongly by an old binary is mended by taking it again.
const TAKE_BASE: &str = "INSERT INTO rollup_day (generation, day_at, offer_id, publisher_id, currency, slot,
    clicks, conversions, approved, pending, rejected, events, revenue_micros, payout_micros)
SELECT $1, $2, offer_id, publisher_id, currency, -1, CAST(SUM(clicks) AS BIGINT), CAST(SUM(conversions) AS BIGINT),
    CAST(SUM(approved) AS BIGINT), CAST(SUM(pending) AS BIGINT), CAST(SUM(rejected) AS BIGINT),
    CAST(SUM(events) AS BIGINT),
    CAST(SUM(revenue_micros) AS BIGINT), CAST(SUM(payout_micros) AS BIGINT)
FROM (
    SELECT offer_id, publisher_id, currency, clicks, conversions, approved, pending, rejected, events, revenue_micros,
        payout_micros
    FROM rollup WHERE bucket_at >= $2 AND bucket_at < $3
    UNION ALL
    SELECT offer_id, publisher_id, currency, -clicks, -conversions, -approved, -pending, -rejected, -events, -revenue_micros,
        -payout_micros
    FROM rollup_day WHERE generation = $1 AND day_at = $2 AND slot >= 0
) AS counted
GROUP BY offer_id, publisher_id, currency
ON CONFLICT (generation, day_at, offer_id, publisher_id, currency, slot) DO UPDATE SET clicks = excluded.clicks,
    conversions = excluded.conversions, approved = excluded.approved, pending = excluded.pending,
    rejected = excluded.rejected, events = excluded.events, revenue_micros = excluded.revenue_micros, payout_micros = excluded.payout_micros";
