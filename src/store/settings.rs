//! Settings of the workspace: one row each, absent where nobody has set it.

use std::collections::HashMap;
use std::str::FromStr;

use entity::setting as row;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait as _, ConnectionTrait, DatabaseTransaction, EntityTrait as _, IntoActiveModel as _};

use super::columns::Cell;
use super::connect::{Database, lock_writers_out};
use super::error::StoreError;
use crate::domain::calendar::Zone;
use crate::domain::clock::Timestamp;
use crate::domain::money::Currency;
use crate::domain::settings::{EmailStorage, Settings};

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
    /// Seconds.
    TokenOverlap,
    /// Seconds.
    TokenOverlapMax,
    ReceiptDays,
    EmailStorage,
    /// For forms.
    Version,
    /// Counts the changes of the time zone.
    DayGeneration,
}

impl Setting {
    const fn as_str(self) -> &'static str {
        match self {
            Self::FallbackUrl => "fallback_url",
            Self::TimeZone => "time_zone",
            Self::Currency => "currency",
            Self::SetupCompletedAt => "setup_completed_at",
            Self::SetupCodeDigest => "setup_code_digest",
            Self::TokenOverlap => "token_overlap_seconds",
            Self::TokenOverlapMax => "token_overlap_seconds_max",
            Self::ReceiptDays => "receipt_days",
            Self::EmailStorage => "email_storage",
            Self::Version => "settings_version",
            Self::DayGeneration => "day_generation",
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

/// All that administrators set, with what stands where they have not.
pub(crate) async fn load_in(connection: &impl ConnectionTrait) -> Result<Settings, StoreError> {
    let rows = row::Entity::find().all(connection).await?;
    let all: HashMap<String, String> = rows.into_iter().map(|row| (row.name, row.value)).collect();
    let text = |setting: Setting| all.get(setting.as_str()).map(String::as_str);
    let standing = Settings::default();
    Ok(Settings {
        zone: read(text, Setting::TimeZone, Zone::parse)?.unwrap_or(standing.zone),
        day_generation: number(text, Setting::DayGeneration)?.unwrap_or(standing.day_generation),
        currency: read(text, Setting::Currency, Currency::parse)?,
        fallback_url: text(Setting::FallbackUrl).map(str::to_owned),
        token_overlap_seconds: number(text, Setting::TokenOverlap)?,
        token_overlap_seconds_max: number(text, Setting::TokenOverlapMax)?,
        receipt_days: number(text, Setting::ReceiptDays)?,
        email_storage: read(text, Setting::EmailStorage, EmailStorage::parse)?.unwrap_or(standing.email_storage),
        version: number(text, Setting::Version)?.unwrap_or(standing.version),
    })
}

/// Writes what differs between two states of the settings. Another zone begins another generation of days: no batch of
/// tracking events may be under way then, so writers are waited for, and wait.
pub(crate) async fn update(
    transaction: &DatabaseTransaction,
    before: &Settings,
    after: &Settings,
) -> Result<(), StoreError> {
    if before.day_generation != after.day_generation {
        lock_writers_out(transaction).await?;
    }
    let (old, new) = (rows(before), rows(after));
    for ((setting, old), (_, new)) in old.into_iter().zip(new) {
        if old != new {
            set(transaction, setting, new.as_deref()).await?;
        }
    }
    Ok(())
}

fn rows(settings: &Settings) -> Vec<(Setting, Option<String>)> {
    let seconds = |seconds: Option<u32>| seconds.map(|seconds| seconds.to_string());
    vec![
        (Setting::TimeZone, Some(settings.zone.name().to_owned())),
        (Setting::DayGeneration, Some(settings.day_generation.to_string())),
        (Setting::Currency, settings.currency.map(|currency| currency.to_string())),
        (Setting::FallbackUrl, settings.fallback_url.clone()),
        (Setting::TokenOverlap, seconds(settings.token_overlap_seconds)),
        (Setting::TokenOverlapMax, seconds(settings.token_overlap_seconds_max)),
        (Setting::ReceiptDays, seconds(settings.receipt_days)),
        (Setting::EmailStorage, Some(settings.email_storage.as_str().to_owned())),
        (Setting::Version, Some(settings.version.to_string())),
    ]
}

fn read<'a, T>(
    text: impl Fn(Setting) -> Option<&'a str>,
    setting: Setting,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    Cell(TABLE, setting.as_str()).optional_word(text(setting), parse)
}

fn number<'a, T: FromStr>(
    text: impl Fn(Setting) -> Option<&'a str>,
    setting: Setting,
) -> Result<Option<T>, StoreError> {
    read(text, setting, |text| text.parse().ok())
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
