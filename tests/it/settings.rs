//! The settings of the workspace: they go before the configuration, at once, and act where they are meant to.

use roundtrip::domain::inbound::Door;
use roundtrip::domain::operator::Role;
use roundtrip::store::{Engine, audit, receipts};
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::on_both_engines;

const ALL: &str = "timezone currency fallbackUrl defaultTokenOverlapSeconds maxTokenOverlapSeconds \
    receiptRetentionDays emailStorage version";

async fn settings(admin: &Admin) -> Value {
    admin.data(&format!("{{ settings {{ {ALL} }} }}"), json!({})).await["settings"].take()
}

async fn update(admin: &Admin, version: i32, settings: Value) -> Value {
    let mutation = format!(
        "mutation($version: Int!, $settings: SettingsInput!) {{ settingsUpdate(version: $version, settings: $settings) {{
            settings {{ {ALL} }} userErrors {{ code field hint }} }} }}"
    );
    admin.data(&mutation, json!({ "version": version, "settings": settings })).await["settingsUpdate"].take()
}

on_both_engines! {
    async fn a_setting_goes_before_the_configuration_until_it_is_taken_back(engine: Engine) {
        let admin = Admin::start(engine).await;
        let configured = json!({
            "timezone": "UTC", "currency": null, "fallbackUrl": null, "defaultTokenOverlapSeconds": 86_400,
            "maxTokenOverlapSeconds": 604_800, "receiptRetentionDays": 30, "emailStorage": "HASHED", "version": 1,
        });
        assert_eq!(settings(&admin).await, configured);
        let set = json!({
            "timezone": "europe/berlin", "currency": "eur", "fallbackUrl": "https://all.example",
            "defaultTokenOverlapSeconds": 60, "maxTokenOverlapSeconds": 3_600, "receiptRetentionDays": 7,
            "emailStorage": "DROPPED",
        });
        let done = update(&admin, 1, set).await;
        let expected = json!({
            "timezone": "Europe/Berlin", "currency": "EUR", "fallbackUrl": "https://all.example/",
            "defaultTokenOverlapSeconds": 60, "maxTokenOverlapSeconds": 3_600, "receiptRetentionDays": 7,
            "emailStorage": "DROPPED", "version": 2,
        });
        assert_eq!(done, json!({ "settings": expected, "userErrors": [] }));
        assert_eq!(settings(&admin).await, expected);
        assert_eq!((admin.app.receipt_days(), admin.app.token_overlap_seconds()), (7, 60));
        let stale = update(&admin, 1, json!({ "receiptRetentionDays": 8 })).await;
        assert_eq!(stale["userErrors"][0]["code"], "CONFLICT_VERSION");
        let same = update(&admin, 2, json!({ "receiptRetentionDays": 7 })).await;
        assert_eq!(same["settings"]["version"], 2, "nothing changed");
        let back = json!({
            "currency": null, "fallbackUrl": null, "defaultTokenOverlapSeconds": null, "maxTokenOverlapSeconds": null,
            "receiptRetentionDays": null, "timezone": "UTC", "emailStorage": "HASHED",
        });
        let done = update(&admin, 2, back).await;
        let mut again = configured;
        again["version"] = json!(3);
        assert_eq!(done["settings"], again);
        let trail = audit::find_by_subject(&admin.app.database, "settings", 9).await.unwrap();
        assert_eq!(trail.iter().map(|event| event.changes.len()).collect::<Vec<_>>(), [7, 7]);
    }

    async fn what_cannot_be_set_is_said_with_its_field(engine: Engine) {
        let admin = Admin::start(engine).await;
        for (set, code, field) in [
            (json!({ "receiptRetentionDays": 0 }), "TOO_SMALL", "receiptRetentionDays"),
            (json!({ "receiptRetentionDays": 3651 }), "TOO_LARGE", "receiptRetentionDays"),
            (json!({ "maxTokenOverlapSeconds": 2_592_001 }), "TOO_LARGE", "maxTokenOverlapSeconds"),
            (json!({ "maxTokenOverlapSeconds": -1 }), "TOO_SMALL", "maxTokenOverlapSeconds"),
            (json!({ "defaultTokenOverlapSeconds": 604_801 }), "OVERLAP_TOO_LONG", "defaultTokenOverlapSeconds"),
            (json!({ "fallbackUrl": format!("https://a.example/{}", "x".repeat(9000)) }), "TOO_LONG", "fallbackUrl"),
        ] {
            let done = update(&admin, 1, set.clone()).await;
            let error = &done["userErrors"][0];
            assert_eq!((error["code"].as_str(), &error["field"]), (Some(code), &json!(["settings", field])), "{set}");
        }
        for (field, good) in [("receiptRetentionDays", 1), ("receiptRetentionDays", 3650), ("maxTokenOverlapSeconds", 2_592_000)] {
            let version = settings(&admin).await["version"].as_i64().unwrap();
            let done = update(&admin, i32::try_from(version).unwrap(), json!({ field: good })).await;
            assert_eq!(done["userErrors"], json!([]), "{field} {good}");
        }
        let query = "mutation { settingsUpdate(version: 1, settings: { timezone: \"Mars/Olympus\" }) { userErrors { code } } }";
        let answer = admin.ask(Role::Admin, query, json!({})).await;
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains("IANA"), "{answer}");
    }

    async fn where_emails_are_dropped_nothing_of_one_is_written_and_a_retry_stays_one(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let transaction = admin.click("offer=42&publisher=7").await;
        let query = format!("secure={secret}&transaction_id={transaction}&user_email=jane@shop.example&mail=joe@shop.example");
        let kept = admin.track(Door::Postback, &query).await;
        assert_eq!(update(&admin, 1, json!({ "emailStorage": "DROPPED" })).await["userErrors"], json!([]));
        let again = admin.track(Door::Postback, &query).await;
        assert_eq!((again.code.as_str(), again.conversion), ("duplicate", kept.conversion), "the same request");
        let other = admin.click("offer=42&publisher=7").await;
        let dropped = admin.track(Door::Postback, &query.replace(&transaction, &other)).await;
        let params = async |receipt| receipts::find(&admin.app.database, receipt).await.unwrap().unwrap().params;
        let before = params(kept.receipt.unwrap()).await;
        assert!(before.contains("j***%40shop.example") && before.contains("user_email_hash"), "{before}");
        for receipt in [again.receipt.unwrap(), dropped.receipt.unwrap()] {
            let after = params(receipt).await;
            assert!(!after.contains("shop.example") && !after.contains("email") && !after.contains("mail_hash"), "{after}");
        }
        let shown = async |id: &str| {
            let query = format!("{{ conversion(by: {{ id: \"{id}\" }}) {{ userEmailMasked extraParams {{ key value }} }} }}");
            admin.data(&query, json!({})).await["conversion"].take()
        };
        let extra = |value: &str| json!([{ "key": "mail", "value": value }]);
        let kept = shown(&kept.conversion.unwrap().to_string()).await;
        assert_eq!(kept, json!({ "userEmailMasked": "j***@shop.example", "extraParams": extra("j***@shop.example") }));
        let dropped = shown(&dropped.conversion.unwrap().to_string()).await;
        assert_eq!(dropped, json!({ "userEmailMasked": null, "extraParams": extra("***") }));
    }

    async fn the_longest_overlap_and_the_fallback_are_those_of_the_workspace(engine: Engine) {
        let admin = Admin::start(engine).await;
        admin.furnish().await;
        let set = json!({ "maxTokenOverlapSeconds": 120, "fallbackUrl": "https://all.example/", "currency": "USD" });
        assert_eq!(update(&admin, 1, set).await["settings"]["defaultTokenOverlapSeconds"], 120);
        let token = admin.data("{ secureTokens { nodes { id } } }", json!({})).await;
        let id = token["secureTokens"]["nodes"][0]["id"].as_str().unwrap().to_owned();
        let rotate = |input: &str| format!(
            "mutation {{ secureTokenRotate(id: \"{id}\", version: 1, input: {{ {input} }}) {{
                previousToken {{ retiringUntil }} userErrors {{ code hint }} }} }}"
        );
        let refused = admin.data(&rotate("overlapSeconds: 121"), json!({})).await;
        assert_eq!(refused["secureTokenRotate"]["userErrors"], json!([{ "code": "OVERLAP_TOO_LONG", "hint": "120" }]));
        let done = admin.data(&rotate(""), json!({})).await;
        assert_eq!(done["secureTokenRotate"]["previousToken"]["retiringUntil"], "2026-06-01T12:02:00Z");
        let offer = "mutation { offerCreate(offer: { name: \"B\", advertiserId: \"adv_1\", revenue: { fixed: \"2\" },
            payout: { fixed: \"1\" }, landingPageUrl: \"https://b.example/?t={transaction_id}\" }) { offer { currency } userErrors { code } } }";
        assert_eq!(admin.done(offer, json!({})).await["offer"]["currency"], "USD");
    }
}
