//! Over real sockets, with limits of tenths of a second.

use axum::Router;
use axum::extract::Extension;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

const LIMITS: Limits = Limits {
    connections_max: 2,
    header_timeout: Duration::from_millis(300),
    idle_timeout: Duration::from_millis(900),
    write_timeout: Duration::from_millis(300),
};

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Drained>,
}

#[expect(clippy::disallowed_methods, reason = "the test awaits the handle")]
async fn start(limits: Limits, drain: Duration) -> Running {
    let slow = || async {
        sleep(Duration::from_millis(600)).await;
        "slow"
    };
    let router = Router::new()
        .route("/", get(|Extension(PeerAddress(peer)): Extension<PeerAddress>| async move { peer.ip().to_string() }))
        .route("/slow", get(slow))
        .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
        .route("/panic", get(|| async { assert!(std::hint::black_box(false), "on purpose") }))
        .route("/body", post(|body: axum::body::Bytes| async move { body.len().to_string() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let until = async move { assert!(stopped.await.is_ok(), "the test stops the server") };
    let server = tokio::spawn(serve(listener, router, limits, until, drain));
    Running { address, stop, server }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    async fn stop(self) -> Drained {
        self.stop.send(()).expect("the server listens");
        self.server.await.expect("no panic")
    }
}

async fn say(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.expect("written");
}

/// Everything until the other side closes.
async fn hear_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("closed in order");
    String::from_utf8(bytes).expect("text")
}

/// One answer whose body ends with `end`.
async fn hear(stream: &mut TcpStream, end: &str) -> String {
    let mut heard = String::new();
    let mut chunk = [0; 4096];
    while !heard.ends_with(end) {
        let read = stream.read(&mut chunk).await.expect("read");
        assert!(read > 0, "closed after {heard:?}");
        heard.push_str(std::str::from_utf8(&chunk[..read]).expect("text"));
    }
    heard
}

async fn ask(server: &Running, request: &str) -> String {
    let mut stream = server.connect().await;
    say(&mut stream, request).await;
    hear_all(&mut stream).await
}

fn get_once(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn a_request_carries_its_peer_and_is_answered() {
    let server = start(LIMITS, Duration::from_secs(1)).await;
    let answer = ask(&server, &get_once("/")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
    assert_eq!(server.stop().await, Drained { cut: 0 });
}

#[tokio::test]
async fn a_target_of_8_kib_is_read_and_one_byte_more_is_refused_with_its_code() {
    let server = start(LIMITS, Duration::from_secs(1)).await;
    let target = |bytes: usize| format!("/?{}", "a".repeat(bytes - 2));
    assert!(ask(&server, &get_once(&target(TARGET_BYTES_MAX))).await.starts_with("HTTP/1.1 200"));
    for bytes in [TARGET_BYTES_MAX + 1, 60_000] {
        let answer = ask(&server, &get_once(&target(bytes))).await;
        assert!(answer.starts_with("HTTP/1.1 414"), "{bytes}: {answer}");
        assert!(answer.ends_with(r#"{"ok":false,"code":"uri_too_long"}"#), "{answer}");
    }
    // Beyond what is read of a head hyper answers by itself, by which of its two limits it meets first.
    let answer = ask(&server, &get_once(&target(70_000))).await;
    assert!(answer.starts_with("HTTP/1.1 414") || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn headers_above_their_limit_are_431() {
    let server = start(LIMITS, Duration::from_secs(1)).await;
    let with = |bytes: usize| {
        let fixed = "hosth".len() + "connectionclose".len() + "x".len();
        format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nx: {}\r\n\r\n", "v".repeat(bytes - fixed))
    };
    assert!(ask(&server, &with(HEADER_BYTES_MAX)).await.starts_with("HTTP/1.1 200"));
    assert!(ask(&server, &with(HEADER_BYTES_MAX + 1)).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "x: 1\r\n".repeat(101));
    assert!(ask(&server, &many).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_head_that_drips_is_cut_after_its_time_and_a_fresh_silence_too() {
    let server = start(LIMITS, Duration::from_secs(1)).await;
    let began = Instant::now();
    let mut stream = server.connect().await;
    let mut closed = false;
    for byte in b"GET / HTTP/1.1\r\nHost: abcdefghijklmnopqrstuvwxyz\r\n" {
        if stream.write_all(&[*byte]).await.is_err() {
            closed = true;
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(closed, "two seconds of dripping were tolerated");
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());

    let began = Instant::now();
    assert_eq!(hear_all(&mut server.connect().await).await, "");
    assert!((250..800).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_kept_alive_connection_may_be_silent_longer_than_a_head_but_not_for_ever() {
    let server = start(LIMITS, Duration::from_secs(1)).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        say(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        hear(&mut stream, "127.0.0.1").await;
        sleep(Duration::from_millis(500)).await;
    }
    say(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    hear(&mut stream, "127.0.0.1").await;
    let began = Instant::now();
    assert_eq!(hear_all(&mut stream).await, "");
    assert!((800..1600).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_slow_service_is_not_a_slow_client() {
    let server = start(LIMITS, Duration::from_secs(1)).await;
    assert!(ask(&server, &get_once("/slow")).await.ends_with("slow"));
}

#[tokio::test]
async fn a_client_that_closes_its_half_is_answered() {
    let server = start(LIMITS, Duration::from_secs(1)).await;
    let mut stream = server.connect().await;
    say(&mut stream, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    stream.shutdown().await.expect("half closed");
    assert!(hear_all(&mut stream).await.ends_with("slow"));
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_left() {
    let server = start(LIMITS, Duration::from_secs(5)).await;
    let mut stream = server.connect().await;
    say(&mut stream, &get_once("/large")).await;
    sleep(Duration::from_millis(1000)).await;
    // Its place is free again: both are served while the client still holds its end open.
    let (one, two) = (get_once("/"), get_once("/"));
    let both = timeout(Duration::from_secs(2), async { tokio::join!(ask(&server, &one), ask(&server, &two)) }).await;
    assert!(both.is_ok());
    assert_eq!(server.stop().await, Drained { cut: 0 });
}

#[tokio::test]
async fn at_the_cap_a_newcomer_waits_and_is_served_when_a_place_is_free() {
    let server = start(Limits { connections_max: 1, ..LIMITS }, Duration::from_secs(1)).await;
    let mut first = server.connect().await;
    say(&mut first, &get_once("/slow")).await;
    let began = Instant::now();
    assert!(ask(&server, &get_once("/")).await.starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() > Duration::from_millis(300), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_panic_is_answered_and_costs_one_request() {
    let server = start(LIMITS, Duration::from_secs(1)).await;
    let mut stream = server.connect().await;
    say(&mut stream, "GET /panic HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let answer = hear(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 500") && answer.ends_with(r#"{"ok":false,"code":"internal"}"#), "{answer}");
    say(&mut stream, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    hear(&mut stream, "127.0.0.1").await;
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let server = start(LIMITS, Duration::from_secs(5)).await;
    let (mut busy, mut idle) = (server.connect().await, server.connect().await);
    say(&mut idle, "GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
    hear(&mut idle, "127.0.0.1").await;
    say(&mut busy, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    sleep(Duration::from_millis(100)).await;
    let address = server.address;
    let (drained, answer) = tokio::join!(server.stop(), hear_all(&mut busy));
    assert_eq!(drained, Drained { cut: 0 });
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("slow"), "{answer}");
    assert_eq!(hear_all(&mut idle).await, "");
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn a_drain_that_is_over_cuts_what_is_left_and_says_how_many() {
    let server = start(LIMITS, Duration::from_millis(100)).await;
    let mut busy = server.connect().await;
    say(&mut busy, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n").await;
    sleep(Duration::from_millis(100)).await;
    assert_eq!(server.stop().await, Drained { cut: 1 });
}

#[tokio::test]
async fn a_body_that_comes_after_its_head_is_not_held_to_the_time_of_heads() {
    let server = start(LIMITS, Duration::from_secs(1)).await;
    let mut stream = server.connect().await;
    say(&mut stream, "POST /body HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\n").await;
    sleep(Duration::from_millis(500)).await;
    say(&mut stream, "hello").await;
    assert!(hear_all(&mut stream).await.ends_with('5'));
}
