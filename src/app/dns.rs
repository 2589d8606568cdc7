//! Asking the DNS, for the check of tracking domains.
//!
//! [`DnsLookup`] is what a use case sees, so that tests give the answers; [`Dns`] is the real one. A name without
//! records is an answer, and an empty one: only a question that nobody answered is a [`DnsFailure`]. Without that
//! difference an outage of our own resolver would look like a customer's broken records.
//! Refuses to read the computer's hosts file and to keep answers: whoever presses "check now" has just changed them.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use thiserror::Error;

/// Nobody answered: the records may be right or wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the DNS gave no answer: {0}")]
pub struct DnsFailure(pub String);

/// What the check of a tracking domain asks.
pub trait DnsLookup: Send + Sync {
    /// The targets of the CNAME records of `name`, lower case, without a final dot.
    fn cname<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>>;

    /// The TXT records of `name`, each with its parts joined.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>>;
}

/// The real DNS.
pub struct Dns {
    resolver: TokioResolver,
    timeout: Duration,
}

impl Dns {
    /// Asks `servers`, or those of the system where there are none, for at most `timeout` a question.
    ///
    /// # Errors
    /// When the system's own settings cannot be read.
    pub fn new(servers: &[SocketAddr], timeout: Duration) -> Result<Self, DnsFailure> {
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().map_err(failure)?
        } else {
            let config = ResolverConfig::from_name_servers(servers.iter().map(name_server).collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = timeout;
        options.attempts = 2;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self { resolver: builder.build().map_err(failure)?, timeout })
    }

    async fn lookup(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, DnsFailure> {
        // With a final dot the system's search domains stay out of it.
        let question = self.resolver.lookup(format!("{name}."), kind);
        match tokio::time::timeout(self.timeout, question).await {
            Err(_) => Err(DnsFailure(format!("none within {} ms", self.timeout.as_millis()))),
            Ok(Ok(lookup)) => Ok(lookup.answers().iter().map(|record| record.data.clone()).collect()),
            Ok(Err(error)) if error.is_no_records_found() => Ok(Vec::new()),
            Ok(Err(error)) => Err(failure(error)),
        }
    }
}

impl DnsLookup for Dns {
    fn cname<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        Box::pin(async move {
            let records = self.lookup(name, RecordType::CNAME).await?;
            let target = |record: &RData| {
                let RData::CNAME(target) = record else { return None };
                Some(target.0.to_ascii().trim_end_matches('.').to_ascii_lowercase())
            };
            Ok(records.iter().filter_map(target).collect())
        })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        Box::pin(async move {
            let records = self.lookup(name, RecordType::TXT).await?;
            let text = |record: &RData| {
                let RData::TXT(text) = record else { return None };
                Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned())
            };
            Ok(records.iter().filter_map(text).collect())
        })
    }
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

fn failure(error: NetError) -> DnsFailure {
    DnsFailure(error.to_string())
}
