//! `rollup_sub_id`: figures by the publisher's first free field, counted anew for a whole day at a time.
//!
//! A day is counted into an edition of its own, which holds once `sub_id_day` names it: nobody sees half of one. The
//! day's changes are read before its facts, so a count that has missed something says so itself, and is made again.
//! Of each offer, publisher and day the most frequent values are kept, the others together as [`OTHER`].
//! The sums of the day are part of the same count ([`sums`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{figure_keeper, rollup_day_change, rollup_sub_id as row, sub_id_day, sub_id_edition};
use futures_util::{StreamExt as _, pin_mut};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{ActiveModelTrait, ColumnTrait as _, DatabaseTransaction, EntityTrait, IntoActiveModel};
use sea_orm::{QueryFilter as _, QueryResult, QuerySelect as _};

use super::clicks;
use super::connect::Database;
use super::days::{self, Generation};
use super::dialect::Column;
use super::error::StoreError;
use super::{keeper, sums};
use crate::domain::calendar::Interval;
use crate::domain::clock::Timestamp;

/// Values of one offer, publisher and day that are kept.
pub const VALUES_MAX: usize = 10_000;
/// What stands for all that are beyond it.
pub const OTHER: &str = "(other)";
/// ISO 4217's word for no currency: what clicks are counted under.
pub(super) const NO_CURRENCY: &str = "XXX";
/// Rows of one insert.
pub(super) const CHUNK_ROWS: usize = 400;

/// Who counts, and until when it may.
#[derive(Clone, Debug)]
pub struct Held {
    pub holder: String,
    pub until: Timestamp,
}

/// The days whose facts have changed since they were counted, or that were never counted; the newest first.
pub async fn outdated(
    database: &Database,
    generation: &Generation,
    now: Timestamp,
) -> Result<Vec<Timestamp>, StoreError> {
    let Some(mut day) = days::first(database, &generation.zone).await? else { return Ok(Vec::new()) };
    let (changes, counted) = (changes(database, generation.number).await?, counted(database, generation.number).await?);
    // Those of another zone, or of an older server, have facts and no changes.
    let mut all: BTreeSet<Timestamp> = changes.keys().copied().collect();
    while day <= now {
        all.insert(day);
        day = generation.zone.next(day, Interval::Day);
    }
    let is_old = |day: &Timestamp| counted.get(day).copied() != Some(changes.get(day).copied().unwrap_or(0));
    Ok(all.into_iter().rev().filter(is_old).collect())
}

/// Counts one day, and lets the count hold; false when somebody else has taken the keeping meanwhile.
///
/// # Errors
/// The database is away; the count before holds then.
pub async fn count_day(
    database: &Database,
    generation: &Generation,
    day: Timestamp,
    held: &Held,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(edition) = begin(database, held.clone()).await? else { return Ok(false) };
    let seen = changes(database, generation.number).await?.get(&day).copied().unwrap_or(0);
    let range = (day, generation.zone.next(day, Interval::Day));
    write_counts(database, edition, range).await?;
    sums::write(database, edition, range).await?;
    let count = sub_id_day::Model {
        generation: generation.number,
        day_at: day.as_millis(),
        edition,
        counted_changes: seen,
        counted_at: now.as_millis(),
    };
    let held = held.clone();
    let work = database.side_write(Box::new(move |transaction| Box::pin(finish(transaction, count, held))));
    work.await
}

/// An edition that no day holds; none when there is none. One that is being written is held by none either.
pub async fn stale(database: &Database) -> Result<Option<i64>, StoreError> {
    let held = Query::select().column(sub_id_day::Column::Edition).from(sub_id_day::Entity).take();
    let stale = sub_id_edition::Entity::find().filter(sub_id_edition::Column::Edition.not_in_subquery(held));
    Ok(stale.one(database.read()).await?.map(|row| row.edition))
}

/// Deletes an edition, an offer at a time, so that nobody waits long. Only whoever keeps may do it.
pub async fn delete(database: &Database, edition: i64) -> Result<(), StoreError> {
    let of_edition = || row::Column::Edition.eq(edition);
    let next = || row::Entity::find().select_only().column(row::Column::OfferId).filter(of_edition()).limit(1);
    while let Some(offer) = next().into_tuple::<i32>().one(database.read()).await? {
        let work = database.side_write(Box::new(move |transaction| {
            Box::pin(async move {
                let delete = row::Entity::delete_many().filter(row::Column::Edition.eq(edition));
                delete.filter(row::Column::OfferId.eq(offer)).exec(transaction).await?;
                Ok(())
            })
        }));
        work.await?;
    }
    sums::delete(database, edition).await?;
    let work = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            sub_id_edition::Entity::delete_by_id(edition).exec(transaction).await?;
            Ok(())
        })
    }));
    work.await
}

/// How often each day was touched.
pub(super) async fn changes(database: &Database, generation: i32) -> Result<HashMap<Timestamp, i64>, StoreError> {
    use rollup_day_change::Column;
    let select = rollup_day_change::Entity::find().select_only().columns([Column::DayAt, Column::Changes]);
    let rows: Vec<(i64, i64)> =
        select.filter(Column::Generation.eq(generation)).into_tuple().all(database.read()).await?;
    let mut sums: HashMap<Timestamp, i64> = HashMap::new();
    for (day, changes) in rows {
        let sum = sums.entry(Timestamp::from_millis(day)).or_default();
        *sum = sum.saturating_add(changes);
    }
    Ok(sums)
}

async fn counted(database: &Database, generation: i32) -> Result<HashMap<Timestamp, i64>, StoreError> {
    use sub_id_day::Column;
    let select = sub_id_day::Entity::find().select_only().columns([Column::DayAt, Column::CountedChanges]);
    let rows: Vec<(i64, i64)> =
        select.filter(Column::Generation.eq(generation)).into_tuple().all(database.read()).await?;
    Ok(rows.into_iter().map(|(day, changes)| (Timestamp::from_millis(day), changes)).collect())
}

/// A new edition; none when somebody else keeps.
async fn begin(database: &Database, held: Held) -> Result<Option<i64>, StoreError> {
    let work = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            if !keeper::keep_in(transaction, &held.holder, held.until).await? {
                return Ok(None);
            }
            let next = Expr::col(figure_keeper::Column::LastEdition).add(1);
            let update = figure_keeper::Entity::update_many().col_expr(figure_keeper::Column::LastEdition, next);
            update.filter(figure_keeper::Column::Id.eq(1_i16)).exec(transaction).await?;
            let keeper = figure_keeper::Entity::find_by_id(1_i16).one(transaction).await?;
            let Some(keeper) = keeper else { return Ok(None) };
            let edition = sub_id_edition::Model { edition: keeper.last_edition }.into_active_model().reset_all();
            sub_id_edition::Entity::insert(edition).exec_without_returning(transaction).await?;
            Ok(Some(keeper.last_edition))
        })
    }));
    work.await
}

async fn finish(transaction: &DatabaseTransaction, count: sub_id_day::Model, held: Held) -> Result<bool, StoreError> {
    use sub_id_day::Column;
    if !keeper::keep_in(transaction, &held.holder, held.until).await? {
        return Ok(false);
    }
    let replace = OnConflict::columns([Column::Generation, Column::DayAt])
        .update_columns([Column::Edition, Column::CountedChanges, Column::CountedAt])
        .to_owned();
    let insert = sub_id_day::Entity::insert(count.into_active_model().reset_all()).on_conflict(replace);
    insert.exec_without_returning(transaction).await?;
    Ok(true)
}

/// Reads the facts of a day in the order of offer, publisher and frequency, and writes what they come to: no more than
/// one chunk and the rest of one publisher is in memory.
async fn write_counts(database: &Database, edition: i64, (from, to): (Timestamp, Timestamp)) -> Result<(), StoreError> {
    let headers = clicks::headers(database).await?;
    let (ranges, bounds) = clicks::ranges(&headers, (from, to), 1);
    let sql = facts_sql(&ranges, (from, to));
    let values = bounds.iter().map(|bound| Column::Bytes(vec![Some(bound.as_slice())])).collect();
    let mut read = database.open_long_read().await?;
    let rows = read.stream(&sql, values);
    pin_mut!(rows);
    let mut sieve = Sieve { edition, ..Sieve::default() };
    while let Some(fact) = rows.next().await {
        sieve.take(&fact?)?;
        if sieve.ready.len() >= CHUNK_ROWS {
            insert::<row::ActiveModel>(database, std::mem::take(&mut sieve.ready)).await?;
        }
    }
    sieve.end_pair();
    insert::<row::ActiveModel>(database, sieve.ready).await
}

/// Writes rows of one count.
pub(super) async fn insert<A>(
    database: &Database,
    rows: Vec<<A::Entity as EntityTrait>::Model>,
) -> Result<(), StoreError>
where
    A: ActiveModelTrait + Send + 'static,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A> + Sync + 'static,
{
    if rows.is_empty() {
        return Ok(());
    }
    let work = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            for chunk in rows.chunks(CHUNK_ROWS) {
                let rows = chunk.iter().map(|row| row.clone().into_active_model().reset_all());
                A::Entity::insert_many(rows).exec_without_returning(transaction).await?;
            }
            Ok(())
        })
    }));
    work.await
}

/// Lets the first values of each offer and publisher through, and adds the others up.
#[derive(Default)]
struct Sieve {
    edition: i64,
    pair: Option<(i32, i32)>,
    value: Option<String>,
    values: usize,
    others: BTreeMap<String, row::Model>,
    ready: Vec<row::Model>,
}

impl Sieve {
    fn take(&mut self, fact: &QueryResult) -> Result<(), StoreError> {
        let row = read(self.edition, fact)?;
        if self.pair != Some((row.offer_id, row.publisher_id)) {
            self.end_pair();
            self.pair = Some((row.offer_id, row.publisher_id));
        }
        if self.value.as_ref() != Some(&row.sub_id) {
            self.value = Some(row.sub_id.clone());
            self.values += 1;
        }
        if self.values <= VALUES_MAX && row.sub_id != OTHER {
            self.ready.push(row);
        } else {
            self.add_other(row);
        }
        Ok(())
    }

    fn add_other(&mut self, row: row::Model) {
        match self.others.get_mut(&row.currency) {
            None => {
                self.others.insert(row.currency.clone(), row::Model { sub_id: OTHER.to_owned(), ..row });
            }
            Some(other) => {
                for (sum, more) in [
                    (&mut other.clicks, row.clicks),
                    (&mut other.conversions, row.conversions),
                    (&mut other.approved, row.approved),
                    (&mut other.pending, row.pending),
                    (&mut other.rejected, row.rejected),
                    (&mut other.events, row.events),
                    (&mut other.revenue_micros, row.revenue_micros),
                    (&mut other.payout_micros, row.payout_micros),
                ] {
                    *sum = sum.saturating_add(more);
                }
            }
        }
    }

    fn end_pair(&mut self) {
        self.ready.extend(std::mem::take(&mut self.others).into_values());
        (self.pair, self.value, self.values) = (None, None, 0);
    }
}

fn read(edition: i64, fact: &QueryResult) -> Result<row::Model, StoreError> {
    let sum = |column| fact.try_get::<i64>("", column);
    Ok(row::Model {
        edition,
        offer_id: fact.try_get("", "offer_id")?,
        publisher_id: fact.try_get("", "publisher_id")?,
        sub_id: fact.try_get("", "sub_id")?,
        currency: fact.try_get("", "currency")?,
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

fn facts_sql(ranges: &str, (from, to): (Timestamp, Timestamp)) -> String {
    let facts = facts(ranges, (from, to));
    let sum = |name: &str| format!("CAST(SUM({name}) AS BIGINT) AS {name}");
    let sums = COUNTS.map(sum).join(", ");
    format!(
        "SELECT offer_id, publisher_id, sub_id, currency, {sums},
            SUM(SUM(clicks) + SUM(conversions) + SUM(events)) OVER (PARTITION BY offer_id, publisher_id, sub_id) AS weight
         FROM ({facts}) AS fact GROUP BY offer_id, publisher_id, sub_id, currency
         ORDER BY offer_id, publisher_id, weight DESC, sub_id, currency"
    )
}

/// The columns of a count.
pub(super) const COUNTS: [&str; 8] =
    ["clicks", "conversions", "approved", "pending", "rejected", "events", "revenue_micros", "payout_micros"];

/// Every click and conversion of a time with what it counts; `ranges` bounds the ids of clicks.
pub(super) fn facts(ranges: &str, (from, to): (Timestamp, Timestamp)) -> String {
    let (from, to) = (from.as_millis(), to.as_millis());
    format!(
        "SELECT offer_id, publisher_id, COALESCE(sub_id, '') AS sub_id, '{NO_CURRENCY}' AS currency, 1 AS clicks,
            0 AS conversions, 0 AS approved, 0 AS pending, 0 AS rejected, 0 AS events, 0 AS revenue_micros,
            0 AS payout_micros
         FROM click WHERE clicked_at >= {from} AND clicked_at < {to} AND NOT is_bot AND NOT is_test AND ({ranges})
         UNION ALL
         SELECT offer_id, publisher_id, COALESCE(sub_id, ''), currency, 0,
            CASE WHEN event_number = 0 THEN 1 ELSE 0 END,
            CASE WHEN event_number = 0 AND status = 'approved' THEN 1 ELSE 0 END,
            CASE WHEN event_number = 0 AND status = 'pending' THEN 1 ELSE 0 END,
            CASE WHEN event_number = 0 AND status = 'rejected' THEN 1 ELSE 0 END,
            CASE WHEN event_number = 0 THEN 0 ELSE 1 END,
            CASE WHEN status = 'approved' THEN COALESCE(revenue_micros, 0) ELSE 0 END,
            CASE WHEN status = 'approved' THEN COALESCE(payout_micros, 0) ELSE 0 END
         FROM conversion WHERE converted_at >= {from} AND converted_at < {to} AND NOT is_test"
    )
}
