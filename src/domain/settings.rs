//! The settings of the workspace: what its administrators set, as far as they have.
//!
//! What nobody has set is what the configuration of each server says; a setting of the workspace goes before it. How
//! large a value may be is the same for both.

use super::calendar::Zone;
use super::money::Currency;
use super::offer::words;

/// Days that receipts are kept: bounds.
pub const RECEIPT_DAYS_MIN: u32 = 1;
pub const RECEIPT_DAYS_MAX: u32 = 3650;

words!(
    /// What is kept of the e-mail of a buyer.
    EmailStorage { Hashed = "hashed", Dropped = "dropped" }
);

/// One state of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For the days of reports.
    pub zone: Zone,
    /// Which count of days holds: another one for each change of the zone. Figures by day carry it, so that days of
    /// two zones are never mixed.
    pub day_generation: i32,
    /// Of offers that name none.
    pub currency: Option<Currency>,
    /// Where a refused click goes when its offer says nothing: an absolute URL.
    pub fallback_url: Option<String>,
    pub token_overlap_seconds: Option<u32>,
    pub token_overlap_seconds_max: Option<u32>,
    /// [`RECEIPT_DAYS_MIN`] to [`RECEIPT_DAYS_MAX`].
    pub receipt_days: Option<u32>,
    pub email_storage: EmailStorage,
    /// For forms: 1 before anything was set.
    pub version: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: Zone::utc(),
            day_generation: 0,
            currency: None,
            fallback_url: None,
            token_overlap_seconds: None,
            token_overlap_seconds_max: None,
            receipt_days: None,
            email_storage: EmailStorage::Hashed,
            version: 1,
        }
    }
}
