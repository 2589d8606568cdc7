//! `rollup`: figures as differences, in the transaction of the facts.

use super::columns::Of;
use crate::domain::clock::Timestamp;
use crate::domain::conversion::Figures;
use crate::domain::ids::{OfferId, PublisherId};
use crate::domain::money::Currency;
use crate::store::dialect::Rows;

/// Where a figure counts. In the order of the table's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket {
    /// The start of the 15 minutes.
    pub at: Timestamp,
    pub offer: OfferId,
    pub publisher: PublisherId,
    pub currency: Currency,
}

/// Adds differences, in key order. `slot` is the writer's own: two writers never meet on a row.
pub(super) fn figure_rows<'a>(slot: i16, figures: &'a [(&'a Bucket, &'a Figures)]) -> Rows<'a> {
    let of = Of(figures);
    let columns = vec![
        ("bucket_at", of.i64(|(b, _)| Some(b.at.as_millis()))),
        ("offer_id", of.i32(|(b, _)| Some(b.offer.number()))),
        ("publisher_id", of.i32(|(b, _)| Some(b.publisher.number()))),
        ("currency", of.text(|(b, _)| b.currency.as_str())),
        ("slot", of.i16(|_| slot)),
        ("clicks", of.i64(|(_, f)| Some(f.clicks))),
        ("conversions", of.i64(|(_, f)| Some(f.conversions))),
        ("approved", of.i64(|(_, f)| Some(f.approved))),
        ("pending", of.i64(|(_, f)| Some(f.pending))),
        ("rejected", of.i64(|(_, f)| Some(f.rejected))),
        ("events", of.i64(|(_, f)| Some(f.events))),
        ("revenue_micros", of.i64(|(_, f)| Some(f.revenue.as_i64()))),
        ("payout_micros", of.i64(|(_, f)| Some(f.payout.as_i64()))),
    ];
    let tail = "ON CONFLICT (bucket_at, offer_id, publisher_id, currency, slot) DO UPDATE SET \
        clicks = rollup.clicks + excluded.clicks, conversions = rollup.conversions + excluded.conversions, \
        approved = rollup.approved + excluded.approved, pending = rollup.pending + excluded.pending, \
        rejected = rollup.rejected + excluded.rejected, events = rollup.events + excluded.events, \
        revenue_micros = rollup.revenue_micros + excluded.revenue_micros, \
        payout_micros = rollup.payout_micros + excluded.payout_micros";
    Rows { table: "rollup", columns, tail }
}

/// One more change of each of these days.
pub(super) fn change_rows((generation, slot): (i32, i16), days: &[Timestamp]) -> Rows<'_> {
    let of = Of(days);
    let columns = vec![
        ("generation", of.i32(|_| Some(generation))),
        ("day_at", of.i64(|day| Some(day.as_millis()))),
        ("slot", of.i16(|_| slot)),
        ("changes", of.i64(|_| Some(1))),
    ];
    let tail = "ON CONFLICT (generation, day_at, slot) DO UPDATE SET \
        changes = rollup_day_change.changes + excluded.changes";
    Rows { table: "rollup_day_change", columns, tail }
}
