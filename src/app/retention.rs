//! What the server does by itself every hour: partitions a week ahead, and the end of what is kept for a time.
//!
//! Receipts live for the days of the settings and at most one more, because days are dropped whole; parked
//! rejections until they expire; deliveries that have ended for their days, and those whose rule is gone end here;
//! imported clicks for 395 days; the keys of calls a day; jobs with their errors 30 days after their end, and what they
//! were asked for, which may name people, a day; the feed, from which those who follow live resume, for an hour or two.
//! Conversions, their history and their keys are never purged: never twice would not be for ever. A pass that fails is
//! logged and tried again an hour later.

use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::foreign_click::FOREIGN_CLICK_DAYS;
use crate::store::partitions::{self, Partitions};
use crate::store::{Database, purge};
use crate::telemetry::field;

use super::exports::DOWNLOAD_SECONDS;
use super::switch_off_outbound::close_leftovers;
use super::{App, AppError};

/// How many days ahead partitions exist.
const DAYS_AHEAD: u32 = 7;
const DAY_SECONDS: i64 = 24 * 3600;
/// How many days after its end a job can be looked at.
const JOB_DAYS: i64 = 30;
const PASS_INTERVAL: Duration = Duration::from_secs(3600);
/// How long the feed is kept, at least: the longest time that a live stream can be interrupted without a gap.
pub const FEED_SECONDS: i64 = 3600;

/// For how many days what ends is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub receipt_days: u32,
    pub delivery_days: u32,
}

impl App {
    /// For how many days what ends is kept now.
    pub fn kept(&self) -> Kept {
        Kept { receipt_days: self.receipt_days(), delivery_days: self.options.delivery_days }
    }
}

/// What one pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    pub partitions: Partitions,
    /// Partitions of receipts that were dropped.
    pub dropped: Vec<String>,
    pub receipts: u64,
    pub parked_rejections: u64,
    pub idempotency_keys: u64,
    pub jobs: u64,
    /// Of another system.
    pub foreign_clicks: u64,
    /// Rows of the feed.
    pub feed: u64,
    /// That were deleted.
    pub deliveries: u64,
    /// That were still open and whose rule was deleted or has switched itself off.
    pub closed_deliveries: u64,
}

/// Passes for ever, one an hour, the first at once. The server runs it, and drops it when it ends: every step is a
/// transaction that ends by itself.
pub async fn keep(app: &App) {
    loop {
        match pass(&app.database, app.clock.now(), app.kept()).await {
            Ok(pass) => log(&pass),
            Err(error) => tracing::error!({ field::ERROR } = %error, "retention did not finish; again in an hour"),
        }
        tokio::time::sleep(PASS_INTERVAL).await;
    }
}

/// One pass. The server makes one before it is ready, so that the day's partitions are there.
///
/// # Errors
/// The database is away; what was done until then stays done.
pub async fn pass(database: &Database, now: Timestamp, kept: Kept) -> Result<Pass, AppError> {
    let partitions = partitions::ensure(database, now, DAYS_AHEAD).await?;
    let kept_since = |days: u32| now.plus_seconds(-i64::from(days) * DAY_SECONDS).bucket(DAY_SECONDS);
    let dropped = partitions::purge_receipts(database, kept_since(kept.receipt_days)).await?;
    let receipts = purge::purge_receipts(database, kept_since(kept.receipt_days)).await?;
    let parked_rejections = purge::purge_parked(database, now).await?;
    let idempotency_keys = purge::purge_idempotency_keys(database, now).await?;
    purge::forget_job_inputs(database, now.plus_seconds(-DOWNLOAD_SECONDS)).await?;
    let jobs = purge::purge_jobs(database, now.plus_seconds(-JOB_DAYS * DAY_SECONDS)).await?;
    let foreign_clicks = purge::purge_foreign_clicks(database, oldest_foreign_click(now)).await?;
    let feed = purge::purge_feed(database, now.plus_seconds(-FEED_SECONDS)).await?;
    let closed_deliveries = close_leftovers(database, now).await?;
    let deliveries = purge::purge_deliveries(database, kept_since(kept.delivery_days)).await?;
    Ok(Pass {
        partitions,
        dropped,
        receipts,
        parked_rejections,
        idempotency_keys,
        jobs,
        foreign_clicks,
        feed,
        deliveries,
        closed_deliveries,
    })
}

/// Until when an imported click reaches back: no request about an older one could change anything.
pub(super) fn oldest_foreign_click(now: Timestamp) -> Timestamp {
    now.plus_seconds(-FOREIGN_CLICK_DAYS * DAY_SECONDS)
}

/// Rows that this pass has deleted.
fn deleted(pass: &Pass) -> u64 {
    let counted = [
        pass.receipts,
        pass.parked_rejections,
        pass.idempotency_keys,
        pass.jobs,
        pass.foreign_clicks,
        pass.feed,
        pass.deliveries,
    ];
    counted.iter().sum()
}

fn log(pass: &Pass) {
    let Partitions { made, blocked, stray_clicks, stray_receipts } = &pass.partitions;
    let strays = stray_clicks.saturating_add(*stray_receipts);
    if strays > 0 || !blocked.is_empty() {
        tracing::warn!(
            { field::ITEMS } = strays,
            "rows are in a default partition: move them to a partition of their day, {} of which cannot be made",
            blocked.len()
        );
    }
    tracing::info!(
        { field::ITEMS } = deleted(pass),
        "retention: {} partitions made, {} dropped",
        made.len(),
        pass.dropped.len()
    );
}
