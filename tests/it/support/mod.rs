//! What tests stand on: databases, servers, people.

pub(crate) mod postgres;
