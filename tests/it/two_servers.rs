//! Two servers on one database: what one was told, the other knows where it matters.

use futures_util::future::join_all;
use roundtrip::app::create_token::{TokenRequest, create_token};
use roundtrip::app::revoke_token::revoke_token;
use roundtrip::domain::operator::Principal;
use roundtrip::domain::secure_token::TokenScope;
use roundtrip::store::{Database, Engine};

use crate::support::bench::fresh_options;
use crate::support::desk::done;
use crate::support::on_both_engines;
use crate::support::server::{TestServer, header, told};

on_both_engines! {
    async fn servers_that_migrate_at_once_wait_for_each_other(engine: Engine) {
        let (options, _folder) = fresh_options(engine);
        // Connected one after the other, so that the migration alone is what they race for.
        let mut servers = Vec::new();
        for _ in 0..4 {
            servers.push(Database::connect(&options).await.unwrap());
        }
        for migrated in join_all(servers.iter().map(Database::migrate)).await {
            migrated.unwrap();
        }
        for server in &servers {
            assert_eq!(server.pending_migrations().await.unwrap(), 0);
        }
    }

    async fn a_token_made_on_one_is_good_on_the_other_at_once_and_its_end_too(engine: Engine) {
        let (here, there) = pair(engine).await;
        let issued = done(create_token(&here.app, &Principal::system(), &TokenRequest::new(TokenScope::Global)).await);
        let path = || format!("/postback?transaction_id={}&secure={}", there.mint(), issued.secret.reveal());
        assert_eq!(told(there.get(&path()).await).await.1["code"], "recorded");
        let view = &issued.token;
        done(revoke_token(&here.app, &Principal::system(), view.token.id, "leaked").await);
        assert_eq!(told(there.get(&path()).await).await.0, 401);
    }

    async fn equal_postbacks_to_both_are_one_conversion(engine: Engine) {
        let (here, there) = pair(engine).await;
        let path = format!("/postback?transaction_id={}&order_id=A", here.mint());
        let answers = join_all((0..32).map(|n| if n % 2 == 0 { here.told(&path) } else { there.told(&path) })).await;
        let ids: Vec<_> = answers.iter().map(|(_, answer)| answer["conversion_id"].as_str().unwrap()).collect();
        assert!(answers.iter().all(|(status, _)| *status == 200) && ids.iter().all(|id| *id == ids[0]), "{answers:?}");
        let recorded = answers.iter().filter(|(_, answer)| answer["code"] == "recorded").count();
        assert_eq!(recorded, 1);
    }

    async fn a_click_here_converts_there(engine: Engine) {
        let (here, there) = pair(engine).await;
        let click = here.get("/click?offer=42&publisher=7").await;
        let id = header(&click, "location").unwrap().split_once("tid=").unwrap().1.to_owned();
        assert_eq!(there.told(&format!("/postback?transaction_id={id}")).await.1["code"], "recorded");
        assert_eq!(here.told(&format!("/reject?transaction_id={id}&reason=x")).await.1["code"], "rejected");
    }
}

async fn pair(engine: Engine) -> (TestServer, TestServer) {
    let here = TestServer::start_seeded(engine).await;
    let there = here.sibling().await;
    (here, there)
}
