//! Events after the conversion, with figures of their own.
//!
//! Why: an offer pays for later results too (`offer_event`), which must not swell the counts of conversions
//! (`rollup.events`).
//! Safe beside an old binary: it knows no events, so it refuses them as it did, and writes none into the figures.

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
        for statement in statements {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const POSTGRES: &[&str] = &[
    "CREATE TABLE offer_event (
    offer_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    revenue_kind TEXT NOT NULL,
    revenue_value BIGINT NOT NULL,
    payout_kind TEXT NOT NULL,
    payout_value BIGINT NOT NULL,
    removed_at BIGINT,
    PRIMARY KEY (offer_id, number)
)",
    "ALTER TABLE rollup ADD COLUMN events BIGINT NOT NULL DEFAULT 0",
];

const SQLITE: &[&str] = &[
    "CREATE TABLE offer_event (
    offer_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    revenue_kind TEXT NOT NULL,
    revenue_value INTEGER NOT NULL,
    payout_kind TEXT NOT NULL,
    payout_value INTEGER NOT NULL,
    removed_at INTEGER,
    PRIMARY KEY (offer_id, number)
) STRICT, WITHOUT ROWID",
    "ALTER TABLE rollup ADD COLUMN events INTEGER NOT NULL DEFAULT 0",
];
