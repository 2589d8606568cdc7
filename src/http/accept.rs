//! The accept loop: sockets in, requests out to one service, and a patient but bounded end.
//!
//! It exists because `axum::serve` has no limit for slow headers and none for idle connections: two thousand
//! sockets that send a byte a minute would hold every place. Here a head must be complete in
//! [`Limits::header_timeout`], a kept-alive connection may be silent for [`Limits::idle_timeout`], and a client
//! that does not take its answer is left after [`Limits::write_timeout`]. At [`Limits::connections_max`] nothing
//! more is accepted, so that newcomers wait in the kernel's queue instead of pushing others out.
//!
//! It refuses to read bodies (`extract/body.rs` does, with its own limits) and to know a route. What would go
//! wrong without care: a task that nobody waits for is lost at shutdown, so every connection is in one set, and
//! [`serve`] returns only when the set is empty or the drain is over.
//!
//! A target above [`TARGET_BYTES_MAX`] is answered 414 with its code, larger headers 431. A head above 64 KiB is
//! not read to its end: hyper answers it by itself, with a bare 414 or 431.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tower::Service;

use crate::telemetry::{field, metric};

/// Path and query of a request, in bytes.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// Names and values of all headers, in bytes.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;
/// A head that is longer than this is not read to its end.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Pause after an error that concerns the listener (mostly: no file descriptors left), so that it is no busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many clients, and how long each may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub connections_max: usize,
    /// From the connection, or from the first byte of a later request, to the end of the head.
    pub header_timeout: Duration,
    /// Silence between two requests.
    pub idle_timeout: Duration,
    /// For the client to take one byte of its answer.
    pub write_timeout: Duration,
}

/// The socket's peer. Not yet the client: see `extract/client_address.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// What answers the requests of a port.
pub trait Answers: Clone + Send + 'static {
    fn answer(&self, request: Request<Incoming>, peer: PeerAddress) -> impl Future<Output = Response> + Send;
}

/// Its routes find the peer among the request's extensions.
impl Answers for Router {
    async fn answer(&self, mut request: Request<Incoming>, peer: PeerAddress) -> Response {
        request.extensions_mut().insert(peer);
        // axum's services are always ready.
        match self.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still at work when the time was over, and were closed.
    pub cut: usize,
}

/// Serves until `stop` is ready, then accepts nothing more, lets what is in flight finish for at most `drain`,
/// and returns when the last connection is gone.
///
/// A panic of what answers is answered 500 and costs one request; an error of one socket costs one connection.
pub async fn serve(
    listener: TcpListener,
    port: impl Answers,
    limits: Limits,
    stop: impl Future<Output = ()>,
    drain: Duration,
) -> Drained {
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = connections.join_next() => note_end(ended),
            accepted = accept(&listener, &places) => if let Some((stream, peer, place)) = accepted {
                connections.spawn(converse(stream, peer, place, port.clone(), limits, closed.clone()));
            },
        }
    }
    drop(listener);
    closing.send_replace(true);
    finish(connections, drain).await
}

async fn finish(mut connections: JoinSet<()>, drain: Duration) -> Drained {
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            note_end(ended);
        }
    };
    let cut = if timeout(drain, all_ended).await.is_ok() { 0 } else { connections.len() };
    connections.shutdown().await;
    Drained { cut }
}

/// A panic was logged by the panic hook where it happened; here it is only counted.
fn note_end(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        metrics::counter!(metric::CONNECTION_PANICS).increment(1);
    }
}

/// Waits for a place first and for a socket then: at the cap the kernel's queue holds the newcomers.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) if is_of_one_client(&error) => None,
        Err(error) => {
            tracing::error!({ field::ERROR } = %error, "a connection could not be accepted");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}

/// One connection from its first byte to its last.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    port: impl Answers,
    limits: Limits,
    mut closing: watch::Receiver<bool>,
) {
    // Without it a small answer waits for the acknowledgement of the one before it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!({ field::ERROR } = %error, "a socket closed before it was served");
        return;
    }
    let phase = Arc::new(SharedPhase::new(Phase::Head));
    let socket = TokioIo::new(TimedSocket::new(stream, Arc::clone(&phase), limits, place));
    let respond = service_fn(move |request| answer(port.clone(), request, PeerAddress(peer), Arc::clone(&phase)));
    // The time limits are TimedSocket's, which knows a silent client from a slow one; hyper's one limit does not.
    let connection = hyper::server::conn::http1::Builder::new()
        .header_read_timeout(None)
        // A sender that closes its writing half after the request still gets its answer.
        .half_close(true)
        .max_buf_size(HEAD_BYTES_MAX)
        // Our answers are small: put behind their head they cost less than as a second piece of one write.
        .writev(false)
        .serve_connection(socket, respond)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = closing_begins(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Resets, time-outs and garbage are the client's affair: told at debug level, without an address.
    if let Err(error) = ended {
        tracing::debug!({ field::ERROR } = %error, "a connection ended early");
    }
}

/// Also when the other end is gone: then the loop has ended, however it did.
async fn closing_begins(closing: &mut watch::Receiver<bool>) {
    while !*closing.borrow_and_update() {
        if closing.changed().await.is_err() {
            return;
        }
    }
}

async fn answer(
    port: impl Answers,
    request: Request<Incoming>,
    peer: PeerAddress,
    phase: Arc<SharedPhase>,
) -> Result<Response, Infallible> {
    phase.set(Phase::Serving);
    let response = match too_large(&request) {
        Some(refusal) => refusal,
        // A panic must not leave the caller without an answer.
        None => match AssertUnwindSafe(port.answer(request, peer)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => coded(StatusCode::INTERNAL_SERVER_ERROR, r#"{"ok":false,"code":"internal"}"#),
        },
    };
    let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    phase.set(if upgraded { Phase::Upgraded } else { Phase::Idle });
    Ok(response)
}

fn too_large(request: &Request<Incoming>) -> Option<Response> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        return Some(coded(StatusCode::URI_TOO_LONG, r#"{"ok":false,"code":"uri_too_long"}"#));
    }
    let too_many = header_bytes(request.headers()) > HEADER_BYTES_MAX;
    too_many.then(|| StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response())
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

fn coded(status: StatusCode, body: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, body).into_response()
}

/// What a connection is doing, which decides how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A head is awaited or has begun.
    Head,
    /// The service has the request. Its own limits count.
    Serving,
    /// Answered; the next request may come.
    Idle,
    /// No longer HTTP: whoever took the socket over looks after it.
    Upgraded,
}

/// The phase, shared between the socket (which sees bytes) and the service (which sees requests).
struct SharedPhase(AtomicU8);

impl SharedPhase {
    fn new(phase: Phase) -> Self {
        let shared = Self(AtomicU8::new(0));
        shared.set(phase);
        shared
    }

    fn set(&self, phase: Phase) {
        let number = match phase {
            Phase::Head => 0,
            Phase::Serving => 1,
            Phase::Idle => 2,
            Phase::Upgraded => 3,
        };
        self.0.store(number, Ordering::Relaxed);
    }

    fn get(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Serving,
            2 => Phase::Idle,
            _ => Phase::Upgraded,
        }
    }
}

/// A socket that fails when its client takes too long, and holds its place until it is closed.
///
/// One timer a connection, set again only when it fires too early: a busy connection costs one look at the clock
/// a request.
struct TimedSocket {
    stream: TcpStream,
    phase: Arc<SharedPhase>,
    limits: Limits,
    /// The phase for which `deadline` was computed.
    timed: Phase,
    deadline: Instant,
    timer: Pin<Box<Sleep>>,
    /// Runs while the client does not take what we write.
    write_timer: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl TimedSocket {
    fn new(stream: TcpStream, phase: Arc<SharedPhase>, limits: Limits, place: OwnedSemaphorePermit) -> Self {
        let deadline = Instant::now() + limits.header_timeout;
        let timer = Box::pin(sleep_until(deadline));
        Self { stream, phase, limits, timed: Phase::Head, deadline, timer, write_timer: None, _place: place }
    }

    fn enter(&mut self, phase: Phase) {
        self.timed = phase;
        match phase {
            Phase::Head => self.deadline = Instant::now() + self.limits.header_timeout,
            Phase::Idle => self.deadline = Instant::now() + self.limits.idle_timeout,
            Phase::Serving | Phase::Upgraded => {}
        }
    }

    /// The first bytes after a silence begin a head.
    fn bytes_came(&mut self) {
        if self.phase.get() == Phase::Idle {
            self.phase.set(Phase::Head);
            self.enter(Phase::Head);
        }
    }

    /// Ready when the client has taken too long in the present phase; otherwise the task is woken in time.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let phase = self.phase.get();
        if phase != self.timed {
            self.enter(phase);
        }
        match phase {
            Phase::Serving | Phase::Upgraded => return Poll::Pending,
            Phase::Head | Phase::Idle => {}
        }
        if self.timer.deadline() > self.deadline {
            self.timer.as_mut().reset(self.deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.timer.deadline() >= self.deadline {
                return Poll::Ready(too_slow(if phase == Phase::Head { "head" } else { "idle" }));
            }
            self.timer.as_mut().reset(self.deadline);
        }
        Poll::Pending
    }

    /// Passes a finished write on; while one is pending its own time runs.
    fn poll_written<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_timer = None;
            // hyper may not read again before the next byte comes, so the idle time begins here.
            return match self.poll_patience(cx) {
                Poll::Ready(error) => Poll::Ready(Err(error)),
                Poll::Pending => written,
            };
        }
        let patience = self.limits.write_timeout;
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(sleep(patience)));
        timer.as_mut().poll(cx).map(|()| Err(too_slow("write")))
    }
}

fn too_slow(phase: &'static str) -> io::Error {
    metrics::counter!(metric::CONNECTION_TIMEOUTS, "phase" => phase).increment(1);
    io::Error::new(io::ErrorKind::TimedOut, format!("the client took too long ({phase})"))
}

impl AsyncRead for TimedSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_pending() {
            return this.poll_patience(cx).map(Err);
        }
        if buf.filled().len() > before {
            this.bytes_came();
        }
        read
    }
}

impl AsyncWrite for TimedSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.poll_written(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.poll_written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
