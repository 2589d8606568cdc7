//! `schema`, `openapi`: texts that need no database, no settings and no server.

use super::{CliProblem, print};
use crate::http::openapi;

/// The contract of the admin API: `schema.graphql` at the root of the sources is this text.
pub(super) fn schema() -> Result<(), CliProblem> {
    print(&crate::graphql::schema::sdl())
}

/// The tracking routes, as `/openapi.json` serves them.
pub(super) fn openapi() -> Result<(), CliProblem> {
    print(&openapi::document())
}
