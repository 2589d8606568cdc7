//! The database away in every way that a wire allows, while senders, visitors and browsers go on: each row of the table
//! of faults, with an audit of every answer afterwards.
//!
//! A database on a file has no wire: there, "away" is the write lock in the hands of somebody else.

use std::time::Duration;

use futures_util::future::join_all;
use roundtrip::domain::clock::Entropy;
use roundtrip::store::Engine;
use roundtrip::store::receipts::{ReceiptFilter, count};
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::support::chance::SeededEntropy;
use crate::support::ledger::{Crowd, Ledger, is_put_off, p99};
use crate::support::on_both_engines;
use crate::support::outage::{becomes_unready, comes_back, readiness};
use crate::support::people::{ask, data, set_up};
use crate::support::process::Home;
use crate::support::proxy::{Cut, Fault, Proxy};
use crate::support::server::TestServer;

/// After this a caller is answered whatever became of its item (`intake.answer_deadline_ms`).
const DEADLINE: Duration = Duration::from_secs(2);
/// What a busy machine may add to it in a test.
const GRACE: Duration = Duration::from_millis(1500);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn path(server: &TestServer) -> String {
    format!("/postback?transaction_id={}", server.mint())
}

/// Everybody is put off in less than the deadline of a batch: nobody waits for one.
async fn everybody_is_put_off_at_once(server: &TestServer, path: &str) {
    for _ in 0..20 {
        let began = Instant::now();
        is_put_off(server, path).await;
        assert!(began.elapsed() < DEADLINE / 2, "{:?}", began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_refuses_senders_are_put_off_visitors_are_sent_on_and_nothing_is_lost() {
    let (server, shaky) = TestServer::start_shaky(Engine::Postgres, "").await;
    let probe = path(&server);
    let plot = async {
        sleep(millis(300)).await;
        shaky.proxy().switch(Fault::Refused);
        becomes_unready(&server, "database").await;
        everybody_is_put_off_at_once(&server, &probe).await;
        assert_eq!(server.get("/livez").await.status(), 200);
        sleep(millis(1500)).await;
        shaky.proxy().switch(Fault::Nothing);
        comes_back(&server, &probe).await;
        sleep(millis(300)).await;
    };
    let (ledger, ()) = Ledger::during(&server, Crowd::Everybody, plot).await;
    assert!(ledger.unanswered() > 0, "nobody noticed");
    assert!(ledger.longest_visit < DEADLINE, "a visitor waited {:?}", ledger.longest_visit);
    ledger.audit(&server, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_breaker_answers_without_trying_a_batch() {
    const BATCHES: &str = "roundtrip_batches_total";
    let home = Home::furnish(Engine::Postgres).await;
    let (proxy, url) = Proxy::before(&home.database_url);
    let mut server = home.serve(&url).await;
    let send = async || server.told(&format!("/postback?transaction_id={}", home.mint())).await.0;
    assert_eq!(send().await, 200);
    proxy.switch(Fault::Refused);
    for _ in 0..3 {
        assert_eq!(send().await, 503);
    }
    let tried = server.counted(BATCHES).await;
    assert!(tried > 0);
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(send().await, 503);
        assert_eq!(server.get("/click?offer=42&publisher=7").await.unwrap().status(), 302);
    }
    assert_eq!(server.counted(BATCHES).await, tried, "batches were tried on an open breaker");
    assert!(began.elapsed() < Duration::from_secs(5), "a hundred answers took {:?}", began.elapsed());
    proxy.switch(Fault::Nothing);
    let back = Instant::now();
    while send().await != 200 {
        assert!(back.elapsed() < Duration::from_secs(5));
        sleep(millis(50)).await;
    }
    assert!(server.counted(BATCHES).await > tried);
    server.tell_to_end();
    server.ends().await;
}

on_both_engines! {
    async fn a_frozen_database_costs_those_who_wait_the_deadline_and_the_others_nothing(engine: Engine) {
        let (server, mut shaky) = TestServer::start_shaky(engine, "").await;
        let probe = path(&server);
        let plot = async {
            sleep(millis(300)).await;
            shaky.freeze().await;
            let began = Instant::now();
            is_put_off(&server, &probe).await;
            assert!(began.elapsed() < DEADLINE + GRACE, "{:?}", began.elapsed());
            becomes_unready(&server, "database").await;
            everybody_is_put_off_at_once(&server, &probe).await;
            sleep(millis(500)).await;
            shaky.thaw().await;
            comes_back(&server, &probe).await;
            sleep(millis(300)).await;
        };
        let (ledger, ()) = Ledger::during(&server, Crowd::Everybody, plot).await;
        assert!(ledger.unanswered() > 0, "nobody noticed");
        assert!(ledger.longest_visit < DEADLINE + GRACE, "a visitor waited {:?}", ledger.longest_visit);
        ledger.audit(&server, 1).await;
    }

    async fn what_waited_on_a_frozen_database_is_recorded_once_however_often_it_is_sent_again(engine: Engine) {
        let (server, mut shaky) = TestServer::start_shaky(engine, "").await;
        let probe = path(&server);
        let plot = async {
            sleep(millis(300)).await;
            for _ in 0..2 {
                shaky.freeze().await;
                sleep(DEADLINE + millis(700)).await;
                shaky.thaw().await;
                comes_back(&server, &probe).await;
                sleep(millis(300)).await;
            }
        };
        let (ledger, ()) = Ledger::during(&server, Crowd::SendersOnly, plot).await;
        assert!(ledger.unanswered() > 0, "nobody noticed");
        let slowest = ledger.postbacks.iter().map(|sent| sent.took).max().unwrap();
        assert!(slowest < DEADLINE + GRACE, "a sender waited {slowest:?}");
        ledger.audit(&server, 1).await;
    }
}

/// Every answer of the database comes later for a while; what share of senders was put off, and the p99 of the others.
async fn slowed(by: Duration, crowd: Crowd) -> (usize, Duration) {
    let (server, shaky) = TestServer::start_shaky(Engine::Postgres, "").await;
    let probe = path(&server);
    let plot = async {
        sleep(millis(300)).await;
        shaky.proxy().switch(Fault::Late(by));
        sleep(Duration::from_secs(5)).await;
        shaky.proxy().switch(Fault::Nothing);
        comes_back(&server, &probe).await;
        sleep(millis(300)).await;
    };
    let (ledger, ()) = Ledger::during(&server, crowd, plot).await;
    ledger.audit(&server, 1).await;
    let answered = ledger.postbacks.iter().filter(|sent| sent.conversion.is_some()).map(|sent| sent.took);
    (ledger.unanswered(), p99(answered.collect()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_fifty_milliseconds_late_puts_nobody_off() {
    let (put_off, p99) = slowed(millis(50), Crowd::SendersOnly).await;
    assert_eq!(put_off, 0);
    assert!(p99 < DEADLINE, "{p99:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_half_a_second_late_loses_no_postback() {
    slowed(millis(500), Crowd::SendersOnly).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_half_a_second_late_loses_no_visit() {
    slowed(millis(500), Crowd::Everybody).await;
}

/// Runs statements in the database behind the proxy, whatever its defaults are.
async fn administer(proxy: &Proxy, statements: &[&str]) {
    let options: PgConnectOptions = proxy.direct_url().parse().unwrap();
    let writing = options.options([("default_transaction_read_only", "off")]).application_name("administrator");
    let mut connection = writing.connect().await.unwrap();
    for statement in statements {
        connection.execute(sqlx::AssertSqlSafe(*statement)).await.unwrap();
    }
    connection.close().await.unwrap();
}

/// Its sessions are ended, as by a failover: a default is only for new ones.
async fn make_read_only(proxy: &Proxy, is: bool) {
    let name = proxy.direct_url().rsplit_once('/').unwrap().1;
    let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = {}", if is { "on" } else { "off" });
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    administer(proxy, &[&set, end]).await;
}

/// SQLite ends its reads in the same time: `a_read_that_takes_too_long_is_ended_and_the_connection_goes_on`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_waits_too_long_for_a_table_is_ended_and_the_next_one_is_answered() {
    let settings = "[database]\nstatement_timeout_ms = 300\nread_connections_max = 2";
    let server = TestServer::start_seeded_with(Engine::Postgres, settings).await;
    let ada = set_up(&server).await.bearer;
    let query = "{ offers { nodes { name } } conversions { nodes { status } } }";
    data(&server, &ada, query, json!({})).await;
    // More of them than there are connections: none of those may be lost.
    for _ in 0..2 {
        let ((locked, is_locked), (release, released)) = (oneshot::channel(), oneshot::channel::<()>());
        let hold = server.app.database.side_write(Box::new(move |tx| {
            Box::pin(async move {
                tx.execute_unprepared("LOCK TABLE conversion IN ACCESS EXCLUSIVE MODE").await?;
                locked.send(()).unwrap();
                released.await.unwrap();
                Ok(())
            })
        }));
        let meet = async {
            is_locked.await.unwrap();
            for answer in join_all((0..4).map(|_| ask(&server, &ada, query, json!({})))).await {
                assert_eq!(answer.1["errors"][0]["extensions"]["code"], "TIMEOUT", "{answer:?}");
            }
            let other = data(&server, &ada, "{ jobs { nodes { id } } }", json!({})).await;
            assert_eq!(other["jobs"]["nodes"], json!([]), "what the lock does not hold is read meanwhile");
            release.send(()).unwrap();
        };
        let (held, ()) = tokio::join!(hold, meet);
        held.unwrap();
        let seen = data(&server, &ada, query, json!({})).await;
        assert_eq!(seen["conversions"]["nodes"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_read_only_database_writes_are_put_off_and_reads_go_on() {
    let (server, shaky) = TestServer::start_shaky(Engine::Postgres, "").await;
    let probe = path(&server);
    let plot = async {
        sleep(millis(300)).await;
        make_read_only(shaky.proxy(), true).await;
        becomes_unready(&server, "read_only").await;
        for _ in 0..10 {
            is_put_off(&server, &probe).await;
            count(&server.app.database, &ReceiptFilter::default()).await.unwrap();
            assert_eq!(readiness(&server).await, (503, Some("read_only".to_owned())));
            sleep(millis(100)).await;
        }
        make_read_only(shaky.proxy(), false).await;
        comes_back(&server, &probe).await;
        sleep(millis(300)).await;
    };
    let (ledger, ()) = Ledger::during(&server, Crowd::Everybody, plot).await;
    assert!(ledger.unanswered() > 0, "nobody noticed");
    ledger.audit(&server, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postbacks_of_a_database_that_becomes_read_only_for_a_while_are_neither_lost_nor_doubled() {
    let (server, shaky) = TestServer::start_shaky(Engine::Postgres, "").await;
    let probe = path(&server);
    let plot = async {
        for _ in 0..2 {
            sleep(millis(300)).await;
            make_read_only(shaky.proxy(), true).await;
            is_put_off(&server, &probe).await;
            make_read_only(shaky.proxy(), false).await;
            comes_back(&server, &probe).await;
        }
    };
    let (ledger, ()) = Ledger::during(&server, Crowd::SendersOnly, plot).await;
    assert!(ledger.unanswered() > 0, "nobody noticed");
    ledger.audit(&server, 1).await;
}

/// A number below `end`.
fn drawn(entropy: &SeededEntropy, end: u32) -> u32 {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    u32::from_be_bytes(bytes) % end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_cut_at_any_byte_loses_nothing_and_doubles_nothing() {
    /// More than a commit or its answer has.
    const COMMIT_BYTES: usize = 20;
    let (server, shaky) = TestServer::start_shaky(Engine::Postgres, "").await;
    let chance = SeededEntropy::new("where a connection is cut");
    let somewhere = |below| usize::try_from(drawn(&chance, below)).unwrap();
    let cuts: Vec<Cut> = (0..COMMIT_BYTES)
        // A batch asks some ten thousand bytes and is answered some thousand.
        .flat_map(|n| {
            [Cut::InCommit(n), Cut::InAnswer(n), Cut::Asked(somewhere(16_000)), Cut::Answered(somewhere(3000))]
        })
        .collect();
    let probe = path(&server);
    let plot = async {
        for cut in cuts.iter().copied() {
            shaky.proxy().cut(cut);
            let armed = Instant::now();
            while !shaky.proxy().has_cut() {
                assert!(armed.elapsed() < Duration::from_secs(10), "{cut:?} never came");
                sleep(millis(2)).await;
            }
        }
        comes_back(&server, &probe).await;
    };
    let (ledger, ()) = Ledger::during(&server, Crowd::SendersOnly, plot).await;
    assert!(shaky.proxy().connected() > cuts.len(), "{}", shaky.proxy().connected());
    ledger.audit(&server, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_answers_no_more_is_given_up_and_another_one_is_made() {
    let (server, shaky) = TestServer::start_shaky(Engine::Postgres, "").await;
    let probe = path(&server);
    let plot = async {
        for _ in 0..20 {
            shaky.proxy().half_close();
            sleep(millis(100)).await;
        }
        comes_back(&server, &probe).await;
    };
    let (ledger, ()) = Ledger::during(&server, Crowd::SendersOnly, plot).await;
    assert!(shaky.proxy().connected() > 20, "{}", shaky.proxy().connected());
    ledger.audit(&server, 1).await;
}
