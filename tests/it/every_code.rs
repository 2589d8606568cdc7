//! Every code of the closed table, reached through HTTP, on both engines. A code that nothing reaches fails here.

use std::collections::BTreeSet;
use std::time::Duration;

use roundtrip::domain::code::Code;
use roundtrip::domain::ids::OfferId;
use roundtrip::domain::offer::{DuplicatePolicy, OfferAccess, OfferState};
use roundtrip::domain::secure_token::{Capabilities, Capability, TokenScope};
use roundtrip::store::Engine;
use roundtrip::store::receipts::{ReceiptFilter, count};

use crate::support::bench::event;
use crate::support::databases::tamper;
use crate::support::on_both_engines;
use crate::support::server::{TestServer, told};

/// What was seen, and the server that said it.
struct Tour {
    server: TestServer,
    seen: BTreeSet<&'static str>,
}

impl Tour {
    /// Asks with the global token; the answer must be of this status and code.
    async fn ask(&mut self, path: &str, status: u16, code: Code) {
        let (found, answer) = self.server.told(path).await;
        assert_eq!((found, answer["code"].as_str()), (status, Some(code.as_str())), "{path}: {answer}");
        self.seen.insert(code.as_str());
    }

    async fn ask_without_token(&mut self, path: &str, status: u16, code: Code) {
        let (found, answer) = told(self.server.get(path).await).await;
        assert_eq!((found, answer["code"].as_str()), (status, Some(code.as_str())), "{path}: {answer}");
        self.seen.insert(code.as_str());
    }

    /// A click or a pixel says its code on its receipt only.
    async fn receipt_of(&mut self, path: &str, on_domain: bool, status: u16, code: Code) {
        let response = if on_domain { self.server.get_on_domain(path).await } else { self.server.get(path).await };
        assert_eq!(response.status(), status, "{path}");
        let filter = ReceiptFilter { codes: Some(vec![code]), include_tests: true, ..ReceiptFilter::default() };
        for _ in 0..200 {
            if count(&self.server.app.database, &filter).await.unwrap().value > 0 {
                self.seen.insert(code.as_str());
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{path}: no receipt says {}", code.as_str());
    }
}

/// The database refuses what `tamper` names.
fn poison(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "CREATE TRIGGER poison BEFORE INSERT ON conversion WHEN NEW.adv_sub_id = 'poison' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END"
        }
        Engine::Postgres => "ALTER TABLE conversion ADD CONSTRAINT poison CHECK (adv_sub_id IS DISTINCT FROM 'poison')",
    }
}

async fn unreadable(tour: &mut Tour) {
    let id = tour.server.mint();
    let postback = format!("/postback?transaction_id={id}");
    tour.ask(&format!("{postback}&transaction_id=other"), 400, Code::AmbiguousParameter).await;
    tour.ask(&format!("{postback}%00"), 400, Code::InvalidEncoding).await;
    tour.ask(&format!("/postback?transaction_id={}", "x".repeat(65)), 400, Code::ValueTooLong).await;
    let many: Vec<String> = (0..65).map(|n| format!("a{n}=1")).collect();
    tour.ask(&format!("/postback?{}", many.join("&")), 400, Code::TooManyParameters).await;
    tour.ask_without_token(&format!("/postback?a={}", "x".repeat(9000)), 414, Code::UriTooLong).await;
    tour.ask_without_token("/nowhere", 404, Code::UnknownRoute).await;
    for (method, media, body, status, code) in [
        ("DELETE", "", String::new(), 405, Code::MethodNotAllowed),
        ("POST", "text/xml", "<a/>".to_owned(), 415, Code::UnsupportedMediaType),
        ("POST", "application/x-www-form-urlencoded", "a".repeat(65 * 1024), 413, Code::BodyTooLarge),
    ] {
        let request = tour.server.request(method, "/postback").bearer_auth(&tour.server.secret);
        let (found, answer) = told(request.header("content-type", media).body(body).send().await.unwrap()).await;
        assert_eq!((found, answer["code"].as_str()), (status, Some(code.as_str())), "{answer}");
        tour.seen.insert(code.as_str());
    }
}

async fn conversions(tour: &mut Tour) {
    let id = tour.server.mint();
    let postback = format!("/postback?transaction_id={id}");
    tour.ask(&format!("{postback}&dry_run=1"), 200, Code::DryRun).await;
    tour.ask(&postback, 200, Code::Recorded).await;
    tour.ask(&postback, 200, Code::Duplicate).await;
    let pixel = tour.server.mint();
    assert_eq!(tour.server.get_on_domain(&format!("/pixel.gif?transaction_id={pixel}")).await.status(), 200);
    tour.ask(&format!("/postback?transaction_id={pixel}"), 200, Code::Confirmed).await;
    tour.ask("/postback", 422, Code::MissingTransactionId).await;
    tour.ask("/postback?transaction_id={transaction_id}", 422, Code::UnreplacedMacro).await;
    tour.ask("/postback?transaction_id=12345", 422, Code::MalformedTransactionId).await;
    tour.ask(&format!("{postback}&event_id=9"), 422, Code::UnknownEvent).await;
    tour.server.change_offer(|offer| offer.events.push(event(2, "deposit")));
    let early = format!("/postback?transaction_id={}&event_id=2", tour.server.mint());
    tour.ask(&early, 409, Code::NoBaseConversion).await;
    tour.server.change_offer(|offer| offer.switches.strict_amounts = true);
    let fresh = format!("/postback?transaction_id={}", tour.server.mint());
    tour.ask(&format!("{fresh}&revenue=12,50"), 422, Code::InvalidAmount).await;
    tour.ask(&format!("{fresh}&revenue=1&currency=EURO"), 422, Code::InvalidCurrency).await;
    tour.server.change_offer(|offer| offer.state = OfferState::Archived);
    tour.ask(&fresh, 422, Code::OfferInactive).await;
    tour.server.change_offer(|offer| offer.state = OfferState::Active);
}

async fn clickless(tour: &mut Tour) {
    let id = tour.server.mint();
    let clickless = "/postback/clickless";
    tour.ask(&format!("{clickless}?publisher=7"), 422, Code::OfferRequired).await;
    tour.ask(&format!("{clickless}?offer=43&publisher=7"), 422, Code::UnknownOffer).await;
    tour.ask(&format!("{clickless}?offer=42"), 422, Code::MissingPublisher).await;
    tour.ask(&format!("{clickless}?offer=42&publisher=8"), 422, Code::UnknownPublisher).await;
    tour.ask(&format!("{clickless}?offer=42&transaction_id={id}"), 422, Code::UnexpectedTransactionId).await;
    tour.server.change_offer(|offer| offer.switches.clickless_enabled = false);
    tour.ask(&format!("{clickless}?offer=42&publisher=7"), 403, Code::ClicklessDisabled).await;
}

async fn rejections_and_statuses(tour: &mut Tour) {
    let id = tour.server.mint();
    let reject = |id: &str, reason: &str| format!("/reject?transaction_id={id}&new_rejected_reason={reason}");
    tour.ask(&format!("/reject?transaction_id={id}"), 422, Code::ReasonRequired).await;
    tour.ask(&reject(&id.to_string(), "fraud"), 202, Code::Parked).await;
    let id = tour.server.mint().to_string();
    tour.ask(&format!("/postback?transaction_id={id}"), 200, Code::Recorded).await;
    tour.ask(&reject(&id, "fraud"), 200, Code::Rejected).await;
    tour.ask(&reject(&id, "returned"), 200, Code::ReasonUpdated).await;
    tour.ask(&reject(&id, "returned"), 200, Code::NoChange).await;
    tour.ask(&format!("/status?transaction_id={id}&status=great"), 422, Code::InvalidStatus).await;
    tour.ask(&format!("/status?transaction_id={id}&status=approved"), 200, Code::StatusChanged).await;
    tour.ask(&format!("/status?transaction_id={id}&status=pending"), 409, Code::InvalidTransition).await;
    let late = tour.server.mint().to_string();
    tour.server.change_offer(|offer| offer.duplicate_policy = DuplicatePolicy::OnePerOrder);
    for order in ["A", "B"] {
        tour.ask(&format!("/postback?transaction_id={id}&order_id={order}"), 200, Code::Recorded).await;
    }
    tour.ask(&reject(&id, "x"), 409, Code::AmbiguousTarget).await;
    tour.server.clock.advance_seconds(31 * 24 * 3600);
    tour.ask(&reject(&late, "x"), 404, Code::ConversionNotFound).await;
    tour.ask(&format!("/postback?transaction_id={late}"), 200, Code::Recorded).await;
    tour.ask(&reject(&late, "x"), 200, Code::ReasonAdded).await;
}

async fn clicks_and_pixels(tour: &mut Tour) {
    let id = tour.server.mint();
    let pixel = format!("/pixel.gif?transaction_id={id}");
    tour.receipt_of(&pixel, false, 200, Code::PixelDomainRequired).await;
    tour.server.change_offer(|offer| offer.switches.pixel_enabled = false);
    tour.receipt_of(&pixel, true, 200, Code::PixelDisabled).await;
    tour.server.change_offer(|offer| offer.access = OfferAccess::Chosen);
    tour.receipt_of("/click?offer=42&publisher=7", false, 403, Code::PublisherNotAllowed).await;
}

async fn tokens(tour: &mut Tour) {
    let postback = format!("/postback?transaction_id={}", tour.server.mint());
    let foreign = TokenScope::Offer(OfferId::new(43).unwrap());
    let foreign = tour.server.add_token(9, foreign, |_| {});
    tour.ask_without_token(&format!("{postback}&secure={foreign}"), 403, Code::TokenOfferMismatch).await;
    let mute = tour.server.add_token(10, TokenScope::Global, |token| token.capabilities = Capabilities::NONE);
    tour.ask_without_token(&format!("{postback}&secure={mute}"), 403, Code::TokenCapability).await;
    let elsewhere = tour.server.add_token(11, TokenScope::Global, |token| {
        token.capabilities = Capabilities::from_iter([Capability::Convert]);
        token.allowed_addresses = vec!["203.0.113.0/24".parse().unwrap()];
    });
    tour.ask_without_token(&format!("{postback}&secure={elsewhere}"), 403, Code::IpNotAllowed).await;
    tour.ask_without_token(&postback, 401, Code::MissingSecure).await;
    for _ in 0..20 {
        tour.ask_without_token(&format!("{postback}&secure=wrong"), 401, Code::InvalidSecure).await;
    }
    tour.ask_without_token(&format!("{postback}&secure=wrong"), 429, Code::RateLimited).await;
}

async fn faults(tour: &mut Tour, engine: Engine) {
    tamper(&tour.server.app.database, poison(engine)).await;
    let bad = format!("/postback?transaction_id={}&adv_sub_id=poison", tour.server.mint());
    let good = format!("/postback?transaction_id={}", tour.server.mint());
    tour.ask(&bad, 500, Code::Internal).await;
    tour.ask(&good, 200, Code::Recorded).await;
    tour.server.app.database.close().await;
    tour.ask(&good, 503, Code::TryAgain).await;
}

on_both_engines! {
    async fn every_code_is_reached_through_http(engine: Engine) {
        let server = TestServer::start_with(engine, "[intake]\nanswer_deadline_ms = 500").await;
        let mut tour = Tour { server, seen: BTreeSet::new() };
        unreadable(&mut tour).await;
        conversions(&mut tour).await;
        clickless(&mut tour).await;
        rejections_and_statuses(&mut tour).await;
        clicks_and_pixels(&mut tour).await;
        tokens(&mut tour).await;
        faults(&mut tour, engine).await;
        let missing: Vec<&str> = Code::ALL
            .iter()
            .map(|code| code.as_str())
            .filter(|code| !tour.seen.contains(code))
            .collect();
        assert!(missing.is_empty(), "no request reaches {missing:?}");
    }
}
