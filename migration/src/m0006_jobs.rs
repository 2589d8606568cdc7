//! Work that takes longer than an answer may (jobs with their errors), and calls that may be sent twice.
//!
//! Why: an export, a bulk change by a filter or an erasure goes on behind the answer, on whatever server, and goes on
//! after a crash; and a create whose answer was lost can be sent again without making a second one. A person is found by
//! e-mail or device only if there is an index: few rows hold either, so the indexes are partial.
//! Safe on live data: an old binary notices nothing. Building the indexes locks `conversion` and `click` against writes
//! for as long as each is read once.

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
        for statement in statements.iter().chain(INDEXES) {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const POSTGRES: &[&str] = &[
    "CREATE TABLE job (
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    input TEXT NOT NULL,
    input_version SMALLINT NOT NULL,
    state TEXT NOT NULL,
    position TEXT,
    total BIGINT,
    processed BIGINT NOT NULL,
    succeeded BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    failure TEXT,
    cancel_requested BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    created_by_label TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,
    turn_at BIGINT NOT NULL,
    lease_owner UUID,
    lease_until BIGINT,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (id)
)",
    "CREATE TABLE job_error (
    job_id UUID NOT NULL,
    number INTEGER NOT NULL,
    subject TEXT,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (job_id, number)
)",
    "CREATE TABLE idempotency_key (
    principal TEXT NOT NULL,
    field TEXT NOT NULL,
    key TEXT NOT NULL,
    arguments_hash BYTEA NOT NULL,
    answer TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (principal, field, key)
)",
];

const SQLITE: &[&str] = &[
    "CREATE TABLE job (
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    input TEXT NOT NULL,
    input_version INTEGER NOT NULL,
    state TEXT NOT NULL,
    position TEXT,
    total INTEGER,
    processed INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    failure TEXT,
    cancel_requested INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_by_label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    turn_at INTEGER NOT NULL,
    lease_owner BLOB,
    lease_until INTEGER,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID",
    "CREATE TABLE job_error (
    job_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    subject TEXT,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (job_id, number)
) STRICT, WITHOUT ROWID",
    "CREATE TABLE idempotency_key (
    principal TEXT NOT NULL,
    field TEXT NOT NULL,
    key TEXT NOT NULL,
    arguments_hash BLOB NOT NULL,
    answer TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (principal, field, key)
) STRICT, WITHOUT ROWID",
];

const INDEXES: &[&str] = &[
    "CREATE INDEX job_turn_idx ON job (turn_at) WHERE finished_at IS NULL",
    "CREATE INDEX job_finished_idx ON job (finished_at) WHERE finished_at IS NOT NULL",
    "CREATE INDEX idempotency_key_time_idx ON idempotency_key (created_at)",
    "CREATE INDEX conversion_email_idx ON conversion (email_hash) WHERE email_hash IS NOT NULL",
    "CREATE INDEX conversion_device_idx ON conversion (device_id) WHERE device_id IS NOT NULL",
    "CREATE INDEX click_device_idx ON click (device_id) WHERE device_id IS NOT NULL",
];
