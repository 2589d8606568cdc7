//! `schema`, `openapi`, `keys`: texts that need no database, no settings and no server.

use secrecy::ExposeSecret;

use super::{CliProblem, print};
use crate::config::keys::new_key_file;
use crate::http::openapi;
use crate::system::SystemEntropy;

/// The contract of the admin API: `schema.graphql` at the root of the sources is this text.
pub(super) fn schema() -> Result<(), CliProblem> {
    print(&crate::graphql::schema::sdl())
}

/// The tracking routes, as `/openapi.json` serves them.
pub(super) fn openapi() -> Result<(), CliProblem> {
    print(&openapi::document())
}

/// Fresh keys with every call; they are kept nowhere.
pub(super) fn keys() -> Result<(), CliProblem> {
    print(new_key_file(&SystemEntropy)?.expose_secret())
}
