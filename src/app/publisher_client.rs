//! One HTTP request to a server that somebody else named.
//!
//! The guard against requests to our own network is built in, not switched on: the address that was checked is the
//! address that is connected to, so no name can change between the two, and the peer is looked at once more before a
//! byte is sent. There is no code for redirects, proxies, cookies or compression, so none can be used. One connection
//! carries one request and is closed: nothing of one publisher reaches another. At most 16 KiB of an answer are read.
//! Refuses to retry: that is `deliver_outbound`'s.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderName, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Position, Url};

use super::dns::AddressLookup;
use crate::domain::address::{OutOfReach, Reach};

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;
/// What we call ourselves.
const AGENT: &str = concat!("Roundtrip/", env!("CARGO_PKG_VERSION"));

/// A request as it is sent.
#[derive(Clone, Debug)]
pub struct OutboundRequest {
    pub url: Url,
    /// POST with a body, GET without one.
    pub body: Option<String>,
    pub headers: Vec<(&'static str, String)>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublisherAnswer {
    pub status: u16,
    pub retry_after: Option<String>,
    /// At most 16 KiB.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Debug, Error)]
pub enum SendFailure {
    /// The URL itself: nothing but another URL or another setting helps.
    #[error("not sent: {0}")]
    Refused(OutOfReach),
    /// What the name resolves to now.
    #[error("not sent: {0}")]
    ReservedAddress(OutOfReach),
    #[error("not sent: the URL or a header cannot be written as HTTP")]
    Unwritable,
    #[error("the name of the host has no address")]
    NoAddress,
    #[error("{0}")]
    NoDns(String),
    #[error("no connection: {0}")]
    NoConnection(io::ErrorKind),
    #[error("no TLS connection: {0}")]
    NoTls(String),
    #[error("no answer within {0} ms")]
    Late(u128),
    #[error("the connection broke: {0}")]
    Broken(String),
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum ClientProblem {
    #[error("outbound.authorities: {0}")]
    Authorities(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Sends requests to publishers. Cheap to clone.
#[derive(Clone)]
pub struct PublisherClient {
    reach: Reach,
    dns: Arc<dyn AddressLookup>,
    tls: TlsConnector,
    patience: Duration,
}

impl PublisherClient {
    /// `authorities` are certificates in PEM that are trusted beside those of the web; `patience` is the time of one
    /// request from its name's look-up to the last byte that is read.
    ///
    /// # Errors
    /// The authorities cannot be read.
    pub fn new(
        reach: Reach,
        dns: Arc<dyn AddressLookup>,
        authorities: Option<&[u8]>,
        patience: Duration,
    ) -> Result<Self, ClientProblem> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in authorities.into_iter().flat_map(CertificateDer::pem_slice_iter) {
            let certificate = certificate.map_err(|error| ClientProblem::Authorities(error.to_string()))?;
            roots.add(certificate).map_err(|error| ClientProblem::Authorities(error.to_string()))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let mut config = versions.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { reach, dns, tls: TlsConnector::from(Arc::new(config)), patience })
    }

    /// How far its requests may go: for the lint of a URL.
    pub fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Sends one request and reads the beginning of its answer.
    ///
    /// # Errors
    /// See [`SendFailure`]; no text of it holds anything of the request but an address.
    pub async fn send(&self, request: &OutboundRequest) -> Result<PublisherAnswer, SendFailure> {
        self.reach.check_url(&request.url).map_err(SendFailure::Refused)?;
        let late = |_| SendFailure::Late(self.patience.as_millis());
        timeout(self.patience, self.send_now(request)).await.map_err(late)?
    }

    async fn send_now(&self, request: &OutboundRequest) -> Result<PublisherAnswer, SendFailure> {
        let written = written(request)?;
        let stream = self.connect(&request.url).await?;
        if request.url.scheme() == "http" {
            return exchange(stream, written).await;
        }
        let name = server_name(&request.url)?;
        let stream = self.tls.connect(name, stream).await.map_err(|error| SendFailure::NoTls(error.to_string()))?;
        exchange(stream, written).await
    }

    /// A connection to the first address that takes one. Only what was checked is ever connected to.
    async fn connect(&self, url: &Url) -> Result<TcpStream, SendFailure> {
        let port = url.port_or_known_default().ok_or(SendFailure::Unwritable)?;
        let mut failure = SendFailure::NoAddress;
        for address in self.addresses(url).await?.into_iter().take(ADDRESSES_MAX) {
            // One that swallows everything must leave time for the next one.
            match timeout(self.patience / 3, TcpStream::connect(SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => return self.checked(stream),
                Ok(Err(error)) => failure = SendFailure::NoConnection(error.kind()),
                Err(_late) => failure = SendFailure::NoConnection(io::ErrorKind::TimedOut),
            }
        }
        Err(failure)
    }

    /// Where the host is, as far as it may be connected to.
    async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, SendFailure> {
        let found = match url.host() {
            Some(Host::Ipv4(address)) => vec![address.into()],
            Some(Host::Ipv6(address)) => vec![address.into()],
            Some(Host::Domain(name)) => {
                let found = self.dns.addresses(name.trim_end_matches('.')).await;
                found.map_err(|failure| SendFailure::NoDns(failure.to_string()))?
            }
            None => Vec::new(),
        };
        let mut allowed = Vec::with_capacity(found.len());
        let mut refused = None;
        for address in found {
            match self.reach.check_address(address) {
                Ok(()) => allowed.push(address),
                Err(reason) => refused = Some(reason),
            }
        }
        match refused {
            Some(reason) if allowed.is_empty() => Err(SendFailure::ReservedAddress(reason)),
            Some(_) | None => Ok(allowed),
        }
    }

    /// Whom the kernel says that we are connected to.
    fn checked(&self, stream: TcpStream) -> Result<TcpStream, SendFailure> {
        let peer = stream.peer_addr().map_err(|error| SendFailure::NoConnection(error.kind()))?;
        self.reach.check_address(peer.ip()).map_err(SendFailure::ReservedAddress)?;
        // A request is one small write; nobody waits for a second one.
        stream.set_nodelay(true).map_err(|error| SendFailure::NoConnection(error.kind()))?;
        Ok(stream)
    }
}

fn server_name(url: &Url) -> Result<ServerName<'static>, SendFailure> {
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(ServerName::IpAddress(IpAddr::V4(address).into())),
        Some(Host::Ipv6(address)) => Ok(ServerName::IpAddress(IpAddr::V6(address).into())),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_owned();
            ServerName::try_from(name).map_err(|_| SendFailure::Unwritable)
        }
        None => Err(SendFailure::Unwritable),
    }
}

fn written(request: &OutboundRequest) -> Result<Request<Full<Bytes>>, SendFailure> {
    let url = &request.url;
    let method = if request.body.is_some() { Method::POST } else { Method::GET };
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut built = Request::builder()
        .method(method)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close");
    for (name, value) in &request.headers {
        built = built.header(HeaderName::from_static(name), value);
    }
    let body = request.body.clone().unwrap_or_default();
    built.body(Full::new(Bytes::from(body))).map_err(|_| SendFailure::Unwritable)
}

/// The connection is driven here, beside the request that it carries, and closed when this returns.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<PublisherAnswer, SendFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async move { read(sender.send_request(request).await.map_err(broken)?).await });
    tokio::select! {
        biased;
        answer = &mut answer => return answer,
        // It has ended: what it brought can be read, or the answer says what is wrong.
        _ = &mut connection => {}
    }
    answer.await
}

async fn read(response: Response<hyper::body::Incoming>) -> Result<PublisherAnswer, SendFailure> {
    let (head, mut body) = response.into_parts();
    let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut kept = Vec::new();
    while kept.len() < ANSWER_BYTES_MAX {
        match body.frame().await {
            Some(Ok(frame)) => kept.extend(frame.into_data().unwrap_or_default()),
            // The status is the answer; a body that breaks off changes nothing about it.
            Some(Err(_)) | None => break,
        }
    }
    kept.truncate(ANSWER_BYTES_MAX);
    Ok(PublisherAnswer { status: head.status.as_u16(), retry_after, body: kept })
}

/// Without the sources below it: they may repeat what the other side has sent.
fn broken(error: hyper::Error) -> SendFailure {
    SendFailure::Broken(error.to_string())
}
