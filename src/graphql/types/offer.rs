//! Offers, with their money, their windows and their switches.

use async_graphql::{ComplexObject, Context, Enum, InputObject, MaybeUndefined, Object, Result, SimpleObject};

use super::{
    conversion::{ConversionConnection, ConversionFilter, ConversionSort},
    input::{DateTimeRange, layers},
    money::{Money, Price, PriceInput},
    partner::{Advertiser, Publisher, PublisherConnection},
    postback::PostbackUrls,
    receipt::Receipt,
    stats::StatMetrics,
    token::{self, SecureToken},
    words::{DuplicatePolicy, OfferAccess, OfferState, SortDirection, TokenState},
};
use crate::{
    app::{manage_offers::OfferDraft, offer_events::EventDraft},
    domain::{
        clock::Timestamp,
        ids::{AdvertiserId, OfferId},
        offer,
        secure_token::TokenScope,
    },
    graphql::{
        connection::{Count, Window, connection, failed, page_cost},
        context::Find as _,
        error,
        id::{self, Id},
        loaders::StatSubject,
        scalars::{CurrencyCode, DateTime, Decimal, Url},
    },
    store::offers::{self, RatesOf},
};

/// An offer: what a publisher promotes, and every switch that decides how its conversions count.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Offer {
    /// Opaque, stable, prefixed: offer_…
    pub id: Id<OfferId>,
    /// The integer of offer= in links.
    pub number: i32,
    /// What people call it.
    pub name: String,
    /// For people in the network only.
    pub description: Option<String>,
    /// Whether it takes clicks and conversions.
    pub state: OfferState,
    /// Where a click goes: a template that holds {transaction_id}.
    pub landing_page_url: String,
    /// Where a refused click goes.
    pub fallback_url: Option<Url>,
    /// Of all its money.
    pub currency: CurrencyCode,
    /// Paid to us.
    pub revenue: Price,
    /// Paid to the publisher, unless it has a rate of its own.
    pub payout: Price,
    /// No payout above this counts without a person's consent.
    pub payout_ceiling: Option<Money>,
    /// Who may promote it.
    pub access: OfferAccess,
    /// How its conversions are tracked.
    pub tracking: OfferTracking,
    /// Send it with the next update; a stale one is refused with CONFLICT_VERSION.
    pub version: i32,
    /// When it was made.
    pub created_at: DateTime,
    /// When it was last changed.
    pub updated_at: DateTime,
    /// When it was archived, if it is.
    pub archived_at: Option<DateTime>,
    #[graphql(skip)]
    pub advertiser_id: AdvertiserId,
    /// With those that were removed.
    #[graphql(skip)]
    pub all_events: Vec<OfferEvent>,
}

/// A later result than the conversion, such as a deposit. Its conversion comes first.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
pub struct OfferEvent {
    /// What senders write as event_id; it never becomes another event's.
    pub number: i32,
    /// What senders may write as event_name in its place.
    pub name: String,
    /// Paid to us.
    pub revenue: Price,
    /// Paid to the publisher.
    pub payout: Price,
    /// When it was taken off the offer: nothing new is recorded for it since.
    pub removed_at: Option<DateTime>,
}

impl OfferEvent {
    fn of(event: &offer::OfferEvent, offer: &offer::Offer) -> Self {
        Self {
            number: event.number,
            name: event.name.clone(),
            revenue: Price::of(event.revenue, offer.currency),
            payout: Price::of(event.payout, offer.currency),
            removed_at: event.removed_at.map(DateTime),
        }
    }
}

/// How the conversions of an offer are tracked.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct OfferTracking {
    /// Takes clickless conversions.
    pub clickless_enabled: bool,
    /// Takes image pixels.
    pub pixel_enabled: bool,
    /// A pixel's conversion needs no confirmation by a postback.
    pub trust_pixel: bool,
    /// Conversions wait for a person.
    pub manual_approval: bool,
    /// The revenue that a sender reports counts.
    pub trust_wire_revenue: bool,
    /// The payout that a sender reports counts, up to the payout ceiling.
    pub trust_wire_payout: bool,
    /// An amount or a currency that cannot be read refuses the request.
    pub strict_amounts: bool,
    /// How long after its click a conversion counts.
    pub attribution_window_hours: i32,
    /// How many conversions one transaction may have.
    pub duplicate_policy: DuplicatePolicy,
    /// An identical postback within this time is a repeat, where nothing else tells it from a new one.
    pub repeat_window_seconds: i32,
    /// The same for clickless postbacks.
    pub clickless_repeat_window_seconds: i32,
    /// Admits rejections by the transaction id alone, from rejectSourceIps.
    pub reject_without_secure: bool,
    /// The networks that rejections without a token may come from.
    pub reject_source_ips: Vec<String>,
    #[graphql(skip)]
    offer: OfferId,
}

impl From<&offer::Offer> for Offer {
    fn from(offer: &offer::Offer) -> Self {
        Self {
            id: Id(offer.id),
            number: offer.id.number(),
            name: offer.name.clone(),
            description: offer.description.clone(),
            state: offer.state.into(),
            landing_page_url: offer.landing_url.as_str().to_owned(),
            fallback_url: offer.fallback_url.clone().map(Url),
            currency: CurrencyCode(offer.currency),
            revenue: Price::of(offer.revenue, offer.currency),
            payout: Price::of(offer.payout, offer.currency),
            payout_ceiling: offer.payout_ceiling.map(|ceiling| Money::of(ceiling, offer.currency)),
            access: offer.access.into(),
            tracking: offer.into(),
            version: offer.version,
            created_at: offer.created_at.into(),
            updated_at: offer.updated_at.into(),
            archived_at: offer.archived_at.map(DateTime),
            advertiser_id: offer.advertiser,
            all_events: offer.events.iter().map(|event| OfferEvent::of(event, offer)).collect(),
        }
    }
}

impl From<&offer::Offer> for OfferTracking {
    fn from(offer: &offer::Offer) -> Self {
        Self {
            clickless_enabled: offer.switches.clickless_enabled,
            pixel_enabled: offer.switches.pixel_enabled,
            trust_pixel: offer.switches.pixel_trusted,
            manual_approval: offer.switches.manual_approval,
            trust_wire_revenue: offer.switches.wire_revenue_trusted,
            trust_wire_payout: offer.switches.wire_payout_trusted,
            strict_amounts: offer.switches.strict_amounts,
            attribution_window_hours: offer.attribution_window_hours,
            duplicate_policy: offer.duplicate_policy.into(),
            repeat_window_seconds: offer.repeat_window_seconds,
            clickless_repeat_window_seconds: offer.clickless_repeat_window_seconds,
            reject_without_secure: offer.switches.reject_without_secure,
            reject_source_ips: offer.reject_allowed_addresses.iter().map(ToString::to_string).collect(),
            offer: offer.id,
        }
    }
}

impl Offer {
    /// The offer of an id: from memory, else from the database.
    pub async fn find(ctx: &Context<'_>, id: OfferId) -> Result<Option<Self>> {
        if let Some(offer) = ctx.snapshot()?.offers.get(&id) {
            return Ok(Some(offer.into()));
        }
        Ok(offers::find(ctx.database()?, id).await.map_err(failed)?.as_ref().map(Self::from))
    }

    /// An event of an offer, removed or not: from memory, else from the database, where another server may have defined
    /// it a moment ago.
    pub async fn event(ctx: &Context<'_>, id: OfferId, number: i32) -> Result<Option<OfferEvent>> {
        let known = |offer: &offer::Offer| offer.event(number).map(|event| OfferEvent::of(event, offer));
        if let Some(event) = ctx.snapshot()?.offers.get(&id).and_then(known) {
            return Ok(Some(event));
        }
        Ok(offers::find(ctx.database()?, id).await.map_err(failed)?.as_ref().and_then(known))
    }

    /// The offer that a row names: offers are never deleted.
    pub async fn expect(ctx: &Context<'_>, id: OfferId) -> Result<Self> {
        Self::find(ctx, id).await?.ok_or_else(|| error::internal("a row names an offer that is not there"))
    }
}

#[ComplexObject]
impl Offer {
    /// Who pays for it.
    async fn advertiser(&self, ctx: &Context<'_>) -> Result<Advertiser> {
        Advertiser::expect(ctx, self.advertiser_id).await
    }

    /// The later results that it pays for, by number.
    async fn events(
        &self,
        #[graphql(desc = "Those that were removed too.", default = false)] include_removed: bool,
    ) -> Vec<OfferEvent> {
        let wanted = |event: &&OfferEvent| include_removed || event.removed_at.is_none();
        self.all_events.iter().filter(wanted).cloned().collect()
    }

    /// Publishers' own payouts on it.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn rates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<PublisherRateConnection> {
        PublisherRateConnection::read(ctx, RatesOf::Offer(self.id.0), &Window { first, after, last, before }).await
    }

    /// The chosen ones, where access is CHOSEN_PUBLISHERS.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    async fn publishers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<PublisherConnection> {
        PublisherConnection::of_offer(ctx, self.id.0, &Window { first, after, last, before }).await
    }

    /// What was counted of it over a range.
    async fn stats(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Over which time, in quarters of an hour.")] range: DateTimeRange,
    ) -> Result<StatMetrics> {
        StatMetrics::of(ctx, StatSubject::Offer(self.id.0), range).await
    }

    /// Its secure tokens, the newest first.
    async fn secure_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Those in any of these states only.")] states: Option<Vec<TokenState>>,
    ) -> Result<Vec<SecureToken>> {
        token::of_offer(ctx, self.id.0, states).await
    }

    /// Its conversions.
    #[graphql(complexity = "page_cost(first, last, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a field are those of its method")]
    async fn conversions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which of them; its offerIds are not looked at.")] filter: Option<ConversionFilter>,
        #[graphql(desc = "In which order; the newest first where it is not sent.")] sort: Option<ConversionSort>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where neither first nor last is sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "From the end: 1 to 200, not beside first.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<ConversionConnection> {
        let filter = filter.unwrap_or_default().of_offer(self.id.0);
        ConversionConnection::read(ctx, Some(filter), sort, &Window { first, after, last, before }).await
    }
}

#[ComplexObject]
impl OfferTracking {
    /// Its URLs, ready to be copied.
    async fn urls(&self) -> PostbackUrls {
        PostbackUrls::of(TokenScope::Offer(self.offer))
    }

    /// The newest request about it.
    async fn last_receipt(&self, ctx: &Context<'_>) -> Result<Option<Receipt>> {
        Receipt::newest_of(ctx, self.offer).await
    }
}

#[derive(Clone, Debug)]
pub struct PublisherRate(offers::PublisherRate);

impl From<offers::PublisherRate> for PublisherRate {
    fn from(rate: offers::PublisherRate) -> Self {
        Self(rate)
    }
}

/// A publisher's own payout on an offer.
#[Object]
impl PublisherRate {
    /// On which offer.
    async fn offer(&self, ctx: &Context<'_>) -> Result<Offer> {
        Offer::expect(ctx, self.0.offer).await
    }

    /// Whose.
    async fn publisher(&self, ctx: &Context<'_>) -> Result<Publisher> {
        Publisher::expect(ctx, self.0.publisher).await
    }

    /// What it is paid.
    async fn payout(&self, ctx: &Context<'_>) -> Result<Price> {
        let offer = Offer::expect(ctx, self.0.offer).await?;
        Ok(Price::of(self.0.payout, offer.currency.0))
    }
}

connection!(
    /// A page of offers.
    OfferConnection,
    /// An offer and its place in the list.
    OfferEdge of Offer, counted
);

connection!(
    /// A page of publishers' own payouts.
    PublisherRateConnection,
    /// A publisher's own payout and its place in the list.
    PublisherRateEdge of PublisherRate
);

/// Which offers a list holds. Fields are all asked for, lists match any of theirs; an empty list matches all.
#[derive(Clone, Debug, Default, InputObject)]
pub struct OfferFilter {
    /// A part of the name, without regard to capitals, or the number.
    search: Option<String>,
    /// Any of these.
    state: Option<Vec<OfferState>>,
    /// Of any of these advertisers.
    advertiser_ids: Option<Vec<Id<AdvertiserId>>>,
    /// With a click or a conversion in this time, in quarters of an hour; 31 days at most.
    has_traffic: Option<DateTimeRange>,
}

impl OfferFilter {
    /// Those of one advertiser.
    pub fn of_advertiser(advertiser: AdvertiserId) -> Self {
        Self { advertiser_ids: Some(vec![Id(advertiser)]), ..Self::default() }
    }

    fn read(self, now: Timestamp) -> Result<offers::OfferFilter> {
        Ok(offers::OfferFilter {
            search: self.search,
            states: self.state.unwrap_or_default().into_iter().map(Into::into).collect(),
            advertisers: id::all(self.advertiser_ids.unwrap_or_default()),
            has_traffic: self.has_traffic.map(|range| range.of_a_month("hasTraffic", now)).transpose()?,
        })
    }
}

/// What offers are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "offers::OfferSortField")]
pub enum OfferSortField {
    /// The name, without regard to capitals.
    Name,
    /// When it was made.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
}

/// The order of offers.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct OfferSort {
    /// What they are sorted by.
    #[graphql(default_with = "OfferSortField::Name")]
    field: OfferSortField,
    /// Which way.
    #[graphql(default_with = "SortDirection::Asc")]
    direction: SortDirection,
}

impl OfferConnection {
    /// A page of those that a filter holds, by name where no order is asked for.
    pub async fn read(
        ctx: &Context<'_>,
        filter: OfferFilter,
        sort: Option<OfferSort>,
        window: &Window,
    ) -> Result<Self> {
        let sort = sort.map_or_else(offers::OfferSort::default, |sort| offers::OfferSort {
            field: sort.field.into(),
            direction: sort.direction.into(),
        });
        let filter = filter.read(ctx.now()?)?;
        let page = offers::list(ctx.database()?, &filter, &window.under(sort)?).await.map_err(failed)?;
        let count: Count = Box::new(move |database, _| {
            let filter = filter.clone();
            Box::pin(async move { offers::count(database, &filter).await.map(Into::into).map_err(failed) })
        });
        Ok(Self::of(page, |offer| Offer::from(&offer), count))
    }
}

impl PublisherRateConnection {
    /// A page of the rates of an offer or of a publisher.
    pub async fn read(ctx: &Context<'_>, of: RatesOf, window: &Window) -> Result<Self> {
        let page = offers::list_rates(ctx.database()?, &window.under(of)?).await.map_err(failed)?;
        Ok(Self::of(page, PublisherRate::from))
    }
}

/// What a form says about an offer. What is not sent stays as it is, and at creation is as it is by default; null
/// clears a field that may be empty.
#[derive(Clone, Debug, InputObject)]
pub struct OfferInput {
    /// What people call it. Needed at creation.
    name: Option<String>,
    /// For people in the network only.
    description: MaybeUndefined<String>,
    /// Who pays for it. Needed at creation.
    advertiser_id: Option<Id<AdvertiserId>>,
    /// Where a click goes: a template that holds {transaction_id}. Needed at creation.
    landing_page_url: Option<String>,
    /// Whether it takes clicks and conversions.
    state: Option<OfferState>,
    /// Paid to us. Needed at creation.
    revenue: Option<PriceInput>,
    /// Paid to the publisher. Needed at creation.
    payout: Option<PriceInput>,
    /// No payout above this counts without a person's consent.
    payout_ceiling: MaybeUndefined<Decimal>,
    /// Where a refused click goes.
    fallback_url: MaybeUndefined<Url>,
    /// Of all its money. Needed at creation, unless the workspace has one.
    currency: Option<CurrencyCode>,
    /// Conversions wait for a person.
    manual_approval: Option<bool>,
    /// Takes clickless conversions.
    clickless_enabled: Option<bool>,
    /// Takes image pixels.
    pixel_enabled: Option<bool>,
    /// A pixel's conversion needs no confirmation by a postback.
    trust_pixel: Option<bool>,
    /// The revenue that a sender reports counts.
    trust_wire_revenue: Option<bool>,
    /// The payout that a sender reports counts, up to the payout ceiling.
    trust_wire_payout: Option<bool>,
    /// An amount or a currency that cannot be read refuses the request.
    strict_amounts: Option<bool>,
    /// Admits rejections by the transaction id alone, from rejectSourceIps.
    reject_without_secure: Option<bool>,
    /// The addresses or networks that rejections without a token may come from.
    reject_source_ips: Option<Vec<String>>,
    /// How long after its click a conversion counts.
    attribution_window_hours: Option<i32>,
    /// An identical postback within this time is a repeat, where nothing else tells it from a new one.
    repeat_window_seconds: Option<i32>,
    /// The same for clickless postbacks.
    clickless_repeat_window_seconds: Option<i32>,
    /// Who may promote it.
    access: Option<OfferAccess>,
    /// How many conversions one transaction may have.
    duplicate_policy: Option<DuplicatePolicy>,
    /// The integer of offer= in links. At creation only; the next free one by default.
    number: Option<i32>,
}

impl OfferInput {
    /// The form as its use case reads it.
    pub fn read(self) -> OfferDraft {
        OfferDraft {
            name: self.name,
            description: layers(self.description, |text| text),
            advertiser: self.advertiser_id.map(|id| id.0),
            landing_page_url: self.landing_page_url,
            state: self.state.map(Into::into),
            revenue: self.revenue.map(PriceInput::draft),
            payout: self.payout.map(PriceInput::draft),
            payout_ceiling: layers(self.payout_ceiling, |amount| amount.as_str().to_owned()),
            fallback_url: layers(self.fallback_url, |url| url.0),
            currency: self.currency.map(|currency| currency.0.to_string()),
            manual_approval: self.manual_approval,
            clickless_enabled: self.clickless_enabled,
            pixel_enabled: self.pixel_enabled,
            pixel_trusted: self.trust_pixel,
            wire_revenue_trusted: self.trust_wire_revenue,
            wire_payout_trusted: self.trust_wire_payout,
            strict_amounts: self.strict_amounts,
            reject_without_secure: self.reject_without_secure,
            reject_source_ips: self.reject_source_ips,
            attribution_window_hours: self.attribution_window_hours,
            repeat_window_seconds: self.repeat_window_seconds,
            clickless_repeat_window_seconds: self.clickless_repeat_window_seconds,
            access: self.access.map(Into::into),
            duplicate_policy: self.duplicate_policy.map(Into::into),
            number: self.number,
        }
    }
}

/// One event of an offer.
#[derive(Clone, Debug, InputObject)]
pub struct OfferEventInput {
    /// What senders write as event_id, from 1. The number of a removed event brings that one back.
    number: i32,
    /// What senders may write as event_name, exactly: 1 to 200 characters.
    name: String,
    /// Paid to us.
    revenue: PriceInput,
    /// Paid to the publisher.
    payout: PriceInput,
}

impl OfferEventInput {
    /// The event as its use case reads it.
    pub fn read(self) -> EventDraft {
        let Self { number, name, revenue, payout } = self;
        EventDraft { number, name, revenue: revenue.draft(), payout: payout.draft() }
    }
}
