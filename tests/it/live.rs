//! What is followed live: through the real socket, with connections that are lost, on several servers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};
use roundtrip::app::retention::{FEED_SECONDS, pass};
use roundtrip::domain::clock::Clock as _;
use roundtrip::domain::operator::Role;
use roundtrip::domain::snapshot::Snapshot;
use roundtrip::graphql::schema::sdl;
use roundtrip::store::Engine;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use crate::support::databases::ids;
use crate::support::on_both_engines;
use crate::support::server::{TestServer, told};
use crate::support::socket::{Came, Socket, signed_in};

const RECEIPTS: &str =
    "subscription($after: String) { receipts(after: $after) { cursor receipt { id } gap { since until } } }";
const CHANGES: &str = "subscription($after: String) { \
    conversionChanges(after: $after, filter: { includeTests: true }) { cursor change { id type } gap { since until } } }";

on_both_engines! {
    async fn whoever_follows_is_told_of_each_receipt_and_each_change_in_order(engine: Engine) {
        let server = TestServer::start_seeded(engine).await;
        let bearer = signed_in(&server).await;
        let mut socket = Socket::signed_in(&server, &bearer).await;
        socket.subscribe("r", RECEIPTS, json!({})).await;
        let first = socket.item().await["data"]["receipts"].take();
        assert!(first["cursor"].is_string() && first["receipt"].is_null() && first["gap"].is_null(), "{first}");
        socket.subscribe("c", CHANGES, json!({})).await;
        assert_eq!(socket.item().await["data"]["conversionChanges"]["change"], Value::Null);
        let id = server.mint();
        let mut expected = Vec::new();
        for path in [format!("/postback?transaction_id={id}"), format!("/reject?transaction_id={id}&reason=x")] {
            expected.push(server.told(&path).await.1["receipt_id"].clone());
            sleep(Duration::from_millis(300)).await;
        }
        let (mut receipts, mut changes) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let item = socket.item().await;
            let receipt = &item["data"]["receipts"]["receipt"]["id"];
            if receipt.is_null() {
                changes.push(item["data"]["conversionChanges"]["change"]["type"].clone());
            } else {
                receipts.push(receipt.clone());
            }
        }
        assert_eq!(receipts, expected);
        assert_eq!(changes, ["RECORDED", "REJECTED"]);
    }

    async fn a_subscriber_who_loses_his_connection_again_and_again_misses_nothing_and_gets_nothing_twice(engine: Engine) {
        let here = TestServer::start_seeded(engine).await;
        let there = here.sibling().await;
        let bearer = signed_in(&here).await;
        let servers = Arc::new([here, there]);
        let sending = Arc::new(AtomicBool::new(true));
        let following = [(RECEIPTS, "receipts", "receipt"), (CHANGES, "conversionChanges", "change")].map(|of| {
            followed(Arc::clone(&servers), bearer.clone(), Arc::clone(&sending), of)
        });
        let following: Vec<_> = following.into_iter().map(spawn).collect();
        // Both have their first cursor by then.
        sleep(Duration::from_secs(1)).await;
        let sent = send_for(&servers, Duration::from_secs(4)).await;
        sending.store(false, Ordering::SeqCst);
        let mut losses = 0;
        for (following, table) in following.into_iter().zip(["receipt", "conversion_change"]) {
            let follower = following.await.unwrap();
            losses += follower.lost;
            let mut times: HashMap<&str, u32> = HashMap::new();
            follower.ids.iter().for_each(|id| *times.entry(id).or_default() += 1);
            let ledger = ids(&servers[0].app.database, table).await;
            let missed: Vec<_> = ledger.iter().filter(|id| !times.contains_key(id.as_str())).collect();
            assert_eq!(missed, Vec::<&String>::new(), "{table}: of {}", ledger.len());
            let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
            assert_eq!(twice, [], "{table}");
            assert_eq!(times.len(), ledger.len(), "{table}");
        }
        println!("{sent} requests in 4 s on two servers, {losses} connections lost");
        // 500 a second, where the server is not slowed down by its own debugging.
        let least = if cfg!(debug_assertions) { 200 } else { 2_000 };
        assert!(sent >= least && losses > 10, "{sent} {losses}");
    }

    async fn who_comes_back_too_late_is_told_what_is_missing(engine: Engine) {
        let server = TestServer::start_seeded(engine).await;
        let bearer = signed_in(&server).await;
        let mut socket = Socket::signed_in(&server, &bearer).await;
        socket.subscribe("r", RECEIPTS, json!({})).await;
        let cursor = socket.item().await["data"]["receipts"]["cursor"].take();
        let began = server.clock.now();
        let send = async || server.told(&format!("/postback?transaction_id={}", server.mint())).await.1;
        send().await;
        server.clock.advance_seconds(10);
        let last_old = send().await;
        let ended = server.clock.now();
        server.clock.advance_seconds(FEED_SECONDS - 1);
        let kept = send().await;
        // Nothing is old yet but what is exactly an hour old is kept.
        pass(&server.app.database, ended.plus_seconds(FEED_SECONDS), server.app.kept()).await.unwrap();
        drop(socket);
        let bearer = renewed(&server).await;
        let mut socket = Socket::signed_in(&server, &bearer).await;
        socket.subscribe("r", RECEIPTS, json!({ "after": cursor })).await;
        socket.item().await;
        pass(&server.app.database, ended.plus_seconds(FEED_SECONDS).plus_millis(1), server.app.kept()).await.unwrap();
        socket.subscribe("late", RECEIPTS, json!({ "after": cursor })).await;
        let mut gap = Value::Null;
        let mut later = Vec::new();
        while later.is_empty() {
            let Came::Message(message) = socket.next().await else { panic!("closed") };
            let item = &message["payload"]["data"]["receipts"];
            if message["id"] == "late" {
                if item["receipt"].is_null() { gap = item["gap"].clone() } else { later.push(item["receipt"]["id"].clone()) }
            }
        }
        assert_eq!(gap, json!({ "since": began.to_string(), "until": ended.to_string() }));
        assert_eq!(later, [kept["receipt_id"].clone()], "not {last_old}");
    }

    async fn a_job_is_watched_until_its_end_also_from_another_server(engine: Engine) {
        let here = TestServer::start_seeded(engine).await;
        let there = here.sibling().await;
        let bearer = signed_in(&here).await;
        for _ in 0..5 {
            here.told(&format!("/postback?transaction_id={}", here.mint())).await;
        }
        let start = json!({ "query": "mutation { conversionsExport(filter: {}) { job { id } userErrors { message } } }" });
        let request = here.request("POST", "/graphql").bearer_auth(&bearer).header("content-type", "application/json");
        let (_, told) = told(request.body(start.to_string()).send().await.unwrap()).await;
        let id = told["data"]["conversionsExport"]["job"]["id"].clone();
        let query = "subscription($id: ID!) { job(id: $id) { id state processed } }";
        for server in [&here, &there] {
            let mut socket = Socket::signed_in(server, &bearer).await;
            socket.subscribe("j", query, json!({ "id": id })).await;
            let mut last = Value::Null;
            while let Came::Message(mut message) = socket.next().await {
                if message["type"] == "complete" {
                    break;
                }
                last = message["payload"]["data"]["job"].take();
            }
            assert_eq!(last["state"], "SUCCEEDED", "{last}");
            socket.subscribe("x", query, json!({ "id": "job_00000000000000000000000000000000" })).await;
            let Came::Message(message) = socket.next().await else { panic!("closed") };
            assert_eq!((&message["type"], &message["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("BAD_USER_INPUT")));
        }
    }

    async fn a_stream_ends_with_the_session_and_with_its_token(engine: Engine) {
        let server = TestServer::start_seeded(engine).await;
        let bearer = signed_in(&server).await;
        let mut socket = Socket::signed_in(&server, &bearer).await;
        socket.subscribe("r", RECEIPTS, json!({})).await;
        socket.item().await;
        let out = server.request("DELETE", "/api/session").bearer_auth(&bearer).send().await.unwrap();
        assert_eq!(out.status(), 204);
        server.told(&format!("/postback?transaction_id={}", server.mint())).await;
        assert_eq!(socket.next().await, Came::Closed(4403), "and no item comes first");
        let bearer = renewed(&server).await;
        let mut socket = Socket::signed_in(&server, &bearer).await;
        server.clock.advance_seconds(899);
        socket.send(&json!({ "type": "ping" })).await;
        assert_eq!(socket.next().await, Came::Message(json!({ "type": "pong" })));
        server.clock.advance_seconds(7);
        assert_eq!(socket.closed().await, 4403);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_falls_ends_the_streams_and_guards_hold_in_each_item() {
    let server = TestServer::start_seeded(Engine::Sqlite).await;
    let bearer = signed_in(&server).await;
    set_role(&server, Role::Viewer);
    let mut socket = Socket::signed_in(&server, &bearer).await;
    let query = "subscription { receipts { receipt { code params { key } offer { name } } } }";
    socket.subscribe("r", query, json!({})).await;
    socket.item().await;
    server.told(&format!("/postback?transaction_id={}", server.mint())).await;
    let item = socket.item().await;
    let shown = json!({ "code": "RECORDED", "params": null, "offer": { "name": "Offer" } });
    assert_eq!(item["data"]["receipts"]["receipt"], shown, "{item}");
    assert_eq!(item["errors"][0]["extensions"]["code"], "FORBIDDEN");
    set_role(&server, Role::Manager);
    assert_eq!(socket.closed().await, 4403, "another role is another person");
}

/// As a control write does: under a new version.
fn set_role(server: &TestServer, role: Role) {
    let mut changed = Snapshot::clone(&server.app.snapshot.load());
    changed.version += 1;
    changed.operators.values_mut().for_each(|operator| operator.role = role);
    server.app.snapshot.store(Arc::new(changed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_says_so_and_does_not_wait_for_its_subscribers() {
    let server = TestServer::start_seeded(Engine::Sqlite).await;
    let bearer = signed_in(&server).await;
    let mut socket = Socket::signed_in(&server, &bearer).await;
    socket.subscribe("r", RECEIPTS, json!({})).await;
    socket.item().await;
    let mut strange = Socket::open(&server, &[]).await.unwrap();
    let began = Instant::now();
    let ended = spawn(server.end());
    assert_eq!((socket.closed().await, strange.closed().await), (1001, 1001));
    ended.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_is_for_pages_of_ours_and_of_the_list_and_for_the_one_protocol() {
    let listed = "[server]\ncors_origins = [\"https://desk.example\"]";
    let server = TestServer::start_with(Engine::Sqlite, listed).await;
    let refused = async |headers: &[(&'static str, &str)]| match Socket::open(&server, headers).await {
        Ok(_) => 101,
        Err(response) => response.status().as_u16(),
    };
    let own = server.url("");
    assert_eq!(refused(&[("origin", &own)]).await, 101);
    assert_eq!(refused(&[("origin", "https://desk.example")]).await, 101);
    assert_eq!(refused(&[("origin", "https://evil.example")]).await, 403);
    assert_eq!(refused(&[("origin", "null")]).await, 403);
    assert_eq!(refused(&[("sec-websocket-protocol", "graphql-ws")]).await, 400);
    assert_eq!(refused(&[("sec-websocket-version", "12")]).await, 426);
    assert_eq!(server.get("/graphql/ws").await.status(), 426);
    assert_eq!(server.get_on_domain("/graphql/ws").await.status(), 404, "not on a tracking domain");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_subscription_is_told_and_costs_no_more_than_it() {
    let server = TestServer::start_seeded(Engine::Sqlite).await;
    let bearer = signed_in(&server).await;
    let mut socket = Socket::signed_in(&server, &bearer).await;
    let wrong = [
        ("{ viewer { name } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("mutation { offerArchive(id: \"offer_42\") { userErrors { code } } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { receipts { nothing } }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { receipts {", json!({}), "GRAPHQL_PARSE_FAILED"),
        ("subscription { a: receipts { cursor } b: receipts { cursor } }", json!({}), "QUERY_TOO_COMPLEX"),
        (RECEIPTS, json!({ "after": "abc" }), "BAD_USER_INPUT"),
    ];
    for (query, variables, code) in wrong {
        socket.subscribe("x", query, variables).await;
        let Came::Message(message) = socket.next().await else { panic!("closed: {query}") };
        assert_eq!((&message["id"], &message["type"]), (&json!("x"), &json!("error")), "{message}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{message}");
    }
    // A cursor of another subscription is none of this one.
    socket.subscribe("c", CHANGES, json!({})).await;
    let cursor = socket.item().await["data"]["conversionChanges"]["cursor"].take();
    socket.subscribe("x", RECEIPTS, json!({ "after": cursor })).await;
    let Came::Message(message) = socket.next().await else { panic!("closed") };
    assert_eq!(message["payload"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let long = format!("{{\"type\":\"ping\",\"payload\":\"{}\"}}", "x".repeat(64 * 1024));
    socket.send_raw(Message::text(long)).await;
    assert_ne!(socket.closed().await, 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_subscription_is_answered_without_signing_in() {
    let server = TestServer::start_seeded(Engine::Sqlite).await;
    let document = parse_schema(sdl()).unwrap();
    let mut fields: Vec<String> = Vec::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(of) = definition else { continue };
        let TypeKind::Object(object) = of.node.kind else { continue };
        if of.node.name.node == "Subscription" {
            fields.extend(object.fields.into_iter().map(|field| field.node.name.node.to_string()));
        }
    }
    assert!(fields.len() >= 3, "{fields:?}");
    for field in fields {
        let mut socket = Socket::open(&server, &[]).await.unwrap();
        socket.subscribe("x", &format!("subscription {{ {field} {{ __typename }} }}"), json!({})).await;
        assert_eq!(socket.next().await, Came::Closed(4401), "{field}");
    }
}

/// What one follower has.
struct Follower {
    ids: Vec<String>,
    lost: u32,
}

/// Follows, on one server after the other, and loses the connection every few items.
async fn followed(
    servers: Arc<[TestServer; 2]>,
    bearer: String,
    sending: Arc<AtomicBool>,
    (query, field, item): (&'static str, &'static str, &'static str),
) -> Follower {
    let mut cursor = Value::Null;
    let mut follower = Follower { ids: Vec::new(), lost: 0 };
    loop {
        let server = &servers[usize::from(follower.lost % 2 == 1)];
        let mut socket = Socket::signed_in(server, &bearer).await;
        socket.subscribe("f", query, json!({ "after": cursor })).await;
        // Not the same number of items twice in a row.
        for _ in 0..(17 + follower.lost * 13 % 60) {
            let was_sending = sending.load(Ordering::SeqCst);
            match timeout(Duration::from_secs(3), socket.item()).await {
                Ok(mut told) => {
                    let told = told["data"][field].take();
                    assert!(told["gap"].is_null(), "{told}");
                    cursor = told["cursor"].clone();
                    follower.ids.extend(told[item]["id"].as_str().map(|id| id[4..].to_owned()));
                }
                // Silence after the end is the end.
                Err(_) if !was_sending => return follower,
                Err(_) => {}
            }
        }
        follower.lost += 1;
    }
}

/// Sends about 600 requests a second to both servers, conversions and refusals, some of them twice; how many.
async fn send_for(servers: &Arc<[TestServer; 2]>, time: Duration) -> u32 {
    let end = Instant::now() + time;
    let mut senders = JoinSet::new();
    for number in 0..16_u32 {
        let servers = Arc::clone(servers);
        senders.spawn(async move {
            let mut sent = 0;
            let mut next = Instant::now();
            while Instant::now() < end {
                next += Duration::from_millis(26);
                let server = &servers[usize::from((sent + number) % 2 == 1)];
                let path = match sent % 4 {
                    0 => "/postback?transaction_id=nonsense".to_owned(),
                    _ => format!("/postback?transaction_id={}", server.mint()),
                };
                let (status, _) = server.told(&path).await;
                assert!(status == 200 || status == 422 || status == 400, "{status}");
                sent += 1;
                tokio::time::sleep_until(next).await;
            }
            sent
        });
    }
    senders.join_all().await.into_iter().sum()
}

/// A new access token of the first administrator.
async fn renewed(server: &TestServer) -> String {
    let credentials = json!({ "email": "ada@shop.example", "password": "correct horse battery" });
    let (status, welcome) = told(server.post_json("/api/session", credentials.to_string()).await).await;
    assert_eq!(status, 200, "{welcome}");
    welcome["access_token"].as_str().unwrap().to_owned()
}

fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    #[expect(clippy::disallowed_methods, reason = "awaited by the test that asks for it")]
    tokio::spawn(work)
}
