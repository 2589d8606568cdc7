//! Reports: sums, points and rows.

use async_graphql::{ComplexObject, Context, Enum, InputObject, Result, SimpleObject};

use super::{
    conversion::ConversionFilter,
    input::DateTimeRange,
    money::Money,
    node::Node,
    offer::Offer,
    partner::{Advertiser, Publisher},
    token::SecureToken,
    words::SortDirection,
};
use crate::{
    domain::{
        calendar, conversion,
        ids::{AdvertiserId, OfferId, PublisherId, TokenId},
        report::{self, Tally},
        status::Status,
    },
    graphql::{
        connection::failed,
        context::Find as _,
        error,
        loaders::StatSubject,
        scalars::{DateTime, Decimal, SafeInt, TimeZone},
    },
    store::{
        filter,
        reports::{self, Point, ReportQuery, ReportRefused, Row},
    },
};

/// What a report is split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "report::Dimension")]
pub enum StatDimension {
    /// What was promoted.
    Offer,
    /// Who pays, as the offer says now.
    Advertiser,
    /// Who sent the traffic.
    Publisher,
    /// The publisher's first free field. Counted by day of the workspace's zone, a little behind: see dataThrough. Of
    /// an offer, a publisher and a day the 10 000 most frequent, all others together as (other).
    SubId,
    /// The status of conversions. Without clicks.
    Status,
    /// Why conversions are Rejected. 31 days at most, without clicks.
    RejectionReason,
    /// How conversions came in. 31 days at most, without clicks.
    Source,
    /// The token that conversions were reported with. 31 days at most, without clicks.
    Token,
}

/// How long the buckets of a series are, in the zone of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "calendar::Interval")]
pub enum StatInterval {
    /// An hour on the clock.
    Hour,
    /// From midnight to midnight: 23 to 25 hours.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

/// What rows are sorted by. Rows without a value come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Enum)]
#[graphql(remote = "report::Metric")]
pub enum StatMetric {
    /// Visits through tracking links.
    Clicks,
    /// Conversions of any status.
    Conversions,
    /// Conversions that count.
    Approved,
    /// Conversions that wait.
    Pending,
    /// Conversions that do not count.
    Rejected,
    /// Rejected conversions of all.
    RejectionRate,
    /// Conversions of clicks.
    ConversionRate,
    /// Paid to us, in the currency of the filter or of the workspace; without either, whatever the currency.
    Revenue,
    /// Paid to publishers, as revenue.
    Payout,
}

/// What a report is asked for.
#[derive(Clone, Debug, InputObject)]
pub struct StatsInput {
    /// Over which time. Both ends lie on a quarter of an hour, but for an end that is not over yet.
    range: DateTimeRange,
    /// Whose hours and days; the workspace's where it is not sent.
    timezone: Option<TimeZone>,
    /// A point for each of these, 1 000 at most; no points where it is not sent.
    interval: Option<StatInterval>,
    /// A row for each value; at most two, each once. No rows where it is not sent.
    group_by: Option<Vec<StatDimension>>,
    /// Of which conversions; offerIds, advertiserIds and publisherIds hold for clicks too. Its convertedAt stays empty:
    /// range says that.
    filter: Option<ConversionFilter>,
    /// What rows are sorted by.
    #[graphql(default_with = "StatMetric::Conversions")]
    order_by: StatMetric,
    /// Which way.
    #[graphql(default_with = "SortDirection::Desc")]
    direction: SortDirection,
    /// Rows, 1 to 500.
    #[graphql(default = 50)]
    limit: i32,
    /// The same of the range before: moved back by as many whole hours, days, weeks or months (of interval, else days)
    /// as the range has, so that every point is compared with one of the same place in its day, week or month.
    #[graphql(default = false)]
    compare_previous: bool,
}

impl StatsInput {
    /// What it costs of a document's complexity: a tenth of what its rows show.
    pub fn cost(&self, fields: usize) -> usize {
        let rows = usize::try_from(self.limit).unwrap_or(0);
        fields.saturating_mul(rows / 10 + 1).saturating_add(50)
    }

    fn read(self, ctx: &Context<'_>, row_points: bool) -> Result<ReportQuery> {
        let range = filter::TimeRange::from(self.range);
        let zone = match self.timezone {
            Some(zone) => zone.0,
            None => ctx.snapshot()?.settings.zone.clone(),
        };
        Ok(ReportQuery {
            since: range.since,
            until: range.until,
            zone,
            interval: self.interval.map(Into::into),
            dimensions: self.group_by.unwrap_or_default().into_iter().map(Into::into).collect(),
            filter: self.filter.unwrap_or_default().read(ctx)?,
            order: self.order_by.into(),
            direction: self.direction.into(),
            limit: u32::try_from(self.limit).unwrap_or(0),
            row_points,
            compare: self.compare_previous,
        })
    }
}

/// What was counted.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatMetrics {
    /// Visits through tracking links, without bots and tests; null where clicks are not counted by what was asked for.
    pub clicks: Option<SafeInt>,
    /// Conversions of any status, without tests.
    pub conversions: SafeInt,
    /// Those that count.
    pub approved: SafeInt,
    /// Those that wait.
    pub pending: SafeInt,
    /// Those that do not count.
    pub rejected: SafeInt,
    /// Later results of conversions, in none of the counts above, whatever their status; null where figures are asked
    /// for by status.
    pub events: Option<SafeInt>,
    /// Rejected conversions of all, exact to six decimals: 0.25 is a quarter. Null without conversions.
    pub rejection_rate: Option<Decimal>,
    /// Conversions of clicks, exact to six decimals; above 1 where conversions came without a click. Null without
    /// clicks.
    pub conversion_rate: Option<Decimal>,
    /// Paid to us for approved conversions and events: an entry for each currency, never added across.
    pub revenue: Vec<Money>,
    /// Paid to publishers for approved conversions and events: an entry for each currency.
    pub payout: Vec<Money>,
    /// Revenue less payout: an entry for each currency.
    pub profit: Vec<Money>,
}

impl From<&Tally> for StatMetrics {
    fn from(tally: &Tally) -> Self {
        let money = |of: fn(&report::Earned) -> _| {
            tally.money.iter().map(|(currency, earned)| Money::of(of(earned), *currency)).collect()
        };
        Self {
            clicks: tally.clicks.map(SafeInt),
            conversions: SafeInt(tally.conversions),
            approved: SafeInt(tally.approved),
            pending: SafeInt(tally.pending),
            rejected: SafeInt(tally.rejected),
            events: tally.events.map(SafeInt),
            rejection_rate: tally.rejection_rate().map(Into::into),
            conversion_rate: tally.conversion_rate().map(Into::into),
            revenue: money(|earned| earned.revenue),
            payout: money(|earned| earned.payout),
            profit: money(report::Earned::profit),
        }
    }
}

/// One bucket of a series.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatPoint {
    /// Its first instant that is in the range.
    pub start: DateTime,
    /// The bucket is not wholly in the range, or not over yet.
    pub partial: bool,
    /// What was counted in it.
    pub metrics: StatMetrics,
}

impl From<&Point> for StatPoint {
    fn from(point: &Point) -> Self {
        Self { start: DateTime(point.start), partial: point.partial, metrics: StatMetrics::from(&point.tally) }
    }
}

fn points(points: &[Point]) -> Vec<StatPoint> {
    points.iter().map(StatPoint::from).collect()
}

/// One value of what a report is split by.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct StatKey {
    /// Of what.
    pub dimension: StatDimension,
    /// An id, a word in capitals or a text, as a filter takes it; null where there is none.
    pub value: Option<String>,
}

impl StatKey {
    fn of(dimension: report::Dimension, stored: Option<String>) -> Self {
        Self { value: stored.as_deref().map(|text| value(dimension, text)), dimension: dimension.into() }
    }

    fn id<T>(&self, parse: fn(&str) -> Option<T>) -> Option<T> {
        self.value.as_deref().and_then(parse)
    }
}

/// What a filter takes, of what is stored.
fn value(dimension: report::Dimension, stored: &str) -> String {
    let number = stored.parse().unwrap_or_default();
    let id = match dimension {
        report::Dimension::Offer => OfferId::new(number).map(|id| id.to_string()),
        report::Dimension::Advertiser => AdvertiserId::new(number).map(|id| id.to_string()),
        report::Dimension::Publisher => PublisherId::new(number).map(|id| id.to_string()),
        report::Dimension::Token => TokenId::parse(&format!("{}_{stored}", TokenId::PREFIX)).map(|id| id.to_string()),
        report::Dimension::Status => Status::parse(stored).map(|status| status.as_str().to_uppercase()),
        report::Dimension::Source => conversion::Source::parse(stored).map(|source| source.as_str().to_uppercase()),
        report::Dimension::SubId | report::Dimension::RejectionReason => None,
    };
    id.unwrap_or_else(|| stored.to_owned())
}

#[ComplexObject]
impl StatKey {
    /// As people know it.
    async fn label(&self, ctx: &Context<'_>) -> Result<String> {
        let name = match self.dimension {
            StatDimension::Offer => match self.id(OfferId::parse) {
                Some(id) => Offer::find(ctx, id).await?.map(|offer| offer.name),
                None => None,
            },
            StatDimension::Advertiser => match self.id(AdvertiserId::parse) {
                Some(id) => Advertiser::find(ctx, id).await?.map(|advertiser| advertiser.name),
                None => None,
            },
            StatDimension::Publisher => match self.id(PublisherId::parse) {
                Some(id) => Publisher::find(ctx, id).await?.map(|publisher| publisher.name),
                None => None,
            },
            StatDimension::Token => SecureToken::load(ctx, self.id(TokenId::parse)).await?.map(|token| token.name()),
            StatDimension::SubId | StatDimension::Status | StatDimension::RejectionReason | StatDimension::Source => {
                None
            }
        };
        Ok(name.or_else(|| self.value.clone()).unwrap_or_else(|| "(none)".to_owned()))
    }

    /// What it is the id of; null for a word or a text.
    async fn node(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        match (self.dimension, &self.value) {
            (
                StatDimension::Offer | StatDimension::Advertiser | StatDimension::Publisher | StatDimension::Token,
                Some(id),
            ) => Node::find(ctx, id).await,
            (_, _) => Ok(None),
        }
    }
}

/// What was counted for one value, or one pair of values.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatRow {
    /// In the order of groupBy.
    pub keys: Vec<StatKey>,
    /// What was counted.
    pub metrics: StatMetrics,
    /// The same in the range before; null where it was not asked for.
    pub previous: Option<StatMetrics>,
    /// A point for each bucket; null without an interval.
    pub series: Option<Vec<StatPoint>>,
}

/// A report. All of it is one state of the database.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatsReport {
    /// Everything that was asked for together, also what is in no row.
    pub totals: StatMetrics,
    /// The same in the range before; null where it was not asked for.
    pub previous_totals: Option<StatMetrics>,
    /// A point for each bucket; empty without an interval.
    pub series: Vec<StatPoint>,
    /// The same in the range before; null where it was not asked for.
    pub previous_series: Option<Vec<StatPoint>>,
    /// A row for each value of groupBy.
    pub rows: Vec<StatRow>,
    /// There are more rows than the limit.
    pub truncated: bool,
    /// Whose hours and days these are.
    pub timezone: TimeZone,
    /// All that happened before this instant is counted; only by sub id it is not now. Visits that wait in the spool of a
    /// server, because the database is away, count once they are there.
    pub data_through: DateTime,
}

impl StatsReport {
    /// Makes a report.
    ///
    /// # Errors
    /// What the caller can put right; ours.
    pub async fn read(ctx: &Context<'_>, input: StatsInput) -> Result<Self> {
        let row_points = input.interval.is_some() && ctx.look_ahead().field("rows").field("series").exists();
        let query = input.read(ctx, row_points)?;
        let (dimensions, zone) = (query.dimensions.clone(), query.zone.clone());
        let settings = &ctx.snapshot()?.settings;
        let report = reports::report(ctx.database()?, query, settings, ctx.now()?).await.map_err(failed)?;
        let report = report.map_err(refused)?;
        let row = |row: Row| StatRow {
            keys: dimensions.iter().zip(row.keys).map(|(dimension, key)| StatKey::of(*dimension, key)).collect(),
            metrics: StatMetrics::from(&row.tally),
            previous: row.previous.as_ref().map(StatMetrics::from),
            series: row.points.as_deref().map(points),
        };
        Ok(Self {
            totals: StatMetrics::from(&report.totals),
            previous_totals: report.previous_totals.as_ref().map(StatMetrics::from),
            series: points(&report.points),
            previous_series: report.previous_points.as_deref().map(points),
            rows: report.rows.into_iter().map(row).collect(),
            truncated: report.truncated,
            timezone: TimeZone(zone),
            data_through: DateTime(report.data_through),
        })
    }
}

impl StatMetrics {
    /// The figures of one offer, advertiser or publisher over a range, read together with others.
    ///
    /// # Errors
    /// What the caller can put right; ours.
    pub async fn of(ctx: &Context<'_>, subject: StatSubject, range: DateTimeRange) -> Result<Self> {
        let filter::TimeRange { since, until } = range.into();
        let found = ctx.loaders()?.stats.load(ctx, (subject, since, until)).await?;
        let tally = found.unwrap_or_else(|| Ok(Tally::empty(true))).map_err(refused)?;
        Ok(Self::from(&tally))
    }
}

fn refused(fault: ReportRefused) -> async_graphql::Error {
    error::bad_user_input(fault.to_string())
}
