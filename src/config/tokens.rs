//! `[tokens]`: how secure tokens are kept and rotated.

use std::time::Duration;

use serde::Deserialize;

use super::problems::Problems;
use super::values::seconds;

const OVERLAP_SECONDS_MAX: u128 = 30 * 86_400;

#[derive(Clone, Debug, Deserialize)]
pub struct TokensConfig {
    /// Keep the sealed text, so that a Postback URL can be copied again later.
    pub redisplay: bool,
    /// How long the old token of a rotation goes on working, unless the caller says otherwise.
    #[serde(rename = "overlap_seconds", deserialize_with = "seconds")]
    pub overlap: Duration,
    /// The longest overlap that may be asked for.
    #[serde(rename = "overlap_seconds_max", deserialize_with = "seconds")]
    pub overlap_max: Duration,
}

impl TokensConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let longest = u128::from(self.overlap_max.as_secs());
        problems.bounds("tokens.overlap_seconds_max", longest, 0, OVERLAP_SECONDS_MAX);
        problems.bounds("tokens.overlap_seconds", self.overlap.as_secs(), 0, longest);
    }
}
