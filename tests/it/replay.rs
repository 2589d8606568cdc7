//! Refused requests that are sent again from their receipts: at their own time, under their own keys, once.

use futures_util::future::join_all;
use roundtrip::app::import_clicks::import_clicks;
use roundtrip::app::jobs::run::take_turn;
use roundtrip::app::jobs::step_of;
use roundtrip::app::verify::verify;
use roundtrip::domain::answer::Answer;
use roundtrip::domain::clock::Clock as _;
use roundtrip::domain::code::Code::{self, *};
use roundtrip::domain::conversion::Conversion;
use roundtrip::domain::ids::{ConversionId, ReceiptId};
use roundtrip::domain::inbound::{Door, WarningCode};
use roundtrip::domain::offer::{DuplicatePolicy, Offer, OfferState};
use roundtrip::domain::operator::{Principal, Role};
use roundtrip::domain::receipt::Receipt;
use roundtrip::domain::replay::{NotReplayable, replay};
use roundtrip::domain::screening::Hit;
use roundtrip::domain::secure_token::{Capability, SecureToken, TokenState};
use roundtrip::domain::snapshot::Snapshot;
use roundtrip::domain::status::Status;
use roundtrip::store::{Engine, batch, receipts};
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::bench::{Bench, event, offer_id};
use crate::support::databases::rows;
use crate::support::on_both_engines;

async fn receipt(bench: &Bench, id: Option<ReceiptId>) -> Receipt {
    receipts::find(&bench.database, id.unwrap()).await.unwrap().unwrap()
}

async fn restored(bench: &Bench, first: &Answer) -> Result<Hit, NotReplayable> {
    let new = ReceiptId::mint(&*bench.clock, &*bench.entropy);
    replay(&receipt(bench, first.receipt).await, new, bench.clock.now())
}

/// Sends the request of a receipt again.
async fn again(bench: &Bench, first: &Answer, code: Code) -> Answer {
    let answer = bench.intake.settle(restored(bench, first).await.unwrap()).await.unwrap();
    assert_eq!(answer.code, code, "{}", answer.to_json());
    answer
}

async fn stored(bench: &Bench, id: Option<ConversionId>) -> Conversion {
    let (mut tx, _) = bench.database.begin_read().await.unwrap();
    batch::conversions_by_ids(&mut tx, &[id.unwrap()], false).await.unwrap().pop().unwrap()
}

fn archive(offer: &mut Offer) {
    offer.state = OfferState::Archived;
}

fn open(offer: &mut Offer) {
    offer.state = OfferState::Active;
}

fn change_token(bench: &Bench, change: impl FnOnce(&mut SecureToken)) {
    let mut changed = Snapshot::clone(&bench.snapshot.load());
    change(changed.tokens.values_mut().next().unwrap());
    bench.snapshot.store(std::sync::Arc::new(changed));
}

async fn is_clean(bench: &Bench) {
    let report = verify(&bench.database).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

on_both_engines! {
    async fn a_refused_request_counts_at_its_own_time_and_leaves_a_receipt_that_names_the_first(engine: Engine) {
        let bench = Bench::start(engine).await;
        bench.change_offer(archive);
        let query = format!(
            "transaction_id={}&revenue=3&user_email=ann@shop.example&conversion_ip=203.0.113.77&own=x&adv_sub_id=a@b.example",
            bench.mint()
        );
        let came_at = bench.clock.now();
        let refused = bench.expect(Door::Postback, &query, OfferInactive).await;
        bench.change_offer(open);
        // Longer than the attribution window: what counts is when it came.
        bench.clock.advance_seconds(31 * 24 * 3600);
        let sent_at = bench.clock.now();
        let answer = again(&bench, &refused, Recorded).await;
        assert_eq!(answer.status, Some(Status::Approved));
        let kept = stored(&bench, answer.conversion).await;
        assert_eq!((kept.converted_at, kept.recorded_at), (came_at, sent_at));
        let first = bench.hit(Door::Postback, &query);
        assert_eq!((kept.email, kept.conversion_ip), (first.email, first.conversion_ip));
        assert_eq!(kept.adv_sub_ids[0].as_deref(), Some("***@b.example"));
        assert!(answer.warnings.iter().any(|warning| warning.code == WarningCode::MaskedByReceipt));
        let (old, new) = (receipt(&bench, refused.receipt).await, receipt(&bench, answer.receipt).await);
        assert_eq!((old.code, old.conversion, old.replay_of), (OfferInactive, None, None));
        assert_eq!((new.code, new.replay_of, new.received_at), (Recorded, refused.receipt, sent_at));
        assert_eq!((new.params, new.address, new.token), (old.params, old.address, old.token));
        is_clean(&bench).await;
    }

    async fn it_never_counts_twice_whoever_sends_it_again(engine: Engine) {
        let bench = Bench::start(engine).await;
        bench.change_offer(|offer| {
            offer.duplicate_policy = DuplicatePolicy::OnePerOrder;
            archive(offer);
        });
        for key in ["&order_id=A", "&adv_sub_id=x"] {
            let query = format!("transaction_id={}{key}", bench.mint());
            let refused = bench.expect(Door::Postback, &query, OfferInactive).await;
            bench.change_offer(open);
            let recorded = again(&bench, &refused, Recorded).await;
            let repeat = again(&bench, &refused, Duplicate).await;
            let retry = bench.expect(Door::Postback, &query, Duplicate).await;
            assert_eq!((repeat.conversion, retry.conversion), (recorded.conversion, recorded.conversion));
            bench.change_offer(archive);
        }
        let query = "offer=42&publisher=7&external_transaction_id=E";
        let refused = bench.expect(Door::Clickless, query, OfferInactive).await;
        bench.change_offer(open);
        bench.expect(Door::Clickless, query, Recorded).await;
        again(&bench, &refused, Duplicate).await;
        assert_eq!(rows(&bench.database).await["conversion"], 3);
        is_clean(&bench).await;
    }

    async fn sent_again_many_times_at_once_it_is_one_conversion(engine: Engine) {
        let bench = Bench::start(engine).await;
        bench.change_offer(archive);
        let query = format!("transaction_id={}", bench.mint());
        let refused = bench.expect(Door::Postback, &query, OfferInactive).await;
        bench.change_offer(open);
        let hits = join_all((0..32).map(|_| restored(&bench, &refused))).await;
        let answers = join_all(hits.into_iter().map(|hit| bench.intake.settle(hit.unwrap()))).await;
        let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| answer.code == Recorded).count(), 1);
        assert!(answers.iter().all(|answer| answer.conversion == answers[0].conversion));
        assert_eq!(rows(&bench.database).await["receipt"], 33);
        is_clean(&bench).await;
    }

    async fn an_event_is_recorded_once_its_conversion_is_there(engine: Engine) {
        let bench = Bench::start(engine).await;
        bench.change_offer(|offer| offer.events.push(event(2, "deposit")));
        let query = format!("transaction_id={}", bench.mint());
        let early = bench.expect(Door::Postback, &format!("{query}&event_name=deposit"), NoBaseConversion).await;
        again(&bench, &early, NoBaseConversion).await;
        bench.expect(Door::Postback, &query, Recorded).await;
        let recorded = again(&bench, &early, Recorded).await;
        assert_eq!(stored(&bench, recorded.conversion).await.event_number, 2);
        is_clean(&bench).await;
    }

    async fn a_rejection_and_a_status_change_are_sent_again_too(engine: Engine) {
        let bench = Bench::start(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        bench.expect(Door::Postback, &query, Recorded).await;
        let all = bench.snapshot.load().tokens.values().next().unwrap().capabilities;
        change_token(&bench, |token| token.capabilities = [Capability::Convert].into_iter().collect());
        let rejection = bench.expect(Door::Rejection, &format!("{query}&reason=fraud"), TokenCapability).await;
        let status = bench.expect(Door::Status, &format!("{query}&status=approved"), TokenCapability).await;
        again(&bench, &rejection, TokenCapability).await;
        change_token(&bench, |token| token.capabilities = all);
        again(&bench, &rejection, Rejected).await;
        again(&bench, &rejection, NoChange).await;
        again(&bench, &status, StatusChanged).await;
        is_clean(&bench).await;
    }

    async fn of_an_address_only_what_is_kept_is_compared(engine: Engine) {
        let bench = Bench::start(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        let allow = |networks: &[&str]| {
            let networks = networks.iter().map(|text| text.parse().unwrap()).collect();
            change_token(&bench, |token| token.allowed_addresses = networks);
        };
        allow(&["10.0.0.0/8"]);
        let refused = bench.expect(Door::Postback, &query, IpNotAllowed).await;
        for (networks, code) in [
            (vec!["10.0.0.0/8"], IpNotAllowed),
            (vec!["203.0.113.8/32"], IpNotAllowed),
            (vec!["203.0.113.0/25"], IpNotAllowed),
            (vec!["10.0.0.0/8", "203.0.113.9/32"], Recorded),
            (vec!["203.0.113.0/24"], Duplicate),
            (vec!["203.0.0.0/16"], Duplicate),
            (vec![], Duplicate),
        ] {
            allow(&networks);
            let answer = again(&bench, &refused, code).await;
            let told = answer.detail.is_some_and(|detail| detail.contains("203.0.113.0/24"));
            assert_eq!(told, code == IpNotAllowed, "{networks:?}");
        }
    }

    async fn a_token_that_was_replaced_vouches_for_what_came_under_it_and_one_that_was_revoked_does_not(engine: Engine) {
        let bench = Bench::start(engine).await;
        bench.change_offer(archive);
        let query = format!("transaction_id={}", bench.mint());
        let refused = bench.expect(Door::Postback, &query, OfferInactive).await;
        bench.change_offer(open);
        change_token(&bench, |token| token.state = TokenState::Revoked);
        again(&bench, &refused, InvalidSecure).await;
        change_token(&bench, |token| {
            token.state = TokenState::Retiring;
            token.retiring_until = Some(bench.clock.now());
        });
        bench.expect(Door::Postback, &query, InvalidSecure).await;
        again(&bench, &refused, Recorded).await;
    }

    async fn what_was_kept_or_came_from_a_stranger_is_not_sent_again(engine: Engine) {
        let bench = Bench::start(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        let recorded = bench.expect(Door::Postback, &query, Recorded).await;
        let unreadable = bench.expect(Door::Postback, &format!("{query}&order_id=A&transaction_id=B"), AmbiguousParameter).await;
        let refused = bench.expect(Door::Postback, &format!("{query}&event_id=9"), UnknownEvent).await;
        let replayed = again(&bench, &refused, UnknownEvent).await;
        for (answer, why) in [
            (&recorded, NotReplayable::NotRefused),
            (&unreadable, NotReplayable::Unreadable),
            (&replayed, NotReplayable::IsReplay),
        ] {
            assert_eq!(restored(&bench, answer).await.err(), Some(why));
        }
        assert!(bench.snapshot.load().offers.contains_key(&offer_id()));
    }

    async fn a_rehearsal_of_it_writes_nothing(engine: Engine) {
        let bench = Bench::start(engine).await;
        bench.change_offer(archive);
        let refused = bench.expect(Door::Postback, &format!("transaction_id={}", bench.mint()), OfferInactive).await;
        let before = rows(&bench.database).await;
        let would_be = async || {
            let hit = restored(&bench, &refused).await.unwrap();
            bench.intake.rehearse(&hit).await.unwrap().answer.code
        };
        assert_eq!(would_be().await, OfferInactive);
        bench.change_offer(open);
        assert_eq!(would_be().await, Recorded);
        assert_eq!(rows(&bench.database).await, before);
    }
}

const REPLAY: &str = "mutation($ids: [ID!], $filter: ReceiptFilter, $dry: Boolean! = true) {
    receiptsReplay(ids: $ids, filter: $filter, dryRun: $dry) { job { id } userErrors { code field } } }";
const JOB: &str = "query($id: ID!) { job(id: $id) { kind state total processed succeeded failed
    errors { nodes { subjectId error { code message } } } } }";

/// Starts a replay, and waits for its end.
async fn replayed(admin: &Admin, asked: Value) -> Value {
    let id = admin.done(REPLAY, asked).await["job"]["id"].take();
    while take_turn(&admin.app, uuid::Uuid::from_u128(1), step_of).await.unwrap() {}
    admin.data(JOB, json!({ "id": id })).await["job"].take()
}

/// A second later, with the token.
async fn sent(admin: &Admin, secret: &str, door: Door, query: &str) -> Answer {
    admin.clock.advance_seconds(1);
    admin.track(door, &format!("secure={secret}&{query}")).await
}

on_both_engines! {
    async fn a_job_sends_them_again_the_oldest_first_and_a_dry_run_only_tells(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let set = "mutation { offerEventsSet(id: \"offer_42\", version: 1, events: [{ number: 1, name: \"deposit\",
            revenue: { fixed: \"2\" }, payout: { fixed: \"1\" } }]) { userErrors { message } } }";
        admin.done(set, json!({})).await;
        let id = admin.click("offer=42&publisher=7").await;
        admin.done("mutation { offerArchive(id: \"offer_42\") { userErrors { message } } }", json!({})).await;
        let base = format!("transaction_id={id}");
        let mut refused = Vec::new();
        for query in [&base, &format!("{base}&event_id=1"), &format!("{base}&event_id=1"), "transaction_id=none-of-ours"] {
            let answer = sent(&admin, &secret, Door::Postback, query).await;
            refused.push(answer.receipt.unwrap().to_string());
        }
        admin.done("mutation { offerUnarchive(id: \"offer_42\") { userErrors { message } } }", json!({})).await;
        let before = rows(&admin.app.database).await;
        admin.clock.advance_seconds(1);

        let dry = replayed(&admin, json!({ "filter": {} })).await;
        assert_eq!((&dry["kind"], &dry["state"]), (&json!("RECEIPTS_REPLAY"), &json!("PARTIAL")));
        assert_eq!((&dry["processed"], &dry["succeeded"], &dry["failed"]), (&json!(4), &json!(1), &json!(3)));
        let said = |job: &Value, nth: usize| {
            let error = &job["errors"]["nodes"][nth];
            (error["subjectId"].clone(), error["error"]["message"].as_str().unwrap().split(':').next().unwrap().to_owned())
        };
        assert_eq!(said(&dry, 0), (json!(refused[1]), "no_base_conversion".to_owned()));
        assert_eq!(said(&dry, 2), (json!(refused[3]), "malformed_transaction_id".to_owned()));
        let after = rows(&admin.app.database).await;
        assert_eq!((after["receipt"], after["conversion"]), (before["receipt"], before["conversion"]));
        let explain = "query($id: ID!) { receiptReplayExplain(id: $id) { code kind } }";
        let told = admin.data(explain, json!({ "id": refused[0] })).await;
        assert_eq!(told["receiptReplayExplain"], json!({ "code": "RECORDED", "kind": "CONVERSION" }));

        let done = replayed(&admin, json!({ "filter": {}, "dry": false })).await;
        assert_eq!((&done["state"], &done["succeeded"], &done["failed"]), (&json!("PARTIAL"), &json!(3), &json!(1)));
        let query = "{ receipts(first: 4) { nodes { code replayOf { id code } } } }";
        let newest = admin.data(query, json!({})).await["receipts"]["nodes"].take();
        let named = newest.as_array().unwrap().iter().map(|one| one["replayOf"]["id"].as_str().unwrap().to_owned());
        assert_eq!(named.collect::<std::collections::BTreeSet<_>>(), refused.iter().cloned().collect());
        assert_eq!(rows(&admin.app.database).await["conversion"], 2);

        // The first attempts are still there, and so they can be sent again; what they recorded is not counted twice.
        let again = replayed(&admin, json!({ "ids": [refused[0], refused[0], refused[2]], "dry": false })).await;
        assert_eq!((&again["state"], &again["total"], &again["succeeded"]), (&json!("SUCCEEDED"), &json!(2), &json!(2)));
        assert_eq!(rows(&admin.app.database).await["conversion"], 2);
        let report = verify(&admin.app.database).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }

    async fn what_was_refused_before_its_clicks_were_imported_comes_home_afterwards(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let refused = sent(&admin, &secret, Door::Postback, "transaction_id=6650fa0c1f&order_id=A").await;
        assert_eq!(refused.code, MalformedTransactionId);
        let csv = format!("id,offer,publisher,time\n6650fa0c1f,42,7,{}\n", admin.clock.now().plus_seconds(-60));
        let system = Principal::system();
        import_clicks(&admin.app, &system, "x", csv.as_bytes(), &mut |line| panic!("{line:?}")).await.unwrap().unwrap();
        let done = replayed(&admin, json!({ "ids": [refused.receipt.unwrap().to_string()], "dry": false })).await;
        assert_eq!((&done["state"], &done["succeeded"]), (&json!("SUCCEEDED"), &json!(1)));
        let retry = sent(&admin, &secret, Door::Postback, "transaction_id=6650fa0c1f&order_id=A").await;
        assert_eq!(retry.code, Duplicate);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_takes_either_ids_or_a_filter() {
    let admin = Admin::start(Engine::Sqlite).await;
    let secret = admin.furnish().await;
    let recorded = sent(&admin, &secret, Door::Clickless, "offer=42&publisher=7&order_id=A").await;
    let id = recorded.receipt.unwrap().to_string();
    let nobody = |number: u32| format!("rcp_{number:032x}");
    let many = |count: u32| (0..count).map(nobody).collect::<Vec<_>>();
    for (asked, code, field) in [
        (json!({}), "INVALID", "ids"),
        (json!({ "ids": [id], "filter": {} }), "INVALID", "ids"),
        (json!({ "ids": [] }), "REQUIRED", "ids"),
        (json!({ "ids": many(501) }), "LIMIT_EXCEEDED", "ids"),
    ] {
        let told = admin.data(REPLAY, asked.clone()).await;
        assert_eq!(told["receiptsReplay"]["userErrors"], json!([{ "code": code, "field": [field] }]), "{asked}");
    }
    let all_gone = replayed(&admin, json!({ "ids": many(500), "dry": false })).await;
    assert_eq!((&all_gone["state"], &all_gone["processed"]), (&json!("FAILED"), &json!(500)));
    assert_eq!(all_gone["errors"]["nodes"][0]["error"]["code"], "NOT_FOUND");
    let kept = replayed(&admin, json!({ "ids": [id], "dry": false })).await;
    assert!(kept["errors"]["nodes"][0]["error"]["message"].as_str().unwrap().contains("not refused"), "{kept}");
    let explain = "query($id: ID!) { receiptReplayExplain(id: $id) { code } }";
    let told = admin.ask(Role::Manager, explain, json!({ "id": id })).await;
    assert_eq!(told["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}
