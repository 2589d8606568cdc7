//! Asking the DNS, for the check of tracking domains and for the addresses of publishers.
//!
//! [`DnsLookup`] and [`AddressLookup`] are what a use case sees, so that tests give the answers; [`Dns`] is the real one. A name without
//! records is an answer, and an empty one: only a question that nobody answered is a [`DnsFailure`]. Without that
//! difference an outage of our own resolver would look like a customer's broken records.
//! Refuses to read the computer's hosts file and to keep answers: whoever presses "check now" has just changed them.

use std::net::{IpAddr, SocketAddr};
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

/// What an outbound postback asks.
pub trait AddressLookup: Send + Sync {
    /// The addresses of `name`, those of IPv4 first; none where it has none.
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>>;
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

impl AddressLookup for Dns {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFailure>> {
        Box::pin(async move {
            let (v4, v6) = tokio::join!(self.lookup(name, RecordType::A), self.lookup(name, RecordType::AAAA));
            // One of the two is enough: many name servers fail on questions for IPv6.
            let records = match (v4, v6) {
                (Ok(v4), Ok(v6)) => [v4, v6].concat(),
                (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => found,
                (Err(failure), _) | (_, Err(failure)) => return Err(failure),
            };
            let address = |record: &RData| {
                if let RData::A(address) = record {
                    return Some(IpAddr::V4(address.0));
                }
                let RData::AAAA(address) = record else { return None };
                Some(IpAddr::V6(address.0))
            };
            Ok(records.iter().filter_map(address).collect())
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

#[cfg(test)]
mod tests {
    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, TXT};
    use hickory_resolver::proto::rr::{Name, Record};
    use tokio::net::UdpSocket;

    use super::*;

    /// A name server of one zone: `go.example` with both records, and silence about `silent.example`.
    async fn name_server() -> (SocketAddr, impl Future<Output = ()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let serve = async move {
            let mut buffer = [0; 512];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
                if let Some(answer) = answer(&buffer[..length]) {
                    socket.send_to(&answer, from).await.unwrap();
                }
            }
        };
        (address, serve)
    }

    fn answer(question: &[u8]) -> Option<Vec<u8>> {
        let asked = Message::from_vec(question).unwrap();
        let query = asked.queries[0].clone();
        let (name, kind) = (query.name().to_ascii().to_lowercase(), query.query_type());
        let data = match (name.as_str(), kind) {
            ("silent.example.", _) => return None,
            ("go.example.", RecordType::CNAME) => {
                Some(RData::CNAME(CNAME(Name::from_ascii("Track.Example.").unwrap())))
            }
            ("go.example.", RecordType::A) => Some(RData::A(A::new(192, 0, 2, 1))),
            ("go.example.", RecordType::AAAA) => Some(RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
            ("_roundtrip.go.example.", RecordType::TXT) => {
                Some(RData::TXT(TXT::new(vec!["roundtrip-".into(), "verify=1".into()])))
            }
            _ => None,
        };
        let mut message = Message::response(asked.metadata.id, asked.metadata.op_code);
        message.metadata.recursion_desired = true;
        message.metadata.recursion_available = true;
        message.metadata.response_code = if data.is_some() { ResponseCode::NoError } else { ResponseCode::NXDomain };
        if let Some(data) = data {
            message.add_answer(Record::from_rdata(query.name().clone(), 60, data));
        }
        message.add_query(query);
        Some(message.to_vec().unwrap())
    }

    #[tokio::test]
    async fn records_are_read_none_is_an_answer_and_silence_is_none() {
        let (address, serve) = name_server().await;
        let dns = Dns::new(&[address], Duration::from_millis(300)).unwrap();
        let ask = async {
            assert_eq!(dns.cname("go.example").await.unwrap(), ["track.example"]);
            assert_eq!(dns.txt("_roundtrip.go.example").await.unwrap(), ["roundtrip-verify=1"]);
            let addresses: Vec<IpAddr> = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
            assert_eq!(dns.addresses("go.example").await, Ok(addresses));
            assert_eq!(dns.addresses("none.example").await, Ok(Vec::new()));
            assert!(dns.addresses("silent.example").await.is_err());
            assert_eq!(dns.cname("none.example").await, Ok(Vec::new()));
            assert_eq!(dns.txt("_roundtrip.none.example").await, Ok(Vec::new()));
            assert!(dns.cname("silent.example").await.is_err());
        };
        tokio::select! {
            () = ask => {}
            () = serve => unreachable!("the name server ended"),
        }
    }
}
