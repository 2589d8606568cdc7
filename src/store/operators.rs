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
use super::invitations;
use crate::domain::clock::Timestamp;
use crate::domain::ids::OperatorId;
use crate::domain::operator::{Operator, Role};
use crate::domain::snapshot::OperatorAccess;

const TABLE: &str = "operator";
/// The column of somebody who has set no password yet: the hash of none.
const NO_PASSWORD: &str = "";

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
    /// In PHC form; none until whoever was invited has set a password.
    pub(crate) password_hash: Option<SecretString>,
}

/// An operator with what people see beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorView {
    pub operator: Operator,
    /// Until when the link works with which they set a password; none without a link.
    pub invited_until: Option<Timestamp>,
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

/// An operator with their hash, as a control write sees them.
///
/// # Errors
/// As of every read.
pub(crate) async fn find_with_password(
    connection: &impl ConnectionTrait,
    id: OperatorId,
) -> Result<Option<WithPassword>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(connection).await?.map(with_password).transpose()
}

/// # Errors
/// As of every read.
pub(crate) async fn find(connection: &impl ConnectionTrait, id: OperatorId) -> Result<Option<Operator>, StoreError> {
    Ok(find_with_password(connection, id).await?.map(|found| found.operator))
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
pub async fn list(database: &Database) -> Result<Vec<OperatorView>, StoreError> {
    let rows = row::Entity::find().order_by_asc(row::Column::Email).all(database.read()).await?;
    views(database.read(), rows).await
}

/// One of them, as people see it.
///
/// # Errors
/// As of every read.
pub async fn find_view(database: &Database, id: OperatorId) -> Result<Option<OperatorView>, StoreError> {
    let found = row::Entity::find_by_id(id.uuid()).one(database.read()).await?;
    Ok(views(database.read(), found.into_iter().collect()).await?.pop())
}

/// Those that exist, in no order.
///
/// # Errors
/// As of every read.
pub async fn find_many(database: &Database, ids: &[OperatorId]) -> Result<Vec<OperatorView>, StoreError> {
    let named = row::Column::Id.is_in(ids.iter().map(|id| id.uuid()));
    let rows = row::Entity::find().filter(named).all(database.read()).await?;
    views(database.read(), rows).await
}

/// Administrators who can sign in. For the rule that the last one stays.
///
/// # Errors
/// As of every read.
pub(crate) async fn count_working_admins(connection: &impl ConnectionTrait) -> Result<u64, StoreError> {
    let admins = row::Entity::find()
        .filter(row::Column::Role.eq(Role::Admin.as_str()))
        .filter(row::Column::IsActive.eq(true))
        .filter(row::Column::PasswordHash.ne(NO_PASSWORD));
    Ok(admins.count(connection).await?)
}

/// Operators who are not switched off, invited ones too.
///
/// # Errors
/// As of every read.
pub(crate) async fn count_active(connection: &impl ConnectionTrait) -> Result<u64, StoreError> {
    Ok(row::Entity::find().filter(row::Column::IsActive.eq(true)).count(connection).await?)
}

/// # Errors
/// `Taken` when there is an operator of that address.
pub(crate) async fn insert(
    connection: &impl ConnectionTrait,
    operator: &Operator,
    password_hash: Option<&SecretString>,
) -> Result<(), StoreError> {
    let password_hash = password_hash.map_or(NO_PASSWORD, |hash| hash.expose_secret());
    let row = row::ActiveModel {
        id: Set(operator.id.uuid()),
        email: Set(operator.email.clone()),
        name: Set(operator.name.clone()),
        password_hash: Set(password_hash.to_owned()),
        role: Set(operator.role.as_str().to_owned()),
        is_active: Set(operator.is_active),
        token_version: Set(operator.token_version),
        created_at: Set(operator.created_at.as_millis()),
        last_seen_at: Set(operator.last_seen_at.map(Timestamp::as_millis)),
        version: Set(operator.version),
        time_zone: Set(operator.time_zone.clone()),
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

/// Writes what can be changed of `operator`, which is one version on, and its `token_version`. `false` when the row is
/// not of the version before.
///
/// # Errors
/// As of every write.
pub(crate) async fn update(connection: &impl ConnectionTrait, operator: &Operator) -> Result<bool, StoreError> {
    let done = row::Entity::update_many()
        .col_expr(row::Column::Name, Expr::value(operator.name.as_str()))
        .col_expr(row::Column::Role, Expr::value(operator.role.as_str()))
        .col_expr(row::Column::IsActive, Expr::value(operator.is_active))
        .col_expr(row::Column::TimeZone, Expr::value(operator.time_zone.clone()))
        .col_expr(row::Column::TokenVersion, Expr::value(operator.token_version))
        .col_expr(row::Column::Version, Expr::value(operator.version))
        .filter(row::Column::Id.eq(operator.id.uuid()))
        .filter(row::Column::Version.eq(operator.version.saturating_sub(1)))
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

async fn views(connection: &impl ConnectionTrait, rows: Vec<row::Model>) -> Result<Vec<OperatorView>, StoreError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let ends = invitations::ends(connection, ids).await?;
    let view = |row: row::Model| {
        let invited_until = ends.get(&row.id).copied();
        Ok(OperatorView { operator: with_password(row)?.operator, invited_until })
    };
    rows.into_iter().map(view).collect()
}

fn with_password(row: row::Model) -> Result<WithPassword, StoreError> {
    let password_hash = Some(row.password_hash).filter(|hash| hash != NO_PASSWORD).map(SecretString::from);
    let operator = Operator {
        id: OperatorId::from_uuid(row.id),
        email: row.email,
        name: row.name,
        role: Cell(TABLE, "role").word(&row.role, Role::parse)?,
        is_active: row.is_active,
        has_password: password_hash.is_some(),
        time_zone: row.time_zone,
        token_version: row.token_version,
        created_at: Timestamp::from_millis(row.created_at),
        last_seen_at: row.last_seen_at.map(Timestamp::from_millis),
        version: row.version,
    };
    Ok(WithPassword { operator, password_hash })
}
