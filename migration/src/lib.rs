//! HISTORY: how the schema came to be, one file a step.
//!
//! Never imports `entity` or the server: a step must mean the same for ever, whatever they become. To add a
//! step: a file `mNNNN_what.rs` that says why and whether the old binary may run during it, and a line below.
//! sea-orm-migration takes no lock between servers: `store::connect` wraps it in one.

use sea_orm_migration::{MigrationTrait, async_trait};
pub use sea_orm_migration::{MigratorTrait, SchemaManager};

mod m0001_round_trip;
mod m0002_late_clicks;
mod m0003_keys_side_by_side;
mod m0004_reports;
mod m0005_events;
mod m0006_jobs;
mod m0007_identity;
mod m0008_outbound;
mod m0009_replays;
mod m0010_feed;
mod m0011_counted_days;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_round_trip::Migration),
            Box::new(m0002_late_clicks::Migration),
            Box::new(m0003_keys_side_by_side::Migration),
            Box::new(m0004_reports::Migration),
            Box::new(m0005_events::Migration),
            Box::new(m0006_jobs::Migration),
            Box::new(m0007_identity::Migration),
            Box::new(m0008_outbound::Migration),
            Box::new(m0009_replays::Migration),
            Box::new(m0010_feed::Migration),
            Box::new(m0011_counted_days::Migration),
        ]
    }
}
