//! Tests through the doors, on both engines, and of the sources themselves: one binary, so that one PostgreSQL
//! cluster serves all of them.

mod support;

mod architecture;
mod click;
mod never_twice;
mod pixel;
mod postback;
mod reads;
mod routes;
mod tokens;
