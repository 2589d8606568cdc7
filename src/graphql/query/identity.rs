//! Who may use the admin API, and what they did.

use async_graphql::{Context, Object, Result};

use crate::graphql::{
    connection::{Window, page_cost},
    guard::auth,
    types::{
        audit::{AuditEntryConnection, AuditFilter},
        operator::{ApiKey, Operator},
        server::Session,
        words::Role,
    },
};

#[derive(Default)]
pub struct IdentityQuery;

#[Object]
impl IdentityQuery {
    /// The viewer's own sessions that are not over, the last seen first; none for an API key.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>> {
        Session::own(ctx).await
    }

    /// All operators, by address.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn operators(&self, ctx: &Context<'_>) -> Result<Option<Vec<Operator>>> {
        Operator::all(ctx).await.map(Some)
    }

    /// The API keys that work, the newest first; then the hundred newest of those that are over.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn api_keys(&self, ctx: &Context<'_>) -> Result<Option<Vec<ApiKey>>> {
        ApiKey::all(ctx).await.map(Some)
    }

    /// The audit trail, the newest first.
    #[graphql(directive = auth::apply(Role::Admin), complexity = "page_cost(first, last, child_complexity)")]
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which entries.")] filter: Option<AuditFilter>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<Option<AuditEntryConnection>> {
        AuditEntryConnection::read(ctx, filter, &Window { first, after, last, before }).await.map(Some)
    }
}
