//! What senders and visitors are told when there is no outcome.

use roundtrip::store::Engine;

use crate::support::on_both_engines;
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
        assert_eq!((pixel.status().as_u16(), header(&pixel, "x-conversion-result")), (200, Some("refused")));
        assert_eq!(server.get("/livez").await.status(), 200);
        assert_eq!(told(server.get("/readyz").await).await, (503, serde_json::json!({"ok": false, "reason": "database"})));
    }

    async fn a_token_that_cannot_be_looked_up_is_not_refused_for_good(engine: Engine) {
        let server = TestServer::start(engine).await;
        server.app.database.close().await;
        let path = format!("/postback?transaction_id={}&secure=perhaps-made-elsewhere", server.mint());
        assert_eq!(told(server.get(&path).await).await.1["code"], "try_again");
    }
}
