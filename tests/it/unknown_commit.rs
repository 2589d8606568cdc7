//! A commit whose answer never comes: it is read back, so that nothing is lost, nothing counts twice, and the sender is
//! told what really happened. PostgreSQL only: SQLite has no wire that could be cut.

use roundtrip::app::verify::verify;
use roundtrip::domain::code::Code::{Duplicate, Recorded};
use roundtrip::domain::inbound::Door;
use roundtrip::store::{Database, Engine};

use crate::support::bench::{Bench, fresh_options, options};
use crate::support::proxy::{Cut, Proxy};
use secrecy::ExposeSecret;

/// A bench whose every connection goes through the proxy.
async fn bench() -> (Bench, Proxy) {
    let (mut through, _) = fresh_options(Engine::Postgres);
    let (proxy, url) = Proxy::before(through.url.expose_secret());
    through.url = url.into();
    let database = Database::connect(&through).await.unwrap();
    database.migrate().await.unwrap();
    let (bench, tasks) = Bench::on((database, None), options(1));
    for task in tasks {
        #[expect(clippy::disallowed_methods, reason = "a test's writers end with its runtime")]
        tokio::spawn(task);
    }
    (bench, proxy)
}

async fn a_cut_changes_nothing(at: Cut) {
    let (bench, proxy) = bench().await;
    for round in 0..3 {
        let query = format!("transaction_id={}&order_id={round}", bench.mint());
        proxy.cut(at);
        let first = bench.expect(Door::Postback, &query, Recorded).await;
        assert!(proxy.has_cut(), "no commit came by");
        let again = bench.expect(Door::Postback, &query, Duplicate).await;
        assert_eq!(first.conversion, again.conversion);
        proxy.cut(at);
        bench.intake.settle_click(bench.click(bench.mint())).await.unwrap();
        assert!(proxy.has_cut(), "no commit came by");
    }
    let report = verify(&bench.database).await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(report.to_string().contains("3 conversions"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_made_and_not_answered_is_read_back() {
    a_cut_changes_nothing(Cut::InAnswer(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_never_arrived_is_made_again() {
    a_cut_changes_nothing(Cut::InCommit(0)).await;
}
