//! Control data: offers, partners, tokens, tracking domains.

use async_graphql::{Context, Object, Result};

use crate::{
    domain::ids::{AdvertiserId, OfferId, PublisherId},
    graphql::{
        connection::{Window, failed, page_cost},
        context::Find as _,
        id::Id,
        types::{
            offer::{Offer, OfferConnection, OfferFilter, OfferSort},
            partner::{Advertiser, AdvertiserConnection, PartnerFilter, Publisher, PublisherConnection},
            token::{SecureTokenConnection, read_filter},
            tracking_domain::TrackingDomain,
            words::{TokenScope, TokenState},
        },
    },
    store::{advertisers, offers, publishers},
};

#[derive(Default)]
pub struct ControlQuery;

#[Object]
impl ControlQuery {
    /// Offers, by name where no order is asked for.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a field are those of its method")]
    async fn offers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<OfferFilter>,
        #[graphql(desc = "In which order.")] sort: Option<OfferSort>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<OfferConnection> {
        OfferConnection::read(ctx, filter.unwrap_or_default(), sort, &Window { first, after, last, before }).await
    }

    /// One offer; null when there is none.
    async fn offer(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: Id<OfferId>) -> Result<Option<Offer>> {
        Ok(offers::find(ctx.database()?, id.0).await.map_err(failed)?.as_ref().map(Offer::from))
    }

    /// Advertisers, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn advertisers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<PartnerFilter>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<AdvertiserConnection> {
        AdvertiserConnection::read(ctx, filter, &Window { first, after, last, before }).await
    }

    /// One advertiser; null when there is none.
    async fn advertiser(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<AdvertiserId>,
    ) -> Result<Option<Advertiser>> {
        Ok(advertisers::find(ctx.database()?, id.0).await.map_err(failed)?.as_ref().map(Advertiser::from))
    }

    /// Publishers, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn publishers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them.")] filter: Option<PartnerFilter>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<PublisherConnection> {
        PublisherConnection::read(ctx, filter, &Window { first, after, last, before }).await
    }

    /// One publisher; null when there is none.
    async fn publisher(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<PublisherId>,
    ) -> Result<Option<Publisher>> {
        Ok(publishers::find(ctx.database()?, id.0).await.map_err(failed)?.as_ref().map(Publisher::from))
    }

    /// Secure tokens without their secrets, the newest first.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a field are those of its method")]
    async fn secure_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of this scope only.")] scope: Option<TokenScope>,
        #[graphql(desc = "In any of these states only.")] states: Option<Vec<TokenState>>,
        #[graphql(desc = "Of this offer only.")] offer_id: Option<Id<OfferId>>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<SecureTokenConnection> {
        SecureTokenConnection::read(ctx, read_filter(scope, states, offer_id), &Window { first, after, last, before })
            .await
    }

    /// All tracking domains, the oldest first.
    async fn tracking_domains(&self, ctx: &Context<'_>) -> Result<Vec<TrackingDomain>> {
        TrackingDomain::all(ctx)
    }
}
