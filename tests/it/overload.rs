//! More than there is room for: the surplus is told so at once, what was taken in is answered, and conversions come
//! before clicks, clicks before receipts that nobody owns.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use roundtrip::app::AppError;
use roundtrip::app::create_token::{TokenRequest, create_token};
use roundtrip::app::verify::verify;
use roundtrip::domain::code::Code;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::operator::Principal;
use roundtrip::domain::receipt::Receipt;
use roundtrip::domain::screening::{Check, Known, Refusal};
use roundtrip::domain::secure_token::TokenScope;
use roundtrip::intake::{IntakeOptions, QueueLimits, Unsettled};
use roundtrip::store::Engine;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::support::bench::{Bench, options};
use crate::support::ledger::{is_put_off, p99};
use crate::support::on_both_engines;
use crate::support::server::TestServer;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(10);

fn path(server: &TestServer) -> String {
    format!("/postback?transaction_id={}", server.mint())
}

on_both_engines! {
    async fn what_finds_no_room_is_put_off_at_once_and_what_found_some_is_recorded(engine: Engine) {
        const ROOM: usize = 16;
        const SURPLUS: usize = 8;
        let settings = format!("[intake]\nconversion_items_max = {ROOM}\nbatch_items_max = 4\nwriters = 1");
        let (server, mut shaky) = TestServer::start_shaky(engine, &settings).await;
        shaky.freeze().await;
        let first = path(&server);
        let paths: Vec<String> = (0..ROOM + SURPLUS).map(|_| path(&server)).collect();
        let plot = async {
            // The writer is busy with it, and the queue is empty again.
            while server.app.intake.depths() != [0, 0, 0] {
                sleep(Duration::from_millis(5)).await;
            }
            let mut sent: FuturesUnordered<_> = paths.iter().map(|path| server.told(path)).collect();
            for _ in 0..SURPLUS {
                let (status, answer) = sent.next().await.unwrap();
                assert_eq!((status, answer["code"].as_str()), (503, Some("try_again")));
            }
            assert_eq!(server.app.intake.depths(), [ROOM, 0, 0]);
            shaky.thaw().await;
            while let Some((status, answer)) = sent.next().await {
                assert_eq!((status, answer["code"].as_str()), (200, Some("recorded")));
            }
        };
        // Sent before the plot looks at the queue.
        let taken = async {
            tokio::join!(biased; server.told(&first), async {
                sleep(Duration::from_millis(200)).await;
                plot.await;
            })
        };
        let ((status, _), ()) = timeout(PATIENCE, taken).await.unwrap();
        assert_eq!(status, 200);
        for path in &paths {
            assert_eq!(server.told(path).await.0, 200);
        }
        let report = verify(&server.app.database).await.unwrap();
        assert!(report.is_clean() && report.conversions == (1 + ROOM + SURPLUS) as u64, "{report}");
    }

    async fn a_queue_takes_as_many_items_as_it_has_room_for_and_not_one_more(engine: Engine) {
        const ROOM: usize = 4;
        let queues = QueueLimits {
            conversion_items_max: ROOM,
            click_items_max: ROOM,
            receipt_items_max: ROOM,
            ..options(1).queues
        };
        let (bench, _writers) = Bench::at_rest(engine, IntakeOptions { queues, ..options(1) }).await;
        for taken in 1..=ROOM + 1 {
            let depth = taken.min(ROOM);
            let expected = if taken <= ROOM { None } else { Some(Unsettled::Full) };
            let hit = bench.hit(Door::Postback, &format!("transaction_id={}", bench.mint()));
            let postback = bench.intake.settle(hit).now_or_never().map(Result::unwrap_err);
            let click = bench.intake.settle_click(bench.click(bench.mint())).now_or_never().map(Result::unwrap_err);
            bench.intake.offer_receipt(refused(&bench));
            assert_eq!((postback, click), (expected, expected), "{taken}");
            assert_eq!(bench.intake.depths(), [depth; 3], "{taken}");
        }
    }

    async fn clicks_never_take_the_last_bytes_of_conversions_nor_receipts_those_of_clicks(engine: Engine) {
        const BYTES_MAX: usize = 64 * 1024;
        let queues = QueueLimits { bytes_max: BYTES_MAX, ..options(1).queues };
        let (bench, _writers) = Bench::at_rest(engine, IntakeOptions { queues, ..options(1) }).await;
        let most = 2 * BYTES_MAX / 1024;
        (0..most).for_each(|_| bench.intake.offer_receipt(refused(&bench)));
        let [_, _, receipts] = bench.intake.depths();
        let mut clicks = 0;
        while bench.intake.settle_click(bench.click(bench.mint())).now_or_never().is_none() {
            clicks += 1;
        }
        let mut conversions = 0;
        let hit = || bench.hit(Door::Postback, &format!("transaction_id={}", bench.mint()));
        while bench.intake.settle(hit()).now_or_never().is_none() {
            conversions += 1;
        }
        assert_eq!(bench.intake.depths(), [conversions, clicks, receipts]);
        assert!(receipts > 0 && clicks > 0 && conversions > 0, "{conversions} {clicks} {receipts}");
        // An item is never counted as less than a kilobyte.
        assert!((receipts + clicks + conversions) * 1024 <= BYTES_MAX, "{conversions} {clicks} {receipts}");
    }

    async fn conversions_are_settled_before_clicks_that_came_first_and_clicks_before_receipts(engine: Engine) {
        let few = IntakeOptions { batch_items_max: 4, ..options(1) };
        let (bench, writers) = Bench::at_rest(engine, few).await;
        (0..4).for_each(|_| bench.intake.offer_receipt(refused(&bench)));
        let clicks: Vec<_> = (0..4).map(|_| bench.click(bench.mint())).collect();
        let queries: Vec<_> = (0..4).map(|_| format!("transaction_id={}", bench.mint())).collect();
        let answered = Mutex::new(Vec::new());
        let answers = |what| answered.lock().unwrap().push((what, bench.intake.depths()[2]));
        let clicks = join_all(clicks.into_iter().map(|click| async {
            bench.intake.settle_click(click).await.unwrap();
            answers("click");
        }));
        let conversions = join_all(queries.iter().map(|query| async {
            assert_eq!(bench.postback(query).await.code, Code::Recorded);
            answers("conversion");
        }));
        tokio::select! {
            biased;
            _both = async { tokio::join!(biased; clicks, conversions) } => {}
            _ = join_all(writers) => panic!("the writers ended"),
        }
        let answered = answered.into_inner().unwrap();
        let order: Vec<_> = answered.iter().map(|(what, _)| *what).collect();
        assert_eq!(order, [["conversion"; 4], ["click"; 4]].concat());
        assert!(answered[..4].iter().all(|(_, receipts)| *receipts == 4), "{answered:?}");
    }

    async fn a_dry_run_that_finds_no_connection_is_put_off_soon_and_postbacks_go_on(engine: Engine) {
        let server = TestServer::start_with(engine, "[database]\nread_connections_max = 2").await;
        let dry = format!("{}&dry_run=1", path(&server));
        let held = [server.app.database.begin_read().await.unwrap(), server.app.database.begin_read().await.unwrap()];
        let began = Instant::now();
        is_put_off(&server, &dry).await;
        assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
        assert_eq!(server.told(&path(&server)).await.0, 200);
        drop(held);
        assert_eq!(server.told(&dry).await.0, 200);
    }
}

/// A receipt of a request that nobody is known to have sent.
fn refused(bench: &Bench) -> Receipt {
    let hit = bench.hit(Door::Postback, "secure=wrong");
    Receipt::refused(&hit, &Known::default(), &Refusal::new(Check::TokenLive, Code::InvalidSecure), 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_control_write_that_finds_no_connection_fails_soon_and_postbacks_go_on() {
    const HELD: Duration = Duration::from_secs(3);
    let server = TestServer::start_with(Engine::Postgres, "[database]\nwrite_connections_max = 1").await;
    let hold = || {
        let work = async {
            sleep(HELD).await;
            Ok(())
        };
        server.app.database.side_write(Box::new(|_| Box::pin(work)))
    };
    let plot = async {
        sleep(Duration::from_millis(200)).await;
        let began = Instant::now();
        let made = create_token(&server.app, &Principal::system(), &TokenRequest::new(TokenScope::Global)).await;
        assert!(matches!(made, Err(AppError::Store(_))), "a connection was free");
        assert!(began.elapsed() < HELD / 2, "{:?}", began.elapsed());
        for _ in 0..20 {
            assert_eq!(server.told(&path(&server)).await.0, 200);
        }
        assert!(began.elapsed() < HELD, "the connections were not held");
    };
    // More than there are; the last ones find none themselves.
    tokio::join!(join_all((0..8).map(|_| hold())), plot);
    let made = create_token(&server.app, &Principal::system(), &TokenRequest::new(TokenScope::Global)).await;
    assert!(made.is_ok_and(|made| made.is_ok()));
}

/// How many sockets this process may open beside those that it needs: a slow client takes two, its own and the server's.
fn slow_clients() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    let files: usize = files.and_then(|number| number.parse().ok()).unwrap_or(1024);
    (files.saturating_sub(500) / 2).min(2000)
}

/// How long each of some postbacks took, eight at a time.
async fn took(server: &TestServer) -> Vec<Duration> {
    let senders = (0..8).map(|_| async {
        let mut took = Vec::new();
        for _ in 0..40 {
            let began = Instant::now();
            assert_eq!(server.told(&path(server)).await.0, 200);
            took.push(began.elapsed());
        }
        took
    });
    join_all(senders).await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_clients_that_send_a_byte_at_a_time_slow_nobody_and_are_left() {
    let server = TestServer::start_with(Engine::Sqlite, "[server]\nheader_timeout_seconds = 3").await;
    let quiet = p99(took(&server).await);
    let address = server.url("").replace("http://", "");
    let mut clients = Vec::new();
    for _ in 0..slow_clients() {
        clients.push(TcpStream::connect(&address).await.unwrap());
    }
    let count = clients.len();
    let trickle = join_all(clients.into_iter().map(trickle));
    let (beside, left) = tokio::join!(took(&server), timeout(Duration::from_secs(30), trickle));
    let beside = p99(beside);
    assert_eq!(left.unwrap().into_iter().filter(|left| *left).count(), count, "slow clients are still served");
    // Loosely: the clients are in this process too.
    assert!(beside < quiet * 10 + Duration::from_millis(500), "p99 {quiet:?}, beside {count} slow clients {beside:?}");
}

/// Sends a head that never ends, until the server has closed the connection.
async fn trickle(mut client: TcpStream) -> bool {
    let (mut from, mut to) = client.split();
    let mut answer = Vec::new();
    let send = async {
        for byte in b"GET /click?offer=42&publisher=7&sub_id=".iter().chain(std::iter::repeat(&b'a')) {
            if to.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::select! {
        _closed = from.read_to_end(&mut answer) => true,
        () = send => true,
    }
}
