//! Reports: counts and money over a range of time, in buckets of a calendar and by one or two dimensions.
//!
//! What is asked for decides which table answers ([`plan`]): by offer, advertiser, publisher and status the figures,
//! in days wherever whole days of the workspace's zone are asked for and in 15 minutes elsewhere, and in their sums where
//! one of offer and publisher suffices; by sub id its own
//! figures by day; by anything else the conversions themselves, inside 31 days and without clicks. One report is one
//! state of the database: its sums, its points and its rows agree with each other. Nothing here writes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, QueryResult};
use thiserror::Error;

use crate::domain::calendar::{Interval, Zone};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AdvertiserId, OfferId, PublisherId};
use crate::domain::money::{Currency, Micros};
use crate::domain::report::{Dimension, Earned, Metric, Tally};
use crate::domain::settings::Settings;

use super::columns::Cell;
use super::connect::Database;
use super::conversions::ConversionFilter;
use super::error::StoreError;
use super::page::Direction;

mod facts;
mod plan;
mod sub_ids;
mod sums;

pub use plan::{CELLS_MAX, POINTS_MAX};

/// Rows of a report at most.
pub const ROWS_MAX: u32 = 500;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct ReportQuery {
    pub since: Timestamp,
    /// None: up to now.
    pub until: Option<Timestamp>,
    pub zone: Zone,
    /// None: no points.
    pub interval: Option<Interval>,
    /// Two at most, each once; none: no rows.
    pub dimensions: Vec<Dimension>,
    /// Without `converted_at`: the range says that.
    pub filter: ConversionFilter,
    pub order: Metric,
    pub direction: Direction,
    /// Rows, at most [`ROWS_MAX`].
    pub limit: u32,
    /// The points of each row too.
    pub row_points: bool,
    /// The same of the range before.
    pub compare: bool,
}

/// Why a report is not made: the caller's fault. Says the names of the admin API.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReportRefused {
    #[error("until must come after since")]
    RangeEmpty,
    #[error("nothing is counted before 2000: since is too early")]
    TooEarly,
    #[error("{field} must be a quarter of an hour such as {earlier} or {later}: figures are kept in 15 minutes")]
    OffTheQuarter { field: &'static str, earlier: Timestamp, later: Timestamp },
    #[error("this has more than {POINTS_MAX} points: choose a longer interval or a shorter range")]
    TooManyPoints,
    #[error("this may have {0} points in its rows, more than {CELLS_MAX}: lower the limit or the number of points")]
    TooManyCells(usize),
    #[error("the limit is 1 to {ROWS_MAX}")]
    Limit,
    #[error("group by at most two dimensions, each of them once")]
    Dimensions,
    #[error("say the time in range, not in filter.convertedAt")]
    TimeInFilter,
    #[error("{0} is looked up in the conversions themselves, 31 days at most: shorten the range")]
    RangeTooLong(&'static str),
    #[error(
        "sub ids are counted by day of {0}, the workspace's zone: ask from midnight to midnight there, \
             for DAY, WEEK, MONTH or no interval"
    )]
    SubIdsByDay(String),
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub totals: Tally,
    pub previous_totals: Option<Tally>,
    /// One for each bucket of the range; empty without an interval.
    pub points: Vec<Point>,
    pub previous_points: Option<Vec<Point>>,
    pub rows: Vec<Row>,
    /// There were more rows than the limit.
    pub truncated: bool,
    /// All that happened before this instant is counted.
    pub data_through: Timestamp,
}

/// One bucket of the calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its first instant that is in the range.
    pub start: Timestamp,
    /// The bucket is not wholly in the range, or not over yet.
    pub partial: bool,
    pub tally: Tally,
}

/// One value of the dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// In the order of the dimensions; none where there is no value.
    pub keys: Vec<Option<String>>,
    pub tally: Tally,
    pub previous: Option<Tally>,
    /// Where they were asked for.
    pub points: Option<Vec<Point>>,
}

/// Makes a report on one state of the database.
///
/// # Errors
/// Ours only; what the caller can mend is the inner refusal.
pub async fn report(
    database: &Database,
    query: ReportQuery,
    settings: &Settings,
    now: Timestamp,
) -> Result<Result<Report, ReportRefused>, StoreError> {
    let plan = match plan::Plan::of(query, settings, now) {
        Ok(plan) => plan,
        Err(refused) => return Ok(Err(refused)),
    };
    database.consistent_read(Box::new(move |tx| Box::pin(make(tx, plan, now)))).await.map(Ok)
}

/// The figures of each of these over a range, without points; whoever has none is not there.
///
/// # Errors
/// As [`report`].
pub async fn tallies(
    database: &Database,
    of: &Subjects,
    (since, until): (Timestamp, Option<Timestamp>),
    settings: &Settings,
    now: Timestamp,
) -> Result<Result<HashMap<i32, Tally>, ReportRefused>, StoreError> {
    let (dimension, filter) = of.narrowed();
    let query = ReportQuery {
        since,
        until,
        zone: settings.zone.clone(),
        interval: None,
        dimensions: vec![dimension],
        filter,
        order: Metric::Conversions,
        direction: Direction::Descending,
        limit: ROWS_MAX,
        row_points: false,
        compare: false,
    };
    let report = match report(database, query, settings, now).await? {
        Ok(report) => report,
        Err(refused) => return Ok(Err(refused)),
    };
    let number = |row: &Row| row.keys.first().and_then(|key| key.as_deref()?.parse().ok());
    Ok(Ok(report.rows.into_iter().filter_map(|row| Some((number(&row)?, row.tally))).collect()))
}

/// Of what figures are asked for: at most [`ROWS_MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subjects {
    Offers(Vec<OfferId>),
    Advertisers(Vec<AdvertiserId>),
    Publishers(Vec<PublisherId>),
}

impl Subjects {
    fn narrowed(&self) -> (Dimension, ConversionFilter) {
        let none = ConversionFilter::default();
        match self {
            Self::Offers(ids) => (Dimension::Offer, ConversionFilter { offers: Some(ids.clone()), ..none }),
            Self::Advertisers(ids) => {
                (Dimension::Advertiser, ConversionFilter { advertisers: Some(ids.clone()), ..none })
            }
            Self::Publishers(ids) => (Dimension::Publisher, ConversionFilter { publishers: Some(ids.clone()), ..none }),
        }
    }
}

async fn make(tx: &DatabaseTransaction, plan: plan::Plan, now: Timestamp) -> Result<Report, StoreError> {
    let statement = facts::statement(tx, &plan).await?;
    let rows = tx.query_all_raw(statement).await?;
    let mut sheet = Sheet::new(&plan);
    for row in &rows {
        sheet.fill(&plan, row)?;
    }
    let data_through = match plan.source {
        plan::Source::SubIds => sub_ids::data_through(tx, &plan, now).await?,
        plan::Source::Figures | plan::Source::Conversions => now,
    };
    Ok(sheet.into_report(&plan, data_through))
}

/// A report while it is put together. Place 0 is all rows together.
struct Sheet {
    rows: BTreeMap<i64, Cells>,
}

struct Cells {
    keys: Vec<Option<String>>,
    /// By number of the bucket.
    tallies: Vec<Tally>,
}

impl Cells {
    fn new(plan: &plan::Plan, keys: Vec<Option<String>>) -> Self {
        Self { keys, tallies: vec![plan.empty(); plan.buckets.len()] }
    }

    fn sum(&self, plan: &plan::Plan, span: plan::Span) -> Tally {
        let mut sum = plan.empty();
        let in_span = plan.buckets.iter().zip(&self.tallies).filter(|(bucket, _)| bucket.span == span);
        in_span.for_each(|(_, tally)| sum.add(tally));
        sum
    }

    fn points(&self, plan: &plan::Plan, span: plan::Span) -> Vec<Point> {
        if plan.query.interval.is_none() {
            return Vec::new();
        }
        let in_span = plan.buckets.iter().zip(&self.tallies).filter(|(bucket, _)| bucket.span == span);
        in_span
            .map(|(bucket, tally)| Point { start: bucket.start, partial: bucket.partial, tally: tally.clone() })
            .collect()
    }
}

impl Sheet {
    fn new(plan: &plan::Plan) -> Self {
        Self { rows: BTreeMap::from([(0, Cells::new(plan, Vec::new()))]) }
    }

    fn fill(&mut self, plan: &plan::Plan, row: &QueryResult) -> Result<(), StoreError> {
        let cells = match self.rows.entry(row.try_get_by_index(facts::PLACE)?) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => {
                let keys = facts::KEYS.into_iter().take(plan.query.dimensions.len());
                let keys =
                    keys.map(|key| Ok(Some(row.try_get_by_index::<String>(key)?).filter(|text| !text.is_empty())));
                free.insert(Cells::new(plan, keys.collect::<Result<_, StoreError>>()?))
            }
        };
        let point: i64 = row.try_get_by_index(facts::POINT)?;
        let index = usize::try_from(point).ok().and_then(|point| point.checked_sub(1));
        if let Some(tally) = index.and_then(|index| cells.tallies.get_mut(index)) {
            tally.add(&tally_of(row)?);
        }
        Ok(())
    }

    fn into_report(mut self, plan: &plan::Plan, data_through: Timestamp) -> Report {
        use plan::Span::{Current, Previous};
        let compares = plan.query.compare;
        let all = self.rows.remove(&0).unwrap_or_else(|| Cells::new(plan, Vec::new()));
        let limit = usize::try_from(plan.query.limit).unwrap_or(usize::MAX);
        let truncated = self.rows.len() > limit;
        let rows = self.rows.into_values().take(limit).map(|cells| Row {
            tally: cells.sum(plan, Current),
            previous: compares.then(|| cells.sum(plan, Previous)),
            points: plan.query.row_points.then(|| cells.points(plan, Current)),
            keys: cells.keys,
        });
        Report {
            rows: rows.collect(),
            totals: all.sum(plan, Current),
            previous_totals: compares.then(|| all.sum(plan, Previous)),
            points: all.points(plan, Current),
            previous_points: compares.then(|| all.points(plan, Previous)),
            truncated,
            data_through,
        }
    }
}

fn tally_of(row: &QueryResult) -> Result<Tally, StoreError> {
    let [clicks, conversions, approved, pending, rejected, events, revenue, payout] = facts::sums_of(row)?;
    let code = row.try_get_by_index::<String>(facts::CURRENCY)?;
    let currency: Currency = Cell("rollup", "currency").currency(&code)?;
    let earned = Earned { revenue: Micros::from_i64(revenue), payout: Micros::from_i64(payout) };
    let is_earned = approved != 0 || earned != Earned::default();
    Ok(Tally {
        clicks: Some(clicks),
        conversions,
        approved,
        pending,
        rejected,
        events: Some(events),
        money: is_earned.then_some((currency, earned)).into_iter().collect(),
    })
}
