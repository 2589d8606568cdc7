//! Partitions of `click` and `receipt` by day (UTC), on PostgreSQL. SQLite has none: every function here then
//! finds nothing to do.
//!
//! They are made a week ahead, so that no request ever waits for one, and one server at a time makes them. A row
//! whose day has no partition falls into the default one: nothing is lost, but a partition for that day cannot be
//! made any more without moving rows, so rows there are counted and are an alarm.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, Statement};

use crate::domain::clock::Timestamp;

use super::connect::{Database, Engine, MIGRATION_LOCK};
use super::error::StoreError;
use super::filter::lowest_id;

const DAY_SECONDS: i64 = 24 * 3600;
/// Rows of a default partition are counted up to here.
const COUNT_MAX: i64 = 10_000;

/// What one pass did and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partitions {
    pub made: Vec<String>,
    /// Not made, because rows of that day are in the default partition.
    pub blocked: Vec<String>,
    /// Rows in default partitions, counted up to a bound; anything above 0 is an alarm.
    pub stray_clicks: i64,
    pub stray_receipts: i64,
}

/// A table that is partitioned by day.
#[derive(Clone, Copy, Debug)]
enum Parted {
    Click,
    Receipt,
}

/// The partition of one day.
struct Daily {
    parent: Parted,
    day: Timestamp,
}

/// Makes the partitions from the day of `now` to `days_ahead` days later that are missing.
pub async fn ensure(database: &Database, now: Timestamp, days_ahead: u32) -> Result<Partitions, StoreError> {
    let mut pass = Partitions::default();
    if database.engine() == Engine::Sqlite {
        return Ok(pass);
    }
    for parent in [Parted::Click, Parted::Receipt] {
        let existing: HashSet<String> = existing(database, parent).await?.into_iter().collect();
        for ahead in 0..=i64::from(days_ahead) {
            let daily = Daily { parent, day: now.plus_seconds(ahead * DAY_SECONDS).bucket(DAY_SECONDS) };
            if existing.contains(&daily.name()) {
                continue;
            }
            let made = daily.make(database).await?;
            if made { &mut pass.made } else { &mut pass.blocked }.push(daily.name());
        }
    }
    pass.stray_clicks = strays(database, Parted::Click).await?;
    pass.stray_receipts = strays(database, Parted::Receipt).await?;
    Ok(pass)
}

/// Drops the partitions of receipts whose whole day lies before `before`; returns their names.
pub async fn purge_receipts(database: &Database, before: Timestamp) -> Result<Vec<String>, StoreError> {
    if database.engine() == Engine::Sqlite {
        return Ok(Vec::new());
    }
    let oldest_kept = Daily { parent: Parted::Receipt, day: before.bucket(DAY_SECONDS) }.name();
    let is_daily = |name: &String| name.len() == oldest_kept.len() && name.starts_with("receipt_2");
    let names = existing(database, Parted::Receipt).await?;
    // A name ends with its day, so names of one table lie in the order of their days.
    let expired: Vec<String> = names.into_iter().filter(|name| is_daily(name) && *name < oldest_kept).collect();
    for name in &expired {
        under_lock(database, format!("DROP TABLE IF EXISTS {name}")).await?;
    }
    Ok(expired)
}

impl Parted {
    const fn table(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::Receipt => "receipt",
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Click => "clicked_at",
            Self::Receipt => "id",
        }
    }

    /// An instant as a literal of the key.
    fn bound(self, at: Timestamp) -> String {
        match self {
            Self::Click => at.as_millis().to_string(),
            Self::Receipt => format!("'{}'", lowest_id(at)),
        }
    }
}

impl Daily {
    /// `click_20261122`.
    fn name(&self) -> String {
        let day: String = self.day.to_string().chars().take(10).filter(|character| *character != '-').collect();
        format!("{}_{day}", self.parent.table())
    }

    /// False when rows of that day are in the default partition already.
    async fn make(&self, database: &Database) -> Result<bool, StoreError> {
        let (table, key, name) = (self.parent.table(), self.parent.key(), self.name());
        let (low, high) = (self.parent.bound(self.day), self.parent.bound(self.day.plus_seconds(DAY_SECONDS)));
        let stray = format!("SELECT 1 AS stray FROM {table}_default WHERE {key} >= {low} AND {key} < {high} LIMIT 1");
        if !rows(database, stray).await?.is_empty() {
            return Ok(false);
        }
        let make =
            format!("CREATE TABLE IF NOT EXISTS {name} PARTITION OF {table} FOR VALUES FROM ({low}) TO ({high})");
        under_lock(database, make).await?;
        Ok(true)
    }
}

async fn existing(database: &Database, parent: Parted) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "SELECT c.relname::text AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = '{}'::regclass",
        parent.table()
    );
    let names = rows(database, sql).await?.into_iter().map(|row| Ok(row.try_get("", "name")?));
    names.collect()
}

async fn strays(database: &Database, parent: Parted) -> Result<i64, StoreError> {
    let table = parent.table();
    let sql = format!("SELECT COUNT(*) AS strays FROM (SELECT 1 FROM {table}_default LIMIT {COUNT_MAX}) AS bounded");
    let counted = rows(database, sql).await?.first().map(|row| row.try_get("", "strays")).transpose()?;
    Ok(counted.unwrap_or(0))
}

async fn rows(database: &Database, sql: String) -> Result<Vec<sea_orm::QueryResult>, StoreError> {
    let backend = database.read().get_database_backend();
    Ok(database.read().query_all_raw(Statement::from_string(backend, sql)).await?)
}

/// One statement in a transaction of its own: it locks the whole table, so it must not hold it for another one.
async fn under_lock(database: &Database, sql: String) -> Result<(), StoreError> {
    database
        .side_write(Box::new(move |transaction| {
            Box::pin(async move {
                let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
                transaction.execute_unprepared(&lock).await?;
                transaction.execute_unprepared(&sql).await?;
                Ok(())
            })
        }))
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_named_after_its_day_and_bounded_by_it() {
        let day = Timestamp::parse_rfc3339("2026-11-22T00:00:00Z").unwrap();
        assert_eq!(Daily { parent: Parted::Click, day }.name(), "click_20261122");
        assert_eq!(Parted::Click.bound(day), "1795305600000");
        let bound = Parted::Receipt.bound(day);
        assert_eq!(bound, format!("'{}'", lowest_id(day)));
        assert!(bound.ends_with("-0000-0000-000000000000'"), "{bound}");
    }
}
