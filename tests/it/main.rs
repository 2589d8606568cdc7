//! Tests through the doors, on both engines, and of the sources themselves: one binary, so that one PostgreSQL
//! cluster serves all of them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this binary is tests: clippy only knows functions"
)]

mod support;

mod architecture;
mod click;
mod every_code;
mod cli;
mod click;
mod docs;
mod never_twice;
mod pixel;
mod postback;
mod settle;
mod reads;
mod routes;
mod schema;
mod tokens;
