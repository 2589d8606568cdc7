//! The settings of the workspace.

use async_graphql::{Enum, InputObject, MaybeUndefined, SimpleObject};

use super::input::layers;
use crate::{
    app::{App, manage_settings::SettingsDraft},
    domain::settings,
    graphql::scalars::{CurrencyCode, TimeZone, Url},
};

/// What is kept of the e-mail of a buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "settings::EmailStorage")]
pub enum EmailStorage {
    /// A masked form for people, and a keyed hash to find the person again.
    Hashed,
    /// Nothing: neither with a conversion nor in a receipt, from now on.
    Dropped,
}

/// The settings of the workspace. What nobody has set is what the configuration of the server says.
#[derive(Clone, Debug, SimpleObject)]
pub struct Settings {
    /// Whose days reports count, unless they ask for another; UTC where nobody has set it.
    pub timezone: TimeZone,
    /// Of offers that name none; null: every offer names its own.
    pub currency: Option<CurrencyCode>,
    /// Where a refused click goes when its offer says nothing; null: a plain page.
    pub fallback_url: Option<Url>,
    /// How long the old token of a rotation works on when nobody says otherwise.
    pub default_token_overlap_seconds: i32,
    /// The longest overlap that may be asked for.
    pub max_token_overlap_seconds: i32,
    /// Days that receipts are kept.
    pub receipt_retention_days: i32,
    /// What is kept of the e-mail of a buyer.
    pub email_storage: EmailStorage,
    /// Send it with the next update; a stale one is refused with CONFLICT_VERSION.
    pub version: i32,
}

impl Settings {
    /// What holds on this server under these settings.
    pub fn of(app: &App, settings: &settings::Settings) -> Self {
        let whole = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let options = &app.options;
        let longest = settings.token_overlap_seconds_max.unwrap_or(options.token_overlap_seconds_max);
        let overlap = settings.token_overlap_seconds.unwrap_or(options.token_overlap_seconds).min(longest);
        Self {
            timezone: TimeZone(settings.zone.clone()),
            currency: settings.currency.map(CurrencyCode),
            fallback_url: settings.fallback_url.clone().map(Url),
            default_token_overlap_seconds: whole(overlap),
            max_token_overlap_seconds: whole(longest),
            receipt_retention_days: whole(settings.receipt_days.unwrap_or(options.receipt_days)),
            email_storage: settings.email_storage.into(),
            version: settings.version,
        }
    }
}

/// What a form says about the settings. What is not sent stays as it is; null lets the server's configuration hold
/// again, and clears the currency and the fallback.
#[derive(Clone, Debug, InputObject)]
pub struct SettingsInput {
    /// Whose days reports count. Figures by day are counted anew in the background; no figure is wrong meanwhile.
    timezone: Option<TimeZone>,
    /// Of offers that name none.
    currency: MaybeUndefined<CurrencyCode>,
    /// Where a refused click goes when its offer says nothing.
    fallback_url: MaybeUndefined<Url>,
    /// 0 to maxTokenOverlapSeconds.
    default_token_overlap_seconds: MaybeUndefined<i32>,
    /// 0 to 2592000, 30 days.
    max_token_overlap_seconds: MaybeUndefined<i32>,
    /// 1 to 3650.
    receipt_retention_days: MaybeUndefined<i32>,
    /// What is kept of the e-mail of a buyer.
    email_storage: Option<EmailStorage>,
}

impl SettingsInput {
    /// The form as its use case reads it.
    pub fn read(self) -> SettingsDraft {
        let number = |field| layers(field, |number: i32| number);
        SettingsDraft {
            zone: self.timezone.map(|zone| zone.0),
            currency: layers(self.currency, |currency| currency.0),
            fallback_url: layers(self.fallback_url, |url| url.0),
            token_overlap: number(self.default_token_overlap_seconds),
            token_overlap_max: number(self.max_token_overlap_seconds),
            receipt_days: number(self.receipt_retention_days),
            email_storage: self.email_storage.map(Into::into),
        }
    }
}
