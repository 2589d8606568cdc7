//! The end of the real binary: SIGTERM with work in flight, with the database there and away.

use std::time::Duration;

use futures_util::future::join_all;
use roundtrip::app::verify::verify;
use roundtrip::store::Engine;
use tokio::time::{Instant, sleep};

use crate::support::databases::rows;
use crate::support::on_both_engines;
use crate::support::process::{Home, Process};

/// Postbacks or visits that are under way when the server is told to end.
const IN_FLIGHT: usize = 16;

/// Waits until it says that it takes no more work.
async fn is_draining(server: &Process) {
    let began = Instant::now();
    loop {
        let (status, said) = server.readiness().await;
        if (status, said["reason"].as_str()) == (503, Some("draining")) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{status} {said}");
        sleep(Duration::from_millis(20)).await;
    }
}

on_both_engines! {
    async fn a_server_that_is_told_to_end_answers_what_is_in_flight_and_exits_with_zero(engine: Engine) {
        let home = Home::furnish(engine).await;
        let (mut shaky, url) = home.shaky();
        let mut server = home.serve(&url).await;
        let path = || format!("/postback?transaction_id={}", home.mint());
        assert_eq!(server.told(&path()).await.0, 200);
        shaky.freeze().await;
        let paths: Vec<String> = (0..IN_FLIGHT).map(|_| path()).collect();
        let plot = async {
            sleep(Duration::from_millis(300)).await;
            server.tell_to_end();
            is_draining(&server).await;
            assert!(server.get("/livez").await.is_err(), "a new connection was accepted");
            shaky.thaw().await;
        };
        let (answers, ()) = tokio::join!(join_all(paths.iter().map(|path| server.told(path))), plot);
        for (status, answer) in answers {
            assert_eq!((status, answer["code"].as_str()), (200, Some("recorded")));
        }
        server.ends().await;
        let report = verify(&home.app.database).await.unwrap();
        assert!(report.is_clean() && report.conversions == IN_FLIGHT as u64 + 1, "{report}");
    }

    async fn a_server_that_ends_while_its_database_is_away_puts_senders_off_and_exits_with_zero(engine: Engine) {
        let home = Home::furnish(engine).await;
        let (mut shaky, url) = home.shaky();
        let mut server = home.serve(&url).await;
        let paths: Vec<String> = (0..IN_FLIGHT).map(|_| format!("/postback?transaction_id={}", home.mint())).collect();
        shaky.freeze().await;
        let plot = async {
            sleep(Duration::from_millis(300)).await;
            server.tell_to_end();
        };
        let (answers, ()) = tokio::join!(join_all(paths.iter().map(|path| server.told(path))), plot);
        for (status, answer) in answers {
            assert_eq!((status, answer["code"].as_str()), (503, Some("try_again")));
        }
        server.ends().await;
        shaky.thaw().await;
        let mut next = home.serve(&url).await;
        for path in &paths {
            assert_eq!(next.told(path).await.0, 200);
        }
        next.tell_to_end();
        next.ends().await;
        let report = verify(&home.app.database).await.unwrap();
        assert!(report.is_clean() && report.conversions == IN_FLIGHT as u64, "{report}");
    }

    async fn visits_that_were_kept_while_the_database_was_away_outlive_the_server(engine: Engine) {
        let home = Home::furnish(engine).await;
        let (mut shaky, url) = home.shaky();
        let mut server = home.serve(&url).await;
        shaky.freeze().await;
        let click = || async { server.get("/click?offer=42&publisher=7").await.unwrap().status().as_u16() };
        let first = join_all((0..IN_FLIGHT / 2).map(|_| click())).await;
        let plot = async {
            sleep(Duration::from_millis(100)).await;
            server.tell_to_end();
        };
        let (last, ()) = tokio::join!(join_all((0..IN_FLIGHT / 2).map(|_| click())), plot);
        assert!(first.iter().chain(&last).all(|status| *status == 302), "{first:?} {last:?}");
        server.ends().await;
        shaky.thaw().await;
        let mut next = home.serve(&url).await;
        let began = Instant::now();
        while rows(&home.app.database).await["click"] < IN_FLIGHT as u64 {
            assert!(began.elapsed() < Duration::from_secs(10), "visits were lost");
            sleep(Duration::from_millis(50)).await;
        }
        next.tell_to_end();
        next.ends().await;
        assert_eq!(rows(&home.app.database).await["click"], IN_FLIGHT as u64);
        assert!(verify(&home.app.database).await.unwrap().is_clean());
    }
}
