//! Advertisers: rows in and out.

use std::collections::HashMap;

use entity::advertiser as row;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};
use sea_orm::{QueryFilter as _, QuerySelect as _, QueryTrait as _, Select};

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use super::page::{self, BoundedCount, Direction, Key, KeyKind, Order, Page, PageRequest, Sort};
use super::search::{PartnerFilter, name_or_number};
use crate::domain::advertiser::Advertiser;
use crate::domain::clock::Timestamp;
use crate::domain::ids::AdvertiserId;
use crate::domain::publisher::PartnerState;

const TABLE: &str = "advertiser";

/// By name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvertiserSort;

impl Sort for AdvertiserSort {
    fn order(self) -> Order {
        let keys = &[KeyKind::Text, KeyKind::I32];
        Order { name: "advertiser.name", direction: Direction::Ascending, keys }
    }
}

pub async fn list(
    database: &Database,
    filter: &PartnerFilter,
    request: &PageRequest<AdvertiserSort>,
) -> Result<Page<Advertiser>, StoreError> {
    fetch(database, select(filter), request).await
}

pub async fn count(database: &Database, filter: &PartnerFilter) -> Result<BoundedCount, StoreError> {
    page::count(database.read(), select(filter).into_query()).await
}

pub async fn find(database: &Database, id: AdvertiserId) -> Result<Option<Advertiser>, StoreError> {
    find_in(database.read(), id).await
}

/// Those of `ids` that exist.
pub async fn find_many(
    database: &Database,
    ids: &[AdvertiserId],
) -> Result<HashMap<AdvertiserId, Advertiser>, StoreError> {
    let numbers = ids.iter().map(|id| id.number());
    all_of(row::Entity::find().filter(row::Column::Id.is_in(numbers)), database.read()).await
}

pub(crate) async fn find_in(
    connection: &impl ConnectionTrait,
    id: AdvertiserId,
) -> Result<Option<Advertiser>, StoreError> {
    row::Entity::find_by_id(id.number()).one(connection).await?.map(from_row).transpose()
}

/// All there are, for a snapshot.
pub(super) async fn find_all(
    connection: &impl ConnectionTrait,
) -> Result<HashMap<AdvertiserId, Advertiser>, StoreError> {
    all_of(row::Entity::find(), connection).await
}

/// The number after the highest one; `None` when there is no room behind it.
pub(crate) async fn next_number(transaction: &impl ConnectionTrait) -> Result<Option<AdvertiserId>, StoreError> {
    let highest = row::Entity::find().select_only().column_as(row::Column::Id.max(), "highest");
    let highest: Option<Option<i32>> = highest.into_tuple().one(transaction).await?;
    Ok(highest.flatten().unwrap_or(0).checked_add(1).and_then(AdvertiserId::new))
}

/// # Errors
/// `Taken` when the number is in use.
pub(crate) async fn insert(transaction: &impl ConnectionTrait, advertiser: &Advertiser) -> Result<(), StoreError> {
    let row = to_row(advertiser).into_active_model().reset_all();
    row::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

/// Writes every field; false when the row is not at `expected_version` any more.
pub(crate) async fn update(
    transaction: &impl ConnectionTrait,
    advertiser: &Advertiser,
    expected_version: i32,
) -> Result<bool, StoreError> {
    let updated = row::Entity::update_many()
        .set(to_row(advertiser).into_active_model().reset_all())
        .filter(row::Column::Id.eq(advertiser.id.number()))
        .filter(row::Column::Version.eq(expected_version))
        .exec(transaction)
        .await?;
    Ok(updated.rows_affected == 1)
}

async fn fetch(
    database: &Database,
    select: Select<row::Entity>,
    request: &PageRequest<AdvertiserSort>,
) -> Result<Page<Advertiser>, StoreError> {
    let columns = [Expr::col((row::Entity, row::Column::Name)), Expr::col((row::Entity, row::Column::Id))];
    let keys = |row: &row::Model| vec![Key::Text(row.name.clone()), Key::I32(row.id)];
    page::fetch(database.read(), select, request, &columns, keys, from_row).await
}

async fn all_of(
    select: Select<row::Entity>,
    connection: &impl ConnectionTrait,
) -> Result<HashMap<AdvertiserId, Advertiser>, StoreError> {
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

fn from_row(row: row::Model) -> Result<Advertiser, StoreError> {
    Ok(Advertiser {
        id: Cell(TABLE, "id").advertiser(row.id)?,
        name: row.name,
        state: Cell(TABLE, "state").word(&row.state, PartnerState::parse)?,
        notes: row.notes,
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    })
}

fn to_row(advertiser: &Advertiser) -> row::Model {
    row::Model {
        id: advertiser.id.number(),
        name: advertiser.name.clone(),
        state: advertiser.state.as_str().to_owned(),
        notes: advertiser.notes.clone(),
        version: advertiser.version,
        created_at: advertiser.created_at.as_millis(),
        updated_at: advertiser.updated_at.as_millis(),
    }
}
