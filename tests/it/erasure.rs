//! A person is erased, on both engines: who it was is gone from every table, and what happened is still there.

use std::time::Duration;

use roundtrip::app::exports::{DownloadRefused, open_download};
use roundtrip::app::jobs::run::take_turn;
use roundtrip::app::jobs::step_of;
use roundtrip::app::verify::verify;
use roundtrip::domain::code::Code;
use roundtrip::domain::ids::JobId;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::operator::Role;
use roundtrip::store::Engine;
use sea_orm::{ConnectionTrait, Statement};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::admin::Admin;
use crate::support::databases::{rows, tamper};
use crate::support::on_both_engines;

/// Every table that may hold something of a person, each row as text.
async fn everything(admin: &Admin) -> String {
    let engine = admin.app.database.engine();
    let read = admin.app.database.side_write(Box::new(move |tx| {
        Box::pin(async move {
            let mut text = String::new();
            for (table, columns) in [
                ("conversion", "conversion_ip, conversion_ip_hash, user_agent, device_id, email_masked, email_hash"),
                ("click", "device_id, address, address_hash, user_agent, referrer_origin"),
                ("receipt", "params, address, address_hash, user_agent, received, detail, warnings"),
                ("conversion_extra", "name, value"),
                ("job", "input, position"),
                ("audit_event", "changes, subject_label"),
                ("idempotency_key", "answer, arguments_hash"),
            ] {
                for column in columns.split(", ") {
                    let shown = match engine {
                        Engine::Sqlite => format!(
                            "COALESCE(CASE typeof({column}) WHEN 'blob' THEN hex({column}) ELSE {column} END, '')"
                        ),
                        Engine::Postgres => format!("COALESCE({column}::text, '')"),
                    };
                    let sql = format!("SELECT {shown} AS shown FROM {table}");
                    for row in tx.query_all_raw(Statement::from_string(tx.get_database_backend(), sql)).await? {
                        text.push_str(&format!("{table}.{column}: {}\n", row.try_get::<String>("", "shown")?));
                    }
                }
            }
            Ok(text.to_lowercase())
        })
    }));
    read.await.unwrap()
}

async fn erase(admin: &Admin, by: Value) -> Value {
    let erase = "mutation($by: PersonLookup!) { personErase(by: $by) { job { id } userErrors { code field } } }";
    let asked = admin.done(erase, json!({ "by": by })).await;
    while take_turn(&admin.app, Uuid::from_u128(1), step_of).await.unwrap() {}
    let job = "query($id: ID!) { job(id: $id) { state processed failure } }";
    admin.data(job, json!({ "id": asked["job"]["id"] })).await["job"].take()
}

const FIGURES: &str = "{ conversions { nodes { id status revenue { amount } orderId subId version } } }";

/// Ann comes with a device and by e-mail, Bob by another; one request of Ann's is refused and belongs to no conversion.
async fn two_people(engine: Engine) -> (Admin, String) {
    let admin = Admin::start(engine).await;
    let secret = admin.furnish().await;
    let visit = admin.click("offer=42&publisher=7&sub_id=news&device_id=ann-phone").await;
    for (query, code) in [
        (
            format!(
                "transaction_id={visit}&user_email=ann%40shop.example&conversion_ip=192.0.2.77&device_id=ann-phone&colour=ann-red&user_agent=ann-browser"
            ),
            Code::Recorded,
        ),
        (format!("transaction_id={visit}&user_email=ann%40shop.example&conversion_ip=192.0.2.77"), Code::Duplicate),
        (
            "transaction_id=nothing&user_email=Ann%40Shop.Example&note=ann%40shop.example".to_owned(),
            Code::MalformedTransactionId,
        ),
    ] {
        admin.clock.advance_seconds(1);
        assert_eq!(admin.track(Door::Postback, &format!("secure={secret}&{query}")).await.code, code);
    }
    let bob = format!(
        "secure={secret}&offer=42&publisher=7&order_id=B&user_email=bob%40shop.example&device_id=bob-phone&conversion_ip=198.51.100.9&colour=bob-blue"
    );
    assert_eq!(admin.track(Door::Clickless, &bob).await.code, Code::Recorded);
    (admin, visit)
}

on_both_engines! {
    async fn a_person_is_erased_by_email_and_what_happened_stays(engine: Engine) {
        let (admin, _) = two_people(engine).await;
        let hash = roundtrip::domain::privacy::hash_email(&admin.app.keyring, "ann@shop.example").unwrap().to_hex();
        let (figures, counted) = (admin.data(FIGURES, json!({})).await, rows(&admin.app.database).await);
        let before = everything(&admin).await;
        assert!(["ann-phone", "ann-browser", "ann-red", "a***@shop", &hash].iter().all(|trace| before.contains(trace)), "{before}");
        let done = erase(&admin, json!({ "email": " ANN@shop.example" })).await;
        assert_eq!(done["state"], "SUCCEEDED", "{done}");
        let after = everything(&admin).await;
        for trace in ["ann-phone", "ann-browser", "ann-red", "a***@shop", &hash, "ann@shop", "ann%40shop"] {
            assert!(!after.contains(trace), "{trace} is still there:\n{after}");
        }
        for trace in ["bob-phone", "b***@shop", "bob-blue"] {
            assert!(after.contains(trace), "{trace} is not theirs to erase:\n{after}");
        }
        assert_eq!(admin.data(FIGURES, json!({})).await, figures);
        let now = rows(&admin.app.database).await;
        for table in ["conversion", "conversion_change", "conversion_key", "click", "receipt", "rollup"] {
            assert_eq!(now[table], counted[table], "{table}");
        }
        let report = verify(&admin.app.database).await.unwrap();
        assert!(report.is_clean(), "{report}");
        let shown = "{ receipts { nodes { code remoteIp params { value } maskedUrl } } conversions { nodes { userEmailMasked click { ip } } } }";
        let shown = admin.data(shown, json!({})).await;
        assert!(shown["receipts"]["nodes"].as_array().unwrap().iter().any(|receipt| receipt["remoteIp"].is_null()), "{shown}");
        let again = erase(&admin, json!({ "email": "ann@shop.example" })).await;
        assert_eq!((&again["state"], &again["processed"]), (&json!("SUCCEEDED"), &json!(0)), "nothing is left");
    }

    async fn a_person_is_exported_with_all_that_an_erasure_would_empty(engine: Engine) {
        let (admin, visit) = two_people(engine).await;
        for (by, receipts) in [(json!({ "email": "ann@shop.example" }), 3), (json!({ "deviceId": "ann-phone" }), 2), (json!({ "transactionId": visit }), 2)] {
            let export = "mutation($by: PersonLookup!) { personExport(by: $by) { job { id } userErrors { code } } }";
            let id = admin.done(export, json!({ "by": by })).await["job"]["id"].take();
            while take_turn(&admin.app, Uuid::from_u128(1), step_of).await.unwrap() {}
            let job = "query($id: ID!) { job(id: $id) { state total downloadUrl } }";
            let done = admin.data(job, json!({ "id": id })).await["job"].take();
            assert_eq!((&done["state"], &done["total"]), (&json!("SUCCEEDED"), &json!(2 + receipts)), "{by}");
            let seen = admin.ask(Role::Manager, job, json!({ "id": id })).await;
            assert_eq!(seen["data"]["job"]["downloadUrl"], Value::Null, "for administrators only");
            let id = JobId::parse(id.as_str().unwrap()).unwrap();
            let refused = open_download(&admin.app, Role::Manager, id).await.unwrap().err();
            assert_eq!(refused, Some(DownloadRefused::Forbidden(Role::Admin)));
            let mut download = open_download(&admin.app, Role::Admin, id).await.unwrap().ok().unwrap();
            let mut text = Vec::new();
            while let Some(piece) = download.next().await.unwrap() {
                text.extend(piece);
            }
            let text = String::from_utf8(text).unwrap();
            let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            let count = |kind: &str| rows.iter().filter(|row| row["type"] == kind).count();
            assert_eq!((count("conversion"), count("click"), count("receipt")), (1, 1, receipts), "{by}: {text}");
            assert!(text.contains("a***@shop.example") && text.contains("ann-phone") && !text.contains("bob"), "{text}");
        }
        assert!(everything(&admin).await.contains("\"person\""), "a download has to know whom it is about");
        let tomorrow = admin.app.clock.now().plus_seconds(24 * 3600 + 1);
        roundtrip::app::retention::pass(&admin.app.database, tomorrow, admin.app.kept()).await.unwrap();
        assert!(!everything(&admin).await.contains("\"person\""), "for a day");
    }

    async fn a_device_and_a_visit_are_erased_too(engine: Engine) {
        for by in ["deviceId", "transactionId"] {
            let (admin, visit) = two_people(engine).await;
            let who = if by == "deviceId" { "ann-phone".to_owned() } else { visit };
            let done = erase(&admin, json!({ by: who })).await;
            assert_eq!(done["state"], "SUCCEEDED", "{done}");
            let after = everything(&admin).await;
            for trace in ["ann-phone", "ann-browser", "ann-red"] {
                assert!(!after.contains(trace), "{by}: {trace} is still there:\n{after}");
            }
            assert!(after.contains("bob-phone"));
            let report = verify(&admin.app.database).await.unwrap();
            assert!(report.is_clean(), "{report}");
        }
    }

    async fn among_a_hundred_thousand_receipts_a_person_is_erased_within_a_minute(engine: Engine) {
        let (admin, _) = two_people(engine).await;
        let number = match engine {
            Engine::Sqlite => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)",
            Engine::Postgres => "WITH n AS (SELECT generate_series(1, 100000) AS i)",
        };
        let (id, no) = match engine {
            Engine::Sqlite => ("CAST(printf('%016d', i) AS BLOB)", "0"),
            Engine::Postgres => ("lpad(i::text, 32, '0')::uuid", "FALSE"),
        };
        tamper(&admin.app.database, &format!(
            "INSERT INTO receipt (id, received_at, door, verdict, code, method, host, path, params, latency_us, is_test, lenient, warnings, request_id)
             {number} SELECT {id}, i, 'postback', 'refused', 'invalid_secure', 'GET', 't.example', '/postback',
                 'transaction_id=nothing&user_email=x***%40shop.example&user_email_hash=00000000000000000000000000000000&a=' || i, 1, {no}, {no}, '', 'r' FROM n"
        )).await;
        let began = tokio::time::Instant::now();
        let done = erase(&admin, json!({ "email": "ann@shop.example" })).await;
        assert_eq!((&done["state"], &done["processed"]), (&json!("SUCCEEDED"), &json!(5)), "{done}");
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    }

    async fn a_duplicate_of_an_erased_conversion_is_still_one(engine: Engine) {
        let (admin, visit) = two_people(engine).await;
        erase(&admin, json!({ "transactionId": visit })).await;
        let secret = "mutation { secureTokenCreate(input: { scope: GLOBAL }) { secret userErrors { code } } }";
        let secret = admin.done(secret, json!({})).await["secret"].take();
        let query = format!("secure={}&transaction_id={visit}", secret.as_str().unwrap());
        assert_eq!(admin.track(Door::Postback, &query).await.code, Code::Duplicate);
    }
}

#[tokio::test]
async fn whom_nobody_can_be_found_by_is_refused() {
    let admin = Admin::start(Engine::Sqlite).await;
    let erase = "mutation($by: PersonLookup!) { personErase(by: $by) { job { id } userErrors { code field } } }";
    for by in [json!({ "email": "ann" }), json!({ "deviceId": " " }), json!({ "transactionId": "x" })] {
        let refused = admin.data(erase, json!({ "by": by })).await;
        assert_eq!(
            refused["personErase"],
            json!({ "job": null, "userErrors": [{ "code": "INVALID", "field": ["by"] }] })
        );
    }
}
