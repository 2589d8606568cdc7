//! Days of the workspace's zone, in which figures are counted.
//!
//! A generation is one count of days, in one zone. Every batch raises the counter of each day that it touches, in the
//! newest generation from the moment that it begins (no batch is under way then, see `settings::update`): so a count of a
//! day knows whether it has missed something, and a report whether the count still holds.

use entity::{rollup, rollup_day_change, sub_id_day};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait as _, ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};
use sea_orm::{QuerySelect as _, QueryTrait as _};

use super::connect::Database;
use super::error::StoreError;
use crate::domain::calendar::Zone;
use crate::domain::clock::Timestamp;

/// One count of days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    pub number: i32,
    pub zone: Zone,
}

/// Where the first day begins in which anything was counted; none while nothing was.
pub async fn first(database: &Database, zone: &Zone) -> Result<Option<Timestamp>, StoreError> {
    let first = rollup::Entity::find().select_only().expr_as(rollup::Column::BucketAt.min(), "first");
    let first: Option<Option<i64>> = first.into_tuple().one(database.read()).await?;
    Ok(first.flatten().map(|first| zone.day_of(Timestamp::from_millis(first))))
}

/// A day of a generation before this one; none when none is left.
pub async fn older(database: &Database, generation: i32) -> Result<Option<Timestamp>, StoreError> {
    let changes = rollup_day_change::Entity::find().select_only().column(rollup_day_change::Column::DayAt);
    let changes = changes.filter(rollup_day_change::Column::Generation.lt(generation)).limit(1);
    let counts = sub_id_day::Entity::find().select_only().column(sub_id_day::Column::DayAt);
    let counts = counts.filter(sub_id_day::Column::Generation.lt(generation)).limit(1);
    for select in [changes.into_query(), counts.into_query()] {
        if let Some(row) = database.read().query_one(&select).await? {
            return Ok(Some(Timestamp::from_millis(row.try_get("", "day_at")?)));
        }
    }
    Ok(None)
}

/// Forgets this day of the generations before this one; the editions of its counts are deleted as any that no day holds.
pub async fn delete_older(database: &Database, generation: i32, day: Timestamp) -> Result<(), StoreError> {
    let day = day.as_millis();
    database.side_write(Box::new(move |transaction| Box::pin(delete_day(transaction, generation, day)))).await
}

async fn delete_day(transaction: &DatabaseTransaction, generation: i32, day: i64) -> Result<(), StoreError> {
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
