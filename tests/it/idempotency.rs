//! Calls that are sent twice under one key, on both engines: one effect, one secret, and the same answer.

use futures_util::future::join_all;
use roundtrip::store::Engine;
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::databases::rows;
use crate::support::on_both_engines;

const PUBLISHER: &str = "mutation($p: PartnerInput!, $k: String) { publisherCreate(publisher: $p, idempotencyKey: $k) {
    publisher { id name } userErrors { code field } } }";

async fn publisher(admin: &Admin, name: &str, key: &str) -> Value {
    admin.data(PUBLISHER, json!({ "p": { "name": name }, "k": key })).await["publisherCreate"].take()
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or("none")
}

on_both_engines! {
    async fn the_same_call_again_makes_nothing_and_is_told_the_same(engine: Engine) {
        let admin = Admin::start(engine).await;
        let first = publisher(&admin, "A", "k1").await;
        assert_eq!(publisher(&admin, "A", "k1").await, first);
        let reused = publisher(&admin, "B", "k1").await;
        assert_eq!(reused, json!({ "publisher": null, "userErrors": [{ "code": "IDEMPOTENCY_KEY_REUSED", "field": ["idempotencyKey"] }] }));
        assert_eq!(rows(&admin.app.database).await["publisher"], 1);
        assert_ne!(publisher(&admin, "A", "k2").await["publisher"]["id"], first["publisher"]["id"], "another key");
        let advertiser = "mutation { advertiserCreate(advertiser: { name: \"A\" }, idempotencyKey: \"k1\") { advertiser { id } userErrors { code } } }";
        admin.done(advertiser, json!({})).await;
        admin.clock.advance_seconds(24 * 3600 - 1);
        assert_eq!(publisher(&admin, "A", "k1").await, first);
        admin.clock.advance_seconds(1);
        assert_ne!(publisher(&admin, "A", "k1").await["publisher"]["id"], first["publisher"]["id"], "a day later it is a new call");
    }

    async fn arguments_are_equal_whatever_their_spelling(engine: Engine) {
        let admin = Admin::start(engine).await;
        let first = publisher(&admin, "A", "k").await;
        let inline = "mutation { x: publisherCreate(idempotencyKey: \"k\", publisher: { name: \"A\" }) { publisher { id } userErrors { code } } }";
        assert_eq!(admin.done(inline, json!({})).await["publisher"]["id"], first["publisher"]["id"]);
    }

    async fn a_call_that_was_refused_leaves_no_key(engine: Engine) {
        let admin = Admin::start(engine).await;
        let make = |number: i32| json!({ "p": { "name": "A", "number": number }, "k": "k" });
        admin.data(PUBLISHER, json!({ "p": { "name": "A", "number": 7 }, "k": "other" })).await;
        let refused = admin.data(PUBLISHER, make(7)).await;
        assert_eq!(code(&refused["publisherCreate"]), "TAKEN");
        let done = admin.data(PUBLISHER, make(8)).await;
        assert_eq!(done["publisherCreate"]["publisher"]["id"], "pub_8");
    }

    async fn a_key_has_one_to_64_characters(engine: Engine) {
        let admin = Admin::start(engine).await;
        for (key, expected) in [(String::new(), "REQUIRED"), ("k".repeat(64), "none"), ("k".repeat(65), "TOO_LONG"), ("\u{1}".into(), "INVALID")] {
            assert_eq!(code(&publisher(&admin, "A", &key).await), expected, "{key:?}");
        }
    }

    async fn equal_calls_at_once_have_one_effect(engine: Engine) {
        let admin = Admin::start(engine).await;
        let publishers = join_all((0..8).map(|_| publisher(&admin, "A", "k"))).await;
        assert!(publishers.iter().all(|made| made == &publishers[0] && made["publisher"]["id"].is_string()), "{publishers:?}");
        assert_eq!(rows(&admin.app.database).await["publisher"], 1);
        let export = "mutation { conversionsExport(filter: {}, idempotencyKey: \"k\") { job { id } userErrors { code } } }";
        let jobs = join_all((0..8).map(|_| admin.done(export, json!({})))).await;
        assert!(jobs.iter().all(|job| job == &jobs[0]), "{jobs:?}");
        let all = admin.data("{ jobs { totalCount { value } } }", json!({})).await;
        assert_eq!(all["jobs"]["totalCount"]["value"], 1);
    }

    async fn a_secret_is_shown_once_and_kept_in_no_key(engine: Engine) {
        let admin = Admin::start(engine).await;
        admin.furnish().await;
        let create = "mutation { secureTokenCreate(input: { scope: GLOBAL, label: \"x\" }, idempotencyKey: \"k\") {
            secret token { id } warnings userErrors { code } } }";
        let first = admin.done(create, json!({})).await;
        let second = admin.done(create, json!({})).await;
        let secret = first["secret"].as_str().unwrap();
        assert_eq!((&second["secret"], &second["token"]), (&Value::Null, &first["token"]));
        assert!(second["warnings"][0].as_str().unwrap().contains("not shown again"), "{second}");
        let rotate = "mutation($id: ID!) { secureTokenRotate(id: $id, version: 1, input: { overlapSeconds: 60 }, idempotencyKey: \"k\") {
            secret token { id } previousToken { id state } userErrors { code } } }";
        let variables = json!({ "id": first["token"]["id"] });
        let rotated = admin.done(rotate, variables.clone()).await;
        assert!(rotated["secret"].is_string());
        let again = admin.done(rotate, variables).await;
        assert_eq!(again, json!({ "secret": null, "token": rotated["token"], "previousToken": rotated["previousToken"], "userErrors": [] }));
        let kept = answers(&admin).await;
        assert!(kept.len() == 2 && !kept.iter().any(|text| text.contains(secret)), "{kept:?}");
    }

    async fn offers_and_domains_are_made_once_too(engine: Engine) {
        let admin = Admin::start(engine).await;
        admin.furnish().await;
        let offer = "mutation { offerCreate(offer: { name: \"B\", advertiserId: \"adv_1\", currency: \"EUR\", revenue: { fixed: \"2\" },
            payout: { fixed: \"1\" }, landingPageUrl: \"https://shop.example/?t={transaction_id}\" }, idempotencyKey: \"k\") { offer { id } userErrors { code } } }";
        let domain = "mutation { trackingDomainCreate(hostname: \"go.example\", idempotencyKey: \"k\") { domain { id } userErrors { code } } }";
        for call in [offer, domain] {
            assert_eq!(admin.done(call, json!({})).await, admin.done(call, json!({})).await);
        }
        let gone = admin.data("{ trackingDomains { id } }", json!({})).await["trackingDomains"][0]["id"].take();
        admin.done("mutation($id: ID!) { trackingDomainDelete(id: $id) { userErrors { code } } }", json!({ "id": gone })).await;
        let after = admin.data(domain, json!({})).await;
        assert_eq!(code(&after["trackingDomainCreate"]), "NOT_FOUND", "what it made is not there any more");
    }
}

/// What is kept under the keys.
async fn answers(admin: &Admin) -> Vec<String> {
    use sea_orm::EntityTrait as _;
    let read = admin
        .app
        .database
        .side_write(Box::new(|tx| Box::pin(async move { Ok(entity::idempotency_key::Entity::find().all(tx).await?) })));
    read.await.unwrap().into_iter().map(|row| row.answer).collect()
}
