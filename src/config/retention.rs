//! `[retention]`: how long what may be purged is kept.

use serde::Deserialize;

use super::problems::Problems;

#[derive(Clone, Debug, Deserialize)]
pub struct RetentionConfig {
    pub receipt_days: u32,
}

impl RetentionConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.bounds("retention.receipt_days", self.receipt_days, 1, 3650);
    }
}
