//! What was tracked: conversions and receipts.

use async_graphql::{Context, Object, Result};

use crate::{
    domain::ids::ReceiptId,
    graphql::{
        connection::{Window, page_cost},
        id::Id,
        types::{
            conversion::{Conversion, ConversionConnection, ConversionFilter, ConversionLookup, ConversionSort},
            receipt::{Receipt, ReceiptConnection, ReceiptFilter},
        },
    },
};

#[derive(Default)]
pub struct TrackingQuery;

#[Object]
impl TrackingQuery {
    /// Conversions, the newest first where no order is asked for.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a field are those of its method")]
    async fn conversions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<ConversionFilter>,
        #[graphql(desc = "In which order.")] sort: Option<ConversionSort>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<ConversionConnection> {
        ConversionConnection::read(ctx, filter, sort, &Window { first, after, last, before }).await
    }

    /// One conversion; null when there is none.
    async fn conversion(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How it is named.")] by: ConversionLookup,
    ) -> Result<Option<Conversion>> {
        by.find(ctx).await
    }

    /// Receipts, the newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn receipts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<ReceiptFilter>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<ReceiptConnection> {
        ReceiptConnection::read(ctx, filter, &Window { first, after, last, before }).await
    }

    /// One receipt; null when there is none, and when it is too old to be kept.
    async fn receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<ReceiptId>,
    ) -> Result<Option<Receipt>> {
        Receipt::load(ctx, Some(id.0)).await
    }
}
