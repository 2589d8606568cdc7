//! Events after the conversion: their own money, keys, status and figures, and the conversion that has to come first.

use futures_util::future::join_all;
use roundtrip::app::verify::verify;
use roundtrip::domain::code::Code::*;
use roundtrip::domain::conversion::Conversion;
use roundtrip::domain::ids::ConversionId;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::offer::DuplicatePolicy;
use roundtrip::domain::operator::Role;
use roundtrip::domain::status::{Party, Status};
use roundtrip::store::{Database, Engine, batch};
use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::bench::{Bench, click, event, options};
use crate::support::databases::{rollup, rows};
use crate::support::on_both_engines;
use crate::support::server::TestServer;

/// With the events 1 `lead` and 2 `deposit`: 5 EUR from the advertiser, 4 EUR to the publisher.
async fn eventful(engine: Engine) -> Bench {
    let bench = Bench::start(engine).await;
    define(&bench);
    bench
}

fn define(bench: &Bench) {
    bench.change_offer(|offer| offer.events = vec![event(1, "lead"), event(2, "deposit")]);
}

async fn stored(bench: &Bench, id: Option<ConversionId>) -> Conversion {
    let (mut tx, _) = bench.database.begin_read().await.unwrap();
    batch::conversions_by_ids(&mut tx, &[id.unwrap()], false).await.unwrap().pop().unwrap()
}

async fn is_clean(database: &Database) {
    let report = verify(database).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

const SET: &str = "mutation($version: Int!, $events: [OfferEventInput!]!) {
    offerEventsSet(id: \"offer_42\", version: $version, events: $events) {
        offer { version events { number name revenue { fixed { amount } percent } payout { percent } } }
        userErrors { code field message } } }";

fn wire(number: i32, name: &str) -> Value {
    json!({ "number": number, "name": name, "revenue": { "fixed": "5" }, "payout": { "percent": "10" } })
}

async fn set(admin: &Admin, version: i32, events: &[Value]) -> Value {
    let answer = admin.ask(Role::Manager, SET, json!({ "version": version, "events": events })).await;
    assert!(answer.get("errors").is_none(), "{answer:#}");
    answer["data"]["offerEventsSet"].clone()
}

fn faults(payload: &Value) -> Vec<(&str, String)> {
    let errors = payload["userErrors"].as_array().unwrap().iter();
    let path = |error: &Value| {
        let parts = error["field"].as_array().unwrap().iter().map(|part| part.as_str().unwrap());
        parts.collect::<Vec<_>>().join(".")
    };
    errors.map(|error| (error["code"].as_str().unwrap(), path(error))).collect()
}

on_both_engines! {
    async fn an_event_comes_after_its_conversion_and_has_its_own_money_keys_and_figures(engine: Engine) {
        let bench = eventful(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        let deposit = format!("{query}&event_name=deposit");
        let early = bench.expect(Door::Postback, &deposit, NoBaseConversion).await;
        assert_eq!((early.field.as_deref(), early.conversion), (Some("transaction_id"), None));
        assert_eq!(rows(&bench.database).await["conversion_key"], 0);
        let base = bench.expect(Door::Postback, &query, Recorded).await;
        let recorded = bench.expect(Door::Postback, &deposit, Recorded).await;
        assert_ne!(recorded.conversion, base.conversion);
        let again = bench.expect(Door::Postback, &format!("{query}&event_id=2&revenue=3"), Duplicate).await;
        assert_eq!(again.conversion, recorded.conversion);
        bench.expect(Door::Postback, &query, Duplicate).await;
        bench.expect(Door::Postback, &format!("{query}&event_id=1"), Recorded).await;
        let one = stored(&bench, recorded.conversion).await;
        assert_eq!((one.event_number, one.status), (2, Status::Approved));
        assert_eq!(one.money.payout.unwrap().to_string(), "4.00");
        let sums = rollup(&bench.database).await;
        assert_eq!((sums["conversions"], sums["approved"], sums["events"]), (1, 1, 2));
        assert_eq!((sums["revenue_micros"], sums["payout_micros"]), (20_000_000, 15_000_000));
        is_clean(&bench.database).await;
    }

    async fn an_event_takes_orders_where_the_offer_counts_them(engine: Engine) {
        let bench = eventful(engine).await;
        bench.change_offer(|offer| offer.duplicate_policy = DuplicatePolicy::OnePerOrder);
        let query = format!("transaction_id={}", bench.mint());
        bench.expect(Door::Postback, &format!("{query}&order_id=A"), Recorded).await;
        for order in ["A", "B"] {
            let deposit = format!("{query}&event_id=2&order_id={order}");
            bench.expect(Door::Postback, &deposit, Recorded).await;
            bench.expect(Door::Postback, &deposit, Duplicate).await;
        }
        bench.expect(Door::Rejection, &format!("{query}&event_id=2&reason=no"), AmbiguousTarget).await;
        bench.expect(Door::Rejection, &format!("{query}&event_id=2&order_id=B&reason=no"), Rejected).await;
        is_clean(&bench.database).await;
    }

    async fn a_rejection_names_the_event_and_leaves_the_conversion_alone(engine: Engine) {
        let bench = eventful(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        let base = bench.expect(Door::Postback, &query, Recorded).await;
        let deposit = bench.expect(Door::Postback, &format!("{query}&event_id=2"), Recorded).await;
        bench.expect(Door::Rejection, &format!("{query}&event_id=2&reason=bounced"), Rejected).await;
        assert_eq!(stored(&bench, base.conversion).await.status, Status::Approved);
        bench.expect(Door::Status, &format!("{query}&event_name=deposit&status=approved"), StatusChanged).await;
        bench.expect(Door::Rejection, &format!("{query}&reason=fraud"), Rejected).await;
        assert_eq!(stored(&bench, base.conversion).await.status, Status::Rejected);
        assert_eq!(stored(&bench, deposit.conversion).await.status, Status::Approved);
        let sums = rollup(&bench.database).await;
        assert_eq!((sums["rejected"], sums["events"], sums["payout_micros"]), (1, 1, 4_000_000));
        is_clean(&bench.database).await;
    }

    async fn a_rejection_of_an_event_that_is_not_there_waits_for_it(engine: Engine) {
        let bench = eventful(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        bench.expect(Door::Rejection, &format!("{query}&event_id=2&reason=bounced"), Parked).await;
        bench.expect(Door::Postback, &format!("{query}&event_id=2"), NoBaseConversion).await;
        let base = bench.expect(Door::Postback, &query, Recorded).await;
        assert_eq!(base.status, Some(Status::Approved));
        let deposit = bench.expect(Door::Postback, &format!("{query}&event_id=2"), Recorded).await;
        assert_eq!(deposit.status, Some(Status::Rejected));
        is_clean(&bench.database).await;
    }

    async fn an_event_of_a_rejected_conversion_begins_rejected_until_somebody_reinstates_it(engine: Engine) {
        let bench = eventful(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        bench.expect(Door::Rejection, &format!("{query}&reason=fraud"), Parked).await;
        bench.expect(Door::Postback, &format!("{query}&event_id=2"), NoBaseConversion).await;
        bench.expect(Door::Postback, &query, Recorded).await;
        let deposit = bench.expect(Door::Postback, &format!("{query}&event_id=2"), Recorded).await;
        assert_eq!((deposit.status, deposit.detail.as_deref()), (Some(Status::Rejected), Some("base_rejected")));
        let kept = stored(&bench, deposit.conversion).await;
        assert_eq!((kept.rejected_by, kept.rejection_reason.as_deref()), (Some(Party::System), Some("base_rejected")));
        bench.expect(Door::Status, &format!("{query}&event_id=2&status=approved"), InvalidTransition).await;
        bench.expect(Door::Status, &format!("{query}&status=approved"), StatusChanged).await;
        let lead = bench.expect(Door::Postback, &format!("{query}&event_id=1"), Recorded).await;
        assert_eq!(lead.status, Some(Status::Approved));
        is_clean(&bench.database).await;
    }

    async fn a_conversion_and_its_events_of_one_batch_see_each_other(engine: Engine) {
        let (bench, writers) = Bench::at_rest(engine, options(1)).await;
        define(&bench);
        let (id, other) = (bench.mint(), bench.mint());
        let queries = [
            format!("transaction_id={id}"),
            format!("transaction_id={id}&event_id=1"),
            format!("transaction_id={id}&event_name=lead"),
            format!("transaction_id={other}&event_id=1"),
            format!("transaction_id={other}"),
            format!("transaction_id={other}&event_id=1&purchase_value=1"),
        ];
        let asked = join_all(queries.iter().map(|query| bench.postback(query)));
        let close = async {
            tokio::task::yield_now().await;
            bench.intake.close();
        };
        let (answers, (), _) = tokio::join!(asked, close, join_all(writers));
        let codes: Vec<_> = answers.iter().map(|answer| answer.code).collect();
        assert_eq!(codes, [Recorded, Recorded, Duplicate, NoBaseConversion, Recorded, Recorded]);
        is_clean(&bench.database).await;
    }

    async fn an_event_that_races_its_conversion_is_recorded_once_or_told_to_come_again(engine: Engine) {
        let here = TestServer::start_seeded(engine).await;
        here.change_offer(|offer| offer.events.push(event(2, "deposit")));
        let there = here.sibling().await;
        there.change_offer(|offer| offer.events.push(event(2, "deposit")));
        for round in 0..20 {
            let base = format!("/postback?transaction_id={}", here.mint());
            let deposit = format!("{base}&event_id=2");
            let ((_, converted), (status, raced)) = match round % 2 {
                0 => tokio::join!(here.told(&base), there.told(&deposit)),
                _ => {
                    let (raced, converted) = tokio::join!(there.told(&deposit), here.told(&base));
                    (converted, raced)
                }
            };
            assert_eq!(converted["code"], "recorded");
            let expected = match raced["code"].as_str().unwrap() {
                "recorded" => "duplicate",
                "no_base_conversion" => "recorded",
                other => panic!("{status} {other}"),
            };
            assert_eq!(there.told(&deposit).await.1["code"], expected);
        }
        let kept = rows(&here.app.database).await;
        assert_eq!(kept["conversion"], 40);
        is_clean(&here.app.database).await;
    }

    async fn an_event_of_a_clickless_conversion_comes_to_the_postback_door(engine: Engine) {
        let bench = eventful(engine).await;
        let base = bench.expect(Door::Clickless, "offer=42&publisher=7&order_id=A", Recorded).await;
        let refused = bench
            .expect(Door::Clickless, "offer=42&publisher=7&order_id=A&event_id=2", NoBaseConversion)
            .await;
        assert!(refused.detail.unwrap().contains("/postback"));
        let query = format!("transaction_id={}&event_id=2", base.transaction_id.unwrap());
        let deposit = bench.expect(Door::Postback, &query, Recorded).await;
        bench.expect(Door::Postback, &query, Duplicate).await;
        let kept = stored(&bench, deposit.conversion).await;
        assert_eq!((kept.event_number, kept.clicked_at, kept.click_pending), (2, None, false));
        is_clean(&bench.database).await;
    }

    async fn a_pixel_of_an_event_waits_for_the_postback_of_that_event(engine: Engine) {
        let bench = eventful(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        bench.expect(Door::Pixel, &format!("{query}&event_id=2"), NoBaseConversion).await;
        bench.expect(Door::Pixel, &query, Recorded).await;
        let pixel = bench.expect(Door::Pixel, &format!("{query}&event_id=2"), Recorded).await;
        let confirmed = bench.expect(Door::Postback, &format!("{query}&event_name=deposit"), Confirmed).await;
        assert_eq!((confirmed.conversion, confirmed.status), (pixel.conversion, Some(Status::Approved)));
        bench.expect(Door::Postback, &query, Confirmed).await;
        is_clean(&bench.database).await;
    }

    async fn a_late_click_completes_the_conversion_and_its_events(engine: Engine) {
        let bench = eventful(engine).await;
        let id = bench.mint();
        let base = bench.expect(Door::Postback, &format!("transaction_id={id}"), Recorded).await;
        let deposit = bench.expect(Door::Postback, &format!("transaction_id={id}&event_id=2"), Recorded).await;
        bench.intake.settle_kept_click(click(&bench.keyring, id)).await.unwrap();
        for conversion in [base.conversion, deposit.conversion] {
            let kept = stored(&bench, conversion).await;
            assert_eq!((kept.click_pending, kept.sub_ids[0].as_deref()), (false, Some("news")));
        }
    }

    async fn a_dry_run_says_that_the_conversion_is_missing_and_keeps_no_key(engine: Engine) {
        let bench = eventful(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        let rehearse = async |query: &str| bench.intake.rehearse(&bench.hit(Door::Postback, query)).await.unwrap().answer;
        assert_eq!(rehearse(&format!("{query}&event_id=2")).await.code, NoBaseConversion);
        bench.expect(Door::Postback, &query, Recorded).await;
        assert_eq!(rehearse(&format!("{query}&event_id=2")).await.code, Recorded);
        bench.expect(Door::Postback, &format!("{query}&event_id=2"), Recorded).await;
        assert_eq!(rehearse(&format!("{query}&event_id=2")).await.code, Duplicate);
    }

    async fn an_event_that_is_taken_off_the_offer_keeps_what_it_recorded(engine: Engine) {
        let admin = Admin::start(engine).await;
        let secret = admin.furnish().await;
        let offer = &set(&admin, 1, &[wire(1, "lead"), wire(2, "deposit")]).await["offer"];
        assert_eq!((&offer["version"], &offer["events"][1]["name"]), (&json!(2), &json!("deposit")));
        assert_eq!(offer["events"][1]["payout"]["percent"], "10");
        let query = format!("secure={secret}&transaction_id={}", admin.click("offer=42&publisher=7").await);
        let deposit = format!("{query}&event_name=deposit&purchase_value=50");
        assert_eq!(admin.track(Door::Postback, &query).await.code, Recorded);
        let recorded = admin.track(Door::Postback, &deposit).await;
        assert_eq!(recorded.code, Recorded);

        let offer = &set(&admin, 2, &[wire(1, "lead")]).await["offer"];
        assert_eq!(offer["events"].as_array().unwrap().len(), 1);
        let refused = admin.track(Door::Postback, &deposit).await;
        assert_eq!((refused.code, refused.detail.as_deref()), (UnknownEvent, Some("The offer defines lead (1).")));
        let shown = "query($id: ID!) { conversion(by: { id: $id }) { event { number name removedAt } payout { amount }
            offer { events(includeRemoved: true) { name } } } }";
        let id = json!({ "id": recorded.conversion.unwrap().to_string() });
        let mut shown = admin.data(shown, id).await["conversion"].take();
        assert!(shown["event"]["removedAt"].take().is_string());
        assert_eq!(shown["event"], json!({ "number": 2, "name": "deposit", "removedAt": null }));
        assert_eq!(shown["payout"]["amount"], "5.00");
        let count = "query($f: ConversionFilter) { conversions(filter: $f) { totalCount { value } } }";
        for (numbers, found) in [(json!([0]), 1), (json!([2]), 1), (json!([0, 2]), 2), (json!([1]), 0), (json!([]), 0)] {
            let filter = json!({ "f": { "eventNumbers": numbers, "search": query.split('=').next_back().unwrap() } });
            let counted = admin.data(count, filter).await;
            assert_eq!(counted["conversions"]["totalCount"]["value"], found, "{numbers}");
        }
        assert_eq!(shown["offer"]["events"].as_array().unwrap().len(), 2);
        let rejected = admin.track(Door::Rejection, &format!("{query}&event_name=deposit&reason=bounced")).await;
        assert_eq!((rejected.code, rejected.conversion), (Rejected, recorded.conversion));

        let back = set(&admin, 3, &[wire(1, "lead"), wire(2, "first deposit")]).await;
        assert_eq!(back["offer"]["events"][1]["name"], "first deposit");
        let again = format!("{query}&event_id=2&purchase_value=50");
        assert_eq!(admin.track(Door::Postback, &again).await.code, Duplicate);
        is_clean(&admin.app.database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_events_is_said_with_its_place() {
    let admin = Admin::start(Engine::Sqlite).await;
    admin.furnish().await;
    let events = [wire(0, "lead"), wire(2, " "), wire(2, "Lead"), wire(3, "{event}"), wire(4, "none")];
    let expected = [
        ("TOO_SMALL", "events.0.number"),
        ("REQUIRED", "events.1.name"),
        ("TAKEN", "events.2.number"),
        ("TAKEN", "events.2.name"),
        ("INVALID", "events.3.name"),
        ("INVALID", "events.4.name"),
    ];
    assert_eq!(faults(&set(&admin, 1, &events).await), expected.map(|(code, field)| (code, field.to_owned())));
    let priced =
        json!({ "number": 1, "name": "a", "revenue": { "fixed": "1.1234567" }, "payout": { "percent": "1001" } });
    let answer = set(&admin, 1, &[priced]).await;
    assert_eq!(
        faults(&answer),
        [("INVALID", "events.0.revenue.fixed".to_owned()), ("TOO_LARGE", "events.0.payout.percent".to_owned())]
    );
    for (length, code) in [(200, None), (201, Some("TOO_LONG"))] {
        let answer = set(&admin, 9, &[wire(1, &"x".repeat(length))]).await;
        let said = faults(&answer).first().map(|(code, _)| *code);
        assert_eq!(said, code.or(Some("CONFLICT_VERSION")));
    }
    for (count, code) in [(50, "CONFLICT_VERSION"), (51, "LIMIT_EXCEEDED")] {
        let many: Vec<_> = (1..=count).map(|number| wire(number, &format!("level {number}"))).collect();
        assert_eq!(faults(&set(&admin, 9, &many).await)[0].0, code);
    }
    let nobody = "mutation { offerEventsSet(id: \"offer_9\", version: 1, events: []) { userErrors { code field } } }";
    let answer = admin.ask(Role::Manager, nobody, json!({})).await;
    assert_eq!(answer["data"]["offerEventsSet"]["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
    let same = set(&admin, 1, &[]).await;
    assert_eq!((faults(&same).len(), &same["offer"]["version"]), (0, &json!(1)));
}
