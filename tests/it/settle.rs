//! What only the writer of batches can hold: one bad row fails alone, late clicks, lost callers, exact figures.

use futures_util::future::join_all;
use roundtrip::domain::code::Code::*;
use roundtrip::domain::conversion::Conversion;
use roundtrip::domain::ids::ConversionId;
use roundtrip::domain::inbound::Door;
use roundtrip::domain::offer::DuplicatePolicy;
use roundtrip::domain::status::{Party, Status};
use roundtrip::store::{Engine, batch};

use crate::support::bench::Bench;
use crate::support::on_both_engines;

/// As it is stored, without the names of what it belongs to.
async fn stored(bench: &Bench, id: Option<ConversionId>) -> Conversion {
    let mut tx = bench.database.begin_read().await.unwrap();
    let mut found = batch::conversions_by_ids(&mut tx, &[id.unwrap()], false).await.unwrap();
    tx.roll_back().await.unwrap();
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
        bench.intake.settle_click(bench.click(id)).await.unwrap();
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
