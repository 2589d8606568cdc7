//! Which days of a report are read from their sums.
//!
//! The sums of a day hold while its count is as new as its facts. Everything else is read from the 15 minutes, so a report
//! says the same either way.

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, Statement};

use crate::domain::calendar::{Interval, Zone};
use crate::domain::clock::Timestamp;
use crate::domain::report::Dimension;
use crate::store::error::StoreError;

use super::plan::{Piece, Plan, push};

/// By what figures are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Offer,
    Publisher,
    Both,
}

impl By {
    pub(super) fn of(plan: &Plan) -> Self {
        let (filter, by) = (&plan.query.filter, |dimension| plan.query.dimensions.contains(&dimension));
        let needs_offers = by(Dimension::Offer)
            || by(Dimension::Advertiser)
            || filter.offers.is_some()
            || filter.advertisers.is_some();
        let needs_publishers = by(Dimension::Publisher) || filter.publishers.is_some();
        match (needs_offers, needs_publishers) {
            (_, false) => Self::Offer,
            (false, true) => Self::Publisher,
            (true, true) => Self::Both,
        }
    }

    /// The table that has the days of it, and which of its rows `s`.
    pub(super) const fn days(self) -> (&'static str, &'static str) {
        match self {
            Self::Offer => ("rollup_day_sum", " AND s.publisher_id = 0"),
            Self::Publisher => ("rollup_day_sum", " AND s.publisher_id > 0"),
            Self::Both => ("rollup_day", ""),
        }
    }

    /// The ids of sums of the figures, and what they are grouped by; an id that is not needed is 0.
    pub(super) const fn ids(self) -> (&'static str, &'static str) {
        match self {
            Self::Offer => ("offer_id, 0 AS publisher_id", "offer_id"),
            Self::Publisher => ("0 AS offer_id, publisher_id", "publisher_id"),
            Self::Both => ("offer_id, publisher_id", "offer_id, publisher_id"),
        }
    }

    /// The same of the 15 minutes; none where only the figures themselves have them.
    pub(super) const fn quarters(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Offer => Some(("rollup_sum", " AND s.publisher_id = 0")),
            Self::Publisher => Some(("rollup_sum", " AND s.publisher_id > 0")),
            Self::Both => None,
        }
    }
}

/// The days between these instants whose sums hold, in the order of time.
pub(super) async fn days(
    tx: &DatabaseTransaction,
    generation: i32,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Timestamp>, StoreError> {
    let sql = format!(
        "SELECT d.day_at AS day_at FROM sub_id_day d
         WHERE d.generation = {generation} AND d.day_at >= {} AND d.day_at < {} AND d.counted_changes = (
            SELECT COALESCE(SUM(c.changes), 0) FROM rollup_day_change c
            WHERE c.generation = d.generation AND c.day_at = d.day_at
         )
         ORDER BY d.day_at",
        from.as_millis(),
        to.as_millis()
    );
    let rows = tx.query_all_raw(Statement::from_string(tx.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok(Timestamp::from_millis(row.try_get("", "day_at")?))).collect()
}

/// Cuts pieces of time into what lies in these days, and the rest.
pub(super) fn cut(pieces: &[Piece], days: &[Timestamp], zone: &Zone) -> (Vec<Piece>, Vec<Piece>) {
    if days.is_empty() {
        return (Vec::new(), pieces.to_vec());
    }
    let (mut within, mut rest) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut from = piece.from;
        while from < piece.to {
            let day = zone.day_of(from);
            let to = zone.next(day, Interval::Day).min(piece.to);
            let holds = days.binary_search(&day).is_ok();
            push(if holds { &mut within } else { &mut rest }, from, to);
            from = to;
        }
    }
    (within, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn piece(from: &str, to: &str) -> Piece {
        Piece { from: at(from), to: at(to) }
    }

    #[test]
    fn pieces_are_cut_at_the_days_of_the_zone() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        let days = ["2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z", "2026-11-23T23:00:00Z"].map(at);
        let (within, rest) = cut(&[piece("2026-11-20T10:00:00Z", "2026-11-24T10:00:00Z")], &days, &zone);
        let (first, third) = ("2026-11-20T23:00:00Z", "2026-11-22T23:00:00Z");
        assert_eq!(within, [piece(first, third), piece("2026-11-23T23:00:00Z", "2026-11-24T10:00:00Z")]);
        assert_eq!(rest, [piece("2026-11-20T10:00:00Z", first), piece(third, "2026-11-23T23:00:00Z")]);
        let all = [piece("2026-11-20T10:00:00Z", "2026-11-24T10:00:00Z")];
        assert_eq!(cut(&all, &[], &zone), (vec![], all.to_vec()));
    }
}
