//! Settings of the workspace: one row each, absent where nobody has set it.

use entity::setting as row;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _};

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::money::Currency;

const TABLE: &str = "setting";

/// The closed list of what can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// Where a refused click goes when its offer says nothing: an absolute URL.
    FallbackUrl,
    /// IANA name, for the days of reports.
    TimeZone,
    /// ISO 4217, for offers that name none.
    Currency,
    /// When the first operator was made, RFC 3339. Absent: the server waits for `/api/setup`.
    SetupCompletedAt,
    /// The digest of the one-time code of the first run, until it is used.
    SetupCodeDigest,
}

impl Setting {
    const fn as_str(self) -> &'static str {
        match self {
            Self::FallbackUrl => "fallback_url",
            Self::TimeZone => "time_zone",
            Self::Currency => "currency",
            Self::SetupCompletedAt => "setup_completed_at",
            Self::SetupCodeDigest => "setup_code_digest",
        }
    }
}

pub async fn find(database: &Database, setting: Setting) -> Result<Option<String>, StoreError> {
    find_in(database.read(), setting).await
}

pub(crate) async fn find_in(connection: &impl ConnectionTrait, setting: Setting) -> Result<Option<String>, StoreError> {
    let found = row::Entity::find_by_id(setting.as_str().to_owned()).one(connection).await?;
    Ok(found.map(|row| row.value))
}

/// The currency of offers that name none.
pub(crate) async fn currency_in(connection: &impl ConnectionTrait) -> Result<Option<Currency>, StoreError> {
    let code = find_in(connection, Setting::Currency).await?;
    code.map(|code| Cell(TABLE, "currency").currency(&code)).transpose()
}

/// Sets it, or takes it back with `None`.
pub(crate) async fn set(
    transaction: &impl ConnectionTrait,
    setting: Setting,
    value: Option<&str>,
) -> Result<(), StoreError> {
    let name = setting.as_str().to_owned();
    let Some(value) = value else {
        row::Entity::delete_by_id(name).exec(transaction).await?;
        return Ok(());
    };
    let row = row::Model { name, value: value.to_owned() };
    row::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(OnConflict::column(row::Column::Name).update_column(row::Column::Value).to_owned())
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// The first operator is there: the code of the first run is worth nothing any more.
pub(crate) async fn complete_setup(transaction: &impl ConnectionTrait, now: Timestamp) -> Result<(), StoreError> {
    if find_in(transaction, Setting::SetupCompletedAt).await?.is_none() {
        set(transaction, Setting::SetupCompletedAt, Some(&now.to_string())).await?;
        set(transaction, Setting::SetupCodeDigest, None).await?;
    }
    Ok(())
}
