//! `[limits]`: how often something may be tried.

use std::time::Duration;

use serde::Deserialize;

use super::problems::Problems;
use super::values::seconds;

#[derive(Clone, Debug, Deserialize)]
pub struct LimitsConfig {
    /// Requests with a bad token from one network (/32, /64) in a minute, before 429.
    pub bad_tokens_per_minute: u32,
    /// Dry runs of one token in a second.
    pub dry_runs_per_second: u32,
    /// Receipts of requests without a verified token that are kept in a second.
    pub stranger_receipts_per_second: u32,
    /// Failed sign-ins of one pair of account and address, before it is locked.
    pub sign_in_failures_max: u32,
    /// The time in which they count, and for which the lock holds.
    #[serde(rename = "sign_in_window_seconds", deserialize_with = "seconds")]
    pub sign_in_window: Duration,
    /// Passwords hashed at the same time.
    pub password_hashes_max: usize,
    /// Points that one operator or API key may spend on the admin API in a minute.
    pub graphql_points_per_minute: u32,
}

impl LimitsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.bounds("limits.bad_tokens_per_minute", self.bad_tokens_per_minute, 1, 100_000);
        problems.bounds("limits.dry_runs_per_second", self.dry_runs_per_second, 1, 1000);
        let receipts = self.stranger_receipts_per_second;
        problems.bounds("limits.stranger_receipts_per_second", receipts, 1, 100_000);
        problems.bounds("limits.sign_in_failures_max", self.sign_in_failures_max, 1, 1000);
        problems.bounds("limits.sign_in_window_seconds", self.sign_in_window.as_secs(), 60, 86_400);
        problems.bounds("limits.graphql_points_per_minute", self.graphql_points_per_minute, 500, 1_000_000_000);
        problems.bounds("limits.password_hashes_max", self.password_hashes_max as u128, 1, 64);
    }
}
