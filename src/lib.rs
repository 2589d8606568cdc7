//! Roundtrip: a click goes out with a `transaction_id`, a conversion comes home with it.
//!
//! `ARCHITECTURE.md` says how the rooms below depend on each other; `tests/it/architecture.rs` holds them to it.

/// Nouns and rules, pure.
pub mod domain;

/// The real clock and the real chance.
pub mod system;
