//! Events after the conversion with figures of their own, and clicks of another system.
//!
//! Why: an offer pays for later results too (`offer_event`), which must not swell the counts of conversions
//! (`rollup.events`); and conversions of clicks that another system tracked come in under its ids (`foreign_click`).
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
    "CREATE TABLE foreign_click (
    foreign_id TEXT COLLATE \"C\" NOT NULL,
    transaction_id BYTEA NOT NULL,
    clicked_at BIGINT NOT NULL,
    offer_id INTEGER NOT NULL,
    publisher_id INTEGER NOT NULL,
    external_transaction_id TEXT,
    sub_id TEXT,
    sub_id_2 TEXT,
    sub_id_3 TEXT,
    sub_id_4 TEXT,
    sub_id_5 TEXT,
    sub_id_6 TEXT,
    PRIMARY KEY (foreign_id)
)",
    "CREATE UNIQUE INDEX foreign_click_transaction_key ON foreign_click (transaction_id)",
    "CREATE INDEX foreign_click_clicked_idx ON foreign_click (clicked_at)",
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
    "CREATE TABLE foreign_click (
    foreign_id TEXT NOT NULL,
    transaction_id BLOB NOT NULL,
    clicked_at INTEGER NOT NULL,
    offer_id INTEGER NOT NULL,
    publisher_id INTEGER NOT NULL,
    external_transaction_id TEXT,
    sub_id TEXT,
    sub_id_2 TEXT,
    sub_id_3 TEXT,
    sub_id_4 TEXT,
    sub_id_5 TEXT,
    sub_id_6 TEXT,
    PRIMARY KEY (foreign_id)
) STRICT, WITHOUT ROWID",
    "CREATE UNIQUE INDEX foreign_click_transaction_key ON foreign_click (transaction_id)",
    "CREATE INDEX foreign_click_clicked_idx ON foreign_click (clicked_at)",
];
