//! Jobs outlive the server that is at work on them: it is killed, and the next one goes on once the lease is over.
//!
//! The servers are processes. The lease is the one of every server, so this takes half a minute.

use std::time::Duration;

use futures_util::StreamExt as _;
use roundtrip::app::change_conversions::{BulkRequest, BulkWish, ErrorPolicy, Selection, change_conversions};
use roundtrip::app::jobs::erase_person::erase_person;
use roundtrip::app::jobs::export_conversions::export_conversions;
use roundtrip::app::jobs::find;
use roundtrip::app::verify::verify;
use roundtrip::domain::ids::JobId;
use roundtrip::domain::job::{Job, JobState};
use roundtrip::domain::operator::Principal;
use roundtrip::domain::person::PersonLookup;
use roundtrip::domain::status::Status;
use roundtrip::store::Engine;
use roundtrip::store::conversions::ConversionFilter;
use roundtrip::store::filter::TimeRange;
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use tokio::time::{Instant, sleep};

use crate::support::desk::done;
use crate::support::on_both_engines;
use crate::support::process::{Home, Process};

/// Twenty steps of a bulk change, ten of an erasure.
const CONVERSIONS: u64 = 2000;
const DEVICE: &str = "one-phone";
/// A lease is thirty seconds; the rest is for a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Reports conversions without a click, all of one device.
async fn convert(server: &Process) {
    let sent = futures_util::stream::iter(0..CONVERSIONS).map(async |number| {
        let path = format!(
            "/postback/clickless?offer=42&publisher=7&external_transaction_id=click-{number}&device_id={DEVICE}"
        );
        let (status, told) = server.told(&path).await;
        assert_eq!((status, &told["code"]), (200, &"recorded".into()), "{told}");
    });
    sent.buffer_unordered(32).collect::<Vec<()>>().await;
}

/// Asks for the rejection of all that is approved; nothing that was rejected is in its filter any more.
async fn reject_all(home: &Home) -> JobId {
    let since = home.app.clock.now().plus_seconds(-24 * 3600);
    let filter = ConversionFilter {
        converted_at: Some(TimeRange { since, until: None }),
        statuses: Some(vec![Status::Approved]),
        ..ConversionFilter::default()
    };
    let request = BulkRequest {
        selection: Selection::Filter(Box::new(filter)),
        wish: BulkWish::Reject { reason: "fraud".into() },
        note: None,
        policy: ErrorPolicy::SkipFailed,
        expected_count: Some(i32::try_from(CONVERSIONS).unwrap()),
        dry_run: false,
        notify_publishers: true,
    };
    done(change_conversions(&home.app, &Principal::system(), request, None).await).job.unwrap().id
}

async fn job(home: &Home, id: JobId) -> Job {
    find(&home.app, id).await.unwrap().unwrap()
}

/// How many conversions there are of each kind that counts here.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    rejected: u64,
    /// With two entries in their history: the recording and one more.
    changed_once: u64,
    changes: u64,
    audited: u64,
    with_device: u64,
}

async fn count(home: &Home, by: JobId) -> Counted {
    use entity::{audit_event, conversion, conversion_change};
    let counted = home.app.database.side_write(Box::new(move |tx| {
        Box::pin(async move {
            let of = |condition| conversion::Entity::find().filter(condition);
            Ok(Counted {
                rejected: of(conversion::Column::Status.eq("rejected")).count(tx).await?,
                changed_once: of(conversion::Column::Version.eq(2)).count(tx).await?,
                changes: conversion_change::Entity::find().count(tx).await?,
                audited: audit_event::Entity::find()
                    .filter(audit_event::Column::RequestId.eq(by.to_string()))
                    .count(tx)
                    .await?,
                with_device: of(conversion::Column::DeviceId.is_not_null()).count(tx).await?,
            })
        })
    }));
    counted.await.unwrap()
}

on_both_engines! {
    async fn jobs_outlive_the_server_that_is_killed_at_work_on_them(engine: Engine) {
        let home = Home::furnish(engine).await;
        let server = home.serve(&home.database_url).await;
        convert(&server).await;
        let device = PersonLookup::Device(DEVICE.into());
        let erasure = done(erase_person(&home.app, &Principal::system(), &device, None).await).id;
        let rejection = reject_all(&home).await;
        let all = ConversionFilter::default();
        let export = done(export_conversions(&home.app, &Principal::system(), all, None, None).await).id;
        let began = Instant::now();
        while job(&home, rejection).await.progress.processed < 500 {
            assert!(began.elapsed() < PATIENCE);
            sleep(Duration::from_millis(5)).await;
        }
        // In the middle of whatever it does next.
        sleep(Duration::from_millis(17)).await;
        server.kill();
        let half = count(&home, rejection).await;
        println!("{engine:?}: killed after {} of {CONVERSIONS}", half.rejected);
        assert!((1..CONVERSIONS).contains(&half.rejected), "not in the middle: {half:?}");
        assert!(job(&home, rejection).await.finished_at.is_none());

        let _server = home.serve(&home.database_url).await;
        let began = Instant::now();
        for id in [rejection, erasure, export] {
            while !job(&home, id).await.state.is_finished() {
                assert!(began.elapsed() < PATIENCE, "{:?}", job(&home, id).await);
                sleep(Duration::from_millis(100)).await;
            }
            let ended = job(&home, id).await;
            assert_eq!((ended.state, ended.progress.failed), (JobState::Succeeded, 0), "{ended:?}");
        }
        let total = i64::try_from(CONVERSIONS).unwrap();
        let rejected = job(&home, rejection).await.progress;
        assert_eq!((rejected.total, rejected.processed, rejected.succeeded), (Some(total), total, total));
        assert_eq!(job(&home, export).await.progress.total, Some(total));
        let expected = Counted {
            rejected: CONVERSIONS,
            changed_once: CONVERSIONS,
            changes: 2 * CONVERSIONS,
            audited: CONVERSIONS,
            with_device: 0,
        };
        assert_eq!(count(&home, rejection).await, expected);
        let report = verify(&home.app.database).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}
