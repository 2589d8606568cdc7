//! A key that a transaction leads says its kind after the transaction, no longer before it.
//!
//! Why: the two or three keys of one conversion lay in two or three places of the index, and each of them was a page to
//! be written. Side by side they are one.
//! Not safe beside an old binary: it would look for keys where they were, and count a conversion twice. Stop every
//! server first; nothing but time (one pass over the keys) is needed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// `O`, `R` and `F` keys were: kind, eleven bytes of the transaction, the rest.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for table in ["conversion_key", "parked_rejection"] {
            let move_kind = if manager.get_database_backend() == DatabaseBackend::Postgres {
                format!(
                    "UPDATE {table} SET key = '\\x54'::bytea || substr(key, 2, 11) || substr(key, 1, 1) || substr(key, 13)
                     WHERE substr(key, 1, 1) IN ('\\x4f', '\\x52', '\\x46')"
                )
            } else {
                format!(
                    "UPDATE {table}
                     SET key = CAST(x'54' || substr(key, 2, 11) || substr(key, 1, 1) || substr(key, 13) AS BLOB)
                     WHERE substr(key, 1, 1) IN (x'4f', x'52', x'46')"
                )
            };
            connection.execute_unprepared(&move_kind).await?;
        }
        Ok(())
    }
}
