//! Work that goes on behind an answer.

use async_graphql::{Context, Object, Result};

use crate::{
    domain::ids::JobId,
    graphql::{
        connection::{Window, page_cost},
        id::Id,
        types::{
            job::{Job, JobConnection},
            words::JobState,
        },
    },
    store::jobs::JobFilter,
};

#[derive(Default)]
pub struct JobQuery;

#[Object]
impl JobQuery {
    /// One job; null when there is none, and when it ended too long ago to be kept.
    async fn job(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: Id<JobId>) -> Result<Option<Job>> {
        Job::find(ctx, id.0).await
    }

    /// Jobs, the newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn jobs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In any of these states only.")] states: Option<Vec<JobState>>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<JobConnection> {
        let filter = JobFilter { states: states.map(|states| states.into_iter().map(Into::into).collect()) };
        JobConnection::read(ctx, filter, &Window { first, after, last, before }).await
    }
}
