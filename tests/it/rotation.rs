//! A rotation as senders meet it: both secrets inside the overlap, one after it, and receipts that name the one used.

use roundtrip::app::UserErrorCode;
use roundtrip::app::create_token::{TokenRequest, create_token};
use roundtrip::app::issued_token::IssuedToken;
use roundtrip::app::rotate_token::{RotationRequest, rotate_token};
use roundtrip::domain::ids::TokenId;
use roundtrip::domain::operator::Principal;
use roundtrip::domain::secure_token::TokenScope;
use roundtrip::store::Engine;

use crate::support::desk::{done, refused};
use crate::support::on_both_engines;
use crate::support::server::{TestServer, offer_scope, told};

const OVERLAP_SECONDS: i32 = 3600;

fn rotation(id: TokenId, version: i32) -> RotationRequest {
    RotationRequest { id, version, overlap_seconds: Some(OVERLAP_SECONDS), label: None, force: false }
}

/// A fresh transaction is recorded with this secret, and its receipt names this token.
async fn works(server: &TestServer, issued: &IssuedToken) {
    let path = format!("/postback?transaction_id={}&secure={}", server.mint(), issued.secret.reveal());
    let (status, answer) = told(server.get(&path).await).await;
    assert_eq!((status, answer["code"].as_str()), (200, Some("recorded")), "{answer}");
    assert_eq!(server.receipt(&answer).await.token, Some(issued.token.token.id));
}

async fn is_refused(server: &TestServer, issued: &IssuedToken) {
    for path in ["/postback", "/reject", "/status", "/postback/clickless"] {
        let path = format!("{path}?transaction_id={}&secure={}", server.mint(), issued.secret.reveal());
        let answer = told(server.get(&path).await).await;
        assert_eq!(answer, (401, serde_json::json!({ "ok": false, "code": "invalid_secure" })), "{path}");
    }
}

on_both_engines! {
    async fn senders_have_the_whole_overlap_to_change_and_receipts_name_the_token(engine: Engine) {
        let server = TestServer::start_seeded(engine).await;
        let system = Principal::system();
        for scope in [TokenScope::Global, offer_scope()] {
            let old = done(create_token(&server.app, &system, &TokenRequest::new(scope)).await);
            works(&server, &old).await;
            let new = done(rotate_token(&server.app, &system, &rotation(old.token.token.id, 1)).await);
            for issued in [&old, &new] {
                works(&server, issued).await;
            }
            let again = rotate_token(&server.app, &system, &rotation(new.token.token.id, 1)).await;
            assert_eq!(refused(again), UserErrorCode::RotationOpen);
            server.clock.advance_seconds(i64::from(OVERLAP_SECONDS) - 1);
            for issued in [&old, &new] {
                works(&server, issued).await;
            }
            for _ in 0..2 {
                server.clock.advance_seconds(1);
                is_refused(&server, &old).await;
                works(&server, &new).await;
            }
        }
    }
}
