//! Sessions: rows in and out. Of a refresh token only the digest ever comes here.
//!
//! Rotation is optimistic: it happens only if the session still has the version that was judged, and is not over.
//! A row stays while a token of it could still be shown, then [`purge`] takes it.

use entity::session as row;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait};
use sea_orm::{QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::connect::Database;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{OperatorId, SessionId};
use crate::domain::session::{RefreshDigest, Session};

const TABLE: &str = "session";
/// Sessions of one operator that are listed: nobody has so many browsers.
const LISTED_MAX: u64 = 100;

/// How a session goes on after a refresh.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionRotation {
    pub(crate) id: SessionId,
    /// The version that was judged; the row gets the next one.
    pub(crate) version: i32,
    pub(crate) refresh_digest: RefreshDigest,
    pub(crate) now: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// # Errors
/// As of every read.
pub(crate) async fn find(connection: &impl ConnectionTrait, id: SessionId) -> Result<Option<Session>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(connection).await?.map(session).transpose()
}

/// An operator's sessions that are not over at `now`, the last seen first.
///
/// # Errors
/// As of every read.
pub async fn list_live(database: &Database, operator: OperatorId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    let live = row::Entity::find()
        .filter(row::Column::OperatorId.eq(operator.uuid()))
        .filter(row::Column::RevokedAt.is_null())
        .filter(row::Column::ExpiresAt.gt(now.as_millis()))
        .order_by_desc(row::Column::LastSeenAt)
        .limit(LISTED_MAX);
    live.all(database.read()).await?.into_iter().map(session).collect()
}

/// The sessions that were ended; the snapshot holds them, so that their access tokens are refused at once.
///
/// # Errors
/// As of every read.
pub(crate) async fn list_revoked(connection: &impl ConnectionTrait) -> Result<Vec<SessionId>, StoreError> {
    let revoked = row::Entity::find().select_only().column(row::Column::Id);
    let ids: Vec<Uuid> = revoked.filter(row::Column::RevokedAt.is_not_null()).into_tuple().all(connection).await?;
    Ok(ids.into_iter().map(SessionId::from_uuid).collect())
}

/// # Errors
/// As of every write.
pub(crate) async fn insert(connection: &impl ConnectionTrait, session: &Session) -> Result<(), StoreError> {
    let row = row::ActiveModel {
        id: Set(session.id.uuid()),
        operator_id: Set(session.operator.uuid()),
        refresh_digest: Set(session.refresh_digest.as_bytes().to_vec()),
        created_at: Set(session.created_at.as_millis()),
        last_seen_at: Set(session.last_seen_at.as_millis()),
        expires_at: Set(session.expires_at.as_millis()),
        revoked_at: Set(session.revoked_at.map(Timestamp::as_millis)),
        version: Set(session.version),
    };
    row::Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

/// Puts the next refresh token in place. `false` when the session moved on or ended meanwhile: nothing was written.
///
/// # Errors
/// As of every write.
pub(crate) async fn rotate(connection: &impl ConnectionTrait, rotation: &SessionRotation) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::RefreshDigest, Expr::value(rotation.refresh_digest.as_bytes().to_vec()))
        .col_expr(row::Column::LastSeenAt, Expr::value(rotation.now.as_millis()))
        .col_expr(row::Column::ExpiresAt, Expr::value(rotation.expires_at.as_millis()))
        .col_expr(row::Column::Version, Expr::col(row::Column::Version).add(1))
        .filter(row::Column::Id.eq(rotation.id.uuid()))
        .filter(row::Column::Version.eq(rotation.version))
        .filter(row::Column::RevokedAt.is_null())
        .exec(connection)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Ends a session. `false` when there is none, or it had ended before.
///
/// # Errors
/// As of every write.
pub(crate) async fn revoke(
    connection: &impl ConnectionTrait,
    id: SessionId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::RevokedAt, Expr::value(now.as_millis()))
        .filter(row::Column::Id.eq(id.uuid()))
        .filter(row::Column::RevokedAt.is_null())
        .exec(connection)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Ends every session of an operator, but for the one that is to be spared; says how many there were.
///
/// # Errors
/// As of every write.
pub(crate) async fn revoke_all(
    connection: &impl ConnectionTrait,
    operator: OperatorId,
    spared: Option<SessionId>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let spared = spared.map(|session| row::Column::Id.ne(session.uuid()));
    let done = row::Entity::update_many()
        .col_expr(row::Column::RevokedAt, Expr::value(now.as_millis()))
        .filter(row::Column::OperatorId.eq(operator.uuid()))
        .filter(row::Column::RevokedAt.is_null())
        .filter(Condition::all().add_option(spared))
        .exec(connection)
        .await?;
    Ok(done.rows_affected)
}

/// Removes sessions that expired before `expired_before` or were ended before `revoked_before`. The second must lie
/// further back than an access token lives: a session that is gone from here is no longer in the list of ended ones.
///
/// # Errors
/// As of every write.
pub(crate) async fn purge(
    connection: &impl ConnectionTrait,
    expired_before: Timestamp,
    revoked_before: Timestamp,
) -> Result<u64, StoreError> {
    let over = Condition::any()
        .add(row::Column::ExpiresAt.lt(expired_before.as_millis()))
        .add(row::Column::RevokedAt.lt(revoked_before.as_millis()));
    Ok(row::Entity::delete_many().filter(over).exec(connection).await?.rows_affected)
}

fn session(row: row::Model) -> Result<Session, StoreError> {
    let digest = RefreshDigest::from_bytes(&row.refresh_digest);
    Ok(Session {
        id: SessionId::from_uuid(row.id),
        operator: OperatorId::from_uuid(row.operator_id),
        refresh_digest: digest.ok_or_else(|| StoreError::unreadable(TABLE, "refresh_digest is not 32 bytes"))?,
        created_at: Timestamp::from_millis(row.created_at),
        last_seen_at: Timestamp::from_millis(row.last_seen_at),
        expires_at: Timestamp::from_millis(row.expires_at),
        revoked_at: row.revoked_at.map(Timestamp::from_millis),
        version: row.version,
    })
}
