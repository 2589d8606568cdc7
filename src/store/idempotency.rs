//! Keys of calls that may be sent twice, in the transaction of what the call does.
//!
//! Control writes run one at a time, so between [`find`] and [`insert`] nobody else can use the key there. Elsewhere two
//! equal calls may both find none: the second insert then waits for the first transaction and is `Taken`, its work is
//! undone, and looked at again it finds the first.

use entity::idempotency_key as row;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _};
use sea_orm::{IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::{IdempotentCall, KEPT_SECONDS};

/// What is known of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It is the first under this key.
    None,
    /// The same call was carried out: what its answer can be said again from.
    Same(String),
    /// The key was used with other arguments.
    OtherArguments,
}

/// Looks for an earlier call under the key; one that is older than a day is forgotten here and now. A call without a
/// key is always the first.
pub(crate) async fn find(
    transaction: &impl ConnectionTrait,
    call: Option<&IdempotentCall>,
    now: Timestamp,
) -> Result<Earlier, StoreError> {
    let Some(call) = call else { return Ok(Earlier::None) };
    let key = (call.principal.clone(), call.field.clone(), call.key.clone());
    let Some(found) = row::Entity::find_by_id(key).one(transaction).await? else { return Ok(Earlier::None) };
    if found.created_at <= kept_since(now).as_millis() {
        row::Entity::delete_many().filter(is_call(call)).exec(transaction).await?;
        return Ok(Earlier::None);
    }
    let is_same = found.arguments_hash == call.arguments_hash;
    Ok(if is_same { Earlier::Same(found.answer) } else { Earlier::OtherArguments })
}

/// Remembers a call that was carried out; nothing where it has no key.
///
/// # Errors
/// `Taken` when the same key was used at the same time.
pub(crate) async fn insert(
    transaction: &impl ConnectionTrait,
    call: Option<&IdempotentCall>,
    answer: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(call) = call else { return Ok(()) };
    let row = row::Model {
        principal: call.principal.clone(),
        field: call.field.clone(),
        key: call.key.clone(),
        arguments_hash: call.arguments_hash.to_vec(),
        answer,
        created_at: now.as_millis(),
    };
    row::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(transaction).await?;
    Ok(())
}

/// Removes keys that are older than a day, about `rows_max` of them; returns how many.
pub(crate) async fn purge(connection: &impl ConnectionTrait, now: Timestamp, rows_max: u64) -> Result<u64, StoreError> {
    let since = kept_since(now).as_millis();
    let last: Option<i64> = row::Entity::find()
        .select_only()
        .column(row::Column::CreatedAt)
        .filter(row::Column::CreatedAt.lte(since))
        .order_by_asc(row::Column::CreatedAt)
        .offset(rows_max.saturating_sub(1))
        .limit(1)
        .into_tuple()
        .one(connection)
        .await?;
    let delete = row::Entity::delete_many().filter(row::Column::CreatedAt.lte(last.unwrap_or(since)));
    Ok(delete.exec(connection).await?.rows_affected)
}

/// The instant at and before which a key is forgotten.
pub(crate) fn kept_since(now: Timestamp) -> Timestamp {
    now.plus_seconds(-KEPT_SECONDS)
}

fn is_call(call: &IdempotentCall) -> Condition {
    Condition::all()
        .add(row::Column::Principal.eq(call.principal.as_str()))
        .add(row::Column::Field.eq(call.field.as_str()))
        .add(row::Column::Key.eq(call.key.as_str()))
}
