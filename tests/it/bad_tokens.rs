//! A flood of bad tokens: it is put off, and whoever has a good one notices nothing, not even from the same address.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::future::join_all;
use reqwest::Response;
use roundtrip::app::verify::verify;
use roundtrip::store::Engine;
use serde_json::Value;

use crate::support::on_both_engines;
use crate::support::server::{TestServer, header, told};

const ADDRESS: &str = "203.0.113.9";
const GOOD: usize = 60;

async fn send(server: &TestServer, address: &str, secret: &str) -> Response {
    let request = server.request("GET", &format!("/postback?transaction_id={}", server.mint()));
    request.header("x-forwarded-for", address).bearer_auth(secret).send().await.unwrap()
}

/// Good postbacks from [`ADDRESS`], two at a time; what each was told.
async fn good(server: &TestServer) -> Vec<Value> {
    let senders = (0..2).map(|_| async {
        let mut answers = Vec::new();
        for _ in 0..GOOD / 2 {
            let (status, answer) = told(send(server, ADDRESS, &server.secret).await).await;
            assert_eq!((status, answer["code"].as_str()), (200, Some("recorded")), "{answer}");
            answers.push(answer);
        }
        answers
    });
    join_all(senders).await.into_iter().flatten().collect()
}

/// Bad tokens from addresses that `address` names, as long as the good ones take; their statuses.
async fn beside_a_flood(server: &TestServer, address: impl Fn(u32) -> String) -> (Vec<Value>, Vec<u16>) {
    let (over, count) = (AtomicBool::new(false), AtomicU32::new(0));
    let floods = join_all((0..4).map(|_| async {
        let mut statuses = Vec::new();
        while !over.load(Ordering::SeqCst) {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let response = send(server, &address(number), &format!("rt_g_bad{number}")).await;
            let status = response.status().as_u16();
            assert_eq!(status == 429, header(&response, "retry-after").is_some());
            statuses.push(status);
        }
        statuses
    }));
    let goods = async {
        let answers = good(server).await;
        over.store(true, Ordering::SeqCst);
        answers
    };
    let (answers, statuses) = tokio::join!(goods, floods);
    (answers, statuses.into_iter().flatten().collect())
}

/// Each good postback has its receipt.
async fn are_kept(server: &TestServer, answers: &[Value]) {
    for answer in answers {
        let receipt = server.receipt(answer).await;
        assert!(receipt.token.is_some() && receipt.conversion.is_some());
    }
    let report = verify(&server.app.database).await.unwrap();
    assert!(report.is_clean() && report.conversions == answers.len() as u64, "{report}");
}

on_both_engines! {
    async fn good_tokens_go_on_while_bad_ones_flood_from_the_same_address(engine: Engine) {
        let server = TestServer::start(engine).await;
        let (answers, statuses) = beside_a_flood(&server, |_| ADDRESS.to_owned()).await;
        let of = |status| statuses.iter().filter(|one| **one == status).count();
        assert_eq!((of(401), of(401) + of(429)), (20, statuses.len()), "{statuses:?}");
        assert!(of(429) > 0, "no flood");
        are_kept(&server, &answers).await;
        assert_eq!(send(&server, "203.0.113.10", "rt_g_bad").await.status(), 401, "another address");
    }

    async fn bad_tokens_from_everywhere_push_no_receipt_of_a_good_one_out(engine: Engine) {
        let server = TestServer::start_with(engine, "[intake]\nreceipt_items_max = 16").await;
        let from = |number: u32| format!("198.18.{}.{}", number / 250 % 250, number % 250 + 1);
        let (answers, statuses) = beside_a_flood(&server, from).await;
        assert!(statuses.len() > GOOD && statuses.iter().all(|status| *status == 401), "{statuses:?}");
        are_kept(&server, &answers).await;
    }
}
