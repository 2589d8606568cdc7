//! `[retention]`: how long what may be purged is kept.

use serde::Deserialize;

use super::problems::Problems;
use crate::domain::settings::{RECEIPT_DAYS_MAX, RECEIPT_DAYS_MIN};

#[derive(Clone, Debug, Deserialize)]
pub struct RetentionConfig {
    pub receipt_days: u32,
    pub delivery_days: u32,
}

impl RetentionConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.bounds("retention.receipt_days", self.receipt_days, RECEIPT_DAYS_MIN.into(), RECEIPT_DAYS_MAX.into());
        problems.bounds("retention.delivery_days", self.delivery_days, 3, 3650);
    }
}
