//! `[outbound]`: telling publishers of their conversions.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use super::problems::Problems;
use super::values::{millis, networks, optional_path, seconds};

#[derive(Clone, Debug, Deserialize)]
pub struct OutboundConfig {
    /// Does this server deliver at all?
    pub deliver: bool,
    /// Also to http URLs.
    pub allow_http: bool,
    /// Reserved networks that are reached all the same.
    #[serde(deserialize_with = "networks")]
    pub allow_private: Vec<IpNet>,
    /// Certificate authorities that are trusted beside those of the web, in PEM.
    #[serde(deserialize_with = "optional_path")]
    pub authorities: Option<PathBuf>,
    /// For one request, from the look-up of its name to the last byte that is read.
    #[serde(rename = "timeout_ms", deserialize_with = "millis")]
    pub timeout: Duration,
    /// Requests that are under way at once.
    pub in_flight_max: usize,
    /// Those of them to one host.
    pub host_in_flight_max: usize,
    /// For which a delivery belongs to the server that took it.
    #[serde(rename = "lease_seconds", deserialize_with = "seconds")]
    pub lease: Duration,
}

impl OutboundConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.bounds("outbound.timeout_ms", self.timeout.as_millis(), 100, 60_000);
        problems.bounds("outbound.in_flight_max", self.in_flight_max as u128, 1, 4096);
        problems.bounds("outbound.host_in_flight_max", self.host_in_flight_max as u128, 1, 1024);
        problems.bounds("outbound.lease_seconds", self.lease.as_secs(), 1, 3600);
        if self.lease < self.timeout.saturating_mul(2) {
            problems.push(
                "outbound.lease_seconds: shorter than twice timeout_ms, so what is under way would be sent twice",
            );
        }
    }
}
