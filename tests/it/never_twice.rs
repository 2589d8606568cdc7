//! The key rules of `domain::conversion_key` and both orders of every race, on both engines, at the write path itself.

use futures_util::future::join_all;
use roundtrip::domain::code::Code::{self, *};
use roundtrip::domain::inbound::{Door, WarningCode};
use roundtrip::domain::offer::DuplicatePolicy;
use roundtrip::domain::status::Status;
use roundtrip::store::Engine;

use crate::support::bench::Bench;
use crate::support::on_both_engines;

fn several(bench: &Bench) {
    bench.change_offer(|offer| offer.duplicate_policy = DuplicatePolicy::OnePerOrder);
}

fn one(bench: &Bench) {
    bench.change_offer(|offer| offer.duplicate_policy = DuplicatePolicy::OnePerTransaction);
}

on_both_engines! {
    async fn a_repeat_is_a_duplicate_of_the_first_with_its_id_and_status_of_now(engine: Engine) {
        let bench = Bench::start(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        let first = bench.expect(Door::Postback, &query, Recorded).await;
        assert_eq!(first.status, Some(Status::Approved));
        bench.expect(Door::Rejection, &format!("{query}&new_rejected_reason=fraud"), Rejected).await;
        let again = bench.expect(Door::Postback, &query, Duplicate).await;
        assert_eq!((again.conversion, again.status), (first.conversion, Some(Status::Rejected)));
    }

    async fn orders_count_where_the_offer_counts_them_and_only_there(engine: Engine) {
        let bench = Bench::start(engine).await;
        let id = bench.mint();
        bench.expect(Door::Postback, &format!("transaction_id={id}&order_id=A"), Recorded).await;
        let other = bench.expect(Door::Postback, &format!("transaction_id={id}&order_id=B"), Duplicate).await;
        assert!(other.warnings.iter().any(|warning| warning.code == WarningCode::DifferentOrderId));
        several(&bench);
        bench.expect(Door::Postback, &format!("transaction_id={id}&order_id=A"), Duplicate).await;
        bench.expect(Door::Postback, &format!("transaction_id={id}&order_id=B"), Recorded).await;
        bench.expect(Door::Postback, &format!("transaction_id={id}&order_id=B"), Duplicate).await;
    }

    async fn switching_what_an_offer_counts_never_makes_an_old_retry_count_again(engine: Engine) {
        let bench = Bench::start(engine).await;
        let plain = format!("transaction_id={}", bench.mint());
        let (a, b) = (format!("{plain}&order_id=A"), format!("{plain}&order_id=B"));
        bench.expect(Door::Postback, &plain, Recorded).await;
        several(&bench);
        bench.expect(Door::Postback, &plain, Duplicate).await;
        bench.expect(Door::Postback, &a, Recorded).await;
        bench.expect(Door::Postback, &b, Recorded).await;
        one(&bench);
        for query in [&plain, &a, &b] {
            bench.expect(Door::Postback, query, Duplicate).await;
        }
    }

    async fn without_an_order_id_an_equal_request_is_a_retry_until_its_window_is_over(engine: Engine) {
        let bench = Bench::start(engine).await;
        several(&bench);
        let query = format!("transaction_id={}&purchase_value=5", bench.mint());
        let window = 24 * 3600;
        let first = bench.expect(Door::Postback, &query, Recorded).await;
        bench.clock.advance_millis(window * 1000 - 1);
        bench.expect(Door::Postback, &query, Duplicate).await;
        bench.clock.advance_millis(1);
        let second = bench.expect(Door::Postback, &query, Recorded).await;
        assert_ne!(first.conversion, second.conversion);
        let repeat = bench.expect(Door::Postback, &query, Duplicate).await;
        assert_eq!(repeat.conversion, second.conversion);
        bench.clock.advance_seconds(window);
        bench.expect(Door::Postback, &query, Recorded).await;
        bench.expect(Door::Postback, &format!("{query}&adv_sub_id=x"), Recorded).await;
        one(&bench);
        bench.clock.advance_seconds(window);
        bench.expect(Door::Postback, &query, Duplicate).await;
    }

    async fn a_clickless_request_is_known_by_its_order_its_external_id_or_for_two_minutes_by_itself(engine: Engine) {
        let bench = Bench::start(engine).await;
        let base = "offer=42&publisher=7";
        for key in ["order_id=A", "external_transaction_id=E"] {
            let first = bench.expect(Door::Clickless, &format!("{base}&{key}&revenue=1"), Recorded).await;
            bench.clock.advance_seconds(3600);
            let again = bench.expect(Door::Clickless, &format!("{base}&{key}&revenue=2"), Duplicate).await;
            assert_eq!(first.conversion, again.conversion);
            assert!(again.warnings.iter().any(|warning| warning.code == WarningCode::DuplicateDiffers));
        }
        let first = bench.expect(Door::Clickless, base, Recorded).await;
        assert!(first.warnings.iter().any(|warning| warning.code == WarningCode::NoDedupeKey));
        bench.clock.advance_millis(119_999);
        bench.expect(Door::Clickless, base, Duplicate).await;
        bench.clock.advance_millis(1);
        bench.expect(Door::Clickless, base, Recorded).await;
        let id = first.transaction_id.unwrap();
        bench.expect(Door::Postback, &format!("transaction_id={id}"), Duplicate).await;
        bench.expect(Door::Rejection, &format!("transaction_id={id}&reason=no"), Rejected).await;
    }

    async fn the_first_postback_confirms_a_pixel_and_later_ones_are_duplicates(engine: Engine) {
        let bench = Bench::start(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        let pixel = bench.expect(Door::Pixel, &query, Recorded).await;
        assert_eq!(pixel.status, Some(Status::Pending));
        bench.expect(Door::Pixel, &query, Duplicate).await;
        let confirmed = bench.expect(Door::Postback, &format!("{query}&order_id=A"), Confirmed).await;
        assert_eq!((confirmed.conversion, confirmed.status), (pixel.conversion, Some(Status::Approved)));
        bench.expect(Door::Postback, &format!("{query}&order_id=A"), Duplicate).await;
        several(&bench);
        bench.expect(Door::Pixel, &query, Duplicate).await;
        bench.expect(Door::Postback, &format!("{query}&order_id=A"), Duplicate).await;
        bench.expect(Door::Postback, &format!("{query}&order_id=B"), Recorded).await;
    }

    async fn a_pixel_that_was_rejected_meanwhile_stays_rejected(engine: Engine) {
        let bench = Bench::start(engine).await;
        let query = format!("transaction_id={}", bench.mint());
        bench.expect(Door::Pixel, &query, Recorded).await;
        bench.expect(Door::Rejection, &format!("{query}&reason=fraud"), Rejected).await;
        let answer = bench.expect(Door::Postback, &query, Duplicate).await;
        assert_eq!(answer.status, Some(Status::Rejected));
    }

    async fn a_rejection_before_or_after_its_conversion_ends_in_the_same_state(engine: Engine) {
        let bench = Bench::start(engine).await;
        for key in ["", "&order_id=A"] {
            let (before, after) = (bench.mint(), bench.mint());
            let conversion = |id| format!("transaction_id={id}{key}");
            let rejection = |id| format!("transaction_id={id}{key}&new_rejected_reason=fraud");
            bench.expect(Door::Rejection, &rejection(before), Parked).await;
            bench.expect(Door::Rejection, &rejection(before), Parked).await;
            let born = bench.expect(Door::Postback, &conversion(before), Recorded).await;
            bench.expect(Door::Postback, &conversion(after), Recorded).await;
            let turned = bench.expect(Door::Rejection, &rejection(after), Rejected).await;
            assert_eq!((born.status, turned.status), (Some(Status::Rejected), Some(Status::Rejected)));
            bench.expect(Door::Rejection, &rejection(before), NoChange).await;
            bench.expect(Door::Rejection, &rejection(after), NoChange).await;
        }
    }

    async fn sixty_four_equal_postbacks_at_once_are_one_conversion(engine: Engine) {
        let bench = Bench::start(engine).await;
        for query in ["", "&order_id=A"] {
            let query = format!("transaction_id={}{query}", bench.mint());
            let answers = join_all((0..64).map(|_| bench.postback(&query))).await;
            let recorded = answers.iter().filter(|answer| answer.code == Recorded).count();
            let duplicates = answers.iter().filter(|answer| answer.code == Duplicate).count();
            assert_eq!((recorded, duplicates), (1, 63));
            assert!(answers.iter().all(|answer| answer.conversion == answers[0].conversion));
        }
    }

    async fn a_rejection_races_its_conversion_and_always_wins(engine: Engine) {
        let bench = Bench::start(engine).await;
        for round in 0..20 {
            let id = bench.mint();
            let (conversion, rejection) = (format!("transaction_id={id}"), format!("transaction_id={id}&reason=fraud"));
            let (first, second) = if round % 2 == 0 {
                tokio::join!(bench.postback(&conversion), bench.send(Door::Rejection, &rejection))
            } else {
                let (second, first) =
                    tokio::join!(bench.send(Door::Rejection, &rejection), bench.postback(&conversion));
                (first, second)
            };
            assert_eq!(first.code, Recorded);
            assert!([Rejected, Parked].contains(&second.code), "{}", second.to_json());
            let now = bench.expect(Door::Postback, &conversion, Duplicate).await;
            assert_eq!(now.status, Some(Status::Rejected));
        }
    }

    async fn many_items_of_one_batch_see_each_other(engine: Engine) {
        let bench = Bench::start(engine).await;
        let id = bench.mint();
        bench.intake.settle_click(bench.click(id)).await.unwrap();
        bench.intake.settle_click(bench.click(id)).await.unwrap();
        let queries: Vec<(Door, String)> = (0..40)
            .map(|n| match n % 4 {
                0 => (Door::Postback, format!("transaction_id={id}&order_id=A")),
                1 => (Door::Rejection, format!("transaction_id={id}&order_id=A&reason=r{n}")),
                2 => (Door::Pixel, format!("transaction_id={id}")),
                _ => (Door::Status, format!("transaction_id={id}&status=approved")),
            })
            .collect();
        let answers = join_all(queries.iter().map(|(door, query)| bench.send(*door, query))).await;
        let mut conversions: Vec<_> = answers.iter().filter_map(|answer| answer.conversion).collect();
        conversions.dedup();
        assert_eq!(conversions.len(), 1);
        let codes: Vec<Code> = answers.iter().map(|answer| answer.code).collect();
        assert!(codes.iter().all(|code| *code != Internal), "{codes:?}");
    }
}
