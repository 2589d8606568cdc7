//! Offers with their publishers' own rates, their chosen publishers and their events: rows in and out.
//!
//! An [`Offer`] is always whole: a read takes its rates, publishers and events with three more statements, however
//! many offers there are. Nothing is ever deleted: an archived offer still owns its clicks and conversions.

use std::collections::{HashMap, HashSet};

use entity::{conversion, offer as row, offer_event, offer_publisher, publisher_rate, rollup};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};
use sea_orm::{QueryFilter as _, QuerySelect as _, QueryTrait as _, Select};

use super::columns::{Cell, write_networks, write_price};
use super::connect::Database;
use super::error::StoreError;
use super::filter::TimeRange;
use super::page::{self, BoundedCount, Direction, Key, KeyKind, Order, Page, PageItem, PageRequest, Sort};
use super::search::name_or_number;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AdvertiserId, OfferId, PublisherId};
use crate::domain::macros::UrlTemplate;
use crate::domain::money::{Micros, Price};
use crate::domain::offer::{DuplicatePolicy, Offer, OfferAccess, OfferEvent, OfferState, Switches};

const TABLE: &str = "offer";
const RATE_TABLE: &str = "publisher_rate";
const CHOSEN_TABLE: &str = "offer_publisher";
const EVENT_TABLE: &str = "offer_event";
/// Rows of one statement, so that it stays below the engines' limits of parameters.
const ROWS_PER_STATEMENT: usize = 1000;

/// Which offers; an empty list is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfferFilter {
    /// A part of the name, without regard to ASCII case, or the number.
    pub search: Option<String>,
    pub states: Vec<OfferState>,
    pub advertisers: Vec<AdvertiserId>,
    /// With a click or a conversion in this time, in quarters of an hour.
    pub has_traffic: Option<TimeRange>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferSortField {
    Name,
    CreatedAt,
    UpdatedAt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferSort {
    pub field: OfferSortField,
    pub direction: Direction,
}

impl Default for OfferSort {
    fn default() -> Self {
        Self { field: OfferSortField::Name, direction: Direction::Ascending }
    }
}

impl Sort for OfferSort {
    fn order(self) -> Order {
        let (name, keys): (_, &[KeyKind]) = match self.field {
            OfferSortField::Name => ("offer.name", &[KeyKind::Text, KeyKind::I32]),
            OfferSortField::CreatedAt => ("offer.created_at", &[KeyKind::I64, KeyKind::I32]),
            OfferSortField::UpdatedAt => ("offer.updated_at", &[KeyKind::I64, KeyKind::I32]),
        };
        Order { name, direction: self.direction, keys }
    }
}

/// A publisher's own payout on an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublisherRate {
    pub offer: OfferId,
    pub publisher: PublisherId,
    pub payout: Price,
}

/// The rates of one offer by publisher, or of one publisher by offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatesOf {
    Offer(OfferId),
    Publisher(PublisherId),
}

impl Sort for RatesOf {
    fn order(self) -> Order {
        let name = match self {
            Self::Offer(_) => "rate.publisher",
            Self::Publisher(_) => "rate.offer",
        };
        Order { name, direction: Direction::Ascending, keys: &[KeyKind::I32] }
    }
}

pub async fn list(
    database: &Database,
    filter: &OfferFilter,
    request: &PageRequest<OfferSort>,
) -> Result<Page<Offer>, StoreError> {
    let columns = [Expr::col((row::Entity, sort_column(request.sort))), Expr::col((row::Entity, row::Column::Id))];
    let sort = request.sort.field;
    let keys = |row: &row::Model| vec![sort_key(sort, row), Key::I32(row.id)];
    let page = page::fetch(database.read(), select(filter), request, &columns, keys, Ok).await?;
    let (cursors, rows): (Vec<_>, Vec<_>) = page.items.into_iter().map(|item| (item.cursor, item.value)).unzip();
    let offers = whole(database.read(), rows).await?;
    let items = offers.into_iter().zip(cursors).map(|(value, cursor)| PageItem { value, cursor }).collect();
    Ok(Page { items, has_next: page.has_next, has_previous: page.has_previous })
}

pub async fn count(database: &Database, filter: &OfferFilter) -> Result<BoundedCount, StoreError> {
    page::count(database.read(), select(filter).into_query()).await
}

pub async fn find(database: &Database, id: OfferId) -> Result<Option<Offer>, StoreError> {
    find_in(database.read(), id).await
}

/// Those of `ids` that exist.
pub async fn find_many(database: &Database, ids: &[OfferId]) -> Result<HashMap<OfferId, Offer>, StoreError> {
    let numbers = ids.iter().map(|id| id.number());
    let rows = row::Entity::find().filter(row::Column::Id.is_in(numbers)).all(database.read()).await?;
    let offers = whole(database.read(), rows).await?;
    Ok(offers.into_iter().map(|offer| (offer.id, offer)).collect())
}

/// The page's sort says whose rates.
pub async fn list_rates(
    database: &Database,
    request: &PageRequest<RatesOf>,
) -> Result<Page<PublisherRate>, StoreError> {
    let (select, column) = match request.sort {
        RatesOf::Offer(offer) => (
            publisher_rate::Entity::find().filter(publisher_rate::Column::OfferId.eq(offer.number())),
            publisher_rate::Column::PublisherId,
        ),
        RatesOf::Publisher(publisher) => (
            publisher_rate::Entity::find().filter(publisher_rate::Column::PublisherId.eq(publisher.number())),
            publisher_rate::Column::OfferId,
        ),
    };
    let of = request.sort;
    let keys = |row: &publisher_rate::Model| match of {
        RatesOf::Offer(_) => vec![Key::I32(row.publisher_id)],
        RatesOf::Publisher(_) => vec![Key::I32(row.offer_id)],
    };
    let columns = [Expr::col((publisher_rate::Entity, column))];
    page::fetch(database.read(), select, request, &columns, keys, rate_from_row).await
}

pub(crate) async fn find_in(connection: &impl ConnectionTrait, id: OfferId) -> Result<Option<Offer>, StoreError> {
    let found = row::Entity::find_by_id(id.number()).one(connection).await?;
    Ok(whole(connection, found.into_iter().collect()).await?.pop())
}

/// All there are, for a snapshot.
pub(super) async fn find_all(connection: &impl ConnectionTrait) -> Result<HashMap<OfferId, Offer>, StoreError> {
    let rows = row::Entity::find().all(connection).await?;
    let mut parts = Parts {
        rates: group_rates(publisher_rate::Entity::find().all(connection).await?)?,
        chosen: group_chosen(offer_publisher::Entity::find().all(connection).await?)?,
        events: group_events(offer_event::Entity::find().all(connection).await?)?,
    };
    rows.into_iter().map(|row| from_row(row, &mut parts).map(|offer| (offer.id, offer))).collect()
}

/// The number after the highest one; `None` when there is no room behind it.
pub(crate) async fn next_number(transaction: &impl ConnectionTrait) -> Result<Option<OfferId>, StoreError> {
    let highest = row::Entity::find().select_only().column_as(row::Column::Id.max(), "highest");
    let highest: Option<Option<i32>> = highest.into_tuple().one(transaction).await?;
    Ok(highest.flatten().unwrap_or(0).checked_add(1).and_then(OfferId::new))
}

/// Is there any conversion of this offer, in any status?
pub(crate) async fn has_conversions(connection: &impl ConnectionTrait, offer: OfferId) -> Result<bool, StoreError> {
    let any = conversion::Entity::find().select_only().column(conversion::Column::OfferId);
    let any = any.filter(conversion::Column::OfferId.eq(offer.number())).limit(1);
    let found: Option<i32> = any.into_tuple().one(connection).await?;
    Ok(found.is_some())
}

/// Inserts the offer itself: its rates and publishers have functions of their own.
///
/// # Errors
/// `Taken` when the number is in use.
pub(crate) async fn insert(transaction: &impl ConnectionTrait, offer: &Offer) -> Result<(), StoreError> {
    row::Entity::insert(to_row(offer).into_active_model().reset_all()).exec_without_returning(transaction).await?;
    Ok(())
}

/// Writes every field of the offer itself; false when the row is not at `expected_version` any more.
pub(crate) async fn update(
    transaction: &impl ConnectionTrait,
    offer: &Offer,
    expected_version: i32,
) -> Result<bool, StoreError> {
    let updated = row::Entity::update_many()
        .set(to_row(offer).into_active_model().reset_all())
        .filter(row::Column::Id.eq(offer.id.number()))
        .filter(row::Column::Version.eq(expected_version))
        .exec(transaction)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Sets a publisher's own payout, or takes it back with `None`.
pub(crate) async fn set_rate(
    transaction: &impl ConnectionTrait,
    (offer, publisher): (OfferId, PublisherId),
    payout: Option<Price>,
) -> Result<(), StoreError> {
    let (offer_id, publisher_id) = (offer.number(), publisher.number());
    let Some(payout) = payout else {
        publisher_rate::Entity::delete_by_id((offer_id, publisher_id)).exec(transaction).await?;
        return Ok(());
    };
    let (payout_kind, payout_value) = write_price(payout);
    let row = publisher_rate::Model { offer_id, publisher_id, payout_kind, payout_value };
    publisher_rate::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(
            OnConflict::columns([publisher_rate::Column::OfferId, publisher_rate::Column::PublisherId])
                .update_columns([publisher_rate::Column::PayoutKind, publisher_rate::Column::PayoutValue])
                .to_owned(),
        )
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// Makes these, and no others, the chosen publishers of an offer.
pub(crate) async fn set_publishers(
    transaction: &impl ConnectionTrait,
    offer: OfferId,
    publishers: &HashSet<PublisherId>,
) -> Result<(), StoreError> {
    offer_publisher::Entity::delete_many()
        .filter(offer_publisher::Column::OfferId.eq(offer.number()))
        .exec(transaction)
        .await?;
    let rows: Vec<_> = publishers
        .iter()
        .map(|publisher| offer_publisher::Model { offer_id: offer.number(), publisher_id: publisher.number() })
        .collect();
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let rows = chunk.iter().map(|row| row.clone().into_active_model().reset_all());
        offer_publisher::Entity::insert_many(rows).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Writes these events of an offer; none is ever deleted.
pub(crate) async fn put_events(
    transaction: &impl ConnectionTrait,
    offer: OfferId,
    events: &[OfferEvent],
) -> Result<(), StoreError> {
    use offer_event::Column;
    if events.is_empty() {
        return Ok(());
    }
    let kept = [
        Column::Name,
        Column::RevenueKind,
        Column::RevenueValue,
        Column::PayoutKind,
        Column::PayoutValue,
        Column::RemovedAt,
    ];
    let rows = events.iter().map(|event| event_row(offer, event).into_active_model().reset_all());
    offer_event::Entity::insert_many(rows)
        .on_conflict(OnConflict::columns([Column::OfferId, Column::Number]).update_columns(kept).to_owned())
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

fn select(filter: &OfferFilter) -> Select<row::Entity> {
    let mut select = row::Entity::find();
    if !filter.states.is_empty() {
        let words = filter.states.iter().map(|state| state.as_str());
        select = select.filter(row::Column::State.is_in(words));
    }
    if !filter.advertisers.is_empty() {
        let numbers = filter.advertisers.iter().map(|advertiser| advertiser.number());
        select = select.filter(row::Column::AdvertiserId.is_in(numbers));
    }
    if let Some(range) = filter.has_traffic {
        let busy = rollup::Column::Clicks.ne(0).or(rollup::Column::Conversions.ne(0));
        let busy = rollup::Entity::find().select_only().column(rollup::Column::OfferId).filter(busy);
        let busy = busy.filter(range.condition(rollup::Column::BucketAt));
        select = select.filter(row::Column::Id.in_subquery(busy.into_query()));
    }
    if let Some(text) = &filter.search {
        let name = Expr::col((row::Entity, row::Column::Name));
        select = select.filter(name_or_number(name, Expr::col((row::Entity, row::Column::Id)), text));
    }
    select
}

const fn sort_column(sort: OfferSort) -> row::Column {
    match sort.field {
        OfferSortField::Name => row::Column::Name,
        OfferSortField::CreatedAt => row::Column::CreatedAt,
        OfferSortField::UpdatedAt => row::Column::UpdatedAt,
    }
}

fn sort_key(field: OfferSortField, row: &row::Model) -> Key {
    match field {
        OfferSortField::Name => Key::Text(row.name.clone()),
        OfferSortField::CreatedAt => Key::I64(row.created_at),
        OfferSortField::UpdatedAt => Key::I64(row.updated_at),
    }
}

/// Completes rows with their rates, publishers and events, in their order.
async fn whole(connection: &impl ConnectionTrait, rows: Vec<row::Model>) -> Result<Vec<Offer>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let rates = publisher_rate::Entity::find()
        .filter(publisher_rate::Column::OfferId.is_in(rows.iter().map(|row| row.id)))
        .all(connection)
        .await?;
    let chosen = offer_publisher::Entity::find()
        .filter(offer_publisher::Column::OfferId.is_in(rows.iter().map(|row| row.id)))
        .all(connection)
        .await?;
    let events = offer_event::Entity::find()
        .filter(offer_event::Column::OfferId.is_in(rows.iter().map(|row| row.id)))
        .all(connection)
        .await?;
    let mut parts = Parts { rates: group_rates(rates)?, chosen: group_chosen(chosen)?, events: group_events(events)? };
    rows.into_iter().map(|row| from_row(row, &mut parts)).collect()
}

/// What belongs to offers and has rows of its own, by the number of the offer.
struct Parts {
    rates: Rates,
    chosen: Chosen,
    events: Events,
}

type Rates = HashMap<i32, HashMap<PublisherId, Price>>;
type Chosen = HashMap<i32, HashSet<PublisherId>>;
type Events = HashMap<i32, Vec<OfferEvent>>;

fn group_rates(rows: Vec<publisher_rate::Model>) -> Result<Rates, StoreError> {
    let mut rates = Rates::new();
    for row in rows {
        let rate = rate_from_row(row)?;
        rates.entry(rate.offer.number()).or_default().insert(rate.publisher, rate.payout);
    }
    Ok(rates)
}

fn group_chosen(rows: Vec<offer_publisher::Model>) -> Result<Chosen, StoreError> {
    let mut chosen = Chosen::new();
    for row in rows {
        let publisher = Cell(CHOSEN_TABLE, "publisher_id").publisher(row.publisher_id)?;
        chosen.entry(row.offer_id).or_default().insert(publisher);
    }
    Ok(chosen)
}

fn group_events(rows: Vec<offer_event::Model>) -> Result<Events, StoreError> {
    let mut events = Events::new();
    for row in rows {
        events.entry(row.offer_id).or_default().push(event_from_row(row)?);
    }
    events.values_mut().for_each(|events| events.sort_by_key(|event| event.number));
    Ok(events)
}

fn event_from_row(row: offer_event::Model) -> Result<OfferEvent, StoreError> {
    Ok(OfferEvent {
        number: row.number,
        name: row.name,
        revenue: Cell(EVENT_TABLE, "revenue").price(&row.revenue_kind, row.revenue_value)?,
        payout: Cell(EVENT_TABLE, "payout").price(&row.payout_kind, row.payout_value)?,
        removed_at: row.removed_at.map(Timestamp::from_millis),
    })
}

fn event_row(offer: OfferId, event: &OfferEvent) -> offer_event::Model {
    let (revenue_kind, revenue_value) = write_price(event.revenue);
    let (payout_kind, payout_value) = write_price(event.payout);
    offer_event::Model {
        offer_id: offer.number(),
        number: event.number,
        name: event.name.clone(),
        revenue_kind,
        revenue_value,
        payout_kind,
        payout_value,
        removed_at: event.removed_at.map(Timestamp::as_millis),
    }
}

fn rate_from_row(row: publisher_rate::Model) -> Result<PublisherRate, StoreError> {
    Ok(PublisherRate {
        offer: Cell(RATE_TABLE, "offer_id").offer(row.offer_id)?,
        publisher: Cell(RATE_TABLE, "publisher_id").publisher(row.publisher_id)?,
        payout: Cell(RATE_TABLE, "payout").price(&row.payout_kind, row.payout_value)?,
    })
}

fn from_row(row: row::Model, parts: &mut Parts) -> Result<Offer, StoreError> {
    let cell = |column| Cell(TABLE, column);
    let switches = switches(&row);
    let landing_url = UrlTemplate::parse(&row.landing_url)
        .map_err(|error| StoreError::unreadable(TABLE, format!("landing_url of offer {}: {error}", row.id)))?;
    Ok(Offer {
        id: cell("id").offer(row.id)?,
        advertiser: cell("advertiser_id").advertiser(row.advertiser_id)?,
        name: row.name,
        description: row.description,
        state: cell("state").word(&row.state, OfferState::parse)?,
        landing_url,
        fallback_url: row.fallback_url,
        currency: cell("currency").currency(&row.currency)?,
        revenue: cell("revenue").price(&row.revenue_kind, row.revenue_value)?,
        payout: cell("payout").price(&row.payout_kind, row.payout_value)?,
        payout_ceiling: row.payout_ceiling_micros.map(Micros::from_i64),
        attribution_window_hours: row.attribution_window_hours,
        duplicate_policy: cell("duplicate_policy").word(&row.duplicate_policy, DuplicatePolicy::parse)?,
        switches,
        repeat_window_seconds: row.repeat_window_seconds,
        clickless_repeat_window_seconds: row.clickless_repeat_window_seconds,
        reject_allowed_addresses: cell("reject_allowed_addresses").networks(&row.reject_allowed_addresses)?,
        access: cell("access").word(&row.access, OfferAccess::parse)?,
        publishers: parts.chosen.remove(&row.id).unwrap_or_default(),
        rates: parts.rates.remove(&row.id).unwrap_or_default(),
        events: parts.events.remove(&row.id).unwrap_or_default(),
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
        archived_at: row.archived_at.map(Timestamp::from_millis),
    })
}

const fn switches(row: &row::Model) -> Switches {
    Switches {
        manual_approval: row.manual_approval,
        clickless_enabled: row.clickless_enabled,
        pixel_enabled: row.pixel_enabled,
        pixel_trusted: row.pixel_trusted,
        wire_revenue_trusted: row.wire_revenue_trusted,
        wire_payout_trusted: row.wire_payout_trusted,
        strict_amounts: row.strict_amounts,
        reject_without_secure: row.reject_without_secure,
    }
}

fn to_row(offer: &Offer) -> row::Model {
    let (revenue_kind, revenue_value) = write_price(offer.revenue);
    let (payout_kind, payout_value) = write_price(offer.payout);
    row::Model {
        id: offer.id.number(),
        advertiser_id: offer.advertiser.number(),
        name: offer.name.clone(),
        description: offer.description.clone(),
        state: offer.state.as_str().to_owned(),
        landing_url: offer.landing_url.as_str().to_owned(),
        fallback_url: offer.fallback_url.clone(),
        currency: offer.currency.as_str().to_owned(),
        revenue_kind,
        revenue_value,
        payout_kind,
        payout_value,
        payout_ceiling_micros: offer.payout_ceiling.map(Micros::as_i64),
        attribution_window_hours: offer.attribution_window_hours,
        duplicate_policy: offer.duplicate_policy.as_str().to_owned(),
        manual_approval: offer.switches.manual_approval,
        clickless_enabled: offer.switches.clickless_enabled,
        pixel_enabled: offer.switches.pixel_enabled,
        pixel_trusted: offer.switches.pixel_trusted,
        wire_revenue_trusted: offer.switches.wire_revenue_trusted,
        wire_payout_trusted: offer.switches.wire_payout_trusted,
        strict_amounts: offer.switches.strict_amounts,
        repeat_window_seconds: offer.repeat_window_seconds,
        clickless_repeat_window_seconds: offer.clickless_repeat_window_seconds,
        reject_without_secure: offer.switches.reject_without_secure,
        reject_allowed_addresses: write_networks(&offer.reject_allowed_addresses),
        access: offer.access.as_str().to_owned(),
        version: offer.version,
        created_at: offer.created_at.as_millis(),
        updated_at: offer.updated_at.as_millis(),
        archived_at: offer.archived_at.map(Timestamp::as_millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::{offer, publisher};
    use crate::store::fixtures::database;

    async fn insert_offers(database: &Database, offers: Vec<Offer>) {
        let work: crate::store::ControlWork<()> = Box::new(move |tx| {
            Box::pin(async move {
                for offer in &offers {
                    insert(tx, offer).await?;
                }
                Ok(())
            })
        });
        database.control_write(work).await.unwrap();
    }

    fn named(number: i32, name: &str) -> Offer {
        Offer { id: OfferId::new(number).unwrap(), name: name.into(), ..offer() }
    }

    fn page(first: Option<i32>, after: Option<&str>, last: Option<i32>) -> PageRequest<OfferSort> {
        PageRequest::parse(OfferSort::default(), first, after, last, None).unwrap()
    }

    #[tokio::test]
    async fn an_offer_comes_back_as_it_was_written() {
        let (database, _folder) = database().await;
        let mut written = offer();
        written.fallback_url = Some("https://fallback.example/".into());
        written.payout = Price::Percent(crate::domain::money::Percent::parse("12.5").unwrap());
        written.payout_ceiling = Some(Micros::from_i64(50_000_000));
        written.reject_allowed_addresses = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/48".parse().unwrap()];
        written.switches.reject_without_secure = true;
        written.access = OfferAccess::Chosen;
        written.archived_at = Some(Timestamp::from_millis(5));
        insert_offers(&database, vec![written.clone()]).await;
        let id = written.id;
        written.publishers = HashSet::from([publisher()]);
        written.rates = HashMap::from([(publisher(), Price::Fixed(Micros::from_i64(8_000_000)))]);
        let event = |number: i32, removed_at| OfferEvent {
            number,
            name: format!("event {number}"),
            revenue: written.revenue,
            payout: written.payout,
            removed_at,
        };
        written.events = vec![event(1, None), event(2, Some(Timestamp::from_millis(6)))];
        let (first, events) = (event(2, None), written.events.clone());
        let chosen = written.publishers.clone();
        let rate = Some(written.rates[&publisher()]);
        let work: crate::store::ControlWork<()> = Box::new(move |tx| {
            Box::pin(async move {
                set_publishers(tx, id, &chosen).await?;
                put_events(tx, id, &[first]).await?;
                put_events(tx, id, &events).await?;
                set_rate(tx, (id, publisher()), Some(Price::Fixed(Micros::from_i64(1)))).await?;
                set_rate(tx, (id, publisher()), rate).await
            })
        });
        database.control_write(work).await.unwrap();
        let read = find(&database, id).await.unwrap().unwrap();
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
        let snapshot = crate::store::snapshot::load(&database).await.unwrap();
        assert_eq!(format!("{:?}", snapshot.offers[&id]), format!("{written:?}"));
        assert_eq!(snapshot.version, crate::store::snapshot::version(&database).await.unwrap());
        let rates = list_rates(&database, &PageRequest::beginning(RatesOf::Offer(id))).await.unwrap();
        assert_eq!(rates.into_values().len(), 1);
    }

    #[tokio::test]
    async fn walking_forward_and_backward_sees_every_offer_once() {
        let (database, _folder) = database().await;
        let names = ["delta", "Alpha", "charlie", "alpha", "Bravo"];
        insert_offers(&database, (1..).zip(names).map(|(number, name)| named(number, name)).collect()).await;
        let by_name = vec![2, 4, 5, 3, 1];
        let (mut seen, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = list(&database, &OfferFilter::default(), &page(Some(2), after.as_deref(), None)).await.unwrap();
            assert_eq!(page.has_previous, after.is_some());
            after = page.items.last().map(|item| item.cursor.clone());
            let more = page.has_next;
            seen.extend(page.into_values().into_iter().map(|offer| offer.id.number()));
            if !more {
                break;
            }
        }
        assert_eq!(seen, by_name);
        let last = list(&database, &OfferFilter::default(), &page(None, None, Some(2))).await.unwrap();
        assert!(last.has_previous && !last.has_next);
        let before = last.items[0].cursor.clone();
        assert_eq!(last.into_values().iter().map(|offer| offer.id.number()).collect::<Vec<_>>(), [3, 1]);
        let request = PageRequest::parse(OfferSort::default(), None, None, Some(200), Some(&before)).unwrap();
        let rest = list(&database, &OfferFilter::default(), &request).await.unwrap();
        assert_eq!(rest.into_values().iter().map(|offer| offer.id.number()).collect::<Vec<_>>(), [2, 4, 5]);
    }

    #[tokio::test]
    async fn a_search_finds_a_part_of_the_name_or_the_number_and_takes_nothing_as_a_pattern() {
        let (database, _folder) = database().await;
        insert_offers(&database, vec![named(1, "Summer 100%"), named(2, "Winter_Sale"), named(31, "wintersale 2")])
            .await;
        for (text, expected) in [
            ("SUMMER", vec![1]),
            ("100%", vec![1]),
            ("%", vec![1]),
            ("r_s", vec![2]),
            ("31", vec![31]),
            ("2", vec![2, 31]),
            ("\\", vec![]),
            ("\0", vec![1, 2, 31]),
        ] {
            let filter = OfferFilter { search: Some(text.into()), ..OfferFilter::default() };
            let found = list(&database, &filter, &PageRequest::beginning(OfferSort::default())).await.unwrap();
            let mut found: Vec<_> = found.into_values().iter().map(|offer| offer.id.number()).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "{text}");
            let counted = count(&database, &filter).await.unwrap();
            assert_eq!(counted, BoundedCount { value: u64::try_from(expected.len()).unwrap(), is_exact: true });
        }
    }

    #[tokio::test]
    async fn what_says_no_writes_nothing_and_bumps_nothing() {
        let (database, _folder) = database().await;
        let before = crate::store::snapshot::version(&database).await.unwrap();
        let work: crate::store::ControlWork<Result<(), &str>> = Box::new(|tx| {
            Box::pin(async move {
                insert(tx, &offer()).await?;
                Ok(Err("no"))
            })
        });
        assert_eq!(database.control_decision(work).await.unwrap(), Err("no"));
        assert_eq!(crate::store::snapshot::version(&database).await.unwrap(), before);
        assert!(find(&database, offer().id).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_number_that_is_in_use_is_taken_and_the_next_one_is_free() {
        let (database, _folder) = database().await;
        insert_offers(&database, vec![offer()]).await;
        let work: crate::store::ControlWork<()> = Box::new(|tx| Box::pin(async move { insert(tx, &offer()).await }));
        let taken = database.control_write(work).await.unwrap_err();
        assert!(matches!(taken, StoreError::Taken(_)), "{taken:?}");
        assert_eq!(next_number(database.read()).await.unwrap().map(OfferId::number), Some(43));
        insert_offers(&database, vec![named(i32::MAX, "last")]).await;
        assert_eq!(next_number(database.read()).await.unwrap(), None);
    }
}
