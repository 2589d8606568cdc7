//! Outbound postbacks: the rules by which publishers are told, the outbox of deliveries, and every try of each.
//!
//! Why: a delivery is written in the transaction that settles its change, so that none is lost and none is told that
//! did not happen. One rule tells one change once: the unique index says so (a test is of no change, so it has no
//! number). What is still to be sent is found by its rule and its time, and nothing else of a growing table is read.
//! Safe on live data: it only creates, so an old binary does not notice; what it settles meanwhile is told to nobody.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let tables = if manager.get_database_backend() == DatabaseBackend::Postgres { POSTGRES } else { SQLITE };
        for statement in tables.iter().chain(INDEXES) {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const INDEXES: &[&str] = &[
    "CREATE UNIQUE INDEX delivery_change_key ON delivery (conversion_id, outbound_id, change_number)",
    "CREATE INDEX delivery_due_idx ON delivery (outbound_id, due_at) WHERE finished_at IS NULL",
    "CREATE INDEX delivery_rule_idx ON delivery (outbound_id, id)",
];

const POSTGRES: &[&str] = &[
    "CREATE TABLE outbound (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    is_enabled BOOLEAN NOT NULL,
    disabled_reason TEXT,
    publisher_id INTEGER,
    offer_id INTEGER,
    moments TEXT NOT NULL,
    rejection_reasons TEXT NOT NULL,
    events TEXT NOT NULL,
    method TEXT NOT NULL,
    url_template TEXT NOT NULL,
    signature_parameter TEXT,
    delay_seconds INTEGER NOT NULL,
    signing_hint TEXT NOT NULL,
    signing_sealed BYTEA NOT NULL,
    previous_sealed BYTEA,
    previous_until BIGINT,
    failing_since BIGINT,
    version INTEGER NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (id)
)",
    "CREATE TABLE delivery (
    id UUID NOT NULL,
    outbound_id UUID NOT NULL,
    conversion_id UUID,
    change_number INTEGER,
    moment TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    awaits_click BOOLEAN NOT NULL,
    lease UUID,
    created_at BIGINT NOT NULL,
    ready_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    finished_at BIGINT,
    PRIMARY KEY (id)
)",
    "CREATE TABLE delivery_attempt (
    delivery_id UUID NOT NULL,
    number INTEGER NOT NULL,
    at BIGINT NOT NULL,
    duration_ms INTEGER NOT NULL,
    url TEXT NOT NULL,
    body TEXT,
    response_status INTEGER,
    response_body TEXT,
    error TEXT,
    PRIMARY KEY (delivery_id, number)
)",
];

const SQLITE: &[&str] = &[
    "CREATE TABLE outbound (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    is_enabled INTEGER NOT NULL,
    disabled_reason TEXT,
    publisher_id INTEGER,
    offer_id INTEGER,
    moments TEXT NOT NULL,
    rejection_reasons TEXT NOT NULL,
    events TEXT NOT NULL,
    method TEXT NOT NULL,
    url_template TEXT NOT NULL,
    signature_parameter TEXT,
    delay_seconds INTEGER NOT NULL,
    signing_hint TEXT NOT NULL,
    signing_sealed BLOB NOT NULL,
    previous_sealed BLOB,
    previous_until INTEGER,
    failing_since INTEGER,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    PRIMARY KEY (id)
) STRICT",
    "CREATE TABLE delivery (
    id BLOB NOT NULL,
    outbound_id BLOB NOT NULL,
    conversion_id BLOB,
    change_number INTEGER,
    moment TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    awaits_click INTEGER NOT NULL,
    lease BLOB,
    created_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    finished_at INTEGER,
    PRIMARY KEY (id)
) STRICT",
    "CREATE TABLE delivery_attempt (
    delivery_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    url TEXT NOT NULL,
    body TEXT,
    response_status INTEGER,
    response_body TEXT,
    error TEXT,
    PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID",
];
