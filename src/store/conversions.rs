//! Conversions, their history and their additional parameters, as they are read.
//!
//! Nothing here writes or decides. A page of conversions comes with the names that it shows in one statement.
//! What no index helps to find is refused outside a bounded range of time: such a list would read the whole table,
//! which is never purged.

use std::collections::HashMap;

use entity::{advertiser, conversion as row, conversion_change as change_row, conversion_extra, offer, publisher};
use sea_orm::sea_query::{Expr, ExprTrait as _, Func, Query};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect};
use sea_orm::{QueryTrait, Select};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::conversion::{Author, Change, ChangeKind, Conversion, Money, PendingReason, Reported, Source};
use crate::domain::ids::{AdvertiserId, ChangeId, ConversionId, OfferId, PublisherId, ReceiptId, TokenId};
use crate::domain::money::{Currency, Micros};
use crate::domain::status::{Party, Status};
use crate::domain::transaction_id::TransactionId;

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use super::filter::{AddressMatch, StringMatch, TimeRange, one_of};
use super::page::{self, BoundedCount, Direction, Key, KeyKind, Order, Page, PageRequest, Sort};
use super::search::holds;

/// How wide `converted_at` may be where it alone bounds what is read: 31 days.
pub const RANGE_MILLIS_MAX: i64 = 31 * 24 * 3600 * 1000;
/// Conversions that one look-up by a transaction or external id returns at most.
const LOOK_UP_MAX: u64 = 200;
/// An id begins with the millisecond of recording, but the clock may have been read a moment earlier or later.
const ID_SLACK_SECONDS: i64 = 3600;

/// A conversion with the names that a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversionListed {
    pub conversion: Conversion,
    pub offer_name: String,
    pub advertiser: AdvertiserId,
    pub advertiser_name: String,
    pub publisher_name: String,
}

/// Fields are all asked for, lists match any of theirs; none lets everything through, an empty list nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionFilter {
    pub converted_at: Option<TimeRange>,
    pub recorded_at: Option<TimeRange>,
    pub statuses: Option<Vec<Status>>,
    pub sources: Option<Vec<Source>>,
    pub offers: Option<Vec<OfferId>>,
    pub advertisers: Option<Vec<AdvertiserId>>,
    pub publishers: Option<Vec<PublisherId>>,
    pub rejection_reason: Option<StringMatch>,
    pub transaction_id: Option<StringMatch>,
    pub external_transaction_id: Option<StringMatch>,
    pub sub_id: Option<StringMatch>,
    pub adv_sub_id: Option<StringMatch>,
    pub order_id: Option<StringMatch>,
    pub device_id: Option<StringMatch>,
    pub conversion_ips: Option<Vec<AddressMatch>>,
    pub revenue_min: Option<Micros>,
    pub revenue_max: Option<Micros>,
    pub currency: Option<Currency>,
    /// 0 is the conversion itself.
    #[serde(default)]
    pub event_numbers: Option<Vec<i32>>,
    pub include_tests: bool,
    /// Exactly a transaction id, an external transaction id or the opaque id of a conversion.
    pub search: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConversionSortField {
    ConvertedAt,
    /// By id, which begins with the millisecond of recording.
    RecordedAt,
    /// Where there is none, as the smallest. Amounts are compared as numbers, whatever their currency.
    Revenue,
    Payout,
    SessionTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConversionSort {
    pub field: ConversionSortField,
    pub direction: Direction,
}

/// Why a list is not read: the caller's fault. Says the names of the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ListRefused {
    #[error("{0} is looked at only inside convertedAt, 31 days at most: add that range")]
    FilterNeedsRange(&'static str),
    #[error("lists are sorted by {0} only inside convertedAt, 31 days at most: add that range")]
    SortNeedsRange(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversionQuery {
    pub filter: ConversionFilter,
    /// With its sort.
    pub page: PageRequest<ConversionSort>,
}

/// The order of a history: oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oldest;

/// One page, in one statement.
///
/// # Errors
/// Ours only; what the caller can mend is the inner refusal.
pub async fn list(
    database: &Database,
    query: &ConversionQuery,
    now: Timestamp,
) -> Result<Result<Page<ConversionListed>, ListRefused>, StoreError> {
    if let Err(refused) = query.check(now) {
        return Ok(Err(refused));
    }
    let field = query.page.sort.field;
    let mut select = listed().filter(query.filter.condition());
    page::narrow(QueryTrait::query(&mut select), &query.page, &field.columns());
    let rows = select.into_model::<ListedRow>().all(database.read()).await?;
    page::page_of(rows, &query.page, |row| field.keys(&row.conversion), ListedRow::into_domain).map(Ok)
}

/// The ids of one page, for work that walks a whole filter: oldest first, in one statement.
///
/// # Errors
/// As [`list`].
pub async fn walk(
    database: &Database,
    filter: &ConversionFilter,
    page: &PageRequest<ConversionSort>,
    now: Timestamp,
) -> Result<Result<Page<ConversionId>, ListRefused>, StoreError> {
    if let Err(refused) = filter.check(now) {
        return Ok(Err(refused));
    }
    let mut select = row::Entity::find().select_only().columns([row::Column::ConvertedAt, row::Column::Id]);
    select = select.filter(filter.condition());
    page::narrow(QueryTrait::query(&mut select), page, &ConversionSortField::ConvertedAt.columns());
    let rows: Vec<(i64, Uuid)> = select.into_tuple().all(database.read()).await?;
    let keys = |(at, id): &(i64, Uuid)| vec![Key::I64(*at), Key::Uuid(*id)];
    page::page_of(rows, page, keys, |(_, id)| Ok(ConversionId::from_uuid(id))).map(Ok)
}

/// How many a filter matches, up to a bound.
///
/// # Errors
/// As [`list`].
pub async fn count(
    database: &Database,
    filter: &ConversionFilter,
    now: Timestamp,
) -> Result<Result<BoundedCount, ListRefused>, StoreError> {
    if let Err(refused) = filter.check(now) {
        return Ok(Err(refused));
    }
    let statement = row::Entity::find().filter(filter.condition()).into_query();
    page::count(database.read(), statement).await.map(Ok)
}

pub async fn find(database: &Database, id: ConversionId) -> Result<Option<ConversionListed>, StoreError> {
    Ok(find_many(database, &[id]).await?.pop())
}

/// Those that exist, in the order of their ids.
pub async fn find_many(database: &Database, ids: &[ConversionId]) -> Result<Vec<ConversionListed>, StoreError> {
    let select = listed().filter(row::Column::Id.is_in(ids.iter().map(|id| id.uuid())));
    look_up(database, select).await
}

/// The base conversions of a transaction, oldest first, 200 at most: one, or one an order.
pub async fn find_by_transaction(
    database: &Database,
    transaction: &TransactionId,
) -> Result<Vec<ConversionListed>, StoreError> {
    let is_base = row::Column::EventNumber.eq(0);
    let of_transaction = row::Column::TransactionId.eq(transaction.as_bytes().to_vec());
    look_up(database, listed().filter(of_transaction).filter(is_base).limit(LOOK_UP_MAX)).await
}

/// The base conversions of a publisher's own click id, oldest first, 200 at most.
pub async fn find_by_external(database: &Database, external_id: &str) -> Result<Vec<ConversionListed>, StoreError> {
    let external = StringMatch::eq(external_id);
    let select = listed().filter(external.condition(row::Column::ExternalTransactionId));
    let select = select.filter(row::Column::EventNumber.eq(0));
    look_up(database, select.limit(LOOK_UP_MAX)).await
}

/// The history of a conversion, oldest first.
pub async fn changes(
    database: &Database,
    conversion: ConversionId,
    page: &PageRequest<Oldest>,
) -> Result<Page<Change>, StoreError> {
    let select = change_row::Entity::find().filter(change_row::Column::ConversionId.eq(conversion.uuid()));
    let columns = [change_row::Column::Number.into_expr()];
    let keys = |row: &change_row::Model| vec![Key::I32(row.number)];
    page::fetch(database.read(), select, page, &columns, keys, change).await
}

pub async fn find_change(database: &Database, id: ChangeId) -> Result<Option<Change>, StoreError> {
    change_row::Entity::find_by_id(id.uuid()).one(database.read()).await?.map(change).transpose()
}

/// Those of `ids` whose conversions a filter holds now, in no order.
pub async fn find_changes(
    database: &Database,
    ids: &[ChangeId],
    filter: &ConversionFilter,
) -> Result<Vec<Change>, StoreError> {
    let same = row::Column::Id.into_expr().eq(change_row::Column::ConversionId.into_expr());
    let mut select = change_row::Entity::find()
        .filter(change_row::Column::Id.is_in(ids.iter().map(|id| id.uuid())))
        .filter(filter.condition());
    QueryTrait::query(&mut select).join(JoinType::InnerJoin, row::Entity, same);
    select.all(database.read()).await?.into_iter().map(change).collect()
}

/// Who gave each of these conversions the status that it has now.
pub async fn status_authors(
    database: &Database,
    ids: &[ConversionId],
) -> Result<HashMap<ConversionId, Author>, StoreError> {
    let ids = ids.iter().map(|id| id.uuid());
    let moves = Condition::any()
        .add(change_row::Column::FromStatus.is_null())
        .add(change_row::Column::FromStatus.into_expr().ne(change_row::Column::ToStatus.into_expr()));
    let rows = change_row::Entity::find()
        .filter(change_row::Column::ConversionId.is_in(ids))
        .filter(moves)
        .order_by_asc(change_row::Column::Number)
        .all(database.read())
        .await?;
    // Later ones replace earlier ones. A conversion has few moves, so reading all of them beats asking for the last.
    let authors = rows.into_iter().map(|row| change(row).map(|change| (change.conversion, change.author)));
    authors.collect()
}

/// The status that the last rejection took away, of those of these conversions that are rejected.
pub async fn statuses_before_rejection(
    database: &Database,
    ids: &[ConversionId],
) -> Result<HashMap<ConversionId, Status>, StoreError> {
    let rows = change_row::Entity::find()
        .filter(change_row::Column::ConversionId.is_in(ids.iter().map(|id| id.uuid())))
        .order_by_asc(change_row::Column::Number)
        .all(database.read())
        .await?;
    let mut before = HashMap::new();
    for row in rows {
        let change = change(row)?;
        match (change.from, change.to) {
            // It stays rejected: another reason, or a note.
            (Some(Status::Rejected), Status::Rejected) => {}
            (Some(from), Status::Rejected) => {
                before.insert(change.conversion, from);
            }
            (_, Status::Pending | Status::Approved) | (None, Status::Rejected) => {
                before.remove(&change.conversion);
            }
        }
    }
    Ok(before)
}

/// All conversions of these transactions, in the order of their ids.
pub async fn find_all_of(
    database: &Database,
    transactions: &[TransactionId],
) -> Result<Vec<ConversionListed>, StoreError> {
    let wanted = transactions.iter().map(|id| id.as_bytes().to_vec());
    look_up(database, listed().filter(row::Column::TransactionId.is_in(wanted))).await
}

/// The base conversions of these transactions, oldest first.
pub async fn find_by_transactions(
    database: &Database,
    transactions: &[TransactionId],
) -> Result<HashMap<TransactionId, Vec<ConversionId>>, StoreError> {
    let wanted = transactions.iter().map(|id| id.as_bytes().to_vec());
    let rows: Vec<(Uuid, Vec<u8>)> = row::Entity::find()
        .select_only()
        .columns([row::Column::Id, row::Column::TransactionId])
        .filter(row::Column::TransactionId.is_in(wanted))
        .filter(row::Column::EventNumber.eq(0))
        .order_by_asc(row::Column::Id)
        .into_tuple()
        .all(database.read())
        .await?;
    let mut found: HashMap<TransactionId, Vec<ConversionId>> = HashMap::new();
    for (id, transaction) in rows {
        let transaction = Cell(TABLE, "transaction_id").transaction(&transaction)?;
        found.entry(transaction).or_default().push(ConversionId::from_uuid(id));
    }
    Ok(found)
}

/// Why conversions of the last 31 days are Rejected: distinct reasons, the most frequent first. `search` is a part of
/// the reason, without regard to ASCII case.
pub async fn rejection_reasons(
    database: &Database,
    search: Option<&str>,
    limit: u64,
    now: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let count = || row::Column::Id.count();
    let select = row::Entity::find()
        .select_only()
        .column(row::Column::RejectionReason)
        .filter(row::Column::ConvertedAt.gte(now.plus_millis(-RANGE_MILLIS_MAX).as_millis()))
        .filter(row::Column::Status.eq(Status::Rejected.as_str()))
        .filter(row::Column::RejectionReason.is_not_null());
    let select = match search {
        Some(text) => select.filter(holds(row::Column::RejectionReason.into_expr(), text)),
        None => select,
    };
    let select = select
        .group_by(row::Column::RejectionReason)
        .order_by_desc(count())
        .order_by_asc(row::Column::RejectionReason)
        .limit(limit);
    Ok(select.into_tuple().all(database.read()).await?)
}

/// The additional parameters of each of these conversions, by name.
pub async fn extras(
    database: &Database,
    ids: &[ConversionId],
) -> Result<HashMap<ConversionId, Vec<(String, String)>>, StoreError> {
    let rows = conversion_extra::Entity::find()
        .filter(conversion_extra::Column::ConversionId.is_in(ids.iter().map(|id| id.uuid())))
        .order_by_asc(conversion_extra::Column::Name)
        .all(database.read())
        .await?;
    let mut extras: HashMap<ConversionId, Vec<(String, String)>> = HashMap::new();
    for row in rows {
        extras.entry(ConversionId::from_uuid(row.conversion_id)).or_default().push((row.name, row.value));
    }
    Ok(extras)
}

impl ConversionSort {
    /// The order of whoever walks a whole filter: what is recorded meanwhile comes behind.
    pub const OLDEST: Self = Self { field: ConversionSortField::ConvertedAt, direction: Direction::Ascending };
}

impl ConversionQuery {
    /// What an index does not help to find or to sort needs a bounded range of time.
    ///
    /// # Errors
    /// The first thing that does, by its name in the admin API.
    pub fn check(&self, now: Timestamp) -> Result<(), ListRefused> {
        self.filter.check(now)?;
        match self.page.sort.field.needs_range() {
            Some(name) if !self.filter.is_bounded(now) => Err(ListRefused::SortNeedsRange(name)),
            Some(_) | None => Ok(()),
        }
    }
}

impl ConversionFilter {
    /// # Errors
    /// As [`ConversionQuery::check`].
    pub fn check(&self, now: Timestamp) -> Result<(), ListRefused> {
        match self.needs_range() {
            Some(name) if !self.is_bounded(now) => Err(ListRefused::FilterNeedsRange(name)),
            Some(_) | None => Ok(()),
        }
    }

    /// Few rows are read, whatever else is asked for.
    fn is_bounded(&self, now: Timestamp) -> bool {
        let exact = |text: &Option<StringMatch>| text.as_ref().is_some_and(StringMatch::is_exact);
        let in_range = self.converted_at.is_some_and(|range| range.millis(now) <= RANGE_MILLIS_MAX);
        in_range || exact(&self.transaction_id) || exact(&self.external_transaction_id) || self.search.is_some()
    }

    pub(super) fn needs_range(&self) -> Option<&'static str> {
        let external = self.external_transaction_id.as_ref().filter(|external| !external.is_exact());
        let asked = [
            ("status", self.statuses.is_some()),
            ("source", self.sources.is_some()),
            ("rejectionReason", self.rejection_reason.is_some()),
            ("externalTransactionId", external.is_some()),
            ("subId", self.sub_id.is_some()),
            ("advSubId", self.adv_sub_id.is_some()),
            ("orderId", self.order_id.is_some()),
            ("deviceId", self.device_id.is_some()),
            ("conversionIp", self.conversion_ips.is_some()),
            ("revenue", self.revenue_min.is_some() || self.revenue_max.is_some()),
            ("currency", self.currency.is_some()),
            ("eventNumbers", self.event_numbers.is_some()),
        ];
        asked.into_iter().find(|(_, asked)| *asked).map(|(name, _)| name)
    }

    pub(super) fn condition(&self) -> Condition {
        use row::Column;
        let text = |column: Column, text: &Option<StringMatch>| text.as_ref().map(|text| text.condition(column));
        Condition::all()
            .add_option(self.converted_at.map(|range| range.condition(Column::ConvertedAt)))
            .add_option(self.recorded_at.map(|range| range.condition(Column::RecordedAt)))
            .add_option(self.recorded_at.map(|range| range.id_condition(Column::Id, ID_SLACK_SECONDS)))
            .add_option(one_of(Column::Status, self.statuses.as_deref().map(|all| all.iter().map(|one| one.as_str()))))
            .add_option(one_of(Column::Source, self.sources.as_deref().map(|all| all.iter().map(|one| one.as_str()))))
            .add_option(one_of(Column::OfferId, self.offers.as_deref().map(|all| all.iter().map(|id| id.number()))))
            .add_option(self.advertisers.as_deref().map(of_advertisers))
            .add_option(one_of(
                Column::PublisherId,
                self.publishers.as_deref().map(|all| all.iter().map(|id| id.number())),
            ))
            .add_option(self.transaction_id.as_ref().map(|text| text.transaction_condition(Column::TransactionId)))
            .add_option(text(Column::RejectionReason, &self.rejection_reason))
            .add_option(text(Column::ExternalTransactionId, &self.external_transaction_id))
            .add_option(text(Column::SubId, &self.sub_id))
            .add_option(text(Column::AdvSubId, &self.adv_sub_id))
            .add_option(text(Column::OrderId, &self.order_id))
            .add_option(text(Column::DeviceId, &self.device_id))
            .add_option(
                self.conversion_ips
                    .as_deref()
                    .map(|all| AddressMatch::any(all, Column::ConversionIp, Column::ConversionIpHash)),
            )
            .add_option(self.revenue_min.map(|least| Column::RevenueMicros.gte(least.as_i64())))
            .add_option(self.revenue_max.map(|most| Column::RevenueMicros.lte(most.as_i64())))
            .add_option(self.currency.map(|currency| Column::Currency.eq(currency.as_str())))
            .add_option(one_of(Column::EventNumber, self.event_numbers.clone()))
            .add_option((!self.include_tests).then(|| Column::IsTest.eq(false)))
            .add_option(self.search.as_deref().map(searched))
    }
}

fn of_advertisers(advertisers: &[AdvertiserId]) -> Expr {
    let offers = Query::select()
        .column(offer::Column::Id)
        .from(offer::Entity)
        .and_where(offer::Column::AdvertiserId.is_in(advertisers.iter().map(|id| id.number())))
        .take();
    row::Column::OfferId.in_subquery(offers)
}

fn searched(text: &str) -> Condition {
    let id = ConversionId::parse(text).map(|id| row::Column::Id.eq(id.uuid()));
    let transaction = TransactionId::parse(text).ok().map(|id| row::Column::TransactionId.eq(id.as_bytes().to_vec()));
    Condition::any()
        .add_option(id)
        .add_option(transaction)
        .add(StringMatch::eq(text).condition(row::Column::ExternalTransactionId))
}

impl ConversionSortField {
    fn needs_range(self) -> Option<&'static str> {
        match self {
            Self::ConvertedAt | Self::RecordedAt => None,
            Self::Revenue => Some("REVENUE"),
            Self::Payout => Some("PAYOUT"),
            Self::SessionTime => Some("SESSION_TIME"),
        }
    }

    fn columns(self) -> Vec<Expr> {
        let id = row::Column::Id.into_expr();
        let or_least =
            |column: row::Column| -> Expr { Func::coalesce([column.into_expr(), Expr::val(i64::MIN)]).into() };
        match self {
            Self::RecordedAt => vec![id],
            Self::ConvertedAt => vec![row::Column::ConvertedAt.into_expr(), id],
            Self::Revenue => vec![or_least(row::Column::RevenueMicros), id],
            Self::Payout => vec![or_least(row::Column::PayoutMicros), id],
            Self::SessionTime => vec![or_least(row::Column::SessionTimeSeconds), id],
        }
    }

    fn keys(self, row: &row::Model) -> Vec<Key> {
        let with_id = |value: Option<i64>| vec![Key::I64(value.unwrap_or(i64::MIN)), Key::Uuid(row.id)];
        match self {
            Self::RecordedAt => vec![Key::Uuid(row.id)],
            Self::ConvertedAt => with_id(Some(row.converted_at)),
            Self::Revenue => with_id(row.revenue_micros),
            Self::Payout => with_id(row.payout_micros),
            Self::SessionTime => with_id(row.session_time_seconds.map(i64::from)),
        }
    }
}

impl Sort for ConversionSort {
    fn order(self) -> Order {
        let (name, keys): (_, &'static [KeyKind]) = match self.field {
            ConversionSortField::ConvertedAt => ("conversion.converted_at", &[KeyKind::I64, KeyKind::Uuid]),
            ConversionSortField::RecordedAt => ("conversion.recorded_at", &[KeyKind::Uuid]),
            ConversionSortField::Revenue => ("conversion.revenue", &[KeyKind::I64, KeyKind::Uuid]),
            ConversionSortField::Payout => ("conversion.payout", &[KeyKind::I64, KeyKind::Uuid]),
            ConversionSortField::SessionTime => ("conversion.session_time", &[KeyKind::I64, KeyKind::Uuid]),
        };
        Order { name, direction: self.direction, keys }
    }
}

impl Sort for Oldest {
    fn order(self) -> Order {
        Order { name: "change.number", direction: Direction::Ascending, keys: &[KeyKind::I32] }
    }
}

#[derive(FromQueryResult)]
struct ListedRow {
    #[sea_orm(nested)]
    conversion: row::Model,
    offer_name: Option<String>,
    advertiser_id: Option<i32>,
    advertiser_name: Option<String>,
    publisher_name: Option<String>,
}

impl ListedRow {
    fn into_domain(self) -> Result<ConversionListed, StoreError> {
        let missing = |what| Cell(TABLE, what).unreadable();
        Ok(ConversionListed {
            conversion: conversion(self.conversion)?,
            offer_name: self.offer_name.ok_or_else(|| missing("offer_id"))?,
            advertiser: self.advertiser_id.and_then(AdvertiserId::new).ok_or_else(|| missing("offer_id"))?,
            advertiser_name: self.advertiser_name.ok_or_else(|| missing("offer_id"))?,
            publisher_name: self.publisher_name.ok_or_else(|| missing("publisher_id"))?,
        })
    }
}

async fn look_up(database: &Database, select: Select<row::Entity>) -> Result<Vec<ConversionListed>, StoreError> {
    let rows = select.order_by_asc(row::Column::Id).into_model::<ListedRow>().all(database.read()).await?;
    rows.into_iter().map(ListedRow::into_domain).collect()
}

/// Conversions with their names. Offers and partners are never deleted; a conversion without its own is damage that
/// must be seen, so an inner join, which would hide it, is not used.
fn listed() -> Select<row::Entity> {
    let mut select = row::Entity::find();
    let statement = QueryTrait::query(&mut select);
    let same = |left: Expr, right: Expr| left.eq(right);
    let (offer_id, advertiser_id) = (row::Column::OfferId.into_expr(), offer::Column::AdvertiserId.into_expr());
    let publisher_id = row::Column::PublisherId.into_expr();
    statement
        .join(JoinType::LeftJoin, offer::Entity, same(offer::Column::Id.into_expr(), offer_id))
        .join(JoinType::LeftJoin, advertiser::Entity, same(advertiser::Column::Id.into_expr(), advertiser_id.clone()))
        .join(JoinType::LeftJoin, publisher::Entity, same(publisher::Column::Id.into_expr(), publisher_id))
        .expr_as(offer::Column::Name.into_expr(), "offer_name")
        .expr_as(advertiser_id, "advertiser_id")
        .expr_as(advertiser::Column::Name.into_expr(), "advertiser_name")
        .expr_as(publisher::Column::Name.into_expr(), "publisher_name");
    select
}
const TABLE: &str = "conversion";
const CHANGE_TABLE: &str = "conversion_change";

/// # Errors
/// `Unreadable` for a row that our own code did not write like this.
pub(super) fn conversion(row: row::Model) -> Result<Conversion, StoreError> {
    let cell = |column| Cell(TABLE, column);
    Ok(Conversion {
        id: ConversionId::from_uuid(row.id),
        transaction_id: cell("transaction_id").transaction(&row.transaction_id)?,
        event_number: row.event_number,
        source: cell("source").word(&row.source, Source::parse)?,
        status: cell("status").word(&row.status, Status::parse)?,
        pending_reason: cell("pending_reason").optional_word(row.pending_reason.as_deref(), PendingReason::parse)?,
        rejection_reason: row.rejection_reason,
        rejected_by: cell("rejected_by").optional_word(row.rejected_by.as_deref(), Party::parse)?,
        advertiser_reason: row.advertiser_reason,
        offer: cell("offer_id").offer(row.offer_id)?,
        publisher: cell("publisher_id").publisher(row.publisher_id)?,
        order_id: row.order_id,
        external_transaction_id: row.external_transaction_id,
        sub_ids: [row.sub_id, row.sub_id_2, row.sub_id_3, row.sub_id_4, row.sub_id_5, row.sub_id_6],
        adv_sub_ids: [
            row.adv_sub_id,
            row.adv_sub_id_2,
            row.adv_sub_id_3,
            row.adv_sub_id_4,
            row.adv_sub_id_5,
            row.adv_sub_id_6,
        ],
        session_time_seconds: row.session_time_seconds,
        conversion_ip: cell("conversion_ip").address(row.conversion_ip, row.conversion_ip_hash)?,
        user_agent: row.user_agent,
        device_id: row.device_id,
        email: cell("email_masked").email(row.email_masked, row.email_hash)?,
        money: Money {
            currency: cell("currency").currency(&row.currency)?,
            revenue: row.revenue_micros.map(Micros::from_i64),
            payout: row.payout_micros.map(Micros::from_i64),
            purchase_value: row.purchase_value_micros.map(Micros::from_i64),
        },
        reported: Reported {
            revenue: row.reported_revenue_micros.map(Micros::from_i64),
            payout: row.reported_payout_micros.map(Micros::from_i64),
            currency: row.reported_currency.map(|code| cell("reported_currency").currency(&code)).transpose()?,
        },
        click_pending: row.click_pending,
        is_test: row.is_test,
        token: row.token_id.map(TokenId::from_uuid),
        confirmed_at: row.confirmed_at.map(Timestamp::from_millis),
        clicked_at: row.clicked_at.map(Timestamp::from_millis),
        converted_at: Timestamp::from_millis(row.converted_at),
        recorded_at: Timestamp::from_millis(row.recorded_at),
        status_changed_at: Timestamp::from_millis(row.status_changed_at),
        version: row.version,
    })
}

/// # Errors
/// As [`conversion`].
pub(super) fn change(row: change_row::Model) -> Result<Change, StoreError> {
    let cell = |column| Cell(CHANGE_TABLE, column);
    let to = row.to_status.as_deref().ok_or_else(|| cell("to_status").unreadable())?;
    Ok(Change {
        id: ChangeId::from_uuid(row.id),
        conversion: ConversionId::from_uuid(row.conversion_id),
        number: row.number,
        kind: cell("kind").word(&row.kind, ChangeKind::parse)?,
        from: cell("from_status").optional_word(row.from_status.as_deref(), Status::parse)?,
        to: cell("to_status").word(to, Status::parse)?,
        reason: row.reason,
        revenue_before: row.revenue_before_micros.map(Micros::from_i64),
        revenue_after: row.revenue_after_micros.map(Micros::from_i64),
        payout_before: row.payout_before_micros.map(Micros::from_i64),
        payout_after: row.payout_after_micros.map(Micros::from_i64),
        currency: cell("currency").currency(&row.currency)?,
        author: Author {
            party: cell("party").word(&row.party, Party::parse)?,
            actor: row.actor,
            receipt: row.receipt_id.map(ReceiptId::from_uuid),
            at: Timestamp::from_millis(row.at),
            note: row.note,
        },
    })
}
