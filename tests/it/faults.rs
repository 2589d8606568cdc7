//! What senders and visitors are told when there is no outcome.

use std::time::Duration;

use futures_util::future::join_all;
use roundtrip::app::verify::verify;
use roundtrip::domain::code::Verdict;
use roundtrip::store::Engine;
use tokio::time::sleep;

use crate::settle::refuse;
use crate::support::databases::tamper;
use crate::support::on_both_engines;
use crate::support::outage::readiness;
use crate::support::server::{TestServer, header, told};

on_both_engines! {
    async fn without_a_database_senders_are_asked_to_come_again_and_visitors_are_sent_on(engine: Engine) {
        let server = TestServer::start(engine).await;
        let id = server.mint();
        server.app.database.close().await;
        for path in [
            format!("/postback?transaction_id={id}"),
            format!("/postback?transaction_id={id}&dry_run=1"),
            format!("/reject?transaction_id={id}&new_rejected_reason=x"),
            format!("/status?transaction_id={id}&status=approved"),
            "/postback/clickless?offer=42&publisher=7".to_owned(),
        ] {
            let response = server.request("GET", &path).bearer_auth(&server.secret).send().await.unwrap();
            let retry = header(&response, "retry-after").unwrap().parse::<u64>().unwrap();
            assert!((1..=5).contains(&retry), "{path}: {retry}");
            let answer = told(response).await;
            assert_eq!(answer, (503, serde_json::json!({"ok": false, "code": "try_again"})), "{path}");
        }
        let click = server.get("/click?offer=42&publisher=7").await;
        assert_eq!(click.status(), 302);
        assert!(header(&click, "location").unwrap().starts_with("https://shop.example/?tid=0"));
        let pixel = server.get_on_domain(&format!("/pixel.gif?transaction_id={id}")).await;
        assert_eq!((pixel.status().as_u16(), header(&pixel, "x-conversion-result")), (200, Some("spooled")));
        assert_eq!(server.get("/livez").await.status(), 200);
        assert_eq!(readiness(&server).await, (503, Some("database".to_owned())));
    }

    async fn a_token_that_cannot_be_looked_up_is_not_refused_for_good(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.app.database.close().await;
        let path = format!("/postback?transaction_id={}&secure=perhaps-made-elsewhere", server.mint());
        assert_eq!(told(server.get(&path).await).await.1["code"], "try_again");
    }

    async fn a_row_that_the_database_refuses_is_our_fault_and_costs_its_batch_mates_nothing(engine: Engine) {
        let (server, mut shaky) = TestServer::start_shaky(engine, "").await;
        tamper(&server.app.database, refuse(engine)).await;
        shaky.freeze().await;
        let order = |n| if n == 13 { "poison" } else { "fine" };
        let path = |n| format!("/postback?transaction_id={}&order_id={}", server.mint(), order(n));
        let paths: Vec<String> = (0..32).map(path).collect();
        let thaw = async {
            sleep(Duration::from_millis(300)).await;
            shaky.thaw().await;
        };
        let (answers, ()) = tokio::join!(join_all(paths.iter().map(|path| server.told(path))), thaw);
        for (n, (status, answer)) in answers.into_iter().enumerate() {
            let receipt = server.receipt(&answer).await;
            assert!(receipt.token.is_some());
            if n == 13 {
                assert_eq!((status, answer["code"].as_str()), (500, Some("internal")), "{answer}");
                assert_eq!((receipt.code.verdict(), receipt.conversion), (Verdict::Failed, None));
            } else {
                assert_eq!((status, answer["code"].as_str()), (200, Some("recorded")), "{n}: {answer}");
                assert_eq!(receipt.code.verdict(), Verdict::Recorded);
            }
        }
        let report = verify(&server.app.database).await.unwrap();
        assert!(report.is_clean() && report.conversions == 31, "{report}");
    }
}
