//! A publisher's server as a process of its own, which does what the path of a request says and remembers all of them.
//!
//! It is this very binary, told to run the one ignored test at the end, so that no other program has to be built. It
//! ends when its standard input does, which is when its parent is gone.
//!
//! Paths, each with anything behind it: `/ok` · `/status/500` · `/fails/3` (the first three requests of each
//! `webhook-id` get 500) · `/later/120` (429 with `Retry-After`) · `/slow/300` (milliseconds) · `/hang` · `/redirect`
//! (to the trap) · `/metadata` (a redirect to 169.254.169.254) · `/flood` (10 GB) · `/half` (breaks off in the head).

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// The authority that `receiver.test` and 127.0.0.1 are certified by, on the https port.
pub(crate) const LAB_CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/lab/ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("../lab/receiver.pem");
const KEY: &[u8] = include_bytes!("../lab/receiver.key");

/// A publisher's server.
pub(crate) struct Receiver {
    child: Child,
    /// Held open: its end is the receiver's.
    _stdin: ChildStdin,
    control: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
}

/// A request that the receiver got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// GET or POST.
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "support::receiver::serves_until_its_parent_ends", "--ignored", "--nocapture"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.find_map(|line| line.unwrap().split_once("listening ").map(|(_, said)| said.to_owned()));
        let addresses: Vec<SocketAddr> = said.unwrap().split(' ').map(|text| text.parse().unwrap()).collect();
        // Nobody may stop reading: a full pipe would stop the receiver.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, _stdin: stdin, control: addresses[0], http: addresses[1], https: addresses[2] }
    }

    /// Without TLS.
    pub(crate) fn url(&self, path_and_query: &str) -> String {
        format!("http://{}{path_and_query}", self.http)
    }

    async fn ask(&self) -> Value {
        let answer = reqwest::get(format!("http://{}/", self.control)).await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// Every request so far, in the order of their arrival.
    pub(crate) async fn seen(&self) -> Vec<Seen> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let seen = self.ask().await["seen"].take();
        let seen = seen.as_array().unwrap().iter().map(|one| Seen {
            method: text(&one["method"]),
            target: text(&one["target"]),
            headers: one["headers"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            body: text(&one["body"]),
        });
        seen.collect()
    }

    /// Connections that were ever made: to http, https, and the trap that only a redirect leads to.
    pub(crate) async fn connections(&self) -> [u64; 3] {
        let counted = self.ask().await["connections"].take();
        [0, 1, 2].map(|index| counted[index].as_u64().unwrap())
    }

    /// Bytes that a flood has got rid of.
    pub(crate) async fn flooded(&self) -> u64 {
        self.ask().await["flooded"].as_u64().unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // One that has ended cannot be killed, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Default)]
struct Book {
    seen: Vec<Value>,
    connections: [u64; 3],
    flooded: u64,
    tries: HashMap<String, u32>,
}

type Shared = Arc<Mutex<Book>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is a receiver: other tests start it as a process"]
async fn serves_until_its_parent_ends() {
    let book = Shared::default();
    let [control, http, https, trap] = [bound().await, bound().await, bound().await, bound().await];
    let address = |listener: &TcpListener| listener.local_addr().unwrap();
    let trap_address = address(&trap);
    println!("\nlistening {} {} {}", address(&control), address(&http), address(&https));
    std::io::stdout().flush().unwrap();
    let accepted = async |listener: TcpListener, index: usize, tls: Option<TlsAcceptor>| {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            book.lock().unwrap().connections[index] += 1;
            let (book, tls) = (Arc::clone(&book), tls.clone());
            #[expect(clippy::disallowed_methods, reason = "ends with the process")]
            tokio::spawn(async move {
                match tls {
                    // Whoever does not like the certificate hangs up.
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, book, trap_address).await;
                        }
                    }
                    None => serve(stream, book, trap_address).await,
                }
            });
        }
    };
    let parent = tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop));
    tokio::select! {
        _ = parent => {}
        () = accepted(http, 0, None) => {}
        () = accepted(https, 1, Some(acceptor())) => {}
        () = accepted(trap, 2, None) => {}
        () = tell(control, Arc::clone(&book)) => {}
    }
}

async fn bound() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn acceptor() -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap()))
}

/// Answers every connection with the whole book.
async fn tell(listener: TcpListener, book: Shared) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 4096];
        let _ = stream.read(&mut buffer).await;
        let text = {
            let book = book.lock().unwrap();
            json!({ "seen": book.seen, "connections": book.connections, "flooded": book.flooded }).to_string()
        };
        respond(&mut stream, "200 OK", "", &text).await;
    }
}

async fn respond(stream: &mut (impl AsyncWrite + Unpin), status: &str, headers: &str, body: &str) {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n", body.len());
    // Whoever has hung up does not want it.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, book: Shared, trap: SocketAddr) {
    let Some(seen) = read(&mut stream).await else { return };
    let target = seen["target"].as_str().unwrap().to_owned();
    let id = seen["headers"]["webhook-id"].as_str().unwrap_or_default().to_owned();
    let tries = {
        let mut book = book.lock().unwrap();
        book.seen.push(seen);
        let tries = book.tries.entry(id).or_default();
        *tries += 1;
        *tries
    };
    let path = target.split('?').next().unwrap_or_default();
    let mut parts = path.split('/').skip(1);
    let (what, number) = (parts.next().unwrap_or_default(), parts.next().and_then(|text| text.parse::<u32>().ok()));
    let number = number.unwrap_or_default();
    match what {
        "status" => respond(&mut stream, &format!("{number} Told"), "", "as you wish").await,
        "fails" if tries <= number => respond(&mut stream, "500 Not Yet", "", "not yet").await,
        "later" => respond(&mut stream, "429 Later", &format!("retry-after: {number}\r\n"), "").await,
        "slow" => {
            sleep(Duration::from_millis(number.into())).await;
            respond(&mut stream, "200 OK", "", "slowly").await;
        }
        "hang" => sleep(Duration::from_secs(600)).await,
        "redirect" => respond(&mut stream, "301 Moved", &format!("location: http://{trap}/\r\n"), "").await,
        "metadata" => {
            respond(&mut stream, "301 Moved", "location: http://169.254.169.254/latest/meta-data/\r\n", "").await;
        }
        "flood" => Box::pin(flood(&mut stream, &book)).await,
        "half" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await;
        }
        _ => respond(&mut stream, "200 OK", "", "thanks").await,
    }
}

async fn flood(stream: &mut (impl AsyncWrite + Unpin), book: &Shared) {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n";
    let _ = stream.write_all(head.as_bytes()).await;
    let piece = [b'x'; 64 * 1024];
    while stream.write_all(&piece).await.is_ok() {
        book.lock().unwrap().flooded += 64 * 1024;
    }
}

/// `None` when the other side has gone before its request was whole.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Value> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?, first.next()?);
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers: HashMap<String, &str> = headers.map(|(name, value)| (name.to_lowercase(), value)).collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
        if body.len() >= length {
            return Some(json!({ "method": method, "target": target, "headers": headers, "body": body }));
        }
    }
}

/// A port of this machine that nobody listens on.
pub(crate) fn closed_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A port of this machine that counts who connects, and says nothing.
pub(crate) struct Counted {
    pub(crate) address: SocketAddr,
    count: Arc<Mutex<u64>>,
}

impl Counted {
    pub(crate) async fn on(address: &str) -> Option<Self> {
        let listener = TcpListener::bind(address).await.ok()?;
        let address = listener.local_addr().unwrap();
        let count = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&count);
        #[expect(clippy::disallowed_methods, reason = "ends with the runtime of the test")]
        tokio::spawn(async move {
            let mut held: Vec<TcpStream> = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                *counted.lock().unwrap() += 1;
                held.push(stream);
            }
        });
        Some(Self { address, count })
    }

    pub(crate) fn connections(&self) -> u64 {
        *self.count.lock().unwrap()
    }
}
