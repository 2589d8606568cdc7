//! The feed: which receipts and which entries of histories each batch wrote, in the order of the commits.
//!
//! Why: whoever follows them live resumes from a cursor, and neither ids nor times tell the order in which rows became
//! visible: two writers commit when they like, and what waited in a spool comes hours after its id was made. The
//! position is the number of the transaction on PostgreSQL, where everything below the oldest open one has ended, and
//! counts up on SQLite, where one transaction writes at a time. The row with the lowest position is never deleted while
//! it is the last old one: what was below it is gone, so a cursor below it has missed something.
//! Safe on live data: it only creates. What an old binary records meanwhile is in no feed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        let on_postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        for statement in if on_postgres { POSTGRES } else { SQLITE } {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

/// Ids are chance: compressing them only costs time.
const POSTGRES: &[&str] = &[
    "CREATE TABLE feed (
    position BIGINT NOT NULL DEFAULT (CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)),
    at BIGINT NOT NULL,
    receipts BYTEA NOT NULL,
    changes BYTEA NOT NULL,
    PRIMARY KEY (position)
)",
    "ALTER TABLE feed ALTER COLUMN receipts SET STORAGE EXTERNAL, ALTER COLUMN changes SET STORAGE EXTERNAL",
    "INSERT INTO feed (position, at, receipts, changes) VALUES (0, 0, '', '')",
];

const SQLITE: &[&str] = &[
    "CREATE TABLE feed (
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    receipts BLOB NOT NULL,
    changes BLOB NOT NULL,
    PRIMARY KEY (position)
) STRICT",
    "INSERT INTO feed (position, at, receipts, changes) VALUES (0, 0, x'', x'')",
];
