//! What resolvers find in their context, under one name each.
//!
//! Everything here is put there by [`super::schema::build`] or by the endpoint; what is missing is our fault and
//! answered as such.

use std::sync::Arc;

use async_graphql::{Context, Result};

use super::loaders::Loaders;
use crate::{
    app::App,
    domain::{clock::Timestamp, code::Code, inbound::Door, operator::Principal, snapshot::Snapshot},
    store::Database,
};

/// Which HTTP status a code has at a door; the last argument says that the token asked for 200 instead of a 4xx.
/// Given by `http`, because nothing below it knows a status.
#[derive(Clone, Copy)]
pub struct StatusOf(pub fn(Code, Door, bool) -> u16);

/// What a resolver may ask its context for.
pub trait Find {
    fn app(&self) -> Result<&App>;
    fn principal(&self) -> Result<&Principal>;
    fn loaders(&self) -> Result<&Loaders>;
    fn status_of(&self) -> Result<StatusOf>;

    /// For reads.
    fn database(&self) -> Result<&Database> {
        Ok(&self.app()?.database)
    }

    /// Control data as this server knows it now.
    fn snapshot(&self) -> Result<Arc<Snapshot>> {
        Ok(self.app()?.snapshot.load_full())
    }

    fn now(&self) -> Result<Timestamp> {
        Ok(self.app()?.clock.now())
    }
}

impl Find for Context<'_> {
    fn app(&self) -> Result<&App> {
        self.data::<Arc<App>>().map(AsRef::as_ref)
    }

    fn principal(&self) -> Result<&Principal> {
        self.data::<Principal>()
    }

    fn loaders(&self) -> Result<&Loaders> {
        self.data::<Loaders>()
    }

    fn status_of(&self) -> Result<StatusOf> {
        self.data::<StatusOf>().copied()
    }
}
