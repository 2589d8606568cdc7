//! Publishers hear of their conversions, surely: the outbox, its worker, and a receiver that is a process of its own.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use roundtrip::app::change_conversion::{Aside, reinstate_conversion, reject_conversion};
use roundtrip::app::jobs::{self, retry_deliveries::retry_deliveries};
use roundtrip::app::manage_outbound::{
    OutboundDraft, create_outbound, delete_outbound, rotate_outbound_secret, update_outbound,
};
use roundtrip::app::retry_delivery::retry_delivery;
use roundtrip::domain::clock::Clock as _;
use roundtrip::domain::delivery::{Attempt, Delivery, DeliveryState};
use roundtrip::domain::ids::OutboundPostbackId;
use roundtrip::domain::job::JobState;
use roundtrip::domain::operator::Principal;
use roundtrip::domain::outbound::{Method, Moment};
use roundtrip::domain::transaction_id::TransactionId;
use roundtrip::store::{Engine, audit};
use tokio::time::{Instant, sleep};

use crate::support::bench::click;
use crate::support::desk::done;
use crate::support::on_both_engines;
use crate::support::publishers::{Publishers, firing, with_id};
use crate::support::receiver::{Seen, closed_port};

fn ended(delivery: &Delivery) -> bool {
    !delivery.state.is_open()
}

/// Seconds from the last try to the next one.
fn wait(publishers: &Publishers, delivery: &Delivery) -> i64 {
    delivery.due_at.millis_since(publishers.server.clock.now()) / 1000
}

fn signed_right(secret: &str, seen: &Seen) -> bool {
    let key = BASE64.decode(secret.trim_start_matches("whsec_")).unwrap();
    let text = format!("{}.{}.{}", seen.id(), seen.header("webhook-timestamp"), seen.body);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes());
    let expected = format!("v1,{}", BASE64.encode(tag));
    seen.header("webhook-signature").split(' ').any(|signature| signature == expected)
}

/// The statuses that a receiver was told of one click, in order.
fn statuses(seen: &[Seen], click: &str) -> Vec<String> {
    let of_click = seen.iter().filter(|seen| seen.target.contains(&format!("cid={click}&")));
    of_click.map(|seen| seen.target.rsplit("status=").next().unwrap().to_owned()).collect()
}

on_both_engines! {
    async fn a_publisher_is_told_of_his_conversion_with_his_own_ids_and_both_sides_are_kept(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let url = publishers.receiver.url(
            "/ok/{sub_id}?c={external_transaction_id}&t={transaction_id}&s={status}&p={payout}&cur={currency}&o={offer_id}&r={rejection_reason}",
        );
        let rule = publishers.rule_of(OutboundDraft { url_template: Some(url), ..OutboundDraft::default() }).await;
        let visit = publishers.visit("external_transaction_id=a%26b&sub_id=x%2Fy").await;
        publishers.convert(&visit).await;
        let (delivery, attempts) = publishers.delivery(rule, ended).await;
        let seen = publishers.receiver.seen().await;
        let [request] = seen.as_slice() else { panic!("{seen:#?}") };
        let target = format!("/ok/x%2Fy?c=a%26b&t={visit}&s=approved&p=7.00&cur=EUR&o=42&r=");
        assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", target.as_str()));
        assert_eq!((request.id(), request.header("user-agent").split('/').next()), (delivery.id.to_string().as_str(), Some("Roundtrip")));
        assert_eq!((delivery.state, delivery.attempts, attempts.len()), (DeliveryState::Succeeded, 1, 1));
        let [tried] = attempts.as_slice() else { panic!("{attempts:#?}") };
        assert_eq!((tried.response_status, tried.response_body.as_deref(), tried.error.as_deref()), (Some(200), Some("thanks"), None));
        assert!(tried.url.ends_with(&target), "{}", tried.url);
        // A duplicate is no change, and nobody is told twice.
        publishers.convert(&visit).await;
        publishers.nothing_happens().await;
        assert_eq!(publishers.receiver.seen().await.len(), 1);
    }

    async fn every_try_of_a_post_is_signed_and_has_the_same_id_and_body(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let draft = OutboundDraft {
            name: Some("Hook".into()),
            url_template: Some(publishers.receiver.url("/fails/1?k={external_transaction_id}")),
            method: Some(Method::PostJson),
            ..OutboundDraft::default()
        };
        let issued = done(create_outbound(&publishers.server.app, &Principal::system(), &draft).await);
        let (rule, first) = (issued.rule.id, issued.secret.unwrap().reveal().to_owned());
        publishers.conversion(1).await;
        publishers.tried(rule, 1).await;
        let rotated = rotate_outbound_secret(&publishers.server.app, &Principal::system(), rule, Some(60)).await;
        let second = done(rotated).secret.unwrap().reveal().to_owned();
        publishers.advance_seconds(6);
        publishers.delivery(rule, ended).await;
        let seen = publishers.receiver.seen().await;
        let [once, again] = seen.as_slice() else { panic!("{seen:#?}") };
        assert_eq!((once.id(), &once.body), (again.id(), &again.body));
        assert_eq!((once.method.as_str(), once.header("content-type")), ("POST", "application/json"));
        let json: serde_json::Value = serde_json::from_str(&once.body).unwrap();
        assert_eq!((&json["type"], &json["data"]["payout"]), (&"conversion.approved".into(), &"7.00".into()));
        assert_eq!(json["data"]["external_transaction_id"], "click-1");
        assert!(!once.body.contains("revenue") && !once.body.contains("10.00"), "{}", once.body);
        assert!(signed_right(&first, once) && !signed_right(&second, once));
        assert!(signed_right(&first, again) && signed_right(&second, again), "both sign inside the overlap");
        publishers.advance_seconds(60);
        publishers.conversion(2).await;
        publishers.succeeded(rule, 1).await;
        let began = Instant::now();
        let third = loop {
            if let Some(third) = publishers.receiver.seen().await.into_iter().nth(2) {
                break third;
            }
            assert!(began.elapsed() < Duration::from_secs(20));
            sleep(Duration::from_millis(20)).await;
        };
        assert!(!signed_right(&first, &third) && signed_right(&second, &third), "the old one has ended");
    }

    async fn a_get_is_signed_in_the_parameter_that_its_rule_names_and_its_signature_is_not_kept(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let draft = OutboundDraft {
            name: Some("Signed".into()),
            url_template: Some(publishers.receiver.url(&with_id("/ok"))),
            signature_parameter: Some(Some("sig".into())),
            ..OutboundDraft::default()
        };
        let issued = done(create_outbound(&publishers.server.app, &Principal::system(), &draft).await);
        publishers.conversion(1).await;
        let (_, attempts) = publishers.delivery(issued.rule.id, ended).await;
        let seen = publishers.receiver.seen().await;
        let (signed, signature) = seen[0].target.split_once("&sig=").unwrap();
        let key = BASE64.decode(issued.secret.unwrap().reveal().trim_start_matches("whsec_")).unwrap();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), publishers.receiver.url(signed).as_bytes());
        let expected: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(signature, expected);
        assert!(!attempts[0].url.contains("sig="), "{}", attempts[0].url);
    }

    async fn each_way_to_fail_is_retried_or_final_as_specified(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let https = |path: &str| format!("https://127.0.0.1:{}{path}", publishers.receiver.https.port());
        let closed = closed_port();
        use DeliveryState::{GaveUp, Retrying, Succeeded};
        let table: Vec<(String, DeliveryState, Option<i32>, &str)> = vec![
            (publishers.receiver.url("/ok"), Succeeded, Some(200), ""),
            (publishers.receiver.url("/status/204"), Succeeded, Some(204), ""),
            (publishers.receiver.url("/status/400"), GaveUp, Some(400), ""),
            (publishers.receiver.url("/status/404"), GaveUp, Some(404), ""),
            (publishers.receiver.url("/status/410"), GaveUp, Some(410), ""),
            (publishers.receiver.url("/status/408"), Retrying, Some(408), ""),
            (publishers.receiver.url("/status/425"), Retrying, Some(425), ""),
            (publishers.receiver.url("/status/500"), Retrying, Some(500), ""),
            (publishers.receiver.url("/status/503"), Retrying, Some(503), ""),
            (publishers.receiver.url("/redirect"), Retrying, Some(301), "not followed"),
            (publishers.receiver.url("/metadata"), Retrying, Some(301), "not followed"),
            (publishers.receiver.url("/flood"), Succeeded, Some(200), ""),
            (publishers.receiver.url("/hang"), Retrying, None, "no answer within 800 ms"),
            (publishers.receiver.url("/half"), Retrying, None, "broke"),
            (format!("http://{closed}/"), Retrying, None, "connection refused"),
            (https("/ok"), Succeeded, Some(200), ""),
            // It waits for a request, and we for its half of the handshake.
            (format!("https://{}/", publishers.receiver.http), Retrying, None, "no answer within 800 ms"),
        ];
        let mut rules: Vec<OutboundPostbackId> = Vec::new();
        for (url, ..) in &table {
            rules.push(publishers.rule_of(firing(&[Moment::Approved], with_id(url))).await);
        }
        publishers.conversion(1).await;
        for ((url, state, status, error), rule) in table.iter().zip(&rules) {
            let (delivery, attempts) = publishers.tried(*rule, 1).await;
            let Attempt { response_status, error: said, .. } = &attempts[0];
            assert_eq!((delivery.state, *response_status), (*state, *status), "{url}: {said:?}");
            assert!(said.as_deref().unwrap_or_default().contains(error), "{url}: {said:?}");
            if *state == Retrying {
                assert!((4..=6).contains(&wait(&publishers, &delivery)), "{url}: {delivery:?}");
            }
        }
        assert_eq!(publishers.receiver.connections().await[2], 0, "nobody followed a redirect");
        // What the kernel's buffers hold may be sent; nobody reads it.
        assert!(publishers.receiver.flooded().await < 50 << 20, "{}", publishers.receiver.flooded().await);
    }

    async fn a_publisher_who_asks_for_time_gets_it(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let rule = publishers.rule("/later/120").await;
        publishers.conversion(1).await;
        let (delivery, attempts) = publishers.tried(rule, 1).await;
        assert_eq!((attempts[0].response_status, delivery.state), (Some(429), DeliveryState::Retrying));
        assert!((119..=144).contains(&wait(&publishers, &delivery)), "{delivery:?}");
        publishers.advance_seconds(60);
        publishers.nothing_happens().await;
        assert_eq!(publishers.receiver.seen().await.len(), 1);
    }

    async fn eight_tries_end_in_a_dead_letter_that_can_be_sent_again(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let rule = publishers.rule("/fails/8").await;
        publishers.conversion(1).await;
        let began = publishers.server.clock.now();
        for times in 1..=7 {
            let (delivery, _) = publishers.tried(rule, times).await;
            assert_eq!(delivery.state, DeliveryState::Retrying, "after {times}");
            publishers.advance_seconds(wait(&publishers, &delivery) + 1);
        }
        let (dead, attempts) = publishers.delivery(rule, ended).await;
        assert_eq!((dead.state, dead.attempts, attempts.len()), (DeliveryState::GaveUp, 8, 8));
        assert!(publishers.server.clock.now().millis_since(began) >= 27 * 3_600_000);
        publishers.advance_seconds(48 * 3600);
        publishers.nothing_happens().await;
        assert_eq!(publishers.receiver.seen().await.len(), 8);
        let again = done(retry_delivery(&publishers.server.app, &Principal::system(), dead.id, None).await);
        assert_eq!((again.id, again.tries), (dead.id, 0));
        let (sent, attempts) = publishers.delivery(rule, ended).await;
        assert_eq!((sent.state, sent.attempts, attempts.len()), (DeliveryState::Succeeded, 9, 9));
        let seen = publishers.receiver.seen().await;
        assert!(seen.iter().all(|one| one.id() == dead.id.to_string()));
        let trail = audit::find_by_subject(&publishers.server.app.database, &dead.id.to_string(), 5).await.unwrap();
        assert_eq!(trail[0].action, "delivery.retry");
    }

    async fn changes_of_one_conversion_are_told_in_their_order(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let url = publishers.receiver.url(&with_id("/fails/1"));
        let rule = publishers.rule_of(firing(&[Moment::Approved, Moment::Rejected], url)).await;
        let visit = publishers.visit("external_transaction_id=one").await;
        publishers.convert(&visit).await;
        publishers.tried(rule, 1).await;
        publishers.reject(&visit).await;
        publishers.nothing_happens().await;
        assert_eq!(statuses(&publishers.receiver.seen().await, "one"), ["approved"], "the rejection waits");
        publishers.advance_seconds(7);
        publishers.succeeded(rule, 1).await;
        // The rejection goes as soon as the approval has arrived, fails once, and is tried again.
        publishers.nothing_happens().await;
        publishers.advance_seconds(7);
        publishers.succeeded(rule, 2).await;
        let told = statuses(&publishers.receiver.seen().await, "one");
        assert_eq!(told, ["approved", "approved", "rejected", "rejected"]);
    }

    async fn a_rule_that_needs_the_click_waits_for_it(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let rule = publishers.rule("/ok").await;
        let other = publishers
            .rule_of(firing(&[Moment::Approved], publishers.receiver.url("/ok?s={status}&x={sub_id}&click=none")))
            .await;
        let server = &publishers.server;
        let id: TransactionId = server.mint();
        publishers.convert(&id.to_string()).await;
        publishers.nothing_happens().await;
        let waiting = publishers.deliveries(rule).await;
        assert!(waiting[0].awaits_click && waiting[0].attempts == 0, "{waiting:#?}");
        assert!(publishers.receiver.seen().await.is_empty());
        server.app.intake.settle_kept_click(click(&server.app.keyring, id)).await.unwrap();
        publishers.delivery(rule, ended).await;
        publishers.delivery(other, ended).await;
        let seen = publishers.receiver.seen().await;
        assert!(seen.iter().any(|one| one.target == "/ok?cid=ext-1&status=approved"), "{seen:#?}");
        assert!(seen.iter().any(|one| one.target == "/ok?s=approved&x=news&click=none"), "{seen:#?}");
    }

    async fn after_a_day_without_its_click_a_conversion_is_told_without_it(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let rule = publishers.rule("/ok").await;
        publishers.convert(&publishers.server.mint().to_string()).await;
        publishers.advance_seconds(24 * 3600 - 1);
        publishers.nothing_happens().await;
        assert!(publishers.receiver.seen().await.is_empty());
        publishers.advance_seconds(1);
        publishers.delivery(rule, ended).await;
        assert_eq!(publishers.receiver.seen().await[0].target, "/ok?cid=&status=approved");
    }

    async fn a_rule_fires_at_its_moments_after_its_delay_and_only_if_it_is_on(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let url = publishers.receiver.url(&with_id("/ok"));
        let slow = OutboundDraft { delay_seconds: Some(60), ..firing(&[Moment::Approved], url.clone()) };
        let late = publishers.rule_of(slow).await;
        let rejected = publishers.rule_of(firing(&[Moment::Rejected], url.clone())).await;
        let off = publishers.rule_of(OutboundDraft { is_enabled: Some(false), ..firing(Moment::ALL, url) }).await;
        publishers.conversion(1).await;
        publishers.advance_seconds(59);
        publishers.nothing_happens().await;
        assert!(publishers.receiver.seen().await.is_empty());
        publishers.advance_seconds(1);
        publishers.delivery(late, ended).await;
        assert!(publishers.deliveries(rejected).await.is_empty() && publishers.deliveries(off).await.is_empty());
    }

    async fn an_operator_decides_whether_his_change_is_told(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let url = publishers.receiver.url(&with_id("/ok"));
        let rule = publishers.rule_of(firing(&[Moment::Approved, Moment::Rejected], url)).await;
        let id = publishers.conversion(1).await;
        publishers.succeeded(rule, 1).await;
        let app = &publishers.server.app;
        let quietly = Aside { note: None, notify_publisher: false };
        let aloud = Aside { note: None, notify_publisher: true };
        done(reject_conversion(app, &Principal::system(), id, "fraud", quietly).await);
        done(reinstate_conversion(app, &Principal::system(), id, quietly, false).await);
        publishers.nothing_happens().await;
        assert_eq!(publishers.deliveries(rule).await.len(), 1);
        done(reject_conversion(app, &Principal::system(), id, "fraud", aloud).await);
        publishers.succeeded(rule, 2).await;
        assert_eq!(statuses(&publishers.receiver.seen().await, "click-1"), ["approved", "rejected"]);
    }

    async fn a_rule_that_fails_for_five_days_is_switched_off_and_what_waits_becomes_a_dead_letter(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let mut rules = [publishers.rule("/status/500").await, publishers.rule("/status/500").await];
        rules.sort();
        let [rule, other] = rules;
        assert!(publishers.failing().await.is_empty());
        publishers.conversion(1).await;
        publishers.tried(rule, 1).await;
        publishers.tried(other, 1).await;
        assert_eq!(publishers.failing().await, [rule, other]);
        let by_hand = OutboundDraft { is_enabled: Some(false), ..OutboundDraft::default() };
        done(update_outbound(&publishers.server.app, &Principal::system(), (other, 1), &by_hand).await);
        assert_eq!(publishers.failing().await, [rule]);
        publishers.advance_seconds(5 * 24 * 3600 - 1);
        // One that is made now has no try behind it when the end comes.
        publishers.conversion(2).await;
        publishers.nothing_happens().await;
        assert!(publishers.server.app.snapshot.load().outbound.get(rule).unwrap().is_enabled);
        publishers.advance_seconds(61);
        let began = Instant::now();
        while publishers.deliveries(rule).await.iter().any(|one| one.state.is_open()) {
            assert!(began.elapsed() < Duration::from_secs(20), "{:#?}", publishers.deliveries(rule).await);
            sleep(Duration::from_millis(20)).await;
        }
        let off = publishers.server.app.snapshot.load().outbound.get(rule).unwrap().clone();
        assert!(!off.is_enabled && off.disabled_reason.is_some());
        assert_eq!(publishers.failing().await, [rule]);
        assert!(publishers.deliveries(rule).await.iter().all(|one| one.state == DeliveryState::GaveUp));
        let trail = audit::find_by_subject(&publishers.server.app.database, &rule.to_string(), 5).await.unwrap();
        assert_eq!((trail[0].action.as_str(), trail[0].actor.as_str()), ("outbound_postback.switch_off", "system"));
        // Mended and switched on again it tells what comes, and what was left can be sent again.
        let mended = OutboundDraft {
            url_template: Some(publishers.receiver.url(&with_id("/ok"))),
            is_enabled: Some(true),
            ..OutboundDraft::default()
        };
        let app = &publishers.server.app;
        let back = done(update_outbound(app, &Principal::system(), (rule, off.version), &mended).await).rule;
        assert_eq!((back.disabled_reason, back.failing_since), (None, None));
        assert!(publishers.failing().await.is_empty());
        let job = done(retry_deliveries(app, &Principal::system(), rule, None, None).await);
        publishers.succeeded(rule, 2).await;
        let began = Instant::now();
        let job = loop {
            match jobs::find(app, job.id).await.unwrap().filter(|job| job.state.is_finished()) {
                Some(job) => break job,
                None => assert!(began.elapsed() < Duration::from_secs(20)),
            }
            sleep(Duration::from_millis(20)).await;
        };
        assert_eq!((job.state, job.progress.succeeded, job.progress.total), (JobState::Succeeded, 2, Some(2)));
    }

    async fn a_deleted_rule_cancels_what_waits_and_tells_nothing_more(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let draft = firing(&[Moment::Approved], publishers.receiver.url(&with_id("/ok")));
        let rule = publishers.rule_of(OutboundDraft { delay_seconds: Some(60), ..draft }).await;
        publishers.conversion(1).await;
        done(delete_outbound(&publishers.server.app, &Principal::system(), rule).await);
        let (delivery, attempts) = publishers.delivery(rule, ended).await;
        assert_eq!((delivery.state, attempts.len()), (DeliveryState::Cancelled, 0));
        publishers.conversion(2).await;
        publishers.advance_seconds(120);
        publishers.nothing_happens().await;
        assert!(publishers.receiver.seen().await.is_empty());
        let refused = retry_delivery(&publishers.server.app, &Principal::system(), delivery.id, None).await.unwrap();
        assert!(refused.is_err());
    }

    async fn a_dead_host_delays_nobody_else(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let dead = publishers.rule("/hang").await;
        // The same process under another host's name would share its places.
        let alive = publishers.rule_of(firing(
            &[Moment::Approved],
            format!("https://127.0.0.1:{}{}", publishers.receiver.https.port(), with_id("/ok")),
        ))
        .await;
        for number in 0..40 {
            publishers.conversion(number).await;
        }
        let began = Instant::now();
        publishers.succeeded(alive, 40).await;
        // Eight rounds of 800 ms if it had to wait for the dead one.
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        assert!(publishers.deliveries(dead).await.iter().all(|one| one.state.is_open()));
    }

    async fn a_server_that_is_told_to_end_ends_what_it_had_on_its_way(engine: Engine) {
        let publishers = Publishers::start(engine).await;
        let rule = publishers.rule("/slow/500").await;
        publishers.conversion(1).await;
        let began = Instant::now();
        while publishers.receiver.connections().await[0] == 0 {
            assert!(began.elapsed() < Duration::from_secs(20));
            sleep(Duration::from_millis(5)).await;
        }
        let Publishers { server, receiver } = publishers;
        let sibling = server.sibling().await;
        server.end().await.unwrap();
        let publishers = Publishers { server: sibling, receiver };
        let (delivery, attempts) = publishers.delivery(rule, ended).await;
        assert_eq!((delivery.state, attempts.len()), (DeliveryState::Succeeded, 1));
        assert_eq!(publishers.receiver.seen().await.len(), 1);
    }
}
