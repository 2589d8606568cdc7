//! Conversions, their history, and how lists of them are asked for.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, InputObject, OneofObject, Result, SimpleObject};

use super::{
    actor::Actor,
    click::Click,
    input::{DateTimeRange, DecimalRange, KeyValue, StringMatch},
    money::Money,
    offer::{Offer, OfferEvent},
    outbound::DeliveryConnection,
    partner::{Advertiser, Publisher},
    receipt::{Receipt, ReceiptConnection},
    token::SecureToken,
    words::{ActorKind, ConversionChangeKind, ConversionSource, ConversionStatus, PendingReason, Role, SortDirection},
};
use crate::{
    app::change_conversion::AmountsDraft,
    domain::{
        clock::Timestamp,
        conversion::{self, Change},
        ids::{AdvertiserId, ChangeId, ConversionId, OfferId, PublisherId, ReceiptId, TokenId},
        transaction_id::TransactionId,
    },
    graphql::{
        connection::{Count, Window, connection, failed, page_cost},
        context::Find as _,
        error,
        guard::auth,
        id::{self, Id},
        scalars::{CurrencyCode, DateTime, Decimal, IpAddress},
    },
    store::{
        conversions::{self, ConversionListed, ConversionQuery, ListRefused, Oldest},
        filter::AddressMatch,
        foreign_clicks,
        outbox::DeliveriesOf,
    },
};

/// A conversion: the first result of a click, or a result without one.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct Conversion {
    /// Opaque, stable, prefixed: cnv_…
    pub id: Id<ConversionId>,
    /// How it came in.
    pub source: ConversionSource,
    /// What its history says.
    pub status: ConversionStatus,
    /// Why it waits; null where a sender or an operator said Pending.
    pub pending_reason: Option<PendingReason>,
    /// Why it is Rejected.
    pub rejection_reason: Option<String>,
    /// Who holds it Rejected.
    pub rejected_by: Option<ActorKind>,
    /// The advertiser's reason, kept beside that of whoever rejected first.
    pub advertiser_reason: Option<String>,
    /// Recorded from the sealed id; its click is not there yet.
    pub click_pending: bool,
    /// When its status last changed.
    pub status_changed_at: DateTime,
    /// Made by a test link: in no figure.
    pub is_test: bool,
    /// Also the number of its last change.
    pub version: i32,
    /// The id of its click; of a clickless one the id that was made for it.
    pub transaction_id: String,
    /// The publisher's own click id.
    pub external_transaction_id: Option<String>,
    /// The advertiser's own order number.
    pub order_id: Option<String>,
    /// The publisher's first free field.
    pub sub_id: Option<String>,
    /// The publisher's second free field.
    #[graphql(name = "subId2")]
    pub sub_id_2: Option<String>,
    /// The publisher's third free field.
    #[graphql(name = "subId3")]
    pub sub_id_3: Option<String>,
    /// The publisher's fourth free field.
    #[graphql(name = "subId4")]
    pub sub_id_4: Option<String>,
    /// The publisher's fifth free field.
    #[graphql(name = "subId5")]
    pub sub_id_5: Option<String>,
    /// The publisher's sixth free field.
    #[graphql(name = "subId6")]
    pub sub_id_6: Option<String>,
    /// The advertiser's first free field.
    pub adv_sub_id: Option<String>,
    /// The advertiser's second free field.
    #[graphql(name = "advSubId2")]
    pub adv_sub_id_2: Option<String>,
    /// The advertiser's third free field.
    #[graphql(name = "advSubId3")]
    pub adv_sub_id_3: Option<String>,
    /// The advertiser's fourth free field.
    #[graphql(name = "advSubId4")]
    pub adv_sub_id_4: Option<String>,
    /// The advertiser's fifth free field.
    #[graphql(name = "advSubId5")]
    pub adv_sub_id_5: Option<String>,
    /// The advertiser's sixth free field.
    #[graphql(name = "advSubId6")]
    pub adv_sub_id_6: Option<String>,
    /// Seconds from click to conversion.
    pub session_time: Option<i32>,
    /// The buyer's network, /24 or /48.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub conversion_ip: Option<IpAddress>,
    /// The buyer's browser.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub user_agent: Option<String>,
    /// The advertising id of the device.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub device_id: Option<String>,
    /// The buyer's e-mail in its masked form; beside it only a keyed hash is stored.
    #[graphql(directive = auth::apply(Role::Manager))]
    pub user_email_masked: Option<String>,
    /// What it brings us.
    pub revenue: Option<Money>,
    /// What the publisher gets.
    pub payout: Option<Money>,
    /// The value of the basket.
    pub purchase_value: Option<Money>,
    /// The revenue as it was sent, where it was not accepted or is of another currency.
    pub reported_revenue: Option<Money>,
    /// The payout as it was sent, where it was not accepted or is of another currency.
    pub reported_payout: Option<Money>,
    /// When the visitor clicked.
    pub clicked_at: Option<DateTime>,
    /// When the request came in that reported it.
    pub converted_at: DateTime,
    /// When it was written down.
    pub recorded_at: DateTime,
    #[graphql(skip)]
    keys: Keys,
}

/// What else a conversion leads to.
#[derive(Clone, Copy, Debug)]
struct Keys {
    offer: OfferId,
    /// 0 is the conversion itself.
    event: i32,
    /// Not known where a change has just been made: then the offer tells.
    advertiser: Option<AdvertiserId>,
    publisher: PublisherId,
    token: Option<TokenId>,
    transaction: TransactionId,
    clicked_at: Option<Timestamp>,
}

impl From<ConversionListed> for Conversion {
    fn from(listed: ConversionListed) -> Self {
        let ConversionListed { conversion, advertiser, .. } = listed;
        Self::of(conversion, Some(advertiser))
    }
}

impl From<Arc<ConversionListed>> for Conversion {
    fn from(listed: Arc<ConversionListed>) -> Self {
        Arc::unwrap_or_clone(listed).into()
    }
}

impl Conversion {
    /// Of an offer of this advertiser, where that is known.
    pub fn of(conversion: conversion::Conversion, advertiser: Option<AdvertiserId>) -> Self {
        let [sub_id, sub_id_2, sub_id_3, sub_id_4, sub_id_5, sub_id_6] = conversion.sub_ids;
        let [adv_sub_id, adv_sub_id_2, adv_sub_id_3, adv_sub_id_4, adv_sub_id_5, adv_sub_id_6] = conversion.adv_sub_ids;
        let counted = |micros: Option<_>| micros.map(|micros| Money::of(micros, conversion.money.currency));
        let wire_currency = conversion.reported.currency.unwrap_or(conversion.money.currency);
        let reported = |micros: Option<_>| micros.map(|micros| Money::of(micros, wire_currency));
        Self {
            id: Id(conversion.id),
            source: conversion.source.into(),
            status: conversion.status.into(),
            pending_reason: conversion.pending_reason.map(Into::into),
            rejection_reason: conversion.rejection_reason,
            rejected_by: conversion.rejected_by.map(Into::into),
            advertiser_reason: conversion.advertiser_reason,
            click_pending: conversion.click_pending,
            status_changed_at: conversion.status_changed_at.into(),
            is_test: conversion.is_test,
            version: conversion.version,
            transaction_id: conversion.transaction_id.to_string(),
            external_transaction_id: conversion.external_transaction_id,
            order_id: conversion.order_id,
            sub_id,
            sub_id_2,
            sub_id_3,
            sub_id_4,
            sub_id_5,
            sub_id_6,
            adv_sub_id,
            adv_sub_id_2,
            adv_sub_id_3,
            adv_sub_id_4,
            adv_sub_id_5,
            adv_sub_id_6,
            session_time: conversion.session_time_seconds,
            conversion_ip: conversion.conversion_ip.map(|address| IpAddress(address.network)),
            user_agent: conversion.user_agent,
            device_id: conversion.device_id,
            user_email_masked: conversion.email.map(|email| email.masked),
            revenue: counted(conversion.money.revenue),
            payout: counted(conversion.money.payout),
            purchase_value: reported(conversion.money.purchase_value),
            reported_revenue: reported(conversion.reported.revenue),
            reported_payout: reported(conversion.reported.payout),
            clicked_at: conversion.clicked_at.map(DateTime),
            converted_at: conversion.converted_at.into(),
            recorded_at: conversion.recorded_at.into(),
            keys: Keys {
                offer: conversion.offer,
                event: conversion.event_number,
                advertiser,
                publisher: conversion.publisher,
                token: conversion.token,
                transaction: conversion.transaction_id,
                clicked_at: conversion.clicked_at,
            },
        }
    }

    /// The conversion of an id, read together with others.
    pub async fn load(ctx: &Context<'_>, id: Option<ConversionId>) -> Result<Option<Self>> {
        match id {
            Some(id) => Ok(ctx.loaders()?.conversions.load(ctx, id).await?.map(Self::from)),
            None => Ok(None),
        }
    }
}

#[ComplexObject]
impl Conversion {
    /// What was promoted.
    async fn offer(&self, ctx: &Context<'_>) -> Result<Offer> {
        Offer::expect(ctx, self.keys.offer).await
    }

    /// The event that it is; null for the conversion itself. One that was removed from the offer keeps its name.
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<OfferEvent>> {
        if self.keys.event == 0 {
            return Ok(None);
        }
        let event = Offer::event(ctx, self.keys.offer, self.keys.event).await?;
        event.map(Some).ok_or_else(|| error::internal("a conversion names an event that is not there"))
    }

    /// Who pays for it.
    async fn advertiser(&self, ctx: &Context<'_>) -> Result<Advertiser> {
        let advertiser = match self.keys.advertiser {
            Some(advertiser) => advertiser,
            None => Offer::expect(ctx, self.keys.offer).await?.advertiser_id,
        };
        Advertiser::expect(ctx, advertiser).await
    }

    /// Who is paid for it.
    async fn publisher(&self, ctx: &Context<'_>) -> Result<Publisher> {
        Publisher::expect(ctx, self.keys.publisher).await
    }

    /// The visit that led to it; null when there was none, and when it is not there yet or not any more.
    async fn click(&self, ctx: &Context<'_>) -> Result<Option<Click>> {
        match self.keys.clicked_at {
            Some(at) => {
                let click = ctx.loaders()?.clicks.load(ctx, (self.keys.transaction, at)).await?;
                Ok(click.map(|click| Arc::unwrap_or_clone(click).into()))
            }
            None => Ok(None),
        }
    }

    /// The token that it was reported with.
    async fn secure_token(&self, ctx: &Context<'_>) -> Result<Option<SecureToken>> {
        SecureToken::load(ctx, self.keys.token).await
    }

    /// Who gave it the status that it has.
    async fn status_changed_by(&self, ctx: &Context<'_>) -> Result<Actor> {
        let author = ctx.loaders()?.status_authors.load(ctx, self.id.0).await?;
        author.as_ref().map(Actor::from).ok_or_else(|| error::internal("a conversion without a history"))
    }

    /// Parameters of the sender's own, by name.
    async fn extra_params(&self, ctx: &Context<'_>) -> Result<Vec<KeyValue>> {
        let extras = ctx.loaders()?.extras.load(ctx, self.id.0).await?;
        Ok(extras.iter().flat_map(|extras| extras.iter()).map(KeyValue::from).collect())
    }

    /// Its history, oldest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn timeline(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where it is not sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
    ) -> Result<ConversionChangeConnection> {
        let page = Window { first, after, ..Window::default() }.under(Oldest)?;
        let page = conversions::changes(ctx.database()?, self.id.0, &page).await.map_err(failed)?;
        Ok(ConversionChangeConnection::of(page, ConversionChange::from))
    }

    /// The requests that concerned it, newest first: those of its history, and refused ones of its transaction.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn receipts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where it is not sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
    ) -> Result<ReceiptConnection> {
        let window = Window { first, after, ..Window::default() };
        ReceiptConnection::of_conversion(ctx, self.id.0, self.keys.transaction, &window).await
    }

    /// What publishers were told of it, are told and will be told, the newest first.
    #[graphql(complexity = "page_cost(first, None, child_complexity)")]
    async fn deliveries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "From the beginning: 1 to 200, 50 where it is not sent.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
    ) -> Result<DeliveryConnection> {
        let window = Window { first, after, ..Window::default() };
        DeliveryConnection::read(ctx, DeliveriesOf::Conversion(self.id.0), None, &window).await
    }
}

/// One entry of a conversion's history.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct ConversionChange {
    /// Opaque, stable, prefixed: chg_…
    pub id: Id<ChangeId>,
    /// 1 is the recording.
    pub number: i32,
    /// What it is.
    #[graphql(name = "type")]
    pub kind: ConversionChangeKind,
    /// When it happened.
    pub at: DateTime,
    /// Who did it.
    pub actor: Actor,
    /// The status before; null for the recording.
    pub from_status: Option<ConversionStatus>,
    /// The status after.
    pub to_status: ConversionStatus,
    /// The revenue before.
    pub revenue_before: Option<Money>,
    /// The revenue after.
    pub revenue_after: Option<Money>,
    /// The payout before.
    pub payout_before: Option<Money>,
    /// The payout after.
    pub payout_after: Option<Money>,
    /// The reason that was given.
    pub reason: Option<String>,
    /// What the operator noted.
    pub note: Option<String>,
    #[graphql(skip)]
    conversion_id: ConversionId,
    #[graphql(skip)]
    receipt_id: Option<ReceiptId>,
}

impl From<Change> for ConversionChange {
    fn from(change: Change) -> Self {
        let money = |micros: Option<_>| micros.map(|micros| Money::of(micros, change.currency));
        Self {
            id: Id(change.id),
            number: change.number,
            kind: change.kind.into(),
            at: change.author.at.into(),
            actor: Actor::from(&change.author),
            from_status: change.from.map(Into::into),
            to_status: change.to.into(),
            revenue_before: money(change.revenue_before),
            revenue_after: money(change.revenue_after),
            payout_before: money(change.payout_before),
            payout_after: money(change.payout_after),
            reason: change.reason,
            note: change.author.note,
            conversion_id: change.conversion,
            receipt_id: change.author.receipt,
        }
    }
}

#[ComplexObject]
impl ConversionChange {
    /// Whose history it is in.
    async fn conversion(&self, ctx: &Context<'_>) -> Result<Conversion> {
        let conversion = Conversion::load(ctx, Some(self.conversion_id)).await?;
        conversion.ok_or_else(|| error::internal("a history without its conversion"))
    }

    /// The request that caused it; null where an operator did it, and when receipts that old are gone.
    async fn receipt(&self, ctx: &Context<'_>) -> Result<Option<Receipt>> {
        Receipt::load(ctx, self.receipt_id).await
    }
}

connection!(
    /// A page of conversions.
    ConversionConnection,
    /// A conversion and its place in the list.
    ConversionEdge of Conversion, counted
);

connection!(
    /// A page of a conversion's history.
    ConversionChangeConnection,
    /// An entry of the history and its place in it.
    ConversionChangeEdge of ConversionChange
);

/// Which conversions a list holds. Fields are all asked for, lists match any of theirs. Ids and times are indexed;
/// the other fields work inside convertedAt, 31 days at most.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ConversionFilter {
    /// When the request came in.
    converted_at: Option<DateTimeRange>,
    /// When it was written down.
    recorded_at: Option<DateTimeRange>,
    /// Any of these.
    status: Option<Vec<ConversionStatus>>,
    /// Any of these.
    source: Option<Vec<ConversionSource>>,
    /// Of any of these offers.
    offer_ids: Option<Vec<Id<OfferId>>>,
    /// Of any of these advertisers.
    advertiser_ids: Option<Vec<Id<AdvertiserId>>>,
    /// Of any of these publishers.
    publisher_ids: Option<Vec<Id<PublisherId>>>,
    /// Why it is Rejected.
    rejection_reason: Option<StringMatch>,
    /// The transaction id.
    transaction_id: Option<StringMatch>,
    /// The publisher's own click id.
    external_transaction_id: Option<StringMatch>,
    /// The publisher's first free field.
    sub_id: Option<StringMatch>,
    /// The advertiser's first free field.
    adv_sub_id: Option<StringMatch>,
    /// The advertiser's order number.
    order_id: Option<StringMatch>,
    /// The advertising id of the device.
    device_id: Option<StringMatch>,
    /// Any of these addresses, or networks as we keep them, /24 or /48.
    conversion_ips: Option<Vec<String>>,
    /// How much it brings us, whatever its currency.
    revenue: Option<DecimalRange>,
    /// The currency of its money.
    currency: Option<CurrencyCode>,
    /// Any of these events, by their numbers; 0 is the conversion itself.
    event_numbers: Option<Vec<i32>>,
    /// Those of test links too.
    #[graphql(default = false)]
    include_tests: bool,
    /// Exactly a transaction id, an external transaction id or the id of a conversion.
    search: Option<String>,
}

impl ConversionFilter {
    /// As the store reads it.
    ///
    /// # Errors
    /// What the caller can put right.
    pub fn read(self, ctx: &Context<'_>) -> Result<conversions::ConversionFilter> {
        let keyring = &ctx.app()?.keyring;
        let (revenue_min, revenue_max) = self.revenue.map(DecimalRange::read).transpose()?.unwrap_or_default();
        let ips = |texts: Vec<String>| texts.iter().map(|text| AddressMatch::parse(keyring, text)).collect();
        Ok(conversions::ConversionFilter {
            converted_at: self.converted_at.map(Into::into),
            recorded_at: self.recorded_at.map(Into::into),
            statuses: self.status.map(words),
            sources: self.source.map(words),
            offers: self.offer_ids.map(id::all),
            advertisers: self.advertiser_ids.map(id::all),
            publishers: self.publisher_ids.map(id::all),
            rejection_reason: self.rejection_reason.map(Into::into),
            transaction_id: self.transaction_id.map(Into::into),
            external_transaction_id: self.external_transaction_id.map(Into::into),
            sub_id: self.sub_id.map(Into::into),
            adv_sub_id: self.adv_sub_id.map(Into::into),
            order_id: self.order_id.map(Into::into),
            device_id: self.device_id.map(Into::into),
            conversion_ips: self.conversion_ips.map(ips),
            revenue_min,
            revenue_max,
            currency: self.currency.map(|currency| currency.0),
            event_numbers: self.event_numbers,
            include_tests: self.include_tests,
            search: self.search,
        })
    }

    /// The same, of one offer.
    pub fn of_offer(self, offer: OfferId) -> Self {
        Self { offer_ids: Some(vec![Id(offer)]), ..self }
    }
}

/// Amounts that are put right, in the currency that the conversion has.
#[derive(InputObject)]
pub struct ConversionAmendInput {
    /// Paid to us.
    revenue: Option<Decimal>,
    /// Paid to the publisher.
    payout: Option<Decimal>,
    /// The basket.
    purchase_value: Option<Decimal>,
    /// Why; for people in the network only.
    note: String,
}

impl ConversionAmendInput {
    /// As the use case reads it.
    pub fn read(self) -> AmountsDraft {
        let typed = |amount: Option<Decimal>| amount.map(|amount| amount.as_str().to_owned());
        AmountsDraft {
            revenue: typed(self.revenue),
            payout: typed(self.payout),
            purchase_value: typed(self.purchase_value),
            note: self.note,
        }
    }
}

fn words<A, B: From<A>>(words: Vec<A>) -> Vec<B> {
    words.into_iter().map(Into::into).collect()
}

/// What conversions are sorted by. Those other than the two times work inside convertedAt, 31 days at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "conversions::ConversionSortField")]
pub enum ConversionSortField {
    /// When the request came in.
    ConvertedAt,
    /// When it was written down.
    RecordedAt,
    /// What it brings us, as a number, whatever its currency.
    Revenue,
    /// What the publisher gets, as a number, whatever its currency.
    Payout,
    /// Seconds from click to conversion.
    SessionTime,
}

/// The order of conversions.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ConversionSort {
    /// What they are sorted by.
    #[graphql(default_with = "ConversionSortField::ConvertedAt")]
    field: ConversionSortField,
    /// Which way.
    #[graphql(default_with = "SortDirection::Desc")]
    direction: SortDirection,
}

impl Default for ConversionSort {
    fn default() -> Self {
        Self { field: ConversionSortField::ConvertedAt, direction: SortDirection::Desc }
    }
}

impl ConversionConnection {
    /// A page of those that a filter holds.
    pub async fn read(
        ctx: &Context<'_>,
        filter: Option<ConversionFilter>,
        sort: Option<ConversionSort>,
        window: &Window,
    ) -> Result<Self> {
        let sort = sort.unwrap_or_default();
        let sort = conversions::ConversionSort { field: sort.field.into(), direction: sort.direction.into() };
        let query = ConversionQuery { filter: filter.unwrap_or_default().read(ctx)?, page: window.under(sort)? };
        let page = conversions::list(ctx.database()?, &query, ctx.now()?).await.map_err(failed)?.map_err(refused)?;
        let filter = query.filter;
        let count: Count = Box::new(move |database, now| {
            let filter = filter.clone();
            Box::pin(async move {
                let counted = conversions::count(database, &filter, now).await.map_err(failed)?;
                counted.map(Into::into).map_err(refused)
            })
        });
        Ok(Self::of(page, Conversion::from, count))
    }
}

fn refused(fault: ListRefused) -> async_graphql::Error {
    error::bad_user_input(fault.to_string())
}

/// How one conversion is named: exactly one.
#[derive(Clone, Debug, OneofObject)]
pub enum ConversionLookup {
    /// Its own id.
    Id(Id<ConversionId>),
    /// Its transaction, or the id of another system that was imported for it; refused where that has several conversions.
    TransactionId(String),
    /// The publisher's own click id; refused where that has several conversions.
    ExternalTransactionId(String),
}

impl ConversionLookup {
    /// The one that is meant; `None` when there is none.
    pub async fn find(self, ctx: &Context<'_>) -> Result<Option<Conversion>> {
        let database = ctx.database()?;
        let mut found = match self {
            Self::Id(id) => return Ok(conversions::find(database, id.0).await.map_err(failed)?.map(Into::into)),
            Self::TransactionId(text) => match transaction(ctx, &text).await? {
                Some(transaction) => conversions::find_by_transaction(database, &transaction).await.map_err(failed)?,
                None => return Ok(None),
            },
            Self::ExternalTransactionId(text) => {
                conversions::find_by_external(database, &text).await.map_err(failed)?
            }
        };
        if found.len() > 1 {
            let text = format!("{} conversions are known under this: ask for one by its id", found.len());
            return Err(error::bad_user_input(text));
        }
        Ok(found.pop().map(Into::into))
    }
}

/// The transaction of an id of ours, or of another system's that was imported.
async fn transaction(ctx: &Context<'_>, text: &str) -> Result<Option<TransactionId>> {
    let ours = TransactionId::parse(text).ok();
    let keyring = &ctx.app()?.keyring;
    let sealed = ours.is_some_and(|id| id.unseal(keyring).is_ok());
    if sealed || !ctx.snapshot()?.has_foreign_clicks {
        return Ok(ours);
    }
    Ok(foreign_clicks::find_alias(ctx.database()?, text).await.map_err(failed)?.or(ours))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{fixtures, money::Micros};

    #[test]
    fn a_basket_in_another_currency_is_shown_in_that_currency() {
        let usd = crate::domain::money::Currency::parse("USD").unwrap();
        let mut conversion = fixtures::conversion(
            TransactionId::from_bytes(&[7; 25]).unwrap(),
            crate::domain::clock::Timestamp::from_millis(0),
        );
        conversion.money.purchase_value = Some(Micros::from_i64(5_000_000));
        let shown = |conversion| Conversion::of(conversion, None).purchase_value.unwrap().currency.0;
        assert_eq!(shown(conversion.clone()), fixtures::eur());
        conversion.reported.currency = Some(usd);
        assert_eq!(shown(conversion), usd);
    }
}
