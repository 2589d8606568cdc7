//! ROWS. All SeaORM and SQL is here: one file per noun, functions over a connection, no traits, no decisions.
//!
//! Values go in and out as `domain` types; a row type never leaves. Reads take a [`Database`]. Control writes take
//! the transaction that `Database::control_write` hands out; tracking events take the [`Tx`] of a batch.
//! To add a table: a migration, an entity, a file here with its functions, and a line in the entity test.
//! What differs between the engines is in `connect.rs` and `dialect.rs`, nowhere else.

pub mod advertisers;
pub mod api_keys;
pub mod audit;
pub mod batch;
pub mod clicks;
mod columns;
mod connect;
pub mod conversions;
pub mod days;
mod dialect;
pub mod domains;
mod error;
pub mod feed;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod foreign_clicks;
pub mod idempotency;
pub mod invitations;
pub mod jobs;
pub mod keeper;
pub mod offers;
pub mod operators;
pub mod outbound;
pub mod outbox;
pub mod page;
pub mod partitions;
pub mod persons;
pub mod publishers;
pub mod purge;
pub mod receipts;
pub mod reports;
mod search;
pub mod sessions;
pub mod settings;
pub mod snapshot;
pub mod spool;
pub mod sub_ids;
mod sums;
pub mod tokens;
pub mod verify;

pub use connect::{ConnectOptionsOf, ControlWork, Database, Engine, Tx, WriterConnection};
pub use error::{Outage, StoreError};
pub use search::PartnerFilter;
