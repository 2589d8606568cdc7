//! Roundtrip: a click goes out with a `transaction_id`, a conversion comes home with it.
//!
//! `ARCHITECTURE.md` says how the rooms below depend on each other; `tests/it/architecture.rs` holds them to it.

/// Verbs: one file per use case.
pub mod app;

/// The command line: one file for each command.
pub mod cli;

/// Typed settings: the only reader of the environment.
pub mod config;

/// Nouns and rules, pure.
pub mod domain;

/// The admin API. async-graphql only here.
pub mod graphql;

/// The HTTP doors.
pub mod http;

/// The write path of tracking events.
pub mod intake;

/// Rows: all SeaORM and SQL.
pub mod store;

/// The composition root: the only file that knows every room.
pub mod server;

/// The real clock and the real chance.
pub mod system;

/// Logs, metrics, and their vocabulary.
pub mod telemetry;
