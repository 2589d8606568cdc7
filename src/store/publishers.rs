//! Publishers: rows in and out.

use std::collections::{HashMap, HashSet};

use entity::{offer_publisher, publisher as row};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};
use sea_orm::{QueryFilter as _, QuerySelect as _, QueryTrait as _, Select};

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use super::page::{self, BoundedCount, Direction, Key, KeyKind, Order, Page, PageRequest, Sort};
use super::search::{PartnerFilter, name_or_number};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{OfferId, PublisherId};
use crate::domain::publisher::{PartnerState, Publisher};

const TABLE: &str = "publisher";
/// Numbers in one list of a statement, so that it stays below the engines' limits of parameters.
const NUMBERS_PER_STATEMENT: usize = 1000;

/// By name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublisherSort;

impl Sort for PublisherSort {
    fn order(self) -> Order {
        let keys = &[KeyKind::Text, KeyKind::I32];
        Order { name: "publisher.name", direction: Direction::Ascending, keys }
    }
}

pub async fn list(
    database: &Database,
    filter: &PartnerFilter,
    request: &PageRequest<PublisherSort>,
) -> Result<Page<Publisher>, StoreError> {
    fetch(database, select(filter), request).await
}

/// Those chosen for an offer, whether its access is limited to them or not.
pub async fn list_chosen(
    database: &Database,
    offer: OfferId,
    request: &PageRequest<PublisherSort>,
) -> Result<Page<Publisher>, StoreError> {
    fetch(database, select_chosen(offer), request).await
}

pub async fn count(database: &Database, filter: &PartnerFilter) -> Result<BoundedCount, StoreError> {
    page::count(database.read(), select(filter).into_query()).await
}

pub async fn count_chosen(database: &Database, offer: OfferId) -> Result<BoundedCount, StoreError> {
    page::count(database.read(), select_chosen(offer).into_query()).await
}

pub async fn find(database: &Database, id: PublisherId) -> Result<Option<Publisher>, StoreError> {
    find_in(database.read(), id).await
}

/// Those of `ids` that exist.
pub async fn find_many(
    database: &Database,
    ids: &[PublisherId],
) -> Result<HashMap<PublisherId, Publisher>, StoreError> {
    let numbers = ids.iter().map(|id| id.number());
    all_of(row::Entity::find().filter(row::Column::Id.is_in(numbers)), database.read()).await
}

pub(crate) async fn find_in(
    connection: &impl ConnectionTrait,
    id: PublisherId,
) -> Result<Option<Publisher>, StoreError> {
    row::Entity::find_by_id(id.number()).one(connection).await?.map(from_row).transpose()
}

/// Those of `ids` that exist.
pub(crate) async fn find_numbers_in(
    connection: &impl ConnectionTrait,
    ids: &[PublisherId],
) -> Result<HashSet<PublisherId>, StoreError> {
    let mut found = HashSet::with_capacity(ids.len());
    for chunk in ids.chunks(NUMBERS_PER_STATEMENT) {
        let select = row::Entity::find().select_only().column(row::Column::Id);
        let select = select.filter(row::Column::Id.is_in(chunk.iter().map(|id| id.number())));
        let numbers: Vec<i32> = select.into_tuple().all(connection).await?;
        found.extend(numbers.into_iter().filter_map(PublisherId::new));
    }
    Ok(found)
}

/// All there are, for a snapshot.
pub(super) async fn find_all(connection: &impl ConnectionTrait) -> Result<HashMap<PublisherId, Publisher>, StoreError> {
    all_of(row::Entity::find(), connection).await
}

/// The number after the highest one; `None` when there is no room behind it.
pub(crate) async fn next_number(transaction: &impl ConnectionTrait) -> Result<Option<PublisherId>, StoreError> {
    let highest = row::Entity::find().select_only().column_as(row::Column::Id.max(), "highest");
    let highest: Option<Option<i32>> = highest.into_tuple().one(transaction).await?;
    Ok(highest.flatten().unwrap_or(0).checked_add(1).and_then(PublisherId::new))
}

/// # Errors
/// `Taken` when the number is in use.
pub(crate) async fn insert(transaction: &impl ConnectionTrait, publisher: &Publisher) -> Result<(), StoreError> {
    let row = to_row(publisher).into_active_model().reset_all();
    row::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

/// Writes every field; false when the row is not at `expected_version` any more.
pub(crate) async fn update(
    transaction: &impl ConnectionTrait,
    publisher: &Publisher,
    expected_version: i32,
) -> Result<bool, StoreError> {
    let updated = row::Entity::update_many()
        .set(to_row(publisher).into_active_model().reset_all())
        .filter(row::Column::Id.eq(publisher.id.number()))
        .filter(row::Column::Version.eq(expected_version))
        .exec(transaction)
        .await?;
    Ok(updated.rows_affected == 1)
}

async fn fetch(
    database: &Database,
    select: Select<row::Entity>,
    request: &PageRequest<PublisherSort>,
) -> Result<Page<Publisher>, StoreError> {
    let columns = [Expr::col((row::Entity, row::Column::Name)), Expr::col((row::Entity, row::Column::Id))];
    let keys = |row: &row::Model| vec![Key::Text(row.name.clone()), Key::I32(row.id)];
    page::fetch(database.read(), select, request, &columns, keys, from_row).await
}

async fn all_of(
    select: Select<row::Entity>,
    connection: &impl ConnectionTrait,
) -> Result<HashMap<PublisherId, Publisher>, StoreError> {
    let rows = select.all(connection).await?;
    rows.into_iter().map(|row| from_row(row).map(|found| (found.id, found))).collect()
}

fn select(filter: &PartnerFilter) -> Select<row::Entity> {
    let mut select = row::Entity::find();
    if !filter.states.is_empty() {
        let words = filter.states.iter().map(|state| state.as_str());
        select = select.filter(row::Column::State.is_in(words));
    }
    if let Some(text) = &filter.search {
        let name = Expr::col((row::Entity, row::Column::Name));
        select = select.filter(name_or_number(name, Expr::col((row::Entity, row::Column::Id)), text));
    }
    select
}

fn select_chosen(offer: OfferId) -> Select<row::Entity> {
    let chosen = Query::select()
        .column(offer_publisher::Column::PublisherId)
        .from(offer_publisher::Entity)
        .and_where(offer_publisher::Column::OfferId.eq(offer.number()))
        .take();
    row::Entity::find().filter(row::Column::Id.in_subquery(chosen))
}

fn from_row(row: row::Model) -> Result<Publisher, StoreError> {
    Ok(Publisher {
        id: Cell(TABLE, "id").publisher(row.id)?,
        name: row.name,
        state: Cell(TABLE, "state").word(&row.state, PartnerState::parse)?,
        notes: row.notes,
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    })
}

fn to_row(publisher: &Publisher) -> row::Model {
    row::Model {
        id: publisher.id.number(),
        name: publisher.name.clone(),
        state: publisher.state.as_str().to_owned(),
        notes: publisher.notes.clone(),
        version: publisher.version,
        created_at: publisher.created_at.as_millis(),
        updated_at: publisher.updated_at.as_millis(),
    }
}
