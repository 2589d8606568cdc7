//! A test that an operator sends: through every check, and in no figure.

use roundtrip::domain::operator::Role;
use roundtrip::store::Engine;
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::databases::rows;
use crate::support::on_both_engines;

const SEND: &str = "mutation($kind: PostbackKind!, $params: [UrlParamInput!], $publisher: ID) { \
    postbackSendTest(offerId: \"offer_42\", publisherId: $publisher, kind: $kind, params: $params) { \
        receipt { code kind isTest httpMethod path checks { name passed } params { key value } } \
        conversion { status isTest revenue { amount } purchaseValue { amount } } \
        userErrors { code field message hint } } }";

async fn sent(admin: &Admin, kind: &str, params: Value) -> Value {
    admin.data(SEND, json!({ "kind": kind, "params": params })).await["postbackSendTest"].take()
}

on_both_engines! {
    async fn a_test_goes_through_every_check_and_counts_in_no_figure(engine: Engine) {
        let admin = Admin::start(engine).await;
        admin.furnish().await;
        let before = rows(&admin.app.database).await;
        let conversion = sent(&admin, "CONVERSION", json!([{ "name": "purchase_value", "value": "12.5" }])).await;
        assert_eq!(conversion["receipt"]["code"], "RECORDED", "{conversion:#}");
        assert_eq!(conversion["receipt"]["isTest"], true);
        assert!(conversion["receipt"]["checks"].as_array().unwrap().iter().all(|check| check["passed"] == true));
        let shown = json!({ "status": "APPROVED", "isTest": true, "revenue": { "amount": "10.00" },
            "purchaseValue": { "amount": "12.50" } });
        assert_eq!(conversion["conversion"], shown);
        let rejection = sent(&admin, "REJECTION", json!([{ "name": "reason", "value": "fraud" }])).await;
        assert_eq!((&rejection["receipt"]["code"], &rejection["conversion"]["status"]), (&json!("REJECTED"), &json!("REJECTED")));
        let status = sent(&admin, "STATUS", json!([])).await;
        assert_eq!(status["conversion"]["status"], "REJECTED", "{status:#}");
        admin.clock.advance_seconds(1);
        let after = rows(&admin.app.database).await;
        let more = |table: &str| after[table] - before[table];
        assert_eq!((more("rollup"), more("click"), more("conversion"), more("receipt"), more("audit_event")), (0, 3, 3, 5, 3));
        let listed = admin.data("{ conversions { nodes { id } } }", json!({})).await;
        assert_eq!(listed["conversions"]["nodes"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_test_finds_wrong_is_its_receipt_and_what_cannot_be_tried_is_a_user_error() {
    let admin = Admin::start(Engine::Sqlite).await;
    admin.furnish().await;
    let refused = sent(&admin, "STATUS", json!([{ "name": "status", "value": "pending" }])).await;
    let said = (&refused["userErrors"], &refused["receipt"]["code"]);
    assert_eq!(said, (&json!([]), &json!("INVALID_TRANSITION")), "{refused:#}");
    let before = rows(&admin.app.database).await;
    for (kind, params, code, field) in [
        ("CLICKLESS", json!([]), "INVALID", "kind"),
        ("IMAGE_PIXEL", json!([]), "DOMAIN_NOT_VERIFIED", "kind"),
        ("CONVERSION", json!([{ "name": "Secure", "value": "x" }]), "INVALID", "params"),
        ("CONVERSION", json!([{ "name": "transaction_id", "value": "x" }]), "INVALID", "params"),
        ("CONVERSION", json!([{ "name": "dry_run", "value": "1" }]), "INVALID", "params"),
    ] {
        let said = sent(&admin, kind, params).await;
        assert_eq!((&said["userErrors"][0]["code"], &said["userErrors"][0]["field"]), (&json!(code), &json!([field])));
        assert_eq!(said["receipt"], Value::Null);
    }
    let unknown = admin.data(SEND, json!({ "kind": "CONVERSION", "publisher": "pub_99" })).await;
    assert_eq!(unknown["postbackSendTest"]["userErrors"][0]["field"], json!(["publisherId"]));
    let token = admin.data("{ secureTokens { nodes { id } } }", json!({})).await;
    let revoke = "mutation($id: ID!) { secureTokenRevoke(id: $id, reason: \"r\") { userErrors { code } } }";
    admin.done(revoke, json!({ "id": token["secureTokens"]["nodes"][0]["id"] })).await;
    let without = sent(&admin, "CONVERSION", json!([])).await;
    assert_eq!(without["userErrors"][0]["code"], "TOKEN_NOT_ACTIVE");
    let after = rows(&admin.app.database).await;
    assert_eq!(
        (after["click"], after["receipt"], after["audit_event"]),
        (before["click"], before["receipt"], before["audit_event"] + 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pixel_is_tried_on_the_domain_where_it_works() {
    let admin = Admin::start(Engine::Sqlite).await;
    admin.furnish().await;
    let system = roundtrip::domain::operator::Principal::system();
    let domain = roundtrip::app::tracking_domains::create_local_domain(&admin.app, &system, "pixel.localhost").await;
    crate::support::desk::done(domain);
    let pixel = sent(&admin, "IMAGE_PIXEL", json!([])).await;
    assert_eq!(
        (&pixel["receipt"]["code"], &pixel["receipt"]["path"]),
        (&json!("RECORDED"), &json!("/pixel.gif")),
        "{pixel:#}"
    );
    assert_eq!((&pixel["conversion"]["status"], &pixel["conversion"]["isTest"]), (&json!("PENDING"), &json!(true)));
    let viewer = admin.ask(Role::Viewer, SEND, json!({ "kind": "CONVERSION" })).await;
    assert_eq!(viewer["errors"][0]["extensions"]["code"], "FORBIDDEN");
}
