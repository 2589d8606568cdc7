//! Figures, and the settings that they are counted under.

use async_graphql::{Context, Object, Result};

use crate::{
    graphql::{
        connection::failed,
        context::Find as _,
        error,
        scalars::TimeZone,
        types::{
            receipt::{ReceiptFilter, ReceiptStats},
            settings::Settings,
            stats::{StatInterval, StatsInput, StatsReport},
        },
    },
    store::conversions::rejection_reasons,
};

/// Reasons of one answer at most.
const REASONS_MAX: u64 = 200;

#[derive(Default)]
pub struct ReportsQuery;

#[Object]
impl ReportsQuery {
    /// The settings of the workspace.
    async fn settings(&self, ctx: &Context<'_>) -> Result<Settings> {
        Ok(Settings::of(ctx.app()?, &ctx.snapshot()?.settings))
    }

    /// Counts and money over a range of time. By offer, advertiser, publisher and status from figures that are kept, to
    /// a quarter of an hour; by sub id from figures by day; by anything else from the conversions themselves, 31 days
    /// at most and without clicks.
    #[graphql(complexity = "input.cost(child_complexity)")]
    async fn stats(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked for.")] input: StatsInput,
    ) -> Result<StatsReport> {
        StatsReport::read(ctx, input).await
    }

    /// How many requests came in, and what became of them. As far as receipts are kept.
    #[graphql(complexity = "child_complexity.saturating_mul(10).saturating_add(50)")]
    async fn receipt_stats(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; its receivedAt is needed, 31 days at most.")] filter: ReceiptFilter,
        #[graphql(desc = "How long a bucket is; 1 000 at most.")] interval: StatInterval,
        #[graphql(desc = "Whose hours and days; the workspace's where it is not sent.")] timezone: Option<TimeZone>,
    ) -> Result<ReceiptStats> {
        ReceiptStats::read(ctx, filter, interval, timezone).await
    }

    /// Why conversions of the last 31 days are Rejected: distinct reasons, the most frequent first.
    async fn rejection_reasons(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A part of the reason, without regard to capitals.")] search: Option<String>,
        #[graphql(desc = "1 to 200.", default = 50)] first: i32,
    ) -> Result<Vec<String>> {
        let limit = u64::try_from(first).ok().filter(|first| (1..=REASONS_MAX).contains(first));
        let limit = limit.ok_or_else(|| error::bad_user_input(format!("first is 1 to {REASONS_MAX}")))?;
        rejection_reasons(ctx.database()?, search.as_deref(), limit, ctx.now()?).await.map_err(failed)
    }
}
