//! What only the writer of batches can hold: one bad row fails alone, late clicks, lost callers, exact figures.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use metrics_exporter_prometheus::PrometheusBuilder;
use roundtrip::app::create_token::{TokenRequest, create_token};
use roundtrip::app::dns::{DnsFailure, DnsLookup};
use roundtrip::app::form::PriceDraft;
use roundtrip::app::manage_offers::{OfferDraft, create_offer};
use roundtrip::app::manage_partners::{PartnerDraft, create_advertiser, create_publisher};
use roundtrip::app::revoke_token::revoke_token;
use roundtrip::app::verify::verify;
use roundtrip::domain::clock::Clock;
use roundtrip::domain::code::Code::*;
use roundtrip::domain::conversion::Conversion;
use roundtrip::domain::ids::ConversionId;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::offer::DuplicatePolicy;
use roundtrip::domain::operator::Principal;
use roundtrip::domain::receipt::Receipt;
use roundtrip::domain::screening::{Check, Hit, Known, Refusal};
use roundtrip::domain::secure_token::TokenScope;
use roundtrip::domain::status::{Party, Status};
use roundtrip::domain::transaction_id::Kind;
use roundtrip::intake::{IntakeOptions, QueueLimits, Unsettled, WriterTask};
use roundtrip::store::{Engine, batch};

use crate::support::bench::{Bench, hit, options};
use crate::support::databases::tamper;
use crate::support::{desk, on_both_engines};

/// As it is stored, without the names of what it belongs to.
async fn stored(bench: &Bench, id: Option<ConversionId>) -> Conversion {
    let (mut tx, _) = bench.database.begin_read().await.unwrap();
    let mut found = batch::conversions_by_ids(&mut tx, &[id.unwrap()], false).await.unwrap();
    found.pop().unwrap()
}

on_both_engines! {
    async fn equal_requests_after_the_repeat_window_are_one_conversion_though_they_share_a_batch(engine: Engine) {
        let bench = Bench::start(engine).await;
        bench.change_offer(|offer| offer.duplicate_policy = DuplicatePolicy::OnePerOrder);
        let query = format!("transaction_id={}", bench.mint());
        bench.expect(Door::Postback, &query, Recorded).await;
        for _ in 0..2 {
            bench.clock.advance_seconds(24 * 3600);
            let answers = join_all((0..16).map(|_| bench.postback(&query))).await;
            assert_eq!(answers.iter().filter(|answer| answer.code == Recorded).count(), 1);
            assert!(answers.iter().all(|answer| answer.conversion == answers[0].conversion));
        }
    }

    async fn a_retry_of_a_confirmation_is_a_repeat_for_a_whole_window(engine: Engine) {
        let bench = Bench::start(engine).await;
        bench.change_offer(|offer| offer.duplicate_policy = DuplicatePolicy::OnePerOrder);
        let query = format!("transaction_id={}", bench.mint());
        bench.expect(Door::Pixel, &query, Recorded).await;
        bench.clock.advance_seconds(23 * 3600);
        bench.expect(Door::Postback, &query, Confirmed).await;
        bench.clock.advance_seconds(2 * 3600);
        bench.expect(Door::Postback, &query, Duplicate).await;
        bench.clock.advance_seconds(22 * 3600);
        bench.expect(Door::Postback, &query, Recorded).await;
    }

    async fn a_rejected_pixel_keeps_its_reason_and_its_holder_when_a_postback_comes(engine: Engine) {
        let bench = Bench::start(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        let pixel = bench.expect(Door::Pixel, &query, Recorded).await.conversion;
        bench.expect(Door::Rejection, &format!("{query}&reason=fraud"), Rejected).await;
        bench.expect(Door::Postback, &query, Duplicate).await;
        let kept = stored(&bench, pixel).await;
        assert_eq!((kept.status, kept.rejected_by), (Status::Rejected, Some(Party::Sender)));
        assert_eq!(kept.rejection_reason.as_deref(), Some("fraud"));
    }

    async fn a_clickless_duplicate_is_told_the_id_of_the_first(engine: Engine) {
        let bench = Bench::start(engine).await;
        let query = "offer=42&publisher=7&order_id=A";
        let first = bench.expect(Door::Clickless, query, Recorded).await;
        let again = bench.expect(Door::Clickless, query, Duplicate).await;
        assert_eq!(first.transaction_id, again.transaction_id);
        bench.change_offer(|offer| offer.switches.strict_amounts = true);
        let refused = bench.expect(Door::Clickless, "offer=42&publisher=7&revenue=x", InvalidAmount).await;
        assert_eq!(refused.transaction_id, None);
    }

    async fn a_click_that_comes_late_fills_its_conversion_in(engine: Engine) {
        let bench = Bench::start(engine).await;
        let id = bench.mint();
        let answer = bench.expect(Door::Postback, &format!("transaction_id={id}"), Recorded).await;
        assert!(stored(&bench, answer.conversion).await.click_pending);
        bench.intake.settle_kept_click(bench.click(id)).await.unwrap();
        let filled = stored(&bench, answer.conversion).await;
        assert!(!filled.click_pending);
        assert_eq!(filled.sub_ids[0].as_deref(), Some("news"));
        assert_eq!(filled.external_transaction_id.as_deref(), Some("ext-1"));
        assert_eq!(filled.version, 1);
    }

    async fn a_dry_run_sees_the_rejection_that_waits(engine: Engine) {
        let bench = Bench::start(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        bench.expect(Door::Rejection, &format!("{query}&reason=fraud"), Parked).await;
        let rehearsed = bench.intake.rehearse(&bench.hit(Door::Postback, &query)).await.unwrap();
        assert_eq!((rehearsed.answer.code, rehearsed.answer.status), (Recorded, Some(Status::Rejected)));
    }
}

/// No test here looks at a domain.
struct NoDns;

impl DnsLookup for NoDns {
    fn cname<'a>(&'a self, _name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFailure>> {
        self.cname(name)
    }
}

/// Sends while the writers rest, so that all of it is one batch, then lets them work.
async fn at_once<T>(sends: impl Future<Output = T>, writers: Vec<WriterTask>) -> T {
    tokio::select! {
        biased;
        answers = sends => answers,
        _ = join_all(writers) => panic!("the writers ended"),
    }
}

async fn is_clean(bench: &Bench) {
    let report = verify(&bench.database).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// The order `poison` fits into no row.
pub(crate) fn refuse(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "CREATE TRIGGER refuse BEFORE INSERT ON conversion WHEN NEW.order_id = 'poison' \
             BEGIN SELECT RAISE(ABORT, 'refused by the test'); END"
        }
        Engine::Postgres => "ALTER TABLE conversion ADD CONSTRAINT refuse CHECK (order_id IS DISTINCT FROM 'poison')",
    }
}

on_both_engines! {
    async fn a_row_that_the_database_refuses_fails_alone(engine: Engine) {
        let (bench, writers) = Bench::at_rest(engine, options(1)).await;
        tamper(&bench.database, refuse(engine)).await;
        let query = |n| format!("transaction_id={}&order_id={}", bench.mint(), if n == 13 { "poison" } else { "fine" });
        let hits: Vec<Hit> = (0..32).map(|n| bench.hit(Door::Postback, &query(n))).collect();
        let receipts: Vec<_> = hits.iter().map(|hit| hit.receipt).collect();
        let sends = join_all(hits.into_iter().map(|hit| bench.intake.settle(hit)));
        let answers = at_once(sends, writers).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let answer = answer.unwrap();
            assert_eq!(answer.code, if n == 13 { Internal } else { Recorded }, "{n}");
            assert_eq!(answer.receipt, Some(receipts[n]));
        }
        let (mut tx, _) = bench.database.begin_read().await.unwrap();
        assert_eq!(batch::existing_receipts(&mut tx, &receipts).await.unwrap().len(), 32);
        is_clean(&bench).await;
    }

    async fn a_caller_that_hangs_up_changes_nothing(engine: Engine) {
        let (bench, writers) = Bench::at_rest(engine, options(1)).await;
        let query = format!("transaction_id={}", bench.mint());
        assert!(bench.intake.settle(bench.hit(Door::Postback, &query)).now_or_never().is_none());
        assert_eq!(bench.intake.depths(), [1, 0, 0]);
        let answer = at_once(bench.postback(&query), writers).await;
        assert_eq!(answer.code, Duplicate);
        is_clean(&bench).await;
    }

    async fn a_full_queue_says_so_at_once_and_conversions_keep_their_room(engine: Engine) {
        let few = QueueLimits { click_items_max: 2, receipt_items_max: 1, ..options(1).queues };
        let (bench, writers) = Bench::at_rest(engine, IntakeOptions { queues: few, ..options(1) }).await;
        let click = || bench.intake.settle_click(bench.click(bench.mint())).now_or_never();
        assert!(click().is_none());
        assert!(click().is_none());
        assert_eq!(click(), Some(Err(Unsettled::Full)));
        let answer = at_once(bench.postback(&format!("transaction_id={}", bench.mint())), writers).await;
        assert_eq!(answer.code, Recorded);
        is_clean(&bench).await;
    }

    async fn a_receipt_without_a_token_is_thinned_where_there_is_no_room_and_counted(engine: Engine) {
        let few = QueueLimits { receipt_items_max: 1, ..options(1).queues };
        let (bench, _writers) = Bench::at_rest(engine, IntakeOptions { queues: few, ..options(1) }).await;
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            for _ in 0..4 {
                let hit = bench.hit(Door::Postback, "secure=wrong");
                let refusal = Refusal::new(Check::TokenLive, InvalidSecure);
                bench.intake.offer_receipt(Receipt::refused(&hit, &Known::default(), &refusal, 1));
            }
        });
        assert!(page.render().contains("roundtrip_receipts_thinned_total 3"), "{}", page.render());
    }

    async fn a_click_that_one_batch_brings_twice_counts_once(engine: Engine) {
        let (bench, writers) = Bench::at_rest(engine, options(1)).await;
        let id = bench.mint();
        let sends = join_all((0..3).map(|_| bench.intake.settle_click(bench.click(id))));
        let stored = at_once(sends, writers).await;
        assert!(stored.iter().all(Result::is_ok));
        is_clean(&bench).await;
    }

    async fn a_revocation_is_exact_though_the_snapshot_is_old(engine: Engine) {
        let (app, clock, _folder) = desk::app(engine, Arc::new(NoDns)).await;
        let ada = Principal::system();
        let partner = |name: &str| PartnerDraft { name: Some(name.into()), ..PartnerDraft::default() };
        let advertiser = desk::done(create_advertiser(&app, &ada, &partner("Shop")).await);
        let publisher = desk::done(create_publisher(&app, &ada, &partner("Blog")).await);
        let fixed = |amount: &str| Some(PriceDraft { fixed: Some(amount.into()), percent: None });
        let draft = OfferDraft {
            name: Some("Offer".into()),
            advertiser: Some(advertiser.id),
            landing_page_url: Some("https://shop.example/?tid={transaction_id}".into()),
            currency: Some("EUR".into()),
            revenue: fixed("10"),
            payout: fixed("7"),
            ..OfferDraft::default()
        };
        let offer = desk::done(create_offer(&app, &ada, draft).await);
        let issued = desk::done(create_token(&app, &ada, &TokenRequest::new(TokenScope::Global)).await);
        let secret = issued.secret.reveal().to_owned();
        let send = async || {
            let id = app.minter.mint(&app.keyring, clock.now(), Kind::Click, offer.id, publisher.id);
            let hit = hit(&app.keyring, &*app.entropy, &*clock, &secret, Door::Postback, &format!("transaction_id={id}"));
            app.intake.settle(hit).await.unwrap().code
        };
        assert_eq!(send().await, Recorded);
        let old = app.snapshot.load_full();
        desk::done(revoke_token(&app, &ada, issued.token.token.id, "leaked").await);
        app.snapshot.store(Arc::clone(&old));
        assert_eq!(send().await, InvalidSecure);
        assert!(app.snapshot.load().version > old.version);
        assert!(verify(&app.database).await.unwrap().is_clean());
    }
}
