//! The doors that servers knock at: every code that they can be told, and what is kept of each.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Response;
use roundtrip::domain::ids::OfferId;
use roundtrip::domain::offer::{DuplicatePolicy, OfferState};
use roundtrip::domain::secure_token::{Capabilities, Capability, TokenScope, TokenState};
use roundtrip::store::Engine;
use serde_json::Value;

use crate::support::databases::rows;
use crate::support::on_both_engines;
use crate::support::server::{TestServer, header, told};

/// Sends with the global token and compares status and code.
async fn expect(server: &TestServer, path: &str, status: u16, code: &str) -> Value {
    let (found, answer) = server.told(path).await;
    assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{path}: {answer}");
    assert_eq!(answer["ok"], status / 100 == 2 && code != "dry_run", "{answer}");
    answer
}

async fn expect_bare(response: Response, status: u16, code: &str) {
    assert_eq!(header(&response, "x-receipt-id"), None);
    let (found, answer) = told(response).await;
    assert_eq!((found, &answer), (status, &serde_json::json!({"ok": false, "code": code})));
}

/// Those of strangers are written after their answers.
async fn receipts_become(server: &TestServer, wanted: u64) {
    let mut found = 0;
    for _ in 0..100 {
        found = rows(&server.app.database).await["receipt"];
        if found >= wanted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(found, wanted);
}

on_both_engines! {
    async fn a_conversion_is_recorded_once_and_said_so_with_its_receipt(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        let path = format!("/postback?transaction_id={id}&secure={}&adv_sub_id=x", server.secret);
        let response = server.get(&path).await;
        for (name, value) in
            [("content-type", "application/json"), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")]
        {
            assert_eq!(header(&response, name), Some(value));
        }
        assert!(header(&response, "x-receipt-id").unwrap().starts_with("rcp_"));
        let (status, first) = told(response).await;
        assert_eq!((status, &first["ok"], &first["code"]), (200, &true.into(), &"recorded".into()), "{first}");
        assert_eq!((&first["status"], &first["duplicate"]), (&"approved".into(), &false.into()));
        assert_eq!(first["transaction_id"], id.to_string());
        let receipt = server.receipt(&first).await;
        assert_eq!(receipt.params, format!("transaction_id={id}&adv_sub_id=x"));
        let (_, again) = told(server.get(&path).await).await;
        assert_eq!((&again["code"], &again["duplicate"]), (&"duplicate".into(), &true.into()));
        assert_eq!(again["conversion_id"], first["conversion_id"]);
    }

    async fn sixty_four_equal_postbacks_at_once_are_told_one_id(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!("/postback?transaction_id={}&secure={}", server.mint(), server.secret);
        let answers = join_all((0..64).map(|_| async { told(server.get(&path).await).await })).await;
        let codes = |code: &str| answers.iter().filter(|(_, answer)| answer["code"] == code).count();
        assert_eq!((codes("recorded"), codes("duplicate")), (1, 63), "{answers:?}");
        assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
        assert!(answers.iter().all(|(_, answer)| answer["conversion_id"] == answers[0].1["conversion_id"]));
        let stored = rows(&server.app.database).await;
        assert_eq!((stored["conversion"], stored["conversion_change"], stored["receipt"]), (1, 1, 64));
    }

    async fn a_token_comes_in_the_query_the_body_or_a_header(engine: Engine) {
        let server = TestServer::start(engine).await;
        let secret = server.secret.clone();
        let query = || format!("/postback?transaction_id={}", server.mint());
        let by_header = server.request("GET", &query()).header("x-secure-token", &secret).send().await.unwrap();
        assert_eq!(told(by_header).await.1["code"], "recorded");
        let form = server.post_form(&query(), format!("secure={secret}&revenue=1.5")).await;
        assert_eq!(told(form).await.1["code"], "recorded");
        let json = format!(r#"{{"secure":"{secret}","transaction_id":"{}","revenue":12.50}}"#, server.mint());
        assert_eq!(told(server.post_json("/postback", json).await).await.1["code"], "recorded");
        let twice = format!("{}&secure=other", query());
        expect(&server, &twice, 400, "ambiguous_parameter").await;
    }

    async fn what_cannot_be_read_is_refused_and_told_to_whoever_holds_a_token(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        for (query, status, code) in [
            (format!("transaction_id={id}&transaction_id=other"), 400, "ambiguous_parameter"),
            (format!("transaction_id={id}%00"), 400, "invalid_encoding"),
            (format!("transaction_id={}", "x".repeat(65)), 400, "value_too_long"),
            ((0..65).map(|n| format!("a{n}=1")).collect::<Vec<_>>().join("&"), 400, "too_many_parameters"),
            (format!("transaction_id={id}&revenue=1&revenue=2"), 400, "ambiguous_parameter"),
        ] {
            let told = expect(&server, &format!("/postback?{query}"), status, code).await;
            assert!(told["cure"].is_string() && told["receipt_id"].is_string(), "{told}");
            expect_bare(server.get(&format!("/postback?{query}")).await, status, code).await;
        }
        let with_token = |content_type: &str, body: String| {
            let request = server.request("POST", "/postback").bearer_auth(&server.secret);
            request.header("content-type", content_type.to_owned()).body(body).send()
        };
        for (media, body, status, code) in [
            ("application/xml", "<a/>".to_owned(), 415, "unsupported_media_type"),
            ("application/json", "[1]".to_owned(), 415, "unsupported_media_type"),
            ("application/x-www-form-urlencoded", "a".repeat(64 * 1024 + 1), 413, "body_too_large"),
        ] {
            let response = with_token(media, body).await.unwrap();
            assert_eq!(header(&response, "connection"), (status == 413).then_some("close"), "{media}");
            let (found, answer) = told(response).await;
            assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{media}");
            assert_eq!(server.receipt(&answer).await.code.as_str(), code);
        }
        let long = server.get(&format!("/postback?a={}", "x".repeat(8 * 1024))).await;
        assert_eq!(told(long).await, (414, serde_json::json!({"ok": false, "code": "uri_too_long"})));
    }

    async fn without_a_verified_token_nobody_is_told_anything(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        expect_bare(server.get(&format!("/postback?transaction_id={id}")).await, 401, "missing_secure").await;
        for secret in ["wrong", "{secure}", &"x".repeat(200), &server.secret.to_lowercase()] {
            let path = format!("/postback?transaction_id={id}&order_id=a&order_id=b&secure={secret}");
            expect_bare(server.get(&path).await, 401, "invalid_secure").await;
        }
        server.change_token(|token| token.state = TokenState::Revoked);
        let path = format!("/postback?transaction_id={id}&secure={}", server.secret);
        expect_bare(server.get(&path).await, 401, "invalid_secure").await;
    }

    async fn a_token_is_held_to_what_it_may_do_from_where_and_for_which_offer(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!("/postback?transaction_id={}", server.mint());
        server.change_token(|token| token.capabilities = Capabilities::from_iter([Capability::Reject]));
        expect(&server, &path, 403, "token_capability").await;
        server.change_token(|token| token.capabilities = Capabilities::from_iter([Capability::Convert]));
        server.change_token(|token| token.allowed_addresses = vec!["203.0.113.0/24".parse().unwrap()]);
        expect(&server, &path, 403, "ip_not_allowed").await;
        let from = |address: &str| {
            let request = server.request("GET", &path).bearer_auth(&server.secret);
            request.header("x-forwarded-for", address.to_owned()).send()
        };
        assert_eq!(told(from("198.51.100.1").await.unwrap()).await.1["code"], "ip_not_allowed");
        assert_eq!(told(from("203.0.113.200").await.unwrap()).await.1["code"], "recorded");
        let other = OfferId::new(43).unwrap();
        let foreign = server.add_token(9, TokenScope::Offer(other), |_| {});
        let (status, answer) = told(server.get(&format!("{path}&secure={foreign}")).await).await;
        assert_eq!((status, &answer["code"]), (403, &"token_offer_mismatch".into()));
    }

    async fn a_transaction_id_that_is_wrong_is_told_how(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint().to_string();
        expect(&server, "/postback", 422, "missing_transaction_id").await;
        let macro_told = expect(&server, "/postback?transaction_id={transaction_id}", 422, "unreplaced_macro").await;
        assert_eq!(macro_told["field"], "transaction_id");
        assert_eq!(macro_told["received"], "{transaction_id}");
        let changed = if id.ends_with('0') { "1" } else { "0" };
        for wrong in [&id[..39], &format!("{}{changed}", &id[..39]), "12345", "ann@shop.example"] {
            let answer = expect(&server, &format!("/postback?click_id={wrong}"), 422, "malformed_transaction_id").await;
            assert!(answer["detail"].is_string() && !answer.to_string().contains("ann@"), "{answer}");
        }
    }

    async fn an_archived_offer_takes_nothing_and_a_paused_one_its_conversions(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!("/postback?transaction_id={}", server.mint());
        server.change_offer(|offer| offer.state = OfferState::Archived);
        expect(&server, &path, 422, "offer_inactive").await;
        server.change_offer(|offer| offer.state = OfferState::Paused);
        expect(&server, &path, 200, "recorded").await;
    }

    async fn events_statuses_and_amounts_are_checked(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        let with = |rest: &str| format!("/postback?transaction_id={id}&{rest}");
        expect(&server, &with("event_id=9"), 422, "unknown_event").await;
        expect(&server, &with("event_name=nope"), 422, "unknown_event").await;
        expect(&server, &with("status=great"), 422, "invalid_status").await;
        server.change_offer(|offer| {
            offer.switches.strict_amounts = true;
            offer.switches.wire_revenue_trusted = true;
        });
        expect(&server, &with("revenue=12,50"), 422, "invalid_amount").await;
        expect(&server, &with("revenue=12.50&currency=EURO"), 422, "invalid_currency").await;
        expect(&server, &with("revenue=12.50&currency=EUR"), 200, "recorded").await;
    }

    async fn what_is_understood_and_held_or_rejected_is_200_with_its_status(engine: Engine) {
        let server = TestServer::start(engine).await;
        let answer = expect(&server, &format!("/postback?transaction_id={}&third_party_rejected_reason=bot", server.mint()), 200, "recorded").await;
        assert_eq!(answer["status"], "rejected");
        server.change_offer(|offer| offer.switches.manual_approval = true);
        let answer = expect(&server, &format!("/postback?transaction_id={}", server.mint()), 200, "recorded").await;
        assert_eq!(answer["status"], "pending");
        let late = format!("/postback?transaction_id={}", server.mint());
        server.clock.advance_seconds(31 * 24 * 3600);
        let answer = expect(&server, &late, 200, "recorded").await;
        assert_eq!(answer["status"], "rejected");
    }

    async fn clickless_asks_for_everything_that_a_click_would_have_known(engine: Engine) {
        let server = TestServer::start(engine).await;
        let with = |rest: &str| format!("/postback/clickless?{rest}");
        expect(&server, &with("publisher=7"), 422, "offer_required").await;
        expect(&server, &with("offer=43&publisher=7"), 422, "unknown_offer").await;
        expect(&server, &with("offer=42"), 422, "missing_publisher").await;
        expect(&server, &with("offer=42&publisher=8"), 422, "unknown_publisher").await;
        let unexpected = with(&format!("offer=42&publisher=7&transaction_id={}", server.mint()));
        expect(&server, &unexpected, 422, "unexpected_transaction_id").await;
        let first = expect(&server, &with("offer=42&publisher=7&external_transaction_id=e1"), 200, "recorded").await;
        let id = first["transaction_id"].as_str().unwrap().to_owned();
        expect(&server, &with("offer=42&publisher=7&external_transaction_id=e1"), 200, "duplicate").await;
        let answer = expect(&server, &with("offer=42&publisher=7"), 200, "recorded").await;
        assert_eq!(answer["warnings"][0]["code"], "no_dedupe_key");
        expect(&server, &format!("/reject?transaction_id={id}&new_rejected_reason=fraud"), 200, "rejected").await;
        server.change_offer(|offer| offer.switches.clickless_enabled = false);
        expect(&server, &with("offer=42&publisher=7"), 403, "clickless_disabled").await;
        server.change_token(|token| token.capabilities = Capabilities::from_iter([Capability::Convert]));
        expect(&server, &with("offer=42&publisher=7"), 403, "token_capability").await;
    }

    async fn a_rejection_comes_before_with_or_after_its_conversion(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        let reject = |reason: &str| format!("/reject?transaction_id={id}&new_rejected_reason={reason}");
        expect(&server, &format!("/reject?transaction_id={id}"), 422, "reason_required").await;
        expect(&server, &reject("fraud"), 202, "parked").await;
        let born = expect(&server, &format!("/postback?transaction_id={id}"), 200, "recorded").await;
        assert_eq!(born["status"], "rejected");
        expect(&server, &reject("fraud"), 200, "no_change").await;
        expect(&server, &reject("returned"), 200, "reason_updated").await;
        let later = server.mint();
        expect(&server, &format!("/postback?transaction_id={later}"), 200, "recorded").await;
        expect(&server, &format!("/reject?transaction_id={later}&reason=x"), 200, "rejected").await;
        let late = server.mint();
        server.clock.advance_seconds(31 * 24 * 3600);
        let late_path = format!("/reject?transaction_id={late}&new_rejected_reason=x");
        expect(&server, &late_path, 404, "conversion_not_found").await;
        expect(&server, &format!("/postback?transaction_id={late}"), 200, "recorded").await;
        expect(&server, &late_path, 200, "reason_added").await;
    }

    async fn a_rejection_without_a_token_is_taken_from_the_addresses_of_the_offers_list_only(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!("/reject?transaction_id={}&new_rejected_reason=fraud", server.mint());
        let from = async |address: &str| {
            let request = server.request("GET", &path).header("x-forwarded-for", address.to_owned());
            told(request.send().await.unwrap()).await
        };
        server.change_offer(|offer| offer.reject_allowed_addresses = vec!["203.0.113.0/24".parse().unwrap()]);
        assert_eq!(from("203.0.113.9").await.1["code"], "missing_secure", "the switch is off");
        server.change_offer(|offer| offer.switches.reject_without_secure = true);
        let bare = serde_json::json!({ "ok": false, "code": "missing_secure" });
        assert_eq!(from("198.51.100.9").await, (401, bare));
        let (status, answer) = from("203.0.113.9").await;
        assert_eq!((status, answer["code"].as_str()), (202, Some("parked")), "{answer}");
        let postback = path.replace("/reject", "/postback");
        assert_eq!(told(server.get(&postback).await).await.0, 401, "nothing but a rejection");
    }

    async fn a_rejection_says_which_conversion_it_means_where_there_are_several(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.change_offer(|offer| offer.duplicate_policy = DuplicatePolicy::OnePerOrder);
        let id = server.mint();
        for order in ["A", "B"] {
            expect(&server, &format!("/postback?transaction_id={id}&order_id={order}"), 200, "recorded").await;
        }
        let path = format!("/reject?transaction_id={id}&new_rejected_reason=x");
        expect(&server, &path, 409, "ambiguous_target").await;
        expect(&server, &format!("{path}&order_id=B"), 200, "rejected").await;
    }

    async fn a_status_is_changed_as_far_as_the_sender_may(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        let status = |status: &str| format!("/status?transaction_id={id}&status={status}");
        expect(&server, &format!("/postback?transaction_id={id}&status=pending"), 200, "recorded").await;
        expect(&server, &format!("/status?transaction_id={id}"), 422, "invalid_status").await;
        expect(&server, &status("approved"), 200, "status_changed").await;
        expect(&server, &status("1"), 200, "no_change").await;
        expect(&server, &status("pending"), 409, "invalid_transition").await;
        let unknown = format!("/status?transaction_id={}&status=approved", server.mint());
        expect(&server, &unknown, 404, "conversion_not_found").await;
    }

    async fn a_dry_run_says_everything_and_records_nothing(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!("/postback?transaction_id={}&dry_run=1", server.mint());
        let before = rows(&server.app.database).await;
        let answer = expect(&server, &path, 200, "dry_run").await;
        assert_eq!(answer["would_be"], "recorded");
        assert!(answer["checks"].as_array().unwrap().iter().all(|check| check["result"] == "passed"), "{answer}");
        let refused = expect(&server, "/postback?transaction_id={x}&dry_run=1", 200, "dry_run").await;
        assert_eq!(refused["would_be"], "unreplaced_macro");
        let decided = refused["checks"].as_array().unwrap().iter().find(|check| check["result"] == "decided").unwrap();
        assert_eq!(decided["check"], "transaction_id");
        assert!(decided["cure"].as_str().unwrap().ends_with('.'), "{decided}");
        assert_eq!(rows(&server.app.database).await, before, "not even a receipt");
        expect(&server, &path.replace("&dry_run=1", ""), 200, "recorded").await;
        expect_bare(server.get(&path).await, 401, "missing_secure").await;
    }

    async fn dry_runs_are_ten_a_second_for_a_token(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!("/postback?transaction_id={}&dry_run=1", server.mint());
        for _ in 0..10 {
            expect(&server, &path, 200, "dry_run").await;
        }
        expect(&server, &path, 429, "rate_limited").await;
        server.clock.advance_seconds(1);
        expect(&server, &path, 200, "dry_run").await;
    }

    async fn bad_tokens_of_one_network_are_slowed_down_and_good_ones_go_on(engine: Engine) {
        let server = TestServer::start(engine).await;
        let send = |address: &str, secret: &str| {
            let path = format!("/postback?transaction_id={}&secure={secret}", server.mint());
            server.request("GET", &path).header("x-forwarded-for", address.to_owned()).send()
        };
        for _ in 0..20 {
            assert_eq!(send("203.0.113.9", "wrong").await.unwrap().status(), 401);
        }
        let slowed = send("203.0.113.9", "wrong").await.unwrap();
        assert_eq!(slowed.status(), 429);
        assert!((1..=60).contains(&header(&slowed, "retry-after").unwrap().parse::<u64>().unwrap()));
        assert_eq!(send("203.0.113.9", &server.secret).await.unwrap().status(), 200);
        assert_eq!(send("203.0.113.10", "wrong").await.unwrap().status(), 401);
        server.clock.advance_seconds(60);
        assert_eq!(send("203.0.113.9", "wrong").await.unwrap().status(), 401);
    }

    async fn of_a_flood_without_a_token_all_is_answered_and_the_first_receipts_of_a_second_are_kept(engine: Engine) {
        let server = TestServer::start_with(engine, "[limits]\nstranger_receipts_per_second = 25").await;
        let send = async |address: &str| {
            let request = server.request("GET", "/postback?transaction_id=x").header("x-forwarded-for", address);
            expect_bare(request.send().await.unwrap(), 401, "missing_secure").await;
        };
        for _ in 0..12 {
            send("203.0.113.9").await;
        }
        receipts_become(&server, 5).await;
        send("203.0.113.200").await;
        receipts_become(&server, 6).await;
        server.clock.advance_seconds(1);
        send("203.0.113.9").await;
        receipts_become(&server, 7).await;
    }

    async fn a_lenient_token_is_told_200_for_what_is_final_and_not_its_identity(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.change_token(|token| token.lenient_status = true);
        let (status, answer) = server.told("/postback?transaction_id={x}").await;
        assert_eq!((status, &answer["ok"], &answer["code"]), (200, &false.into(), &"unreplaced_macro".into()));
        assert_eq!(server.told("/postback?order_id=a%00&transaction_id=a&transaction_id=b").await.0, 400);
        assert_eq!(server.get("/postback?secure=wrong").await.status(), 401);
    }

    async fn whoever_asks_for_text_gets_one_line(engine: Engine) {
        let server = TestServer::start(engine).await;
        let path = format!("/postback?transaction_id={}&secure={}", server.mint(), server.secret);
        let response = server.get(&format!("{path}&format=text")).await;
        assert_eq!(header(&response, "content-type"), Some("text/plain; charset=utf-8"));
        let text = response.text().await.unwrap();
        assert!(text.starts_with("OK cnv_"), "{text}");
        let response = server.request("GET", "/postback").header("accept", "text/plain").send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (401, "ERROR missing_secure"));
    }

    async fn no_answer_says_back_a_secret_or_more_than_64_characters(engine: Engine) {
        let server = TestServer::start(engine).await;
        let long = format!("/postback?transaction_id={}&conversion_id={}", server.mint(), "y".repeat(200));
        for path in [long, format!("/postback?transaction_id=rt_o_{}", "z".repeat(30))] {
            let (_, answer) = server.told(&path).await;
            let text = answer.to_string();
            assert!(!text.contains(&"y".repeat(65)) && !text.contains("rt_o_"), "{text}");
        }
    }
}
