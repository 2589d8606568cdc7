//! How far the figures by sub id have come, for one report.

use std::collections::HashMap;

use entity::{rollup, rollup_day_change, sub_id_day};
use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use crate::domain::calendar::Interval;
use crate::domain::clock::Timestamp;
use crate::store::error::StoreError;

use super::plan::Plan;

/// The instant before which all that a report shows is counted: now, unless a day of it has changed since it was
/// counted, or was not counted yet.
pub(super) async fn data_through(
    tx: &DatabaseTransaction,
    plan: &Plan,
    now: Timestamp,
) -> Result<Timestamp, StoreError> {
    let (days, _) = plan.pieces();
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return Ok(now) };
    let first_fact = rollup::Entity::find().select_only().expr_as(rollup::Column::BucketAt.min(), "first");
    let first_fact: Option<Option<i64>> = first_fact.into_tuple().one(tx).await?;
    let Some(first_fact) = first_fact.flatten() else { return Ok(now) };
    let zone = &plan.days.zone;
    let range = (first.from.as_millis(), last.to.as_millis());
    let (changes, counts) = (changes(tx, plan.days.number, range).await?, counts(tx, plan.days.number, range).await?);
    let mut through = now;
    let mut day = first.from.max(zone.day_of(Timestamp::from_millis(first_fact)));
    while day < last.to && day <= now {
        match (changes.get(&day.as_millis()), counts.get(&day.as_millis())) {
            (changes, Some((counted, _))) if *counted == changes.copied().unwrap_or(0) => {}
            (_, Some((_, counted_at))) => through = through.min(*counted_at),
            (_, None) => through = through.min(day),
        }
        day = zone.next(day, Interval::Day);
    }
    Ok(through)
}

async fn changes(
    tx: &DatabaseTransaction,
    generation: i32,
    (from, to): (i64, i64),
) -> Result<HashMap<i64, i64>, StoreError> {
    use rollup_day_change::Column;
    let select = rollup_day_change::Entity::find()
        .select_only()
        .columns([Column::DayAt, Column::Changes])
        .filter(Column::Generation.eq(generation))
        .filter(Column::DayAt.gte(from))
        .filter(Column::DayAt.lt(to));
    let rows: Vec<(i64, i64)> = select.into_tuple().all(tx).await?;
    let mut sums: HashMap<i64, i64> = HashMap::new();
    for (day, changes) in rows {
        let sum = sums.entry(day).or_default();
        *sum = sum.saturating_add(changes);
    }
    Ok(sums)
}

/// By day: the changes that its count has seen, and when it was made.
async fn counts(
    tx: &DatabaseTransaction,
    generation: i32,
    (from, to): (i64, i64),
) -> Result<HashMap<i64, (i64, Timestamp)>, StoreError> {
    use sub_id_day::Column;
    let rows = sub_id_day::Entity::find()
        .filter(Column::Generation.eq(generation))
        .filter(Column::DayAt.gte(from))
        .filter(Column::DayAt.lt(to))
        .all(tx)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.day_at, (row.counted_changes, Timestamp::from_millis(row.counted_at))))
        .collect())
}
