//! A conversion that is there before its click: whoever comes last completes it, and the figures with it, also when
//! both commit at the same instant and neither has seen the other.

use std::time::Duration;

use futures_util::future::join_all;
use roundtrip::app::verify::verify;
use roundtrip::store::Engine;
use tokio::time::{Instant, sleep};

use crate::support::bench::click;
use crate::support::databases::{rows, waiting_for_clicks};
use crate::support::on_both_engines;
use crate::support::proxy::Fault;
use crate::support::server::TestServer;

const ROUNDS: usize = 24;
/// A look for conversions that were missed comes every few seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until no conversion lacks its click.
async fn all_are_complete(server: &TestServer) {
    let began = Instant::now();
    loop {
        let waiting = waiting_for_clicks(&server.app.database).await;
        if waiting == 0 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{waiting} conversions wait for clicks that are there");
        sleep(Duration::from_millis(100)).await;
    }
    let report = verify(&server.app.database).await.unwrap();
    assert!(report.is_clean(), "{report}");
}

/// A click and the postback of its transaction, at once.
async fn race(server: &TestServer) {
    let id = server.mint();
    let visit = server.app.intake.settle_kept_click(click(&server.app.keyring, id));
    let path = format!("/postback?transaction_id={id}");
    let (visited, (status, answer)) = tokio::join!(visit, server.told(&path));
    visited.unwrap();
    assert_eq!((status, answer["code"].as_str()), (200, Some("recorded")), "{answer}");
}

on_both_engines! {
    async fn a_click_that_comes_after_its_conversion_completes_it(engine: Engine) {
        let server = TestServer::start(engine).await;
        let ids: Vec<_> = (0..ROUNDS).map(|_| server.mint()).collect();
        for id in &ids {
            assert_eq!(server.told(&format!("/postback?transaction_id={id}")).await.0, 200);
        }
        assert_eq!(waiting_for_clicks(&server.app.database).await, ROUNDS as u64);
        let clicks = ids.iter().map(|id| server.app.intake.settle_kept_click(click(&server.app.keyring, *id)));
        join_all(clicks).await.into_iter().for_each(Result::unwrap);
        assert_eq!(waiting_for_clicks(&server.app.database).await, 0);
        all_are_complete(&server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_click_and_its_conversion_that_commit_at_once_find_each_other() {
    let (server, shaky) = TestServer::start_shaky(Engine::Postgres, "[intake]\nwriters = 2").await;
    // Slow enough that both are under way together.
    shaky.proxy().switch(Fault::Late(Duration::from_millis(4)));
    for _ in 0..ROUNDS {
        race(&server).await;
    }
    shaky.proxy().switch(Fault::Nothing);
    assert_eq!(rows(&server.app.database).await["click"], ROUNDS as u64);
    all_are_complete(&server).await;
}
