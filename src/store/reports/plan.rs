//! How a report is made: what is refused, which table answers, and where its buckets lie.
//!
//! Every rule here is about the work that a report causes or about what its figures can say; none needs a database.

use crate::domain::calendar::{Interval, QUARTER_MILLIS, Zone};
use crate::domain::clock::Timestamp;
use crate::domain::money::Currency;
use crate::domain::report::{Dimension, Tally};
use crate::domain::settings::Settings;
use crate::store::conversions::{ConversionFilter, RANGE_MILLIS_MAX};
use crate::store::days::Generation;

use super::{ROWS_MAX, ReportQuery, ReportRefused};

/// Points of one range at most.
pub const POINTS_MAX: usize = 1_000;
/// Points of all rows at most.
pub const CELLS_MAX: usize = 20_000;
/// 2000-01-01T00:00:00Z: zones had other offsets than quarters of an hour before.
const EARLIEST: Timestamp = Timestamp::from_millis(946_684_800_000);

/// Which table answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// `rollup_day` and `rollup`, or their sums.
    Figures,
    /// `rollup_sub_id`.
    SubIds,
    Conversions,
}

/// Of which range a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Previous,
    /// Between the two: nothing is counted there.
    Neither,
    Current,
}

/// Where something is counted: from `start` to the start of the next bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) span: Span,
    pub(super) partial: bool,
}

/// A piece of time that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// A report that will be made.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) query: ReportQuery,
    pub(super) source: Source,
    /// In the order of time, without a gap.
    pub(super) buckets: Vec<Bucket>,
    /// The newest count of days.
    pub(super) days: Generation,
    /// In which rows are sorted by money.
    pub(super) currency: Option<Currency>,
}

impl Plan {
    pub(super) fn of(query: ReportQuery, settings: &Settings, now: Timestamp) -> Result<Self, ReportRefused> {
        check(&query, now)?;
        let (source, needed_by) = source(&query);
        let until = query.until.unwrap_or(now).max(query.since.plus_millis(1));
        if source == Source::Conversions && until.millis_since(query.since) > RANGE_MILLIS_MAX {
            return Err(ReportRefused::RangeTooLong(needed_by));
        }
        if source != Source::Conversions {
            check_quarters(&query, now)?;
        }
        let days = Generation { number: settings.day_generation, zone: settings.zone.clone() };
        let buckets = buckets(&query, source, &days.zone, now)?;
        check_cells(&query, &buckets)?;
        let currency = query.filter.currency.or(settings.currency);
        let plan = Self { query, source, buckets, days, currency };
        plan.check_sub_ids()?;
        Ok(plan)
    }

    /// Are clicks counted by what is asked for?
    pub(super) fn counts_clicks(&self) -> bool {
        let by_status = self.query.filter.statuses.is_some() || self.query.dimensions.contains(&Dimension::Status);
        self.source != Source::Conversions && !by_status
    }

    /// A cell of the report in which nothing was counted.
    pub(super) fn empty(&self) -> Tally {
        let counts_events = self.counts_clicks() || self.source == Source::Conversions;
        Tally { events: counts_events.then_some(0), ..Tally::empty(self.counts_clicks()) }
    }

    /// What is read in whole days of the workspace, and what in quarters of an hour: a bucket never ends inside a day that
    /// is read whole.
    pub(super) fn pieces(&self) -> (Vec<Piece>, Vec<Piece>) {
        let (mut days, mut quarters) = (Vec::new(), Vec::new());
        for bucket in self.buckets.iter().filter(|bucket| bucket.span != Span::Neither) {
            let (from, to) = (bucket.start, bucket.end);
            let (first, last) = (self.midnight_from(from), self.days.zone.day_of(to));
            if first < last {
                push(&mut quarters, from, first);
                push(&mut days, first, last);
                push(&mut quarters, last, to);
            } else {
                push(&mut quarters, from, to);
            }
        }
        (days, quarters)
    }

    /// All that is read.
    pub(super) fn whole(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for bucket in self.buckets.iter().filter(|bucket| bucket.span != Span::Neither) {
            push(&mut pieces, bucket.start, bucket.end);
        }
        pieces
    }

    /// The first midnight at or after an instant.
    fn midnight_from(&self, at: Timestamp) -> Timestamp {
        let day = self.days.zone.day_of(at);
        if day == at { at } else { self.days.zone.next(at, Interval::Day) }
    }

    fn check_sub_ids(&self) -> Result<(), ReportRefused> {
        let by_day = self.source != Source::SubIds || self.pieces().1.is_empty();
        if by_day { Ok(()) } else { Err(ReportRefused::SubIdsByDay(self.days.zone.name().to_owned())) }
    }
}

fn check(query: &ReportQuery, now: Timestamp) -> Result<(), ReportRefused> {
    let twice = query.dimensions.len() == 2 && query.dimensions.first() == query.dimensions.last();
    if query.dimensions.len() > 2 || twice {
        return Err(ReportRefused::Dimensions);
    }
    if !(1..=ROWS_MAX).contains(&query.limit) {
        return Err(ReportRefused::Limit);
    }
    if query.filter.converted_at.is_some() {
        return Err(ReportRefused::TimeInFilter);
    }
    if query.since < EARLIEST {
        return Err(ReportRefused::TooEarly);
    }
    if query.until.is_some_and(|until| until <= query.since) || (query.until.is_none() && now < query.since) {
        return Err(ReportRefused::RangeEmpty);
    }
    Ok(())
}

/// Which table answers, and what for it is the conversions themselves that are looked at.
fn source(query: &ReportQuery) -> (Source, &'static str) {
    let by = |dimension: &Dimension| match dimension {
        Dimension::Offer | Dimension::Advertiser | Dimension::Publisher | Dimension::SubId | Dimension::Status => None,
        Dimension::RejectionReason => Some("REJECTION_REASON"),
        Dimension::Source => Some("SOURCE"),
        Dimension::Token => Some("TOKEN"),
    };
    let needed_by = query.dimensions.iter().find_map(by).or_else(|| looked_up(&query.filter));
    match needed_by {
        Some(needed_by) => (Source::Conversions, needed_by),
        None if query.dimensions.contains(&Dimension::SubId) => (Source::SubIds, ""),
        None => (Source::Figures, ""),
    }
}

/// The first part of a filter that no figures are kept by.
fn looked_up(filter: &ConversionFilter) -> Option<&'static str> {
    let plain = ConversionFilter {
        offers: filter.offers.clone(),
        advertisers: filter.advertisers.clone(),
        publishers: filter.publishers.clone(),
        statuses: filter.statuses.clone(),
        ..ConversionFilter::default()
    };
    (plain != *filter).then(|| filter.needs_range().filter(|name| *name != "status").unwrap_or("this filter"))
}

/// Figures begin and end on a quarter of an hour; the future has none, so it may end anywhere.
fn check_quarters(query: &ReportQuery, now: Timestamp) -> Result<(), ReportRefused> {
    let off = |at: Timestamp| at.as_millis().rem_euclid(QUARTER_MILLIS) != 0;
    let refused = |field, at: Timestamp| {
        let earlier = Timestamp::from_millis(at.as_millis().div_euclid(QUARTER_MILLIS) * QUARTER_MILLIS);
        ReportRefused::OffTheQuarter { field, earlier, later: earlier.plus_millis(QUARTER_MILLIS) }
    };
    if off(query.since) {
        return Err(refused("since", query.since));
    }
    match query.until.filter(|until| *until < now && off(*until)) {
        Some(until) => Err(refused("until", until)),
        None => Ok(()),
    }
}

fn check_cells(query: &ReportQuery, buckets: &[Bucket]) -> Result<(), ReportRefused> {
    let points = buckets.iter().filter(|bucket| bucket.span == Span::Current).count();
    let rows = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let cells = points.saturating_mul(rows);
    if query.row_points && !query.dimensions.is_empty() && cells > CELLS_MAX {
        return Err(ReportRefused::TooManyCells(cells));
    }
    Ok(())
}

fn buckets(query: &ReportQuery, source: Source, days: &Zone, now: Timestamp) -> Result<Vec<Bucket>, ReportRefused> {
    let until = query.until.unwrap_or(now).max(query.since.plus_millis(1));
    let mut all = Vec::new();
    if query.compare {
        let (since, until) = before(query, source, days, until);
        all.extend(of_range(query, (since, until), Span::Previous, now)?);
        if until < query.since {
            all.push(Bucket { start: until, end: query.since, span: Span::Neither, partial: false });
        }
    }
    all.extend(of_range(query, (query.since, until), Span::Current, now)?);
    // What arrives in this moment belongs to the last one; no fact is of the future.
    if let Some(last) = all.last_mut().filter(|_| until >= now) {
        last.end = days.next(last.end.max(now), Interval::Day);
    }
    Ok(all)
}

fn of_range(
    query: &ReportQuery,
    (since, until): (Timestamp, Timestamp),
    span: Span,
    now: Timestamp,
) -> Result<Vec<Bucket>, ReportRefused> {
    let Some(interval) = query.interval else {
        return Ok(vec![Bucket { start: since, end: until, span, partial: false }]);
    };
    let starts = query.zone.starts(since, until, interval, POINTS_MAX).ok_or(ReportRefused::TooManyPoints)?;
    let buckets = starts.iter().map(|start| {
        let end = query.zone.next(*start, interval);
        let partial = *start < since || end > until || end > now;
        Bucket { start: (*start).max(since), end: end.min(until), span, partial }
    });
    Ok(buckets.collect())
}

/// The range before: moved back by whole hours, days, weeks or months of the report's zone, as many as it has, so that
/// its points are those of the same hours, days or weeks.
fn before(query: &ReportQuery, source: Source, days: &Zone, until: Timestamp) -> (Timestamp, Timestamp) {
    let unit = query.interval.unwrap_or(Interval::Day);
    let count = query.zone.length(query.since, until, unit);
    let back = |at| query.zone.earlier(at, count, unit);
    let end = match source {
        Source::Conversions => back(until),
        Source::Figures => up_to_quarter(back(until)),
        Source::SubIds => midnight_at_or_after(days, back(until)),
    };
    (back(query.since), end.min(query.since))
}

fn midnight_at_or_after(days: &Zone, at: Timestamp) -> Timestamp {
    if days.day_of(at) == at { at } else { days.next(at, Interval::Day) }
}

fn up_to_quarter(at: Timestamp) -> Timestamp {
    let millis = at.plus_millis(QUARTER_MILLIS - 1).as_millis();
    Timestamp::from_millis(millis.div_euclid(QUARTER_MILLIS) * QUARTER_MILLIS)
}

/// Appends a piece, or makes the last one longer.
pub(super) fn push(pieces: &mut Vec<Piece>, from: Timestamp, to: Timestamp) {
    if from >= to {
        return;
    }
    match pieces.last_mut().filter(|last| last.to == from) {
        Some(last) => last.to = to,
        None => pieces.push(Piece { from, to }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::report::Metric;
    use crate::store::filter::{StringMatch, TimeRange};
    use crate::store::page::Direction;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn now() -> Timestamp {
        at("2026-11-26T12:34:56Z")
    }

    fn settings(zone: &str) -> Settings {
        Settings { zone: Zone::parse(zone).unwrap(), ..Settings::default() }
    }

    fn query(since: &str, until: Option<&str>) -> ReportQuery {
        ReportQuery {
            since: at(since),
            until: until.map(at),
            zone: Zone::parse("Europe/Berlin").unwrap(),
            interval: Some(Interval::Day),
            dimensions: Vec::new(),
            filter: ConversionFilter::default(),
            order: Metric::Conversions,
            direction: Direction::Descending,
            limit: 50,
            row_points: false,
            compare: false,
        }
    }

    fn plan(query: ReportQuery) -> Result<Plan, ReportRefused> {
        Plan::of(query, &settings("Europe/Berlin"), now())
    }

    fn refused(query: ReportQuery) -> ReportRefused {
        plan(query).unwrap_err()
    }

    #[test]
    fn whole_days_of_the_workspace_are_read_in_days_and_the_rest_in_quarters() {
        let plan = plan(query("2026-11-20T10:00:00Z", None)).unwrap();
        let (days, quarters) = plan.pieces();
        let (first, end) = (at("2026-11-20T23:00:00Z"), at("2026-11-26T23:00:00Z"));
        assert_eq!(days, [Piece { from: first, to: end }]);
        assert_eq!(quarters, [Piece { from: at("2026-11-20T10:00:00Z"), to: first }]);
        assert_eq!(plan.whole(), [Piece { from: at("2026-11-20T10:00:00Z"), to: end }]);
        assert_eq!(plan.buckets.iter().filter(|bucket| bucket.partial).count(), 2);
        let elsewhere =
            ReportQuery { zone: Zone::utc(), ..query("2026-11-20T00:00:00Z", Some("2026-11-21T00:00:00Z")) };
        assert!(super::Plan::of(elsewhere, &settings("Europe/Berlin"), now()).unwrap().pieces().0.is_empty());
    }

    #[test]
    fn a_month_of_another_zone_is_read_in_days_but_for_its_ends() {
        let query = ReportQuery {
            zone: Zone::utc(),
            interval: Some(Interval::Month),
            ..query("2026-09-01T00:00:00Z", Some("2026-11-01T00:00:00Z"))
        };
        let (days, quarters) = plan(query).unwrap().pieces();
        // Two months, each with a morning and an evening that belong to other days in Berlin.
        assert_eq!((days.len(), quarters.len()), (2, 3));
    }

    #[test]
    fn a_comparison_moves_the_whole_range_back_by_the_calendar() {
        let month =
            ReportQuery { interval: Some(Interval::Month), compare: true, ..query("2026-10-31T23:00:00Z", None) };
        let buckets = plan(month).unwrap().buckets;
        let spans: Vec<Span> = buckets.iter().map(|bucket| bucket.span).collect();
        assert_eq!(spans, [Span::Previous, Span::Neither, Span::Current]);
        assert_eq!((buckets[0].start, buckets[0].end), (at("2026-09-30T22:00:00Z"), at("2026-10-26T12:45:00Z")));
        let days = ReportQuery { compare: true, ..query("2026-10-24T22:00:00Z", Some("2026-10-26T23:00:00Z")) };
        let buckets = plan(days).unwrap().buckets;
        assert_eq!(buckets.len(), 4);
        // The day of 25 hours is compared with one of 24.
        assert_eq!(buckets[0].start, at("2026-10-22T22:00:00Z"));
        assert_eq!(buckets[3].end.millis_since(buckets[2].start), 49 * 3_600_000);
    }

    #[test]
    fn what_cannot_be_answered_is_refused_with_its_reason() {
        let day = || query("2026-11-25T23:00:00Z", Some("2026-11-26T12:00:00Z"));
        assert_eq!(refused(query("2026-11-26T12:00:00Z", Some("2026-11-26T12:00:00Z"))), ReportRefused::RangeEmpty);
        assert_eq!(refused(query("2026-11-27T12:00:00Z", None)), ReportRefused::RangeEmpty);
        assert_eq!(refused(query("1999-12-31T23:45:00Z", None)), ReportRefused::TooEarly);
        let later = at("2026-11-25T23:15:00Z");
        let expected = ReportRefused::OffTheQuarter { field: "since", earlier: at("2026-11-25T23:00:00Z"), later };
        assert_eq!(refused(query("2026-11-25T23:00:00.001Z", None)), expected);
        assert!(plan(query("2026-11-25T23:00:00Z", Some("2026-11-26T12:34:56Z"))).is_ok(), "from now on");
        let until = Some("2026-11-26T12:34:55.999Z");
        let off = matches!(
            refused(query("2026-11-25T23:00:00Z", until)),
            ReportRefused::OffTheQuarter { field: "until", .. }
        );
        assert!(off);
        for (limit, ok) in [(0, false), (1, true), (500, true), (501, false)] {
            assert_eq!(plan(ReportQuery { limit, ..day() }).is_ok(), ok, "{limit}");
        }
        let by = |dimensions: &[Dimension]| ReportQuery { dimensions: dimensions.to_vec(), ..day() };
        assert_eq!(refused(by(&[Dimension::Offer, Dimension::Offer])), ReportRefused::Dimensions);
        assert_eq!(
            refused(by(&[Dimension::Offer, Dimension::Status, Dimension::Publisher])),
            ReportRefused::Dimensions
        );
        let range = TimeRange { since: now(), until: None };
        let filter = ConversionFilter { converted_at: Some(range), ..ConversionFilter::default() };
        assert_eq!(refused(ReportQuery { filter, ..day() }), ReportRefused::TimeInFilter);
    }

    #[test]
    fn points_and_cells_are_bounded() {
        let hours = |count: i64| {
            let since = at("2026-09-01T00:00:00Z");
            let until = Some(since.plus_seconds(count * 3600));
            ReportQuery { since, until, interval: Some(Interval::Hour), ..query("2026-09-01T00:00:00Z", None) }
        };
        for (count, ok) in [(999, true), (1000, true), (1001, false)] {
            assert_eq!(plan(hours(count)).is_ok(), ok, "{count}");
        }
        let rows = |limit| ReportQuery { limit, row_points: true, dimensions: vec![Dimension::Offer], ..hours(100) };
        for (limit, ok) in [(199, true), (200, true), (201, false)] {
            assert_eq!(plan(rows(limit)).is_ok(), ok, "{limit}");
        }
        assert_eq!(refused(rows(201)), ReportRefused::TooManyCells(20_100));
    }

    #[test]
    fn what_no_figures_are_kept_by_is_looked_up_inside_a_month() {
        let days = |days: i64, change: &dyn Fn(&mut ReportQuery)| {
            let until = at("2026-11-26T00:00:00Z");
            let mut query = query("2026-11-25T00:00:00Z", Some("2026-11-26T00:00:00Z"));
            query.since = until.plus_seconds(-days * 86_400);
            change(&mut query);
            plan(query)
        };
        let by_reason = |query: &mut ReportQuery| query.dimensions = vec![Dimension::RejectionReason];
        assert_eq!(days(31, &by_reason).unwrap().source, Source::Conversions);
        assert_eq!(days(32, &by_reason).unwrap_err(), ReportRefused::RangeTooLong("REJECTION_REASON"));
        let sub_id = |query: &mut ReportQuery| query.filter.sub_id = Some(StringMatch::eq("news"));
        assert_eq!(days(32, &sub_id).unwrap_err(), ReportRefused::RangeTooLong("subId"));
        let with_tests = |query: &mut ReportQuery| query.filter.include_tests = true;
        assert_eq!(days(32, &with_tests).unwrap_err(), ReportRefused::RangeTooLong("this filter"));
        assert!(!days(31, &with_tests).unwrap().counts_clicks());
        let by_status = |query: &mut ReportQuery| query.dimensions = vec![Dimension::Status];
        let plan = days(300, &by_status).unwrap();
        assert_eq!((plan.source, plan.counts_clicks()), (Source::Figures, false));
    }

    #[test]
    fn sub_ids_are_counted_by_whole_days_of_the_workspace() {
        let by_sub_id = |since, until| ReportQuery { dimensions: vec![Dimension::SubId], ..query(since, until) };
        assert_eq!(plan(by_sub_id("2026-11-24T23:00:00Z", None)).unwrap().source, Source::SubIds);
        let refusal = ReportRefused::SubIdsByDay("Europe/Berlin".into());
        assert_eq!(refused(by_sub_id("2026-11-24T22:00:00Z", None)), refusal);
        let hourly = ReportQuery { interval: Some(Interval::Hour), ..by_sub_id("2026-11-24T23:00:00Z", None) };
        assert_eq!(refused(hourly), refusal);
        let elsewhere = ReportQuery { zone: Zone::utc(), ..by_sub_id("2026-11-24T23:00:00Z", None) };
        assert_eq!(refused(elsewhere), refusal);
        let compared = ReportQuery { compare: true, ..by_sub_id("2026-11-24T23:00:00Z", None) };
        assert!(plan(compared).is_ok());
    }
}
