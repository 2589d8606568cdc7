//! Advertisers and publishers.

use async_graphql::{ComplexObject, Context, InputObject, MaybeUndefined, Result, SimpleObject};

use super::{
    input::{DateTimeRange, layers},
    offer::{OfferConnection, OfferFilter, PublisherRateConnection},
    outbound::OutboundPostbackConnection,
    stats::StatMetrics,
    words::PartnerState,
};
use crate::{
    app::manage_partners::PartnerDraft,
    domain::{
        advertiser,
        ids::{AdvertiserId, OfferId, PublisherId},
        publisher,
    },
    graphql::{
        connection::{Count, Window, connection, failed, page_cost},
        context::Find as _,
        error,
        id::Id,
        loaders::StatSubject,
        scalars::DateTime,
    },
    store::{
        self,
        advertisers::{self, AdvertiserSort},
        offers::RatesOf,
        outbound::OutboundFilter,
        publishers::{self, PublisherSort},
    },
};

/// An advertiser: pays for results, and its servers fire the postbacks.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Advertiser {
    /// Opaque, stable, prefixed: adv_…
    pub id: Id<AdvertiserId>,
    /// The integer that people know it by.
    pub number: i32,
    /// What people call it.
    pub name: String,
    /// Whether it is at work.
    pub state: PartnerState,
    /// For people in the network only.
    pub notes: Option<String>,
    /// Send it with the next update; a stale one is refused with CONFLICT_VERSION.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime,
    /// When it was last changed.
    pub updated_at: DateTime,
}

impl From<&advertiser::Advertiser> for Advertiser {
    fn from(advertiser: &advertiser::Advertiser) -> Self {
        Self {
            id: Id(advertiser.id),
            number: advertiser.id.number(),
            name: advertiser.name.clone(),
            state: advertiser.state.into(),
            notes: advertiser.notes.clone(),
            version: advertiser.version,
            created_at: advertiser.created_at.into(),
            updated_at: advertiser.updated_at.into(),
        }
    }
}

#[ComplexObject]
impl Advertiser {
    /// What was counted of its offers over a range.
    async fn stats(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Over which time, in quarters of an hour.")] range: DateTimeRange,
    ) -> Result<StatMetrics> {
        StatMetrics::of(ctx, StatSubject::Advertiser(self.id.0), range).await
    }

    /// What it pays for, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn offers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<OfferConnection> {
        let filter = OfferFilter::of_advertiser(self.id.0);
        OfferConnection::read(ctx, filter, None, &Window { first, after, last, before }).await
    }
}

/// A publisher: sends traffic and is paid for it.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Publisher {
    /// Opaque, stable, prefixed: pub_…
    pub id: Id<PublisherId>,
    /// The integer of publisher= in links and clickless postbacks.
    pub number: i32,
    /// What people call it.
    pub name: String,
    /// Whether it is at work.
    pub state: PartnerState,
    /// For people in the network only.
    pub notes: Option<String>,
    /// Send it with the next update; a stale one is refused with CONFLICT_VERSION.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime,
    /// When it was last changed.
    pub updated_at: DateTime,
}

impl From<&publisher::Publisher> for Publisher {
    fn from(publisher: &publisher::Publisher) -> Self {
        Self {
            id: Id(publisher.id),
            number: publisher.id.number(),
            name: publisher.name.clone(),
            state: publisher.state.into(),
            notes: publisher.notes.clone(),
            version: publisher.version,
            created_at: publisher.created_at.into(),
            updated_at: publisher.updated_at.into(),
        }
    }
}

#[ComplexObject]
impl Publisher {
    /// What was counted of its traffic over a range.
    async fn stats(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Over which time, in quarters of an hour.")] range: DateTimeRange,
    ) -> Result<StatMetrics> {
        StatMetrics::of(ctx, StatSubject::Publisher(self.id.0), range).await
    }

    /// Its own payouts.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn rates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<PublisherRateConnection> {
        PublisherRateConnection::read(ctx, RatesOf::Publisher(self.id.0), &Window { first, after, last, before }).await
    }

    /// The rules of outbound postbacks that are about it alone, by name.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn outbound_postbacks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<OutboundPostbackConnection> {
        let filter = OutboundFilter { publisher: Some(self.id.0), ..OutboundFilter::default() };
        OutboundPostbackConnection::read(ctx, filter, &Window { first, after, last, before }).await
    }
}

impl Advertiser {
    /// The advertiser of an id: from memory, else from the database.
    pub async fn find(ctx: &Context<'_>, id: AdvertiserId) -> Result<Option<Self>> {
        if let Some(advertiser) = ctx.snapshot()?.advertisers.get(&id) {
            return Ok(Some(advertiser.into()));
        }
        Ok(advertisers::find(ctx.database()?, id).await.map_err(failed)?.as_ref().map(Self::from))
    }

    /// The advertiser that a row names: advertisers are never deleted.
    pub async fn expect(ctx: &Context<'_>, id: AdvertiserId) -> Result<Self> {
        Self::find(ctx, id).await?.ok_or_else(|| error::internal("a row names an advertiser that is not there"))
    }
}

impl Publisher {
    /// The publisher of an id: from memory, else from the database.
    pub async fn find(ctx: &Context<'_>, id: PublisherId) -> Result<Option<Self>> {
        if let Some(publisher) = ctx.snapshot()?.publishers.get(&id) {
            return Ok(Some(publisher.into()));
        }
        Ok(publishers::find(ctx.database()?, id).await.map_err(failed)?.as_ref().map(Self::from))
    }

    /// The publisher that a row names: publishers are never deleted.
    pub async fn expect(ctx: &Context<'_>, id: PublisherId) -> Result<Self> {
        Self::find(ctx, id).await?.ok_or_else(|| error::internal("a row names a publisher that is not there"))
    }
}

connection!(
    /// A page of advertisers.
    AdvertiserConnection,
    /// An advertiser and its place in the list.
    AdvertiserEdge of Advertiser, counted
);

connection!(
    /// A page of publishers.
    PublisherConnection,
    /// A publisher and its place in the list.
    PublisherEdge of Publisher, counted
);

/// Which advertisers or publishers a list holds. An empty list matches all.
#[derive(Clone, Debug, Default, InputObject)]
pub struct PartnerFilter {
    /// A part of the name, without regard to capitals, or the number.
    search: Option<String>,
    /// Any of these.
    state: Option<Vec<PartnerState>>,
}

impl PartnerFilter {
    fn read(self) -> store::PartnerFilter {
        let states = self.state.unwrap_or_default().into_iter().map(Into::into).collect();
        store::PartnerFilter { search: self.search, states }
    }
}

impl AdvertiserConnection {
    /// A page of those that a filter holds, by name.
    pub async fn read(ctx: &Context<'_>, filter: Option<PartnerFilter>, window: &Window) -> Result<Self> {
        let filter = filter.unwrap_or_default().read();
        let page = window.under(AdvertiserSort)?;
        let page = advertisers::list(ctx.database()?, &filter, &page).await.map_err(failed)?;
        let count: Count = Box::new(move |database, _| {
            let filter = filter.clone();
            Box::pin(async move { advertisers::count(database, &filter).await.map(Into::into).map_err(failed) })
        });
        Ok(Self::of(page, |advertiser| Advertiser::from(&advertiser), count))
    }
}

impl PublisherConnection {
    /// A page of those that a filter holds, by name.
    pub async fn read(ctx: &Context<'_>, filter: Option<PartnerFilter>, window: &Window) -> Result<Self> {
        let filter = filter.unwrap_or_default().read();
        let page = window.under(PublisherSort)?;
        let page = publishers::list(ctx.database()?, &filter, &page).await.map_err(failed)?;
        let count: Count = Box::new(move |database, _| {
            let filter = filter.clone();
            Box::pin(async move { publishers::count(database, &filter).await.map(Into::into).map_err(failed) })
        });
        Ok(Self::of(page, |publisher| Publisher::from(&publisher), count))
    }

    /// A page of those chosen for an offer, by name.
    pub async fn of_offer(ctx: &Context<'_>, offer: OfferId, window: &Window) -> Result<Self> {
        let page = window.under(PublisherSort)?;
        let page = publishers::list_chosen(ctx.database()?, offer, &page).await.map_err(failed)?;
        let count: Count = Box::new(move |database, _| {
            Box::pin(async move { publishers::count_chosen(database, offer).await.map(Into::into).map_err(failed) })
        });
        Ok(Self::of(page, |publisher| Publisher::from(&publisher), count))
    }
}

/// What a form says about an advertiser or a publisher. What is not sent stays as it is; null clears the notes.
#[derive(Clone, Debug, InputObject)]
pub struct PartnerInput {
    /// What people call it. Needed at creation.
    name: Option<String>,
    /// The integer that links know it by. At creation only; the next free one by default.
    number: Option<i32>,
    /// Whether it is at work.
    state: Option<PartnerState>,
    /// For people in the network only.
    notes: MaybeUndefined<String>,
}

impl PartnerInput {
    /// The form as its use case reads it.
    pub fn read(self) -> PartnerDraft {
        let notes = layers(self.notes, |text| text);
        PartnerDraft { name: self.name, number: self.number, state: self.state.map(Into::into), notes }
    }
}
