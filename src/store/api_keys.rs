//! API keys: rows in and out. Of a key's text only the digest ever comes here.

use std::collections::HashMap;

use entity::api_key as row;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _};
use sea_orm::{IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use crate::domain::api_key::{ApiKey, ApiKeyAccess, KeyRevocation};
use crate::domain::clock::Timestamp;
use crate::domain::ids::ApiKeyId;
use crate::domain::operator::Role;
use crate::domain::secure_token::TokenDigest;

const TABLE: &str = "api_key";
/// Keys that are over and still listed, the newest.
const ENDED_LISTED_MAX: u64 = 100;

/// When and from where a key was used last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    pub key: ApiKeyId,
    pub at: Timestamp,
    /// A network, /24 or /48.
    pub address: Option<String>,
}

/// Those that work at `now`, then the hundred newest of the others; each part newest first.
///
/// # Errors
/// As of every read.
pub async fn list(database: &Database, now: Timestamp) -> Result<Vec<ApiKey>, StoreError> {
    let newest = |which: Condition| row::Entity::find().filter(which).order_by_desc(row::Column::Id);
    let mut rows = newest(works(now)).all(database.read()).await?;
    rows.extend(newest(works(now).not()).limit(ENDED_LISTED_MAX).all(database.read()).await?);
    rows.into_iter().map(from_row).collect()
}

/// # Errors
/// As of every read.
pub async fn find(database: &Database, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    find_in(database.read(), id).await
}

/// Those that exist, in no order.
///
/// # Errors
/// As of every read.
pub async fn find_many(database: &Database, ids: &[ApiKeyId]) -> Result<Vec<ApiKey>, StoreError> {
    let named = row::Column::Id.is_in(ids.iter().map(|id| id.uuid()));
    row::Entity::find().filter(named).all(database.read()).await?.into_iter().map(from_row).collect()
}

/// A key as a control write sees it.
pub(crate) async fn find_in(connection: &impl ConnectionTrait, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(connection).await?.map(from_row).transpose()
}

/// Keys that work at `now`.
pub(crate) async fn count_live(connection: &impl ConnectionTrait, now: Timestamp) -> Result<u64, StoreError> {
    Ok(row::Entity::find().filter(works(now)).count(connection).await?)
}

/// What every key is compared with when it is shown.
pub(super) async fn find_access(
    connection: &impl ConnectionTrait,
) -> Result<HashMap<TokenDigest, ApiKeyAccess>, StoreError> {
    row::Entity::find().all(connection).await?.into_iter().map(access).collect()
}

/// # Errors
/// As of every write.
pub(crate) async fn insert(
    transaction: &impl ConnectionTrait,
    key: &ApiKey,
    digest: &TokenDigest,
) -> Result<(), StoreError> {
    let row = row::Model {
        id: key.id.uuid(),
        digest: digest.as_bytes().to_vec(),
        hint: key.hint.clone(),
        name: key.name.clone(),
        role: key.role.as_str().to_owned(),
        created_at: key.created_at.as_millis(),
        created_by: key.created_by.clone(),
        expires_at: key.expires_at.map(Timestamp::as_millis),
        revoked_at: None,
        revoked_by: None,
        last_used_at: None,
        last_used_address: None,
    };
    row::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(transaction).await?;
    Ok(())
}

/// Ends a key for good. `false` when there is none, or it had been revoked before.
///
/// # Errors
/// As of every write.
pub(crate) async fn revoke(
    transaction: &impl ConnectionTrait,
    id: ApiKeyId,
    revocation: &KeyRevocation,
) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::RevokedAt, Expr::value(revocation.at.as_millis()))
        .col_expr(row::Column::RevokedBy, Expr::value(revocation.by.as_str()))
        .filter(row::Column::Id.eq(id.uuid()))
        .filter(row::Column::RevokedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Notes last uses; of several servers' the latest stays.
///
/// # Errors
/// As of every write.
pub async fn mark_used(database: &Database, uses: Vec<KeyUse>) -> Result<(), StoreError> {
    database
        .side_write(Box::new(move |transaction| {
            Box::pin(async move {
                for KeyUse { key, at, address } in uses {
                    let older = Condition::any()
                        .add(row::Column::LastUsedAt.is_null())
                        .add(row::Column::LastUsedAt.lt(at.as_millis()));
                    row::Entity::update_many()
                        .col_expr(row::Column::LastUsedAt, Expr::value(at.as_millis()))
                        .col_expr(row::Column::LastUsedAddress, Expr::value(address))
                        .filter(row::Column::Id.eq(key.uuid()))
                        .filter(older)
                        .exec(transaction)
                        .await?;
                }
                Ok(())
            })
        }))
        .await
}

/// The same reading of the columns as [`ApiKeyAccess::standing`] has it.
fn works(now: Timestamp) -> Condition {
    let unended =
        Condition::any().add(row::Column::ExpiresAt.is_null()).add(row::Column::ExpiresAt.gt(now.as_millis()));
    Condition::all().add(row::Column::RevokedAt.is_null()).add(unended)
}

fn access(row: row::Model) -> Result<(TokenDigest, ApiKeyAccess), StoreError> {
    let digest = TokenDigest::from_bytes(&row.digest).ok_or_else(|| Cell(TABLE, "digest").unreadable())?;
    let access = ApiKeyAccess {
        id: ApiKeyId::from_uuid(row.id),
        role: Cell(TABLE, "role").word(&row.role, Role::parse)?,
        name: row.name,
        expires_at: row.expires_at.map(Timestamp::from_millis),
        is_revoked: row.revoked_at.is_some(),
    };
    Ok((digest, access))
}

fn from_row(row: row::Model) -> Result<ApiKey, StoreError> {
    Ok(ApiKey {
        id: ApiKeyId::from_uuid(row.id),
        name: row.name,
        hint: row.hint,
        role: Cell(TABLE, "role").word(&row.role, Role::parse)?,
        created_at: Timestamp::from_millis(row.created_at),
        created_by: row.created_by,
        expires_at: row.expires_at.map(Timestamp::from_millis),
        revocation: row
            .revoked_at
            .map(|at| KeyRevocation { at: Timestamp::from_millis(at), by: row.revoked_by.unwrap_or_default() }),
        last_used_at: row.last_used_at.map(Timestamp::from_millis),
        last_used_address: row.last_used_address,
    })
}
