//! Moving in: clicks that another system tracked, and the conversions that come home under its ids.

use futures_util::future::join_all;
use roundtrip::app::App;
use roundtrip::app::import_clicks::{BadLine, Imported, import_clicks};
use roundtrip::app::retention;
use roundtrip::app::verify::verify;
use roundtrip::domain::clock::Timestamp;
use roundtrip::domain::code::Code::{self, *};
use roundtrip::domain::inbound::Door;
use roundtrip::domain::operator::Principal;
use roundtrip::store::{Engine, audit, foreign_clicks};
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::databases::{rollup, rows, tamper};
use crate::support::desk::done;
use crate::support::on_both_engines;
use crate::support::server::TestServer;

/// What became of a file, and its bad lines as `number: reason`.
async fn import(app: &App, csv: &str) -> (Imported, Vec<String>) {
    let mut bad = Vec::new();
    let mut tell = |BadLine { number, reason }| bad.push(format!("{number}: {reason}"));
    let imported = import_clicks(app, &Principal::system(), "clicks.csv", csv.as_bytes(), &mut tell).await;
    (done(imported), bad)
}

fn added(added: u64) -> (Imported, Vec<String>) {
    (Imported { added, ..Imported::default() }, Vec::new())
}

/// One visit, `hours` ago.
fn visit(app: &App, id: &str, hours: i64) -> String {
    let at: Timestamp = app.clock.now().plus_seconds(-hours * 3600);
    format!("id,offer,publisher,time,sub_id,external_transaction_id\n{id},42,7,{at},news,ext-1\n")
}

struct Desk {
    admin: Admin,
    secret: String,
}

impl Desk {
    async fn start(engine: Engine) -> Self {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        Self { admin, secret }
    }

    async fn track(&self, door: Door, query: &str, code: Code) -> roundtrip::domain::answer::Answer {
        let answer = self.admin.track(door, &format!("secure={}&{query}", self.secret)).await;
        assert_eq!(answer.code, code, "{query}: {}", answer.to_json());
        answer
    }

    async fn shown(&self, id: &str) -> Value {
        let query = "query($id: ID!) { conversion(by: { id: $id }) { status rejectionReason subId
            externalTransactionId clickPending clickedAt publisher { number } event { name } } }";
        self.admin.data(query, json!({ "id": id })).await["conversion"].take()
    }

    async fn is_clean(&self) {
        let report = verify(&self.admin.app.database).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

on_both_engines! {
    async fn a_conversion_comes_home_under_the_id_of_another_system(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        let query = "transaction_id=6650fa0c1f-A";
        desk.track(Door::Postback, query, MalformedTransactionId).await;
        assert_eq!(import(app, &visit(app, "6650fa0c1f-A", 5)).await, added(1));
        let recorded = desk.track(Door::Postback, query, Recorded).await;
        let again = desk.track(Door::Postback, query, Duplicate).await;
        assert_eq!(again.conversion, recorded.conversion);
        let shown = desk.shown(&recorded.conversion.unwrap().to_string()).await;
        let clicked_at = app.clock.now().plus_seconds(-5 * 3600).to_string();
        assert_eq!(
            shown,
            json!({ "status": "APPROVED", "rejectionReason": null, "subId": "news", "externalTransactionId": "ext-1",
                "clickPending": false, "clickedAt": clicked_at, "publisher": { "number": 7 }, "event": null })
        );
        desk.track(Door::Rejection, &format!("{query}&reason=fraud"), Rejected).await;
        desk.track(Door::Status, &format!("{query}&status=approved"), StatusChanged).await;
        desk.track(Door::Postback, "transaction_id=6650fa0c1f-a", MalformedTransactionId).await;
        let sums = rollup(&app.database).await;
        assert_eq!((sums["clicks"], sums["conversions"]), (0, 1));
        desk.is_clean().await;
    }

    async fn the_sealed_id_that_an_answer_tells_means_the_same_visit(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        import(app, &visit(app, "abc", 5)).await;
        let recorded = desk.track(Door::Postback, "transaction_id=abc", Recorded).await;
        let sealed = recorded.transaction_id.unwrap();
        desk.track(Door::Postback, &format!("transaction_id={sealed}"), Duplicate).await;
        let set = "mutation { offerEventsSet(id: \"offer_42\", version: 1, events: [
            { number: 1, name: \"lead\", revenue: { fixed: \"2\" }, payout: { fixed: \"1\" } },
            { number: 2, name: \"deposit\", revenue: { fixed: \"2\" }, payout: { fixed: \"1\" } }])
            { userErrors { message } } }";
        desk.admin.done(set, json!({})).await;
        for (id, event) in [(sealed.to_string(), "lead"), ("abc".to_owned(), "deposit")] {
            let query = format!("transaction_id={id}&event_name={event}");
            let event = desk.track(Door::Postback, &query, Recorded).await;
            let shown = desk.shown(&event.conversion.unwrap().to_string()).await;
            assert_eq!((&shown["subId"], &shown["clickPending"]), (&json!("news"), &json!(false)));
        }
        desk.is_clean().await;
    }

    async fn a_rejection_under_a_foreign_id_waits_for_its_conversion(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        import(app, &visit(app, "abc", 5)).await;
        desk.track(Door::Rejection, "transaction_id=abc&reason=fraud", Parked).await;
        let recorded = desk.track(Door::Postback, "transaction_id=abc", Recorded).await;
        assert_eq!(desk.shown(&recorded.conversion.unwrap().to_string()).await["status"], "REJECTED");
        desk.is_clean().await;
    }

    async fn the_window_of_a_foreign_click_begins_at_its_time(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        import(app, &visit(app, "in-time", 30 * 24)).await;
        import(app, &visit(app, "too-late", 30 * 24 + 1)).await;
        for (id, status, reason) in [("in-time", "APPROVED", None), ("too-late", "REJECTED", Some("outside_window"))] {
            let recorded = desk.track(Door::Postback, &format!("transaction_id={id}"), Recorded).await;
            let shown = desk.shown(&recorded.conversion.unwrap().to_string()).await;
            assert_eq!((shown["status"].as_str(), shown["rejectionReason"].as_str()), (Some(status), reason));
        }
    }

    async fn sixty_four_equal_postbacks_under_a_foreign_id_are_one_conversion(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        import(app, &visit(app, "abc", 5)).await;
        let query = format!("secure={}&transaction_id=abc&order_id=A", desk.secret);
        let answers = join_all((0..64).map(|_| desk.admin.track(Door::Postback, &query))).await;
        assert_eq!(answers.iter().filter(|answer| answer.code == Recorded).count(), 1);
        assert!(answers.iter().all(|answer| answer.conversion == answers[0].conversion));
        assert_eq!(rows(&app.database).await["conversion"], 1);
    }

    async fn without_a_token_nothing_but_a_sealed_id_is_believed(engine: Engine) {
        let server = TestServer::start_seeded(engine).await;
        import(&server.app, &visit(&server.app, "abc", 5)).await;
        let pixel = server.request("GET", "/pixel.gif?transaction_id=abc").header("host", "pixel.localhost");
        let pixel = pixel.send().await.unwrap();
        assert_eq!(pixel.headers()["x-conversion-result"], "refused");
        server.change_offer(|offer| {
            offer.switches.reject_without_secure = true;
            offer.reject_allowed_addresses = vec!["127.0.0.0/8".parse().unwrap()];
        });
        assert_eq!(server.get("/reject?transaction_id=abc&new_rejected_reason=fraud").await.status(), 401);
        assert_eq!(server.told("/reject?transaction_id=abc&new_rejected_reason=fraud").await.0, 202);
    }

    async fn what_one_server_imports_converts_on_the_other_at_once(engine: Engine) {
        let here = TestServer::start_seeded(engine).await;
        let there = here.sibling().await;
        import(&here.app, &visit(&here.app, "abc", 5)).await;
        let answers = join_all((0..16).map(|n| {
            if n % 2 == 0 { here.told("/postback?transaction_id=abc") } else { there.told("/postback?transaction_id=abc") }
        }));
        let answers = answers.await;
        assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
        assert_eq!(answers.iter().filter(|(_, answer)| answer["code"] == "recorded").count(), 1);
    }

    async fn a_dry_run_and_an_explanation_know_foreign_ids_too(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        import(app, &visit(app, "abc", 5)).await;
        let dry = desk.track(Door::Postback, "transaction_id=abc&dry_run=1", DryRun).await;
        assert_eq!(dry.rehearsal.unwrap().would_be, Recorded);
        let url = format!("https://t.example/postback?secure={}&transaction_id=abc", desk.secret);
        let query = "query($url: String!) { postbackExplain(url: $url) { code } }";
        let told = desk.admin.data(query, json!({ "url": url })).await;
        assert_eq!(told["postbackExplain"]["code"], "RECORDED");
        assert_eq!(rows(&app.database).await["conversion"], 0);
    }

    async fn a_conversion_is_found_by_the_id_of_the_other_system(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        import(app, &visit(app, "abc", 5)).await;
        let recorded = desk.track(Door::Postback, "transaction_id=abc", Recorded).await.conversion.unwrap();
        let query = "query($id: String!) { conversion(by: { transactionId: $id }) { id } }";
        for (id, found) in [("abc", json!({ "id": recorded.to_string() })), ("abd", Value::Null), ("a\0c", Value::Null)] {
            assert_eq!(desk.admin.data(query, json!({ "id": id })).await["conversion"], found, "{id:?}");
        }
    }

    async fn to_import_a_file_again_changes_nothing_and_another_visit_is_refused(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        let file = visit(app, "abc", 5);
        assert_eq!(import(app, &file).await, added(1));
        let kept = foreign_clicks::find_alias(&app.database, "abc").await.unwrap();
        assert_eq!(import(app, &file).await.0, Imported { known: 1, ..Imported::default() });
        let (imported, bad) = import(app, &visit(app, "abc", 6)).await;
        assert_eq!((imported.bad, bad.len()), (1, 1));
        assert_eq!(bad[0], "2: the id is there already, for another visit");
        assert_eq!(foreign_clicks::find_alias(&app.database, "abc").await.unwrap(), kept);
        let entries = audit::find_by_subject(&app.database, "", 10).await.unwrap();
        assert_eq!(entries.iter().filter(|entry| entry.action == "clicks.import").count(), 3);
    }

    async fn bad_lines_are_told_by_number_and_the_others_are_taken(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        let now = app.clock.now();
        let seconds = now.as_millis() / 1000;
        let mut csv = format!("\u{feff}Time, ID ,publisher,offer\n{now},a,7,42\n{seconds},b,7,42\n");
        csv.push_str(&format!("{now},,7,42\n{now},c,8,42\n{now},d,7,43\n{now},e,7,x\nyesterday,f,7,42\n{now},g\n\n"));
        csv.push_str(&format!("{now},{{click}},7,42\n{now},{},7,42\n", "x".repeat(65)));
        csv.push_str(&format!("\"{now}\",\"h \"\"1\"\"\",7,42\n"));
        let (imported, bad) = import(app, &csv).await;
        assert_eq!(imported, Imported { added: 3, known: 0, bad: 8 });
        let numbers: Vec<&str> = bad.iter().map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(numbers, ["4", "5", "6", "7", "8", "9", "10", "12"]);
        desk.track(Door::Postback, "transaction_id=h+%221%22", Recorded).await;
    }

    async fn a_long_file_is_written_in_steps(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        let now = app.clock.now();
        for (rows, more) in [(999, 0), (1000, 1), (1001, 1), (2500, 1499)] {
            let lines: String = (0..rows).map(|n| format!("id-{n},42,7,{now}\n")).collect();
            let (imported, bad) = import(app, &format!("id,offer,publisher,time\n{lines}")).await;
            let expected = if rows == 999 { 999 } else { more };
            assert_eq!((imported.added, imported.known, bad.len()), (expected, rows - expected, 0), "{rows}");
        }
        desk.track(Door::Postback, "transaction_id=id-2499", Recorded).await;
    }

    async fn a_foreign_click_is_forgotten_when_no_request_about_it_could_count(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        import(app, &visit(app, "abc", 0)).await;
        let kept = async |app: &App| foreign_clicks::find_alias(&app.database, "abc").await.unwrap().is_some();
        for (days, expected) in [(394, true), (395, true), (396, false)] {
            let then = app.clock.now().plus_seconds(days * 24 * 3600);
            retention::pass(&app.database, then, retention::Kept { receipt_days: 30, delivery_days: 30 }).await.unwrap();
            assert_eq!(kept(app).await, expected, "{days}");
        }
    }

    async fn where_nothing_was_imported_no_id_is_looked_up(engine: Engine) {
        let desk = Desk::start(engine).await;
        let app = &desk.admin.app;
        let sealed = match engine {
            Engine::Sqlite => "x'00'",
            Engine::Postgres => "'\\x00'::bytea",
        };
        // Behind the server's back: were it looked up, it would be unreadable, which is our fault and no refusal.
        let sql = format!(
            "INSERT INTO foreign_click (foreign_id, transaction_id, clicked_at, offer_id, publisher_id) \
             VALUES ('abc', {sealed}, 0, 42, 7)"
        );
        tamper(&app.database, &sql).await;
        desk.track(Door::Postback, "transaction_id=abc", MalformedTransactionId).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_other_columns_is_refused_before_anything_is_read() {
    let desk = Desk::start(Engine::Sqlite).await;
    let app = &desk.admin.app;
    for (csv, said) in [
        ("", "names no column id"),
        ("id;offer;publisher;time\n", "not known"),
        ("id,offer,publisher\na,42,7\n", "names no column time"),
        ("id,offer,publisher,time,id\n", "twice"),
    ] {
        let told = import_clicks(app, &Principal::system(), "x", csv.as_bytes(), &mut |_| panic!("{csv}")).await;
        let errors = told.unwrap().unwrap_err();
        assert!(errors.iter().any(|error| error.message.contains(said)), "{csv:?}: {errors:?}");
    }
}
