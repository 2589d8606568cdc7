//! DOOR 2: the admin API, in GraphQL.
//!
//! Reads go straight to the read functions of `store`, because a read has no rule; writes go through `app`,
//! because writes have rules and rules have one home. No resolver writes. Every request comes in through
//! [`endpoint`] or [`socket`], which believe nobody and hand async-graphql only documents that [`document`] has measured;
//! every error goes out through [`error`], which lets no inside text pass.
//!
//! To add a field: write the resolver in its type's file, give it a guard by role, return the errors of
//! [`error`], and add its row to the authorisation table in the tests.

pub mod bearer;
pub mod connection;
pub mod context;
pub mod document;
pub mod endpoint;
pub mod error;
pub mod follow;
pub mod guard;
pub mod id;
pub mod idempotency;
pub mod loaders;
pub mod mutation;
pub mod query;
pub mod scalars;
pub mod schema;
pub mod socket;
pub mod subscription;
pub mod types;
pub mod watch_job;

pub use context::StatusOf;
pub use types::server::ServerFacts;
