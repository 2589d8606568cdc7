//! DOOR 1: HTTP. axum and hyper only here.
//!
//! Nothing here decides about business and nothing here knows a row: a request is parsed once, handed to `app`,
//! and what comes back is put into a status, headers and a body (`answer.rs`, the only table of statuses).
//! To add a route: its function, a line in `router.rs`, a row in `openapi.rs` if senders call it, a test in
//! `tests/it`.

pub mod accept;
pub mod answer;
mod cors;
mod dashboard;
pub mod export;
pub mod extract;
pub mod graphql;
pub mod health;
pub mod openapi;
mod page;
pub mod router;
pub mod session;
pub mod state;
mod tracking;
