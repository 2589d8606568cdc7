//! Every bad input of the parameter grammar, through HTTP: its code, and nothing stored but its receipt.

use std::time::Duration;

use roundtrip::domain::offer::DuplicatePolicy;
use roundtrip::store::Engine;

use crate::support::databases::rows;
use crate::support::on_both_engines;
use crate::support::server::{TestServer, told};

/// A query behind a path, and what it must be told.
type Case = (String, u16, &'static str);

const PLACEHOLDERS: [&str; 20] = [
    "{x}",
    "{{x}}",
    "[x]",
    "${x}",
    "%25x%25",
    "%23x%23",
    "<x>",
    "REPLACE",
    "replace_me",
    "TRANSACTION_ID",
    "click_id",
    "CLICKID",
    "YOUR_ID",
    "your_click",
    "NULL",
    "null",
    "undefined",
    "NONE",
    "NaN",
    "Replace_This",
];

fn transaction_ids(server: &TestServer) -> Vec<Case> {
    let id = server.mint().to_string();
    let last = if id.ends_with('0') { "1" } else { "0" };
    let mistyped = format!("{}{last}", &id[..39]);
    let with = |value: &str| format!("/postback?transaction_id={value}");
    let mut cases: Vec<Case> = PLACEHOLDERS.iter().map(|text| (with(text), 422, "unreplaced_macro")).collect();
    for missing in ["", "%20", "%09%0A"] {
        cases.push((with(missing), 422, "missing_transaction_id"));
    }
    for malformed in [&id[..39], &mistyped, &format!("{id}0"), "12345", &"x".repeat(64)] {
        cases.push((with(malformed), 422, "malformed_transaction_id"));
    }
    for unreadable in [format!("{id}%00"), format!("{id}%FF"), format!("{id}%01x")] {
        cases.push((with(&unreadable), 400, "invalid_encoding"));
    }
    cases.push((with(&"x".repeat(65)), 400, "value_too_long"));
    cases.push((format!("{}&click_id=other", with(&id)), 400, "ambiguous_parameter"));
    cases.push((format!("/postback?a={id}"), 422, "missing_transaction_id"));
    cases
}

fn numbers() -> Vec<Case> {
    let wrong = ["0", "-1", "4x", "4.0", "2147483648", "99999999999999999999"];
    let mut cases = Vec::new();
    for value in wrong.into_iter().chain(["2147483647"]) {
        cases.push((format!("/postback/clickless?publisher=7&offer={value}"), 422, "unknown_offer"));
        cases.push((format!("/postback/clickless?offer=42&publisher={value}"), 422, "unknown_publisher"));
    }
    cases.push(("/postback/clickless?publisher=7".into(), 422, "offer_required"));
    cases.push(("/postback/clickless?offer=42&publisher=".into(), 422, "missing_publisher"));
    cases.push(("/postback/clickless?offer={offer}&publisher=7".into(), 422, "unreplaced_macro"));
    cases.push(("/postback/clickless?offer=42&publisher=[pub]".into(), 422, "unreplaced_macro"));
    cases.push(("/postback/clickless?offer=42&offer=43&publisher=7".into(), 400, "ambiguous_parameter"));
    cases
}

/// Of an offer that counts orders and is strict about amounts.
fn texts_and_amounts(server: &TestServer) -> Vec<Case> {
    let postback = |rest: &str| format!("/postback?transaction_id={}&{rest}", server.mint());
    let clickless = |rest: &str| format!("/postback/clickless?offer=42&publisher=7&{rest}");
    let long = "x".repeat(256);
    let mut cases = vec![
        (postback(&format!("order_id={long}")), 400, "value_too_long"),
        (postback("order_id=a%00"), 400, "invalid_encoding"),
        (postback("order_id={order}"), 422, "unreplaced_macro"),
        (postback("order_id=a&order_id=b"), 400, "ambiguous_parameter"),
        (clickless(&format!("external_transaction_id={long}")), 400, "value_too_long"),
        (clickless("external_transaction_id=%FE"), 400, "invalid_encoding"),
        (clickless("external_transaction_id={click}"), 422, "unreplaced_macro"),
        (postback("event_id=0"), 422, "unknown_event"),
        (postback("event_id=x"), 422, "unknown_event"),
        (postback("event_name=deposit"), 422, "unknown_event"),
        (postback("event_name={event}"), 422, "unreplaced_macro"),
        (postback("status=great"), 422, "invalid_status"),
        (postback("status=4"), 422, "invalid_status"),
        (postback("status={status}"), 422, "unreplaced_macro"),
        (postback("currency=EURO&revenue=1"), 422, "invalid_currency"),
        (postback("currency=XXQ&revenue=1"), 422, "invalid_currency"),
        (postback("revenue=1&revenue=2"), 400, "ambiguous_parameter"),
    ];
    for amount in ["1,5", "-1", "%2B1", "1e3", ".5", "1.", "1000000000", "0x1", "1%202", "1.0000000000000000000"] {
        cases.push((postback(&format!("revenue={amount}")), 422, "invalid_amount"));
    }
    cases
}

fn rejections_and_statuses(server: &TestServer) -> Vec<Case> {
    let id = server.mint();
    let (reject, status) = (format!("/reject?transaction_id={id}"), format!("/status?transaction_id={id}"));
    let mut cases = vec![
        (reject.clone(), 422, "reason_required"),
        (format!("{reject}&conversion_id=x&new_rejected_reason=r%00&conversion_id=y"), 400, "ambiguous_parameter"),
        (format!("{reject}&event_id=7&new_rejected_reason=r"), 422, "unknown_event"),
        ("/reject?new_rejected_reason=r".into(), 422, "missing_transaction_id"),
        (status.clone(), 422, "invalid_status"),
        (format!("{status}&status=great"), 422, "invalid_status"),
        (format!("{status}&status=approved"), 404, "conversion_not_found"),
    ];
    for nothing in ["", "%20", "{reason}", "NULL", "%00"] {
        cases.push((format!("{reject}&new_rejected_reason={nothing}"), 422, "reason_required"));
    }
    cases
}

fn whole_requests(server: &TestServer) -> Vec<Case> {
    let pairs = |count: usize| (0..count).map(|n| format!("&a{n}=1")).collect::<String>();
    let id = server.mint();
    let key = |bytes: usize| format!("/postback?transaction_id={id}&{}=1", "k".repeat(bytes));
    vec![
        (format!("/postback?transaction_id={id}{}", pairs(64)), 400, "too_many_parameters"),
        (key(65), 400, "too_many_parameters"),
    ]
}

on_both_engines! {
    async fn every_bad_input_has_its_code_and_leaves_its_receipt_only(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.change_offer(|offer| {
            offer.duplicate_policy = DuplicatePolicy::OnePerOrder;
            offer.switches.strict_amounts = true;
            offer.switches.wire_revenue_trusted = true;
        });
        let mut cases = transaction_ids(&server);
        cases.extend(numbers());
        cases.extend(texts_and_amounts(&server));
        cases.extend(rejections_and_statuses(&server));
        cases.extend(whole_requests(&server));
        let mut expected = rows(&server.app.database).await;
        for (path, status, code) in &cases {
            let (found, answer) = server.told(path).await;
            assert_eq!((found, answer["code"].as_str()), (*status, Some(*code)), "{path}: {answer}");
            assert!(answer["cure"].is_string(), "{path}: {answer}");
            assert_eq!(server.receipt(&answer).await.code.as_str(), *code, "{path}");
        }
        *expected.get_mut("receipt").unwrap() += u64::try_from(cases.len()).unwrap();
        assert_eq!(rows(&server.app.database).await, expected);
    }

    async fn a_bad_secret_has_one_answer_and_leaves_its_receipt_only(engine: Engine) {
        let server = TestServer::start(engine).await;
        let mut expected = rows(&server.app.database).await;
        let id = server.mint();
        let long = "x".repeat(129);
        let bad = ["wrong", "{secure}", "NULL", "%00", "%FF", &long, &server.secret[1..], &server.secret.to_uppercase()];
        for secret in bad {
            let answer = told(server.get(&format!("/postback?transaction_id={id}&secure={secret}")).await).await;
            assert_eq!(answer, (401, serde_json::json!({ "ok": false, "code": "invalid_secure" })), "{secret}");
        }
        for missing in ["", "&secure=", "&secure=%20"] {
            let answer = told(server.get(&format!("/postback?transaction_id={id}{missing}")).await).await;
            assert_eq!(answer, (401, serde_json::json!({ "ok": false, "code": "missing_secure" })), "{missing}");
        }
        *expected.get_mut("receipt").unwrap() += u64::try_from(bad.len() + 3).unwrap();
        for _ in 0..200 {
            if rows(&server.app.database).await["receipt"] == expected["receipt"] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(rows(&server.app.database).await, expected);
    }

    async fn identity_at_its_longest_is_taken(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.change_offer(|offer| offer.duplicate_policy = DuplicatePolicy::OnePerOrder);
        let pairs: String = (0..62).map(|n| format!("&a{n}=1")).collect();
        for rest in [format!("order_id={}", "x".repeat(254)), format!("order_id={}", "x".repeat(255)), format!("b=1{pairs}")] {
            let (status, answer) = server.told(&format!("/postback?transaction_id={}&{rest}", server.mint())).await;
            assert_eq!((status, answer["code"].as_str()), (200, Some("recorded")), "{rest}: {answer}");
        }
    }
}
