//! Tests through the doors, on both engines, and of the sources themselves: one binary, so that one PostgreSQL
//! cluster serves all of them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this binary is tests: clippy only knows functions"
)]

mod support;

mod admin_api;
mod admin_door;
mod architecture;
mod authorization;
mod bad_input;
mod bad_tokens;
mod bulk;
mod cli;
mod click;
mod clients;
mod control;
mod docs;
mod drain;
mod entity_matches_migration;
mod erasure;
mod events;
mod every_code;
mod faults;
mod foreign_clicks;
mod idempotency;
mod identity;
mod jobs;
mod jobs_killed;
mod late_click;
mod live;
mod model;
mod never_twice;
mod old_keys;
mod outage;
mod outbound;
mod outbound_api;
mod outbound_reach;
mod outbound_shared;
mod overload;
mod pixel;
mod postback;
mod reads;
mod replay;
mod reports;
mod rotation;
mod routes;
mod schema;
mod schemathesis;
mod secrets;
mod send_test;
mod settings;
mod settle;
mod spool;
mod tokens;
mod torture;
mod two_servers;
mod unknown_commit;
