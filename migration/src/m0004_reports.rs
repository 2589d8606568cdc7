//! Figures by day of the workspace's zone, and by sub id.
//!
//! Why: reports read the coarsest figures that answer; a month in buckets of 15 minutes is a hundred times as long as
//! in days. `rollup_day` is kept like `rollup`, by differences in the transaction of the facts; `rollup_day_change` says
//! how often each day was touched, so that whoever counts a day by sub id knows when its count is old.
//! What was counted before is put into days by the server, in the background, in the zone that is set; until it is
//! done (`days_complete`) reports read the 15 minutes.
//! Not safe beside an old binary, which would not count in days: stop every server first.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let on_postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        let statements = if on_postgres { POSTGRES } else { SQLITE };
        for statement in statements.iter().chain(BOTH) {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const POSTGRES: &[&str] = &[
    "CREATE TABLE rollup_day (
    generation INTEGER NOT NULL,
    day_at BIGINT NOT NULL,
    offer_id INTEGER NOT NULL,
    publisher_id INTEGER NOT NULL,
    currency TEXT NOT NULL,
    slot SMALLINT NOT NULL,
    clicks BIGINT NOT NULL,
    conversions BIGINT NOT NULL,
    approved BIGINT NOT NULL,
    pending BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    events BIGINT NOT NULL,
    revenue_micros BIGINT NOT NULL,
    payout_micros BIGINT NOT NULL,
    PRIMARY KEY (generation, day_at, offer_id, publisher_id, currency, slot)
) WITH (fillfactor = 50)",
    "CREATE TABLE rollup_day_change (
    generation INTEGER NOT NULL,
    day_at BIGINT NOT NULL,
    slot SMALLINT NOT NULL,
    changes BIGINT NOT NULL,
    PRIMARY KEY (generation, day_at, slot)
) WITH (fillfactor = 50)",
    "CREATE TABLE sub_id_day (
    generation INTEGER NOT NULL,
    day_at BIGINT NOT NULL,
    edition BIGINT NOT NULL,
    counted_changes BIGINT NOT NULL,
    counted_at BIGINT NOT NULL,
    PRIMARY KEY (generation, day_at)
)",
    "CREATE TABLE rollup_sub_id (
    edition BIGINT NOT NULL,
    offer_id INTEGER NOT NULL,
    publisher_id INTEGER NOT NULL,
    sub_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    clicks BIGINT NOT NULL,
    conversions BIGINT NOT NULL,
    approved BIGINT NOT NULL,
    pending BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    events BIGINT NOT NULL,
    revenue_micros BIGINT NOT NULL,
    payout_micros BIGINT NOT NULL,
    PRIMARY KEY (edition, offer_id, publisher_id, sub_id, currency)
)",
    "CREATE TABLE sub_id_edition (
    edition BIGINT NOT NULL,
    PRIMARY KEY (edition)
)",
    "CREATE TABLE figure_keeper (
    id SMALLINT NOT NULL,
    holder TEXT NOT NULL,
    held_until BIGINT NOT NULL,
    last_edition BIGINT NOT NULL,
    PRIMARY KEY (id)
)",
];

const SQLITE: &[&str] = &[
    "CREATE TABLE rollup_day (
    generation INTEGER NOT NULL,
    day_at INTEGER NOT NULL,
    offer_id INTEGER NOT NULL,
    publisher_id INTEGER NOT NULL,
    currency TEXT NOT NULL,
    slot INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    conversions INTEGER NOT NULL,
    approved INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    events INTEGER NOT NULL,
    revenue_micros INTEGER NOT NULL,
    payout_micros INTEGER NOT NULL,
    PRIMARY KEY (generation, day_at, offer_id, publisher_id, currency, slot)
) STRICT, WITHOUT ROWID",
    "CREATE TABLE rollup_day_change (
    generation INTEGER NOT NULL,
    day_at INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    changes INTEGER NOT NULL,
    PRIMARY KEY (generation, day_at, slot)
) STRICT, WITHOUT ROWID",
    "CREATE TABLE sub_id_day (
    generation INTEGER NOT NULL,
    day_at INTEGER NOT NULL,
    edition INTEGER NOT NULL,
    counted_changes INTEGER NOT NULL,
    counted_at INTEGER NOT NULL,
    PRIMARY KEY (generation, day_at)
) STRICT, WITHOUT ROWID",
    "CREATE TABLE rollup_sub_id (
    edition INTEGER NOT NULL,
    offer_id INTEGER NOT NULL,
    publisher_id INTEGER NOT NULL,
    sub_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    clicks INTEGER NOT NULL,
    conversions INTEGER NOT NULL,
    approved INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    events INTEGER NOT NULL,
    revenue_micros INTEGER NOT NULL,
    payout_micros INTEGER NOT NULL,
    PRIMARY KEY (edition, offer_id, publisher_id, sub_id, currency)
) STRICT, WITHOUT ROWID",
    "CREATE TABLE sub_id_edition (
    edition INTEGER NOT NULL,
    PRIMARY KEY (edition)
) STRICT",
    "CREATE TABLE figure_keeper (
    id INTEGER NOT NULL,
    holder TEXT NOT NULL,
    held_until INTEGER NOT NULL,
    last_edition INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID",
];

const BOTH: &[&str] = &[
    "INSERT INTO figure_keeper (id, holder, held_until, last_edition) VALUES (1, '', 0, 0)",
    // Where nothing was counted yet, all days are there.
    "INSERT INTO setting (name, value) SELECT 'days_complete', '0' WHERE NOT EXISTS (SELECT 1 FROM rollup)",
];
