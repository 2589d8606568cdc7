//! `[server]`: where we listen, who is in front of us, and how long a client may take.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::problems::Problems;
use super::values::{networks, seconds};

#[derive(Clone, Debug, Deserialize)]
pub struct ServerConfig {
    /// The public port.
    pub bind_address: SocketAddr,
    /// The address under which the world reaches us: scheme, host, port, no path.
    #[serde(deserialize_with = "address")]
    pub public_url: Url,
    /// Host names (lower case, no port) of the admin surfaces beside that of `public_url`.
    #[serde(deserialize_with = "lower_case_list")]
    pub admin_hosts: Vec<String>,
    /// Origins of pages, beside our own, whose scripts may use the admin API: as browsers send them.
    #[serde(deserialize_with = "lower_case_list")]
    pub cors_origins: Vec<String>,
    /// Networks whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Metrics, health and the certificate question.
    pub internal_bind_address: SocketAddr,
    pub connections_max: usize,
    #[serde(rename = "header_timeout_seconds", deserialize_with = "seconds")]
    pub header_timeout: Duration,
    #[serde(rename = "body_timeout_seconds", deserialize_with = "seconds")]
    pub body_timeout: Duration,
    #[serde(rename = "idle_timeout_seconds", deserialize_with = "seconds")]
    pub idle_timeout: Duration,
    #[serde(rename = "write_timeout_seconds", deserialize_with = "seconds")]
    pub write_timeout: Duration,
    /// From SIGTERM to the end of the process.
    #[serde(rename = "drain_timeout_seconds", deserialize_with = "seconds")]
    pub drain_timeout: Duration,
}

impl ServerConfig {
    /// The host of `public_url`, without port, lower case; an IPv6 address in brackets.
    pub fn public_host(&self) -> &str {
        self.public_url.host_str().unwrap_or_default()
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        check_public_url(&self.public_url, problems);
        for host in self.admin_hosts.iter().filter(|host| !is_host(host)) {
            problems.push(format!("server.admin_hosts: {host:?} is not a host name (no scheme, port or path)"));
        }
        for origin in self.cors_origins.iter().filter(|origin| !is_origin(origin)) {
            problems.push(format!("server.cors_origins: {origin:?} is not an origin (https://host, no path, no *)"));
        }
        if self.bind_address == self.internal_bind_address && self.bind_address.port() != 0 {
            problems.push("server.internal_bind_address: metrics must not share the public port");
        }
        problems.bounds("server.connections_max", self.connections_max as u128, 16, 100_000);
        problems.bounds("server.header_timeout_seconds", self.header_timeout.as_secs(), 1, 60);
        problems.bounds("server.body_timeout_seconds", self.body_timeout.as_secs(), 1, 300);
        problems.bounds("server.idle_timeout_seconds", self.idle_timeout.as_secs(), 1, 3600);
        problems.bounds("server.write_timeout_seconds", self.write_timeout.as_secs(), 1, 300);
        problems.bounds("server.drain_timeout_seconds", self.drain_timeout.as_secs(), 1, 300);
    }
}

fn check_public_url(url: &Url, problems: &mut Problems) {
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        problems.push("server.public_url: expected http:// or https:// and a host");
    }
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        problems.push("server.public_url: only scheme, host and port; no path, query, user or password");
    }
}

fn is_host(text: &str) -> bool {
    url::Host::parse(text).is_ok_and(|host| host.to_string() == text)
}

/// In the one spelling that browsers send: no path, and no port where it is that of the scheme.
fn is_origin(text: &str) -> bool {
    let web = |url: &Url| matches!(url.scheme(), "http" | "https");
    Url::parse(text).is_ok_and(|url| web(&url) && url.origin().ascii_serialization() == text)
}

fn lower_case_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Vec::<String>::deserialize(deserializer).map(|list| list.iter().map(|item| item.trim().to_lowercase()).collect())
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    Url::parse(String::deserialize(deserializer)?.trim()).map_err(serde::de::Error::custom)
}
