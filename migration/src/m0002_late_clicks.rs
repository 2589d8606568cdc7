//! Conversions that wait for their click are looked for every few seconds; and rows of figures are updated in place.
//!
//! Why: two writers that commit a click and its conversion at the same instant do not see each other, so the flag
//! stays, and has to be found without reading the table. Figures are updated many times in their 15 minutes: with room
//! left on the page PostgreSQL needs no new index entry for it.
//! Safe on live data: an old binary notices neither. Building the index locks the table against writes for as long as
//! it is read once.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection
            .execute_unprepared("CREATE INDEX conversion_awaiting_idx ON conversion (recorded_at) WHERE click_pending")
            .await?;
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            connection.execute_unprepared("ALTER TABLE rollup SET (fillfactor = 50)").await?;
        }
        Ok(())
    }
}
