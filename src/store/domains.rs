//! Tracking domains: rows in and out. They are few, so they are read all at once.

use entity::tracking_domain as row;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};
use sea_orm::{PaginatorTrait as _, QueryFilter as _, QueryOrder as _};

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::TrackingDomainId;
use crate::domain::tracking_domain::{DomainState, TrackingDomain};

const TABLE: &str = "tracking_domain";

/// All of them, by host.
///
/// # Errors
/// As of every read.
pub async fn list(database: &Database) -> Result<Vec<TrackingDomain>, StoreError> {
    let rows = row::Entity::find().order_by_asc(row::Column::Host).all(database.read()).await?;
    rows.into_iter().map(from_row).collect()
}

/// # Errors
/// As of every read.
pub async fn find(database: &Database, id: TrackingDomainId) -> Result<Option<TrackingDomain>, StoreError> {
    find_in(database.read(), id).await
}

/// A domain as a control write sees it.
pub(crate) async fn find_in(
    connection: &impl ConnectionTrait,
    id: TrackingDomainId,
) -> Result<Option<TrackingDomain>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(connection).await?.map(from_row).transpose()
}

pub(crate) async fn count(connection: &impl ConnectionTrait) -> Result<u64, StoreError> {
    Ok(row::Entity::find().count(connection).await?)
}

/// # Errors
/// `Taken` when the host is there.
pub(crate) async fn insert(connection: &impl ConnectionTrait, domain: &TrackingDomain) -> Result<(), StoreError> {
    let row = to_row(domain).into_active_model().reset_all();
    row::Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

/// Writes all of `domain`, which is one version on. `false` when the row is not of the version before.
pub(crate) async fn update(connection: &impl ConnectionTrait, domain: &TrackingDomain) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .set(to_row(domain).into_active_model().reset_all())
        .filter(row::Column::Id.eq(domain.id.uuid()))
        .filter(row::Column::Version.eq(domain.version.saturating_sub(1)))
        .exec(connection)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Leaves no domain as the default one.
pub(crate) async fn clear_default(connection: &impl ConnectionTrait) -> Result<(), StoreError> {
    row::Entity::update_many()
        .col_expr(row::Column::IsDefault, Expr::value(false))
        .col_expr(row::Column::Version, Expr::col(row::Column::Version).add(1))
        .filter(row::Column::IsDefault.eq(true))
        .exec(connection)
        .await?;
    Ok(())
}

pub(crate) async fn delete(connection: &impl ConnectionTrait, id: TrackingDomainId) -> Result<(), StoreError> {
    row::Entity::delete_by_id(id.uuid()).exec(connection).await?;
    Ok(())
}

pub(crate) fn from_row(row: row::Model) -> Result<TrackingDomain, StoreError> {
    Ok(TrackingDomain {
        id: TrackingDomainId::from_uuid(row.id),
        state: Cell(TABLE, "state").word(&row.state, DomainState::parse)?,
        host: row.host,
        is_default: row.is_default,
        challenge: row.challenge,
        cname_found: row.cname_found,
        txt_found: row.txt_found,
        failure: row.failure,
        last_checked_at: row.last_checked_at.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.created_at),
        version: row.version,
    })
}

fn to_row(domain: &TrackingDomain) -> row::Model {
    row::Model {
        id: domain.id.uuid(),
        host: domain.host.clone(),
        state: domain.state.as_str().to_owned(),
        is_default: domain.is_default,
        challenge: domain.challenge.clone(),
        cname_found: domain.cname_found.clone(),
        txt_found: domain.txt_found.clone(),
        failure: domain.failure.clone(),
        last_checked_at: domain.last_checked_at.map(Timestamp::as_millis),
        created_at: domain.created_at.as_millis(),
        version: domain.version,
    }
}
