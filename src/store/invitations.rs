//! Invitations: rows in and out. Of a code only the digest ever comes here.
//!
//! One to an operator: a newer link takes the place of the older one. A row is gone once its code was used; one that
//! nobody used stays and is worth nothing after its end.

use std::collections::HashMap;

use entity::invitation as row;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};
use sea_orm::{QueryFilter as _, QuerySelect as _};
use uuid::Uuid;

use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::OperatorId;
use crate::domain::one_time_code::CodeDigest;

/// A link as it is first written.
#[derive(Clone, Debug)]
pub(crate) struct NewInvitation {
    pub(crate) operator: OperatorId,
    pub(crate) digest: CodeDigest,
    pub(crate) created_at: Timestamp,
    /// The opaque id of an operator or a key, or `system`.
    pub(crate) created_by: String,
    pub(crate) expires_at: Timestamp,
}

/// Whom a code invites at `now`; none when there is no such code any more.
///
/// # Errors
/// As of every read.
pub(crate) async fn find_invited(
    connection: &impl ConnectionTrait,
    digest: &CodeDigest,
    now: Timestamp,
) -> Result<Option<OperatorId>, StoreError> {
    let found = row::Entity::find().filter(row::Column::Digest.eq(digest.as_str())).one(connection).await?;
    let open = found.filter(|row| now < Timestamp::from_millis(row.expires_at));
    Ok(open.map(|row| OperatorId::from_uuid(row.operator_id)))
}

/// When the links of these operators end.
pub(super) async fn ends(
    connection: &impl ConnectionTrait,
    operators: Vec<Uuid>,
) -> Result<HashMap<Uuid, Timestamp>, StoreError> {
    if operators.is_empty() {
        return Ok(HashMap::new());
    }
    let pairs = row::Entity::find().select_only().column(row::Column::OperatorId).column(row::Column::ExpiresAt);
    let pairs = pairs.filter(row::Column::OperatorId.is_in(operators));
    let pairs: Vec<(Uuid, i64)> = pairs.into_tuple().all(connection).await?;
    Ok(pairs.into_iter().map(|(operator, end)| (operator, Timestamp::from_millis(end))).collect())
}

/// Writes a link in the place of the operator's older one.
///
/// # Errors
/// As of every write.
pub(crate) async fn upsert(transaction: &impl ConnectionTrait, new: NewInvitation) -> Result<(), StoreError> {
    let row = row::Model {
        operator_id: new.operator.uuid(),
        digest: new.digest.as_str().to_owned(),
        created_at: new.created_at.as_millis(),
        created_by: new.created_by,
        expires_at: new.expires_at.as_millis(),
    };
    let columns = [row::Column::Digest, row::Column::CreatedAt, row::Column::CreatedBy, row::Column::ExpiresAt];
    row::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(OnConflict::column(row::Column::OperatorId).update_columns(columns).to_owned())
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// Takes back the operator's link, if there is one.
///
/// # Errors
/// As of every write.
pub(crate) async fn delete(transaction: &impl ConnectionTrait, operator: OperatorId) -> Result<(), StoreError> {
    row::Entity::delete_by_id(operator.uuid()).exec(transaction).await?;
    Ok(())
}
