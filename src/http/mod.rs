//! DOOR 1: HTTP. axum and hyper only here.
//!
//! Nothing here decides about business and nothing here knows a row: a request is parsed once, handed to `app`,
//! and what comes back is put into a status, headers and a body (`answer.rs`, the only table of statuses).

pub mod accept;
pub mod extract;
pub mod session;
