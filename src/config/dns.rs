//! `[dns]`: whom we ask about tracking domains.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::problems::Problems;
use super::values::millis;

const DNS_PORT: u16 = 53;

#[derive(Clone, Debug, Deserialize)]
pub struct DnsConfig {
    /// Name servers; empty means those of the system.
    #[serde(deserialize_with = "addresses")]
    pub resolvers: Vec<SocketAddr>,
    /// For one look-up.
    #[serde(rename = "timeout_ms", deserialize_with = "millis")]
    pub timeout: Duration,
}

impl DnsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.bounds("dns.timeout_ms", self.timeout.as_millis(), 100, 30_000);
    }
}

/// Addresses with or without a port.
fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let address = |text: String| {
        let with_port = text.parse::<SocketAddr>();
        let address = with_port.or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT)));
        address.map_err(|_| serde::de::Error::custom(format!("{text:?} is not an address, with or without a port")))
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(address).collect()
}
