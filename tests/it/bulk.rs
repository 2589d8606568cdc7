//! Many conversions at once, amounts put right, and notes, on both engines: the same rules as one alone, and figures that
//! are the fold of it all.

use futures_util::future::join_all;
use roundtrip::app::jobs::run::take_turn;
use roundtrip::app::jobs::{find as find_job, step_of};
use roundtrip::app::verify::verify;
use roundtrip::domain::code::Code;
use roundtrip::domain::ids::JobId;
use roundtrip::domain::inbound::Door;
use roundtrip::store::{Engine, audit};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::admin::Admin;
use crate::support::databases::rows;
use crate::support::on_both_engines;

const REJECT: &str =
    "mutation($i: ConversionsRejectInput!, $k: String) { conversionsReject(input: $i, idempotencyKey: $k) {
    conversions { id status rejectionReason } job { id state total } matched changed unchanged
    revenueChange { amount currency } payoutChange { amount currency } userErrors { code field index } } }";
const REINSTATE: &str = "mutation($i: ConversionsReinstateInput!) { conversionsReinstate(input: $i) {
    conversions { status } job { id } matched changed unchanged revenueChange { amount } userErrors { code field index } } }";

/// An installation with so many approved clickless conversions of 10 and 7 EUR; their ids and transaction ids.
async fn with(engine: Engine, count: usize) -> (Admin, Vec<(String, String)>) {
    let admin = Admin::start(engine).await;
    let secret = admin.furnish().await;
    let queries = (1..=count).map(|n| format!("secure={secret}&offer=42&publisher=7&order_id=O-{n}"));
    let made = join_all(queries.map(|query| {
        let admin = &admin;
        async move {
            let answer = admin.track(Door::Clickless, &query).await;
            assert_eq!(answer.code, Code::Recorded);
            (answer.conversion.unwrap().to_string(), answer.transaction_id.unwrap().to_string())
        }
    }));
    let made = made.await;
    admin.clock.advance_seconds(1);
    (admin, made)
}

fn ids(made: &[(String, String)]) -> Vec<&str> {
    made.iter().map(|(id, _)| id.as_str()).collect()
}

async fn reject(admin: &Admin, input: Value) -> Value {
    admin.data(REJECT, json!({ "i": input, "k": null })).await["conversionsReject"].take()
}

async fn clean(admin: &Admin) {
    let report = verify(&admin.app.database).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

async fn work(admin: &Admin) {
    while take_turn(&admin.app, Uuid::from_u128(1), step_of).await.unwrap() {}
}

/// Does the first step of a job and does not save it, as a server that dies then; then another one does, and is told the
/// same.
async fn lose_a_step(admin: &Admin, job: &Value) {
    let job = find_job(&admin.app, JobId::parse(job.as_str().unwrap()).unwrap()).await.unwrap().unwrap();
    let first = step_of(&admin.app, &job).await.unwrap();
    let before = rows(&admin.app.database).await;
    assert_eq!(step_of(&admin.app, &job).await.unwrap(), first);
    assert_eq!(rows(&admin.app.database).await, before, "the second time nothing is done");
}

const NOBODY: &str = "cnv_019a0000000070008000000000000001";

on_both_engines! {
    async fn many_are_rejected_at_once_and_what_cannot_be_is_said_by_its_place(engine: Engine) {
        let (admin, made) = with(engine, 3).await;
        reject(&admin, json!({ "selection": { "ids": [made[2].0] }, "reason": "fraud" })).await;
        let before = rows(&admin.app.database).await["audit_event"];
        let named = [&made[0].0, NOBODY, &made[1].0, &made[2].0, &made[0].0];
        let done = reject(&admin, json!({ "selection": { "ids": named }, "reason": "fraud", "note": "seen" })).await;
        assert_eq!((&done["matched"], &done["changed"], &done["unchanged"]), (&json!(4), &json!(2), &json!(2)));
        assert_eq!(done["revenueChange"], json!([{ "amount": "-20.00", "currency": "EUR" }]));
        assert_eq!(done["payoutChange"], json!([{ "amount": "-14.00", "currency": "EUR" }]));
        assert_eq!(done["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["input", "selection", "ids"], "index": 1 }]));
        assert_eq!(done["conversions"][0], json!({ "id": made[0].0, "status": "REJECTED", "rejectionReason": "fraud" }));
        assert_eq!(rows(&admin.app.database).await["audit_event"], before + 2, "one entry for each that changed");
        let trail = audit::find_by_subject(&admin.app.database, &made[0].0, 5).await.unwrap();
        assert_eq!(trail[0].action, "conversion.reject");
        let fields: Vec<_> = trail[0].changes.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["status", "reason", "note"]);
        clean(&admin).await;
    }

    async fn all_or_none_is_one_transaction(engine: Engine) {
        let (admin, made) = with(engine, 3).await;
        let before = rows(&admin.app.database).await;
        let input = json!({ "selection": { "ids": [made[0].0, NOBODY] }, "reason": "r", "errorPolicy": "REJECT_EVERYTHING" });
        let refused = reject(&admin, input).await;
        assert_eq!((&refused["changed"], &refused["userErrors"][0]["index"]), (&json!(0), &json!(1)));
        assert_eq!(rows(&admin.app.database).await, before, "nothing was written");
        let input = json!({ "selection": { "ids": ids(&made) }, "reason": "r", "errorPolicy": "REJECT_EVERYTHING" });
        assert_eq!(reject(&admin, input).await["changed"], 3);
        let undo = json!({ "i": { "selection": { "ids": ids(&made) }, "restorePrevious": true, "errorPolicy": "REJECT_EVERYTHING" } });
        let done = admin.data(REINSTATE, undo.clone()).await["conversionsReinstate"].take();
        assert_eq!((&done["changed"], &done["revenueChange"][0]["amount"]), (&json!(3), &json!("30.00")));
        let again = admin.data(REINSTATE, undo).await["conversionsReinstate"].take();
        assert_eq!(again["userErrors"].as_array().unwrap().len(), 3);
        assert_eq!(again["userErrors"][0]["code"], "INVALID_TRANSITION");
        clean(&admin).await;
    }

    async fn transactions_name_their_base_conversion(engine: Engine) {
        let (admin, made) = with(engine, 1).await;
        let named = [made[0].1.to_uppercase(), "nothing".to_owned()];
        let done = reject(&admin, json!({ "selection": { "transactionIds": named }, "reason": "r" })).await;
        assert_eq!((&done["changed"], &done["matched"]), (&json!(1), &json!(1)));
        assert_eq!(done["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["input", "selection", "transactionIds"], "index": 1 }]));
    }

    async fn five_hundred_may_be_named_and_no_more(engine: Engine) {
        let (admin, made) = with(engine, 2).await;
        for (count, code) in [(0, "REQUIRED"), (499, "none"), (500, "none"), (501, "LIMIT_EXCEEDED")] {
            let named: Vec<_> = ids(&made).into_iter().cycle().take(count).collect();
            let done = reject(&admin, json!({ "selection": { "ids": named }, "reason": "r" })).await;
            assert_eq!(done["userErrors"][0]["code"].as_str().unwrap_or("none"), code, "{count}");
        }
        let done = reject(&admin, json!({ "selection": { "ids": ids(&made) }, "reason": " " })).await;
        assert_eq!(done["userErrors"], json!([{ "code": "REQUIRED", "field": ["input", "reason"], "index": null }]));
    }

    async fn a_dry_run_counts_and_writes_nothing(engine: Engine) {
        let (admin, made) = with(engine, 3).await;
        reject(&admin, json!({ "selection": { "ids": [made[0].0] }, "reason": "r" })).await;
        let before = rows(&admin.app.database).await;
        for selection in [json!({ "ids": ids(&made) }), json!({ "filter": {} })] {
            let would = reject(&admin, json!({ "selection": selection, "reason": "r", "dryRun": true })).await;
            assert_eq!((&would["matched"], &would["changed"], &would["unchanged"]), (&json!(3), &json!(2), &json!(1)), "{selection}");
            assert_eq!(would["revenueChange"], json!([{ "amount": "-20.00", "currency": "EUR" }]));
            assert_eq!(would["job"], Value::Null);
        }
        assert_eq!(rows(&admin.app.database).await, before);
    }

    async fn a_filter_is_a_job_that_rejects_what_it_matched_then(engine: Engine) {
        let (admin, made) = with(engine, 150).await;
        let filter = json!({ "filter": { "offerIds": ["offer_42"] } });
        let refused = reject(&admin, json!({ "selection": filter, "reason": "r", "expectedCount": 149 })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "SELECTION_CHANGED", "field": ["input", "expectedCount"], "index": null }]));
        let refused = reject(&admin, json!({ "selection": filter, "reason": "r", "errorPolicy": "REJECT_EVERYTHING" })).await;
        assert_eq!(refused["userErrors"][0]["field"], json!(["input", "errorPolicy"]));
        let begun = reject(&admin, json!({ "selection": filter, "reason": "r", "expectedCount": 150 })).await;
        assert_eq!((&begun["matched"], &begun["job"]["state"], &begun["job"]["total"]), (&json!(150), &json!("QUEUED"), &json!(150)));
        assert_eq!(begun["conversions"], Value::Null);
        assert!(take_turn(&admin.app, Uuid::from_u128(1), step_of).await.unwrap());
        work(&admin).await;
        let job = "query($id: ID!) { job(id: $id) { kind state processed succeeded failed } }";
        let done = admin.data(job, json!({ "id": begun["job"]["id"] })).await;
        assert_eq!(done["job"], json!({ "kind": "CONVERSIONS_REJECT", "state": "SUCCEEDED", "processed": 150, "succeeded": 150, "failed": 0 }));
        let left = "{ conversions(filter: { convertedAt: { since: \"2026-06-01T00:00:00Z\" }, status: [APPROVED] }) { totalCount { value } } }";
        assert_eq!(admin.data(left, json!({})).await["conversions"]["totalCount"]["value"], 0);
        let trail = audit::find_by_subject(&admin.app.database, &made[0].0, 5).await.unwrap();
        assert_eq!(trail[0].request_id, begun["job"]["id"].as_str().unwrap());
        let undo = json!({ "i": { "selection": filter, "restorePrevious": true } });
        let begun = admin.data(REINSTATE, undo).await["conversionsReinstate"].take();
        work(&admin).await;
        let done = admin.data(job, json!({ "id": begun["job"]["id"] })).await;
        assert_eq!(done["job"]["succeeded"], 150);
        clean(&admin).await;
    }

    async fn a_step_that_was_done_and_not_saved_is_counted_once(engine: Engine) {
        let (admin, made) = with(engine, 150).await;
        let job = "query($id: ID!) { job(id: $id) { state processed succeeded failed errors { nodes { subjectId error { code } } } } }";
        // What is rejected is not in the filter any more.
        let filter = json!({ "filter": { "status": ["APPROVED"], "convertedAt": { "since": "2026-06-01T00:00:00Z" } } });
        let begun = reject(&admin, json!({ "selection": filter, "reason": "r", "expectedCount": 150 })).await;
        lose_a_step(&admin, &begun["job"]["id"]).await;
        work(&admin).await;
        let done = admin.data(job, json!({ "id": begun["job"]["id"] })).await;
        let all = json!({ "state": "SUCCEEDED", "processed": 150, "succeeded": 150, "failed": 0, "errors": { "nodes": [] } });
        assert_eq!(done["job"], all);
        let trail = audit::find_by_subject(&admin.app.database, &made[0].0, 5).await.unwrap();
        assert_eq!(trail.len(), 1, "{trail:?}");
        clean(&admin).await;

        // Also what could not be done.
        let (admin, made) = with(engine, 3).await;
        reject(&admin, json!({ "selection": { "ids": [made[0].0] }, "reason": "r" })).await;
        let undo = json!({ "i": { "selection": { "filter": {} }, "restorePrevious": true } });
        let begun = admin.data(REINSTATE, undo).await["conversionsReinstate"].take();
        lose_a_step(&admin, &begun["job"]["id"]).await;
        work(&admin).await;
        let mut done = admin.data(job, json!({ "id": begun["job"]["id"] })).await["job"].take();
        let errors = done["errors"]["nodes"].take();
        let mut errors: Vec<&Value> = errors.as_array().unwrap().iter().collect();
        errors.sort_by_key(|error| error["subjectId"].as_str());
        let mut never: Vec<&str> = ids(&made[1..]);
        never.sort_unstable();
        let told = |id: &&str| json!({ "subjectId": id, "error": { "code": "INVALID_TRANSITION" } });
        assert_eq!(errors, never.iter().map(told).collect::<Vec<_>>().iter().collect::<Vec<_>>());
        let counted = (&done["state"], &done["processed"], &done["succeeded"], &done["failed"]);
        assert_eq!(counted, (&json!("PARTIAL"), &json!(3), &json!(1), &json!(2)));
        clean(&admin).await;
    }

    async fn a_bulk_call_under_one_key_is_done_once_and_told_the_same(engine: Engine) {
        let (admin, made) = with(engine, 2).await;
        let input = json!({ "selection": { "ids": [made[0].0, NOBODY, made[1].0] }, "reason": "r" });
        let call = |input: &Value| admin.data(REJECT, json!({ "i": input, "k": "k" }));
        let all = join_all((0..6).map(|_| call(&input))).await;
        let first = &all[0]["conversionsReject"];
        assert_eq!((&first["changed"], &first["revenueChange"][0]["amount"]), (&json!(2), &json!("-20.00")));
        assert_eq!(first["userErrors"][0]["index"], 1);
        assert!(all.iter().all(|told| told == &all[0]), "{all:#?}");
        let undo = json!({ "i": { "selection": { "ids": ids(&made) } } });
        admin.data(REINSTATE, undo).await;
        let again = call(&input).await;
        assert_eq!(again["conversionsReject"]["changed"], 2, "as the first was told");
        assert_eq!(again["conversionsReject"]["conversions"][0]["status"], "APPROVED", "and as they are now");
        let other = json!({ "selection": { "ids": [made[0].0] }, "reason": "r" });
        assert_eq!(call(&other).await["conversionsReject"]["userErrors"][0]["code"], "IDEMPOTENCY_KEY_REUSED");
        clean(&admin).await;
    }

    async fn amounts_are_put_right_by_the_difference(engine: Engine) {
        let (admin, made) = with(engine, 1).await;
        let amend = "mutation($id: ID!, $v: Int!, $i: ConversionAmendInput!) { conversionAmend(id: $id, version: $v, input: $i) {
            conversion { version status revenue { amount } payout { amount } purchaseValue { amount } }
            change { type revenueBefore { amount } revenueAfter { amount } payoutAfter { amount } note } userErrors { code field } } }";
        let call = async |version: i32, input: Value| {
            admin.clock.advance_seconds(1);
            admin.data(amend, json!({ "id": made[0].0, "v": version, "i": input })).await["conversionAmend"].take()
        };
        let done = call(1, json!({ "revenue": "12.5", "purchaseValue": "100", "note": "a typo of theirs" })).await;
        assert_eq!(done["conversion"], json!({ "version": 2, "status": "APPROVED", "revenue": { "amount": "12.50" },
            "payout": { "amount": "7.00" }, "purchaseValue": { "amount": "100.00" } }));
        assert_eq!(done["change"], json!({ "type": "AMENDED", "revenueBefore": { "amount": "10.00" }, "revenueAfter": { "amount": "12.50" },
            "payoutAfter": { "amount": "7.00" }, "note": "a typo of theirs" }));
        clean(&admin).await;
        let stale = call(1, json!({ "payout": "1", "note": "n" })).await;
        assert_eq!(stale["userErrors"], json!([{ "code": "CONFLICT_VERSION", "field": ["version"] }]));
        let same = call(2, json!({ "revenue": "12.50", "note": "n" })).await;
        assert_eq!((&same["change"], &same["userErrors"]), (&Value::Null, &json!([])));
        for (input, error) in [
            (json!({ "note": "n" }), json!([{ "code": "REQUIRED", "field": ["input", "revenue"] }])),
            (json!({ "payout": "1", "note": " " }), json!([{ "code": "REQUIRED", "field": ["input", "note"] }])),
            (json!({ "payout": "1.0000001", "note": "n" }), json!([{ "code": "INVALID", "field": ["input", "payout"] }])),
            (json!({ "payout": "1000000000", "note": "n" }), json!([{ "code": "TOO_LARGE", "field": ["input", "payout"] }])),
            (json!({ "payout": "-1", "note": "n" }), json!([{ "code": "INVALID", "field": ["input", "payout"] }])),
        ] {
            assert_eq!(call(2, input.clone()).await["userErrors"], error, "{input}");
        }
        reject(&admin, json!({ "selection": { "ids": ids(&made) }, "reason": "r" })).await;
        let rejected = call(3, json!({ "payout": "5", "note": "n" })).await;
        assert_eq!((&rejected["conversion"]["status"], &rejected["change"]["type"]), (&json!("REJECTED"), &json!("AMENDED")));
        clean(&admin).await;
    }

    async fn a_note_is_kept_in_the_history_and_moves_nothing(engine: Engine) {
        let (admin, made) = with(engine, 1).await;
        let note = "mutation($id: ID!, $n: String!) { conversionNoteAdd(id: $id, note: $n) {
            conversion { status version } change { type note fromStatus toStatus actor { label } } userErrors { code field } } }";
        let done = admin.data(note, json!({ "id": made[0].0, "n": " called them " })).await["conversionNoteAdd"].take();
        assert_eq!(done["conversion"], json!({ "status": "APPROVED", "version": 2 }));
        assert_eq!((&done["change"]["type"], &done["change"]["note"]), (&json!("NOTE_ADDED"), &json!("called them")));
        let long = admin.data(note, json!({ "id": made[0].0, "n": "n".repeat(1001) })).await["conversionNoteAdd"].take();
        assert_eq!(long["userErrors"], json!([{ "code": "TOO_LONG", "field": ["note"] }]));
        reject(&admin, json!({ "selection": { "ids": ids(&made) }, "reason": "r" })).await;
        admin.data(note, json!({ "id": made[0].0, "n": "again" })).await;
        let undo = json!({ "i": { "selection": { "ids": ids(&made) }, "restorePrevious": true } });
        assert_eq!(admin.data(REINSTATE, undo).await["conversionsReinstate"]["changed"], 1, "a note hides no rejection");
        clean(&admin).await;
    }
}
