//! Operators: rows in and out. Password hashes never leave this file but for their own check.

use entity::operator as row;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter};
use sea_orm::{QueryOrder, QuerySelect};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::OperatorId;
use crate::domain::operator::{Operator, Role};
use crate::domain::snapshot::OperatorAccess;

const TABLE: &str = "operator";

/// What an access token is compared with.
pub(crate) fn access_from_row(row: &row::Model) -> Result<OperatorAccess, StoreError> {
    Ok(OperatorAccess {
        role: Cell(TABLE, "role").word(&row.role, Role::parse)?,
        name: row.name.clone(),
        is_active: row.is_active,
        token_version: row.token_version,
    })
}

/// An operator with the hash that a password is checked against.
pub(crate) struct WithPassword {
    pub(crate) operator: Operator,
    /// In PHC form.
    pub(crate) password_hash: SecretString,
}

/// `email` is in its one spelling.
///
/// # Errors
/// As of every read.
pub(crate) async fn find_by_email(
    connection: &impl ConnectionTrait,
    email: &str,
) -> Result<Option<WithPassword>, StoreError> {
    let found = row::Entity::find().filter(row::Column::Email.eq(email)).one(connection).await?;
    found.map(with_password).transpose()
}

/// # Errors
/// As of every read.
pub(crate) async fn find(connection: &impl ConnectionTrait, id: OperatorId) -> Result<Option<Operator>, StoreError> {
    let found = row::Entity::find_by_id(id.uuid()).one(connection).await?;
    found.map(|row| Ok(with_password(row)?.operator)).transpose()
}

/// Is there any operator, of whatever role and state?
///
/// # Errors
/// As of every read.
pub(crate) async fn any(connection: &impl ConnectionTrait) -> Result<bool, StoreError> {
    let first = row::Entity::find().select_only().column(row::Column::Id).limit(1);
    Ok(first.into_tuple::<Uuid>().one(connection).await?.is_some())
}

/// All of them, by address.
///
/// # Errors
/// As of every read.
pub async fn list(database: &Database) -> Result<Vec<Operator>, StoreError> {
    let rows = row::Entity::find().order_by_asc(row::Column::Email).all(database.read()).await?;
    rows.into_iter().map(|row| with_password(row).map(|found| found.operator)).collect()
}

/// Administrators who may sign in. For the rule that the last one stays.
///
/// # Errors
/// As of every read.
pub(crate) async fn count_active_admins(connection: &impl ConnectionTrait) -> Result<u64, StoreError> {
    let admins = row::Column::Role.eq(Role::Admin.as_str());
    Ok(row::Entity::find().filter(admins).filter(row::Column::IsActive.eq(true)).count(connection).await?)
}

/// # Errors
/// `Taken` when there is an operator of that address.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    operator: &Operator,
    password_hash: &SecretString,
) -> Result<(), StoreError> {
    let row = row::ActiveModel {
        id: Set(operator.id.uuid()),
        email: Set(operator.email.clone()),
        name: Set(operator.name.clone()),
        password_hash: Set(password_hash.expose_secret().to_owned()),
        role: Set(operator.role.as_str().to_owned()),
        is_active: Set(operator.is_active),
        token_version: Set(operator.token_version),
        created_at: Set(operator.created_at.as_millis()),
        last_seen_at: Set(operator.last_seen_at.map(Timestamp::as_millis)),
        version: Set(operator.version),
    };
    row::Entity::insert(row).exec_without_returning(connection).await?;
    Ok(())
}

/// Sets another password, and makes every access token of the operator void. `false` when there is no such operator.
///
/// # Errors
/// As of every write.
pub(crate) async fn set_password(
    connection: &impl ConnectionTrait,
    id: OperatorId,
    password_hash: &SecretString,
) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::PasswordHash, Expr::value(password_hash.expose_secret()))
        .col_expr(row::Column::TokenVersion, Expr::col(row::Column::TokenVersion).add(1))
        .col_expr(row::Column::Version, Expr::col(row::Column::Version).add(1))
        .filter(row::Column::Id.eq(id.uuid()))
        .exec(connection)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Switches an operator off, and makes every access token of theirs void. `false` when they are off already, or not
/// there.
///
/// # Errors
/// As of every write.
pub(crate) async fn deactivate(connection: &impl ConnectionTrait, id: OperatorId) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::IsActive, Expr::value(false))
        .col_expr(row::Column::TokenVersion, Expr::col(row::Column::TokenVersion).add(1))
        .col_expr(row::Column::Version, Expr::col(row::Column::Version).add(1))
        .filter(row::Column::Id.eq(id.uuid()))
        .filter(row::Column::IsActive.eq(true))
        .exec(connection)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Marks that the operator is here, and holds the row until the transaction ends: a change of password waits for it,
/// or has come first. `false` when the operator is switched off, or has another `token_version` by now.
///
/// # Errors
/// As of every write.
pub(crate) async fn touch(
    connection: &impl ConnectionTrait,
    operator: &Operator,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::LastSeenAt, Expr::value(now.as_millis()))
        .filter(row::Column::Id.eq(operator.id.uuid()))
        .filter(row::Column::TokenVersion.eq(operator.token_version))
        .filter(row::Column::IsActive.eq(true))
        .exec(connection)
        .await?;
    Ok(done.rows_affected == 1)
}

fn with_password(row: row::Model) -> Result<WithPassword, StoreError> {
    let operator = Operator {
        id: OperatorId::from_uuid(row.id),
        email: row.email,
        name: row.name,
        role: Cell(TABLE, "role").word(&row.role, Role::parse)?,
        is_active: row.is_active,
        token_version: row.token_version,
        created_at: Timestamp::from_millis(row.created_at),
        last_seen_at: row.last_seen_at.map(Timestamp::from_millis),
        version: row.version,
    };
    Ok(WithPassword { operator, password_hash: row.password_hash.into() })
}
