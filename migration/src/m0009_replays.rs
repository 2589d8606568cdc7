//! A receipt names the one that it was sent again from.
//!
//! Why: a refused request is sent again after its cause was mended; the first receipt keeps its verdict, and the second
//! has to say which one it was.
//! Safe beside an old binary: it leaves the column empty, and sends nothing again.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let on_postgres = manager.get_database_backend() == DatabaseBackend::Postgres;
        let kind = if on_postgres { "UUID" } else { "BLOB" };
        let add = format!("ALTER TABLE receipt ADD COLUMN replay_of {kind}");
        manager.get_connection().execute_unprepared(&add).await?;
        Ok(())
    }
}
