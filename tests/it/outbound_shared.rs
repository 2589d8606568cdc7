//! Deliveries outlive the servers that make them: kills in the middle, and several servers on one outbox.
//!
//! The servers and the receiver are processes. The long form of each test is ignored, and run by `make torture`.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use roundtrip::app::manage_outbound::{OutboundDraft, create_outbound};
use roundtrip::domain::ids::OutboundPostbackId;
use roundtrip::domain::operator::Principal;
use roundtrip::domain::outbound::Moment;
use roundtrip::store::Engine;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use tokio::time::{Instant, sleep};

use crate::support::desk::done;
use crate::support::on_both_engines;
use crate::support::process::{Home, Process};
use crate::support::publishers::{firing, with_id};
use crate::support::receiver::{Receiver, Seen};

/// Requests of one server to one host at a time: as many may be sent twice for each kill.
const AT_A_TIME: usize = 8;

async fn home(engine: Engine) -> Home {
    let settings = [
        ("OUTBOUND__ALLOW_HTTP", "true"),
        ("OUTBOUND__ALLOW_PRIVATE", "127.0.0.1/32"),
        ("OUTBOUND__TIMEOUT_MS", "1000"),
        ("OUTBOUND__LEASE_SECONDS", "2"),
        ("OUTBOUND__HOST_IN_FLIGHT_MAX", "8"),
    ];
    Home::furnish_with(engine, &settings).await
}

async fn rule(home: &Home, url: String, delay_seconds: i32) -> OutboundPostbackId {
    let draft = OutboundDraft {
        name: Some("Rule".into()),
        delay_seconds: Some(delay_seconds),
        ..firing(&[Moment::Approved], url)
    };
    done(create_outbound(&home.app, &Principal::system(), &draft).await).rule.id
}

/// Reports conversions without a click, each with a click id of its own.
async fn convert(server: &Process, numbers: std::ops::Range<usize>) {
    let sent = futures_util::stream::iter(numbers).map(async |number| {
        let path = format!("/postback/clickless?offer=42&publisher=7&external_transaction_id=click-{number}");
        let (status, told) = server.told(&path).await;
        assert_eq!((status, &told["code"]), (200, &"recorded".into()), "{told}");
    });
    sent.buffer_unordered(32).collect::<Vec<()>>().await;
}

/// Deliveries that are still to be sent, and all.
async fn left(home: &Home, rule: OutboundPostbackId) -> (u64, u64) {
    let counted = home.app.database.side_write(Box::new(move |tx| {
        Box::pin(async move {
            let all = entity::delivery::Entity::find().filter(entity::delivery::Column::OutboundId.eq(rule.uuid()));
            let open = all.clone().filter(entity::delivery::Column::FinishedAt.is_null());
            Ok((open.count(tx).await?, all.count(tx).await?))
        })
    }));
    counted.await.unwrap()
}

async fn all_ended(home: &Home, rule: OutboundPostbackId, patience: Duration) {
    let began = Instant::now();
    loop {
        let (open, all) = left(home, rule).await;
        if open == 0 && all > 0 {
            return;
        }
        assert!(began.elapsed() < patience, "{open} of {all} are still open");
        sleep(Duration::from_millis(100)).await;
    }
}

/// How often each click id was told, and under how many ids.
fn told(seen: &[Seen]) -> HashMap<String, (usize, usize)> {
    let mut told: HashMap<String, Vec<&str>> = HashMap::new();
    for one in seen {
        let click = one.target.split("cid=").nth(1).unwrap().split('&').next().unwrap();
        told.entry(click.to_owned()).or_default().push(one.id());
    }
    let counted = told.into_iter().map(|(click, mut ids)| {
        let times = ids.len();
        ids.sort_unstable();
        ids.dedup();
        (click, (times, ids.len()))
    });
    counted.collect()
}

/// Every change is delivered at least once although the server is killed again and again, under one id, and no more
/// often than leases were lost.
async fn kills(engine: Engine, deliveries: usize, kills: usize) {
    let home = home(engine).await;
    let receiver = Receiver::start();
    let rule = rule(&home, receiver.url(&with_id("/slow/15")), 0).await;
    let mut server = home.serve(&home.database_url).await;
    let piece = deliveries.div_ceil(kills + 1);
    for kill in 0..kills {
        convert(&server, kill * piece..(kill + 1) * piece).await;
        // In the middle of what it has on its way.
        sleep(Duration::from_millis(40)).await;
        server.kill();
        server = home.serve(&home.database_url).await;
    }
    convert(&server, kills * piece..deliveries).await;
    all_ended(&home, rule, Duration::from_secs(30 + u64::try_from(deliveries).unwrap() / 20)).await;
    let seen = receiver.seen().await;
    let told = told(&seen);
    let repeats = seen.len() - told.len();
    println!("{engine:?}: {deliveries} deliveries, {kills} kills, {repeats} sent twice");
    assert_eq!(told.len(), deliveries, "each conversion is told at least once");
    assert!(told.values().all(|(_, ids)| *ids == 1), "each under one id: {told:?}");
    assert!(repeats <= kills * AT_A_TIME, "{repeats} repeats for {kills} kills");
}

/// Several servers share one outbox: nothing is lost and nothing sent twice, and each does some of it. The receiver
/// takes `millis` for each: more than one server with its few requests at a time has finished before the others look.
async fn shared(servers: usize, deliveries: usize, millis: u32) {
    let home = home(Engine::Postgres).await;
    let receiver = Receiver::start();
    let mut running: Vec<Process> = Vec::new();
    for _ in 0..servers {
        running.push(home.serve(&home.database_url).await);
    }
    // All become due while all servers look.
    let rule = rule(&home, receiver.url(&with_id(&format!("/slow/{millis}"))), 5).await;
    sleep(Duration::from_millis(1500)).await;
    convert(&running[0], 0..deliveries).await;
    all_ended(&home, rule, Duration::from_secs(60 + u64::try_from(deliveries).unwrap() / 50)).await;
    let seen = receiver.seen().await;
    let told = told(&seen);
    assert_eq!((told.len(), seen.len()), (deliveries, deliveries), "each once");
    let mut shares = Vec::new();
    for server in &running {
        shares.push(server.counted("roundtrip_outbound_tries_total{outcome=\"succeeded\"}").await);
        assert_eq!(server.counted("roundtrip_outbound_late_total").await, 0);
    }
    println!("{deliveries} deliveries by {servers} servers: {shares:?}");
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    assert_eq!(shares.iter().sum::<u64>(), u64::try_from(deliveries).unwrap());
}

on_both_engines! {
    async fn deliveries_outlive_servers_that_are_killed(engine: Engine) {
        kills(engine, 240, 3).await;
    }

    #[ignore = "minutes: `make torture` runs it"]
    async fn ten_thousand_deliveries_outlive_servers_that_are_killed(engine: Engine) {
        kills(engine, 10_000, 40).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_servers_share_the_deliveries() {
    shared(3, 300, 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: `make torture` runs it"]
async fn four_servers_share_twenty_thousand_deliveries() {
    shared(4, 20_000, 5).await;
}

/// Fifty hosts, one of which hangs if `dead`, and a conversion of all of them every fifth of a second. For how long 95 of
/// 100 deliveries to the others waited, and how many requests the fiftieth got.
async fn beside_a_fiftieth(dead: bool, conversions: usize) -> (Duration, usize) {
    let home = home(Engine::Sqlite).await;
    let receivers: Vec<Receiver> = (0..49).map(|_| Receiver::start()).collect();
    for receiver in &receivers {
        rule(&home, receiver.url(&with_id("/slow/20")), 0).await;
    }
    let fiftieth = Receiver::start();
    let its_rule = rule(&home, fiftieth.url(&with_id(if dead { "/hang" } else { "/slow/20" })), 0).await;
    let server = home.serve(&home.database_url).await;
    for number in 0..conversions {
        convert(&server, number..number + 1).await;
        sleep(Duration::from_millis(200)).await;
    }
    let began = Instant::now();
    let rows = loop {
        let rows = home.app.database.side_write(Box::new(move |tx| {
            Box::pin(async move {
                let of_others = entity::delivery::Column::OutboundId.ne(its_rule.uuid());
                let ended = entity::delivery::Column::FinishedAt.is_not_null();
                Ok(entity::delivery::Entity::find().filter(of_others).filter(ended).all(tx).await?)
            })
        }));
        let rows = rows.await.unwrap();
        if rows.len() == conversions * receivers.len() {
            break rows;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{} have ended", rows.len());
        sleep(Duration::from_millis(100)).await;
    };
    assert!(rows.iter().all(|row| row.attempts == 1 && row.state == "succeeded"), "each at once");
    let mut waits: Vec<i64> = rows.iter().map(|row| row.finished_at.unwrap() - row.created_at).collect();
    waits.sort_unstable();
    let p95 = Duration::from_millis(u64::try_from(waits[waits.len() * 95 / 100]).unwrap());
    (p95, fiftieth.seen().await.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "fifty processes: `make torture` runs it"]
async fn one_dead_host_among_fifty_takes_few_places_and_no_delivery_of_another_waits_for_it() {
    const CONVERSIONS: usize = 40;
    let mut waits = [const { Vec::new() }; 2];
    for _ in 0..3 {
        for (waits, dead) in waits.iter_mut().zip([false, true]) {
            let (p95, requests) = beside_a_fiftieth(dead, CONVERSIONS).await;
            waits.push(p95);
            // Those that were on their way when the fifth failed, and those that failed.
            let most = if dead { AT_A_TIME + 5 } else { CONVERSIONS };
            assert!((1..=most).contains(&requests), "{requests} requests to the fiftieth");
        }
    }
    let [alive, dead] = waits;
    println!(
        "p95 from the change to its arrival, 49 hosts: {alive:?} beside a host that works, {dead:?} beside one that hangs"
    );
}
