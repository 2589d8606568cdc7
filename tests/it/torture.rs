//! The short form of `make torture`: a handful of each fault on every run of the tests, with the same code, the same
//! auditor and the same controls. The long form is what proves something; this one notices early.
//!
//! The seed is fixed, so that a failure can be looked at again; see `docs/torture.md`.

use std::time::Duration;

use crate::support::postgres;
use roundtrip::store::Engine;

#[path = "../torture/rig/mod.rs"]
mod rig;

use rig::{ClickRule, Options, What, run};

const SEED: u64 = 20_261_126;

async fn nothing_is_lost(what: What, runs: u32) {
    let options = Options {
        seed: SEED,
        runs,
        time_max: Duration::from_secs(10),
        workers: 8,
        audit_every: 4,
        clicks: ClickRule::Settled,
        breaker: false,
    };
    let sections = run(what, &options).await.unwrap();
    let said: String = sections.iter().map(ToString::to_string).collect();
    println!("{said}");
    assert!(sections.iter().all(|section| section.failures().is_empty()), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_has_kept_what_it_answered_on_sqlite() {
    nothing_is_lost(What::Kills(Engine::Sqlite), 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_has_kept_what_it_answered_on_postgres() {
    nothing_is_lost(What::Kills(Engine::Postgres), 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing_that_was_answered_and_without_syncs_it_would() {
    nothing_is_lost(What::Power, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_broken_in_every_way_loses_nothing_that_was_answered() {
    nothing_is_lost(What::Postgres, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_or_fails_loses_nothing_that_was_answered() {
    nothing_is_lost(What::Disk, 1).await;
}
