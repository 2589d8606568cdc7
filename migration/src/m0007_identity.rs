//! API keys, invitations, time zones of operators; and the audit trail can be read by subject, actor and action.
//!
//! Why: programs need bearers that are no person's; whoever is invited sets a password that nobody else has seen, so
//! their operator has none until then (an empty hash, which no password fits); and the trail grows for ever, so each
//! way to narrow it needs an index. Ids begin with their time: an index on a column and the id is in the order of the
//! list.
//! An old binary may run meanwhile: it notices none of it, but that it cannot read the empty hash when somebody who
//! was invited tries to sign in at it, which it answers with 500.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let tables = if manager.get_database_backend() == DatabaseBackend::Postgres { POSTGRES } else { SQLITE };
        for statement in tables.iter().chain(BOTH) {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

const POSTGRES: &[&str] = &[
    "CREATE TABLE api_key (
    id UUID NOT NULL,
    digest BYTEA NOT NULL,
    hint TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    revoked_by TEXT,
    last_used_at BIGINT,
    last_used_address TEXT,
    PRIMARY KEY (id)
)",
    "CREATE TABLE invitation (
    operator_id UUID NOT NULL,
    digest TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (operator_id)
)",
];

const SQLITE: &[&str] = &[
    "CREATE TABLE api_key (
    id BLOB NOT NULL,
    digest BLOB NOT NULL,
    hint TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    revoked_by TEXT,
    last_used_at INTEGER,
    last_used_address TEXT,
    PRIMARY KEY (id)
) STRICT",
    "CREATE TABLE invitation (
    operator_id BLOB NOT NULL,
    digest TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (operator_id)
) STRICT",
];

const BOTH: &[&str] = &[
    "CREATE UNIQUE INDEX api_key_digest_key ON api_key (digest)",
    "CREATE UNIQUE INDEX invitation_digest_key ON invitation (digest)",
    "ALTER TABLE operator ADD COLUMN time_zone TEXT",
    "CREATE INDEX audit_event_subject_idx ON audit_event (subject, id)",
    "CREATE INDEX audit_event_actor_idx ON audit_event (actor, id)",
    "CREATE INDEX audit_event_action_idx ON audit_event (action, id)",
];
