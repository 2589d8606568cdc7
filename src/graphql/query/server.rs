//! Who is asking, whom, and anything by its id.

use async_graphql::{Context, ID, Object, Result};

use crate::graphql::{
    context::Find as _,
    error,
    scalars::DateTime,
    types::{
        node::Node,
        server::{ServerFacts, ServerInfo, Viewer},
    },
};

/// Ids that one call of `nodes` may name.
const NODES_MAX: usize = 100;

#[derive(Default)]
pub struct ServerQuery;

#[Object]
impl ServerQuery {
    /// Anything by its id; null when it is not there.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Result<Option<Node>> {
        Node::find(ctx, &id).await
    }

    /// Several things by their ids, in that order; null where one is not there.
    #[graphql(complexity = "ids.len().saturating_mul(child_complexity).saturating_add(5)")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Their ids, 100 at most.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > NODES_MAX {
            return Err(error::bad_user_input(format!("Ask for at most {NODES_MAX} at a time")));
        }
        futures_util::future::try_join_all(ids.iter().map(|id| Node::find(ctx, id))).await
    }

    /// Whoever asks.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer> {
        ctx.principal().map(Viewer::from)
    }

    /// The server that answers.
    async fn server(&self, ctx: &Context<'_>) -> Result<ServerInfo> {
        let facts = ctx.data::<ServerFacts>()?;
        Ok(ServerInfo {
            version: facts.version.to_owned(),
            schema_hash: facts.schema_hash.clone(),
            database: facts.database.to_owned(),
            started_at: DateTime(facts.started_at),
            setup_complete: !ctx.snapshot()?.operators.is_empty(),
        })
    }
}
