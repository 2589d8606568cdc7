//! Outbound postbacks in the admin API: rules, their lint, previews, tests, deliveries and their tries.

use roundtrip::app::manage_outbound::{OutboundDraft, create_outbound};
use roundtrip::domain::inbound::Door;
use roundtrip::domain::operator::{Principal, Role};
use roundtrip::domain::outbound::OVERLAP_SECONDS_MAX;
use roundtrip::store::{Engine, audit};
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::desk::done;
use crate::support::on_both_engines;
use crate::support::receiver::Receiver;

const CREATE: &str = "mutation($postback: OutboundPostbackInput!) { outboundPostbackCreate(postback: $postback) {
    secret userErrors { code field message hint }
    postback { id name enabled fireOn method eventNumbers rejectionReasons urlTemplate maskedUrl signingHint version
        delaySeconds publisher { number } offer { number } signatureParameter } } }";

const URL: &str = "https://pub.example/pb?cid={external_transaction_id}";

async fn create(admin: &Admin, postback: Value) -> Value {
    admin.data(CREATE, json!({ "postback": postback })).await["outboundPostbackCreate"].take()
}

/// Codes and last part of the path of the problems, in their order.
async fn refused(admin: &Admin, postback: Value) -> Vec<(String, String)> {
    let payload = create(admin, postback).await;
    assert_eq!((&payload["postback"], &payload["secret"]), (&Value::Null, &Value::Null), "{payload:#}");
    let errors = payload["userErrors"].as_array().unwrap().clone();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let path = |error: &Value| {
        let parts: Vec<String> = error["field"].as_array().unwrap().iter().map(text).collect();
        assert_eq!(parts[0], "postback");
        parts[1..].join(".")
    };
    errors.iter().map(|error| (text(&error["code"]), path(error))).collect()
}

fn one(code: &str, field: &str) -> Vec<(String, String)> {
    vec![(code.to_owned(), field.to_owned())]
}

on_both_engines! {
    async fn a_rule_is_made_changed_listed_and_deleted(engine: Engine) {
        let admin = Admin::start(engine).await;
        admin.furnish().await;
        let made = create(&admin, json!({ "name": " News ", "urlTemplate": URL, "publisherId": "pub_7" })).await;
        let secret = made["secret"].as_str().unwrap();
        let rule = &made["postback"];
        assert!(secret.starts_with("whsec_") && !rule["signingHint"].as_str().unwrap().contains(secret));
        assert_eq!(rule["name"], "News");
        assert_eq!((&rule["fireOn"], &rule["method"], &rule["eventNumbers"]), (&json!(["APPROVED"]), &json!("GET"), &json!([0])));
        assert_eq!((&rule["publisher"]["number"], &rule["offer"], &rule["enabled"]), (&json!(7), &Value::Null, &json!(true)));
        let id = rule["id"].as_str().unwrap().to_owned();
        let update = "mutation($id: ID!, $version: Int!, $postback: OutboundPostbackInput!) {
            outboundPostbackUpdate(id: $id, version: $version, postback: $postback) {
                secret userErrors { code field } postback { version offer { number } publisher { number } fireOn } } }";
        let change = json!({ "publisherId": null, "offerId": "offer_42", "fireOn": ["REJECTED", "APPROVED", "REJECTED"] });
        let changed = admin.done(update, json!({ "id": id, "version": 1, "postback": change })).await;
        assert_eq!(changed["postback"], json!({ "version": 2, "offer": { "number": 42 }, "publisher": null, "fireOn": ["APPROVED", "REJECTED"] }));
        assert_eq!(changed["secret"], Value::Null);
        let stale = admin.data(update, json!({ "id": id, "version": 1, "postback": {} })).await;
        assert_eq!(stale["outboundPostbackUpdate"]["userErrors"], json!([{ "code": "CONFLICT_VERSION", "field": ["version"] }]));
        let same = admin.done(update, json!({ "id": id, "version": 2, "postback": change })).await;
        assert_eq!(same["postback"]["version"], 2);

        create(&admin, json!({ "name": "A", "urlTemplate": URL, "enabled": false })).await;
        let list = "query($offer: ID, $enabled: Boolean) { outboundPostbacks(offerId: $offer, enabled: $enabled) {
            totalCount { value } nodes { name } } }";
        let names = async |variables: Value| {
            let page = admin.data(list, variables).await["outboundPostbacks"].take();
            page["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(json!({})).await, ["A", "News"]);
        assert_eq!(names(json!({ "offer": "offer_42" })).await, ["News"]);
        assert_eq!(names(json!({ "enabled": false })).await, ["A"]);

        let delete = "mutation($id: ID!) { outboundPostbackDelete(id: $id) { deletedId userErrors { code } } }";
        assert_eq!(admin.done(delete, json!({ "id": id })).await["deletedId"], json!(id));
        let again = admin.data(delete, json!({ "id": id })).await;
        assert_eq!(again["outboundPostbackDelete"]["userErrors"][0]["code"], "NOT_FOUND");
        assert_eq!(names(json!({})).await, ["A"]);
        let gone = admin.data("query($id: ID!) { outboundPostback(id: $id) { deletedAt } }", json!({ "id": id })).await;
        assert!(gone["outboundPostback"]["deletedAt"].is_string(), "deliveries name it");
        let trail = audit::find_by_subject(&admin.app.database, &id, 10).await.unwrap();
        let actions: Vec<&str> = trail.iter().map(|event| event.action.as_str()).collect();
        assert_eq!(actions.len(), 3, "{actions:?}");
        assert!(trail.iter().all(|event| event.subject_label == "News" && !format!("{event:?}").contains("whsec_")));
    }

    async fn a_secret_is_shown_once_and_rotated_with_an_overlap(engine: Engine) {
        let admin = Admin::start(engine).await;
        let made = create(&admin, json!({ "name": "News", "urlTemplate": URL })).await;
        let (id, first) = (made["postback"]["id"].clone(), made["secret"].clone());
        let rotate = "mutation($id: ID!, $overlap: Int) { outboundPostbackSecretRotate(id: $id, overlapSeconds: $overlap) {
            secret userErrors { code field } postback { signingHint previousKeyUntil } } }";
        let ask = async |overlap: Option<i32>| {
            admin.data(rotate, json!({ "id": id, "overlap": overlap })).await["outboundPostbackSecretRotate"].take()
        };
        let second = ask(None).await;
        assert!(second["secret"].is_string() && second["secret"] != first);
        assert_ne!(second["postback"]["signingHint"], made["postback"]["signingHint"]);
        assert_eq!(second["postback"]["previousKeyUntil"], "2026-06-02T12:00:00Z");
        let open = ask(Some(60)).await;
        assert_eq!(open["userErrors"], json!([{ "code": "ROTATION_OPEN", "field": ["id"] }]));
        let leaked = ask(Some(0)).await;
        assert_eq!((&leaked["userErrors"], &leaked["postback"]["previousKeyUntil"]), (&json!([]), &Value::Null));
        for (overlap, code) in [(-1, Some("TOO_SMALL")), (1, None)] {
            let told = ask(Some(overlap)).await;
            assert_eq!(told["userErrors"].get(0).map(|error| error["code"].as_str().unwrap()), code);
        }
        admin.clock.advance_seconds(1);
        for (overlap, code) in [(OVERLAP_SECONDS_MAX + 1, Some("OVERLAP_TOO_LONG")), (OVERLAP_SECONDS_MAX, None)] {
            let told = ask(Some(overlap)).await;
            assert_eq!(told["userErrors"].get(0).map(|error| error["code"].as_str().unwrap()), code, "{overlap}");
        }
    }

    async fn what_would_be_sent_can_be_looked_at_and_a_test_is_really_sent(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let receiver = Receiver::start();
        let url = receiver.url("/ok?cid={external_transaction_id}&token=hush&s={status}");
        let made = create(&admin, json!({ "name": "News", "urlTemplate": url, "fireOn": ["REJECTED"] })).await;
        let id = made["postback"]["id"].clone();
        let transaction = admin.click("offer=42&publisher=7&external_transaction_id=mine").await;
        let told = admin.track(Door::Postback, &format!("secure={secret}&transaction_id={transaction}")).await;
        let conversion = told.conversion.unwrap().to_string();

        let preview = "query($id: ID!, $of: ID!) { outboundPostbackPreview(id: $id, conversionId: $of) { method url body contentType } }";
        let shown = admin.data(preview, json!({ "id": id, "of": conversion })).await["outboundPostbackPreview"].take();
        let expected = receiver.url("/ok?cid=mine&token=hush&s=approved");
        assert_eq!(shown, json!({ "method": "GET", "url": expected, "body": null, "contentType": null }));
        let nobody = admin.data(preview, json!({ "id": id, "of": "cnv_019a0000000070008000000000000001" })).await;
        assert_eq!(nobody["outboundPostbackPreview"], Value::Null);
        assert!(receiver.seen().await.is_empty());

        let send = "mutation($id: ID!, $of: ID) { outboundPostbackSendTest(id: $id, conversionId: $of) { userErrors { code field }
            delivery { state isTest attempt changeNumber nextAttemptAt maskedUrl responseStatus responseBody error
                conversion { id } postback { name } attempts { number responseStatus maskedUrl requestBody } } } }";
        let real = admin.done(send, json!({ "id": id, "of": conversion })).await["delivery"].take();
        let masked = receiver.url("/ok?cid=mine&token=…&s=approved");
        assert_eq!(real["attempts"], json!([{ "number": 1, "responseStatus": 200, "maskedUrl": masked, "requestBody": null }]));
        assert_eq!((&real["state"], &real["isTest"], &real["changeNumber"]), (&json!("SUCCEEDED"), &json!(true), &Value::Null));
        assert_eq!((&real["responseBody"], &real["conversion"]["id"]), (&json!("thanks"), &json!(conversion)));
        let made_up = admin.done(send, json!({ "id": id })).await["delivery"].take();
        assert_eq!((&made_up["conversion"], &made_up["nextAttemptAt"]), (&Value::Null, &Value::Null));
        let seen = receiver.seen().await;
        assert_eq!(seen.len(), 2);
        assert!(seen.iter().all(|one| one.header("roundtrip-test") == "true"));
        assert_eq!(seen[1].target, "/ok?cid=test-click&token=hush&s=rejected");
        let nobody = admin.data(send, json!({ "id": id, "of": "cnv_019a0000000070008000000000000001" })).await;
        assert_eq!(nobody["outboundPostbackSendTest"]["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["conversionId"] }]));

        let page = "query($id: ID!) { outboundPostback(id: $id) { successRate24h
            deliveries(states: [SUCCEEDED], first: 1) { totalCount { value } pageInfo { hasNextPage } nodes { isTest } } } }";
        let rule = admin.data(page, json!({ "id": id })).await["outboundPostback"].take();
        assert_eq!((&rule["deliveries"]["totalCount"]["value"], &rule["successRate24h"]), (&json!(2), &Value::Null));
        assert_eq!(rule["deliveries"]["pageInfo"]["hasNextPage"], true);
        let retry = "mutation($id: ID!) { deliveryRetry(id: $id) { userErrors { code } } }";
        let of_conversion = "query($id: ID!) { conversion(by: { id: $id }) { deliveries { nodes { id } } } }";
        let deliveries = admin.data(of_conversion, json!({ "id": conversion })).await["conversion"]["deliveries"]["nodes"].take();
        assert_eq!(deliveries.as_array().unwrap().len(), 1);
        let test = admin.data(retry, json!({ "id": deliveries[0]["id"] })).await;
        assert_eq!(test["deliveryRetry"]["userErrors"][0]["code"], "INVALID");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_is_made_twice_under_one_key_is_one_and_its_secret_is_shown_once() {
    let admin = Admin::start(Engine::Sqlite).await;
    let ask = "mutation($postback: OutboundPostbackInput!) {
        outboundPostbackCreate(postback: $postback, idempotencyKey: \"k\") {
            secret warnings postback { id } userErrors { code field } } }";
    let form = |name: &str| json!({ "postback": { "name": name, "urlTemplate": URL } });
    let first = admin.done(ask, form("News")).await;
    let again = admin.done(ask, form("News")).await;
    assert_eq!(first["postback"]["id"], again["postback"]["id"]);
    assert!(first["secret"].is_string() && again["secret"].is_null());
    assert_eq!((first["warnings"].as_array().unwrap().len(), again["warnings"].as_array().unwrap().len()), (0, 1));
    let other = admin.data(ask, form("Other")).await["outboundPostbackCreate"].take();
    assert_eq!(other["userErrors"], json!([{ "code": "IDEMPOTENCY_KEY_REUSED", "field": ["idempotencyKey"] }]));
    let retry = "mutation($id: ID!, $states: [DeliveryState!]) { deliveriesRetry(postbackId: $id, states: $states) {
        job { state } userErrors { code field } } }";
    for (states, code) in [(json!([]), "REQUIRED"), (json!(["PENDING"]), "INVALID")] {
        let told = admin.data(retry, json!({ "id": first["postback"]["id"], "states": states })).await;
        assert_eq!(told["deliveriesRetry"]["userErrors"], json!([{ "code": code, "field": ["states"] }]));
    }
    let nobody = admin.data(retry, json!({ "id": "opb_00000000000000000000000000000000" })).await;
    assert_eq!(nobody["deliveriesRetry"]["userErrors"], json!([{ "code": "IN_USE", "field": ["postbackId"] }]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_never_work_is_refused_with_its_place() {
    let admin = Admin::start(Engine::Sqlite).await;
    admin.furnish().await;
    let named = |url: &str| json!({ "name": "News", "urlTemplate": url });
    let with = |field: &str, value: Value| {
        let mut form = named(URL);
        form[field] = value;
        form
    };
    let missing = refused(&admin, json!({})).await;
    assert_eq!(missing, [one("REQUIRED", "name"), one("REQUIRED", "urlTemplate")].concat());
    for (url, code) in [
        ("https://pub.example/pb?c={extrnal_transaction_id}", "UNKNOWN_MACRO"),
        ("https://pub.example/pb?c={revenue}&d={sub_id}", "UNKNOWN_MACRO"),
        ("https://pub.example/pb?t={transaction_id}", "URL_NOT_ALLOWED"),
        ("https://{sub_id}.example/", "URL_NOT_ALLOWED"),
        ("ftp://pub.example/?c={sub_id}", "URL_NOT_ALLOWED"),
        ("https://u:p@pub.example/?c={sub_id}", "URL_NOT_ALLOWED"),
        ("https://10.0.0.1/?c={sub_id}", "URL_NOT_ALLOWED"),
        ("pub.example/?c={sub_id}", "URL_NOT_ALLOWED"),
    ] {
        let found = refused(&admin, named(url)).await;
        assert!(found.contains(&(code.to_owned(), "urlTemplate".to_owned())), "{url}: {found:?}");
    }
    let misspelt = create(&admin, named("https://pub.example/pb?c={extrnal_transaction_id}&s={sub_id}")).await;
    assert_eq!(misspelt["userErrors"][0]["hint"], "Did you mean {external_transaction_id}?");
    let long = |count: usize| "é".repeat(count);
    for (field, value, code) in [
        ("publisherId", json!("pub_9"), "NOT_FOUND"),
        ("offerId", json!("offer_9"), "NOT_FOUND"),
        ("fireOn", json!([]), "REQUIRED"),
        ("delaySeconds", json!(-1), "TOO_SMALL"),
        ("delaySeconds", json!(30 * 24 * 3600 + 1), "TOO_LARGE"),
        ("signatureParameter", json!("a b"), "INVALID"),
        ("signatureParameter", json!("a".repeat(65)), "TOO_LONG"),
        ("rejectionReasons.0", json!([" "]), "REQUIRED"),
        ("rejectionReasons.1", json!(["fraud", long(501)]), "TOO_LONG"),
        ("rejectionReasons.0", json!(["a\nb"]), "INVALID"),
        ("rejectionReasons", json!((0..51).map(|n| n.to_string()).collect::<Vec<_>>()), "LIMIT_EXCEEDED"),
        ("eventNumbers.0", json!([-1]), "TOO_SMALL"),
        ("eventNumbers", json!((0..51).collect::<Vec<i32>>()), "LIMIT_EXCEEDED"),
    ] {
        let form = with(field.split('.').next().unwrap(), value);
        assert_eq!(refused(&admin, form).await, one(code, field), "{field}");
    }
    let post =
        json!({ "name": "P", "urlTemplate": "https://pub.example/", "method": "POST_JSON", "signatureParameter": "s" });
    assert_eq!(refused(&admin, post).await, one("INVALID", "signatureParameter"));
    for good in [
        with("delaySeconds", json!(30 * 24 * 3600)),
        with("rejectionReasons", json!([long(500), " a ", "a"])),
        with("eventNumbers", json!([])),
        with("signatureParameter", json!("a".repeat(64))),
        json!({ "name": "P", "urlTemplate": "https://pub.example/hook", "method": "POST_FORM" }),
    ] {
        assert_eq!(create(&admin, good.clone()).await["userErrors"], json!([]), "{good}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_sees_neither_the_publishers_secrets_nor_what_was_said() {
    let admin = Admin::start(Engine::Sqlite).await;
    let draft = OutboundDraft {
        name: Some("News".into()),
        url_template: Some("https://pub.example/?c={sub_id}&api_key=hush".into()),
        ..OutboundDraft::default()
    };
    done(create_outbound(&admin.app, &Principal::system(), &draft).await);
    let ask = "{ outboundPostbacks { nodes { maskedUrl urlTemplate } } }";
    let answer = admin.ask(Role::Viewer, ask, json!({})).await;
    let node = &answer["data"]["outboundPostbacks"]["nodes"][0];
    assert_eq!(node, &json!({ "maskedUrl": "https://pub.example/?c={sub_id}&api_key=…", "urlTemplate": null }));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let id = admin.app.snapshot.load().outbound.iter().next().unwrap().id.to_string();
    let trail = audit::find_by_subject(&admin.app.database, &id, 5).await.unwrap();
    assert!(!format!("{trail:?}").contains("hush"), "{trail:?}");
}
