//! `--reports`: how long a report takes on large tables (P10).
//!
//! PostgreSQL is filled with conversions, and with the figures of ten times as many clicks; some offers and publishers
//! have most of them, as in life. Then the report of 30 days by offer and day is made as the admin API makes it, and
//! held against the same question to the conversions themselves; its sums must be the same. The workspace's days are
//! those of UTC; the other zone is Kathmandu, whose days share no hour with them.
//! One size, as with `--grown`: `--reports 60k` is a quick look.

use std::time::Duration;

use roundtrip::domain::calendar::{Interval, Zone};
use roundtrip::domain::clock::{Clock as _, Timestamp};
use roundtrip::domain::report::{Dimension, Metric};
use roundtrip::domain::settings::Settings;
use roundtrip::store::conversions::ConversionFilter;
use roundtrip::store::days::Generation;
use roundtrip::store::page::Direction;
use roundtrip::store::reports::{Report, ReportQuery, report};
use roundtrip::store::sub_ids::{self, Held};
use roundtrip::store::{ConnectOptionsOf, Database, keeper};
use roundtrip::system::SystemClock;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::fill::{DAYS, Fill, day_before_today, on_postgres};
use crate::grown::{Size, enough_disk};
use crate::report::{Figures, decimal};
use crate::requests::{OFFERS, PUBLISHERS};
use crate::{Outcome, postgres};

/// The last day before today, which nobody counts here: it changes all the time, as today does.
const COUNTED_UNTIL: i64 = 1;
/// Days of the report.
const REPORT_DAYS: i64 = 30;
/// Clicks that the figures count for each conversion.
const CLICKS_OF_A_CONVERSION: u64 = 10;
const REPORTS: usize = 40;
const RAW_REPORTS: usize = 3;
const BUCKETS_OF_A_DAY: u64 = 96;

/// Bytes on disk for each conversion, with its indexes and with figures, somewhat more than was measured.
const BYTES_OF_A_CONVERSION: u64 = 2_000;

/// Fills and measures.
pub(crate) fn run(size: Size, figures: &mut Figures) -> Outcome<()> {
    enough_disk(size.conversions() * BYTES_OF_A_CONVERSION)?;
    Runtime::new()?.block_on(measure(size.conversions(), figures))
}

/// The name of the form with its size, for the page.
pub(crate) fn name(size: Size) -> String {
    let conversions = size.conversions();
    let clicks = conversions * CLICKS_OF_A_CONVERSION;
    format!("reports ({conversions} conversions and the figures of {clicks} clicks on PostgreSQL)")
}

async fn measure(conversions: u64, figures: &mut Figures) -> Outcome<()> {
    let url = postgres::fresh_database();
    let options = ConnectOptionsOf {
        url: url.clone().into(),
        read_connections: 4,
        write_connections: 2,
        acquire_timeout: Duration::from_secs(5),
        // The raw question of a full table takes longer than a server would let it.
        statement_timeout: Duration::from_secs(600),
    };
    let database = Database::connect(&options).await?;
    database.migrate().await?;
    let mut connection = PgConnection::connect(&url).await?;
    fill(&mut connection, conversions).await?;
    count(&database).await?;
    for table in ["rollup", "rollup_day", "rollup_sum", "rollup_day_sum", "conversion"] {
        on_postgres(&mut connection, &format!("VACUUM ANALYZE {table}")).await?;
    }
    let sizes: String = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM rollup) || ' rows of 15 minutes, ' || (SELECT COUNT(*) FROM rollup_day) || ' of days, ' \
            || (SELECT COUNT(*) FROM rollup_sum) || ' and ' || (SELECT COUNT(*) FROM rollup_day_sum) || ' sums of them'",
    )
    .fetch_one(&mut connection)
    .await?;
    println!("  {sizes}");
    let utc = Zone::utc();
    let workspace = made(&database, &utc, range(&utc, COUNTED_UNTIL)).await?;
    let with_last = made(&database, &utc, range(&utc, 0)).await?;
    let other = Zone::parse("Asia/Kathmandu").ok_or("no such zone")?;
    let elsewhere = made(&database, &other, range(&other, COUNTED_UNTIL)).await?;
    let raw = raw(&mut connection, &workspace.last).await?;
    database.close().await;
    connection.close().await?;
    figures.add_at_least(
        "P10",
        "30 days by offer and day, raw / report",
        raw * 1000 / workspace.middle.max(1),
        100_000,
    );
    figures.add_at_most("P10", "30 days by offer and day, workspace zone, p95", workspace.late, 30_000, "us");
    figures.add_at_most("P10", "30 days by offer and day, another zone, p95", elsewhere.late, 500_000, "us");
    let what = "the same, the last day not counted yet, as today never is, p95";
    figures.add_found("P10", what, format!("{} us", with_last.late));
    figures.add_found("P10", "raw GROUP BY, middle of three", format!("{} ms", decimal(raw)));
    Ok(())
}

/// How long reports took, in microseconds.
struct Times {
    middle: u64,
    /// Of twenty, nineteen took no longer.
    late: u64,
    last: Report,
}

async fn made(database: &Database, zone: &Zone, range: (Timestamp, Timestamp)) -> Outcome<Times> {
    let mut times = Vec::with_capacity(REPORTS);
    let mut last = None;
    for _ in 0..REPORTS {
        let began = Instant::now();
        let made = report(database, query(zone, range), &Settings::default(), SystemClock.now()).await?;
        times.push(u64::try_from(began.elapsed().as_micros())?);
        last = Some(made?);
    }
    times.sort_unstable();
    println!("  {}: {} us at best, {} us at worst", zone.name(), times[0], times[times.len() - 1]);
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    Ok(Times { middle: at(50), late: at(95), last: last.ok_or("no report")? })
}

fn query(zone: &Zone, (since, until): (Timestamp, Timestamp)) -> ReportQuery {
    ReportQuery {
        since,
        until: Some(until),
        zone: zone.clone(),
        interval: Some(Interval::Day),
        dimensions: vec![Dimension::Offer],
        filter: ConversionFilter::default(),
        order: Metric::Conversions,
        direction: Direction::Descending,
        limit: 200,
        row_points: true,
        compare: false,
    }
}

/// Whole days of the zone, up to the one that began so many days ago.
fn range(zone: &Zone, until: i64) -> (Timestamp, Timestamp) {
    (zone.day_of(day_before_today(REPORT_DAYS + until)), zone.day_of(day_before_today(until)))
}

/// The same from the conversions themselves, in microseconds, the middle one; the report must say the same.
async fn raw(connection: &mut PgConnection, report: &Report) -> Outcome<u64> {
    let (since, until) = range(&Zone::utc(), COUNTED_UNTIL);
    let sql = format!(
        "SELECT offer_id, converted_at / 86400000, COUNT(*), COUNT(*) FILTER (WHERE status = 'approved'), \
            COUNT(*) FILTER (WHERE status = 'pending'), COUNT(*) FILTER (WHERE status = 'rejected'), \
            SUM(revenue_micros)::int8, SUM(payout_micros)::int8 \
         FROM conversion WHERE converted_at >= {} AND converted_at < {} AND NOT is_test GROUP BY 1, 2",
        since.as_millis(),
        until.as_millis()
    );
    let mut times = Vec::with_capacity(RAW_REPORTS);
    for _ in 0..RAW_REPORTS {
        let began = Instant::now();
        let rows = sqlx::query(AssertSqlSafe(sql.clone())).fetch_all(&mut *connection).await?;
        times.push(u64::try_from(began.elapsed().as_micros())?);
        let counted: i64 = rows.iter().map(|row| row.get::<i64, _>(2)).sum();
        if counted != report.totals.conversions || rows.is_empty() {
            return Err(format!("the table has {counted} conversions, the report {}", report.totals.conversions).into());
        }
    }
    times.sort_unstable();
    Ok(times[RAW_REPORTS / 2])
}

async fn fill(connection: &mut PgConnection, conversions: u64) -> Outcome<()> {
    let began = Instant::now();
    let say = |what: &str| println!("  {:>5} s  {what}", began.elapsed().as_secs());
    Fill { conversions }.conversions_alone(connection).await?;
    say("conversions");
    for day in (1..=DAYS).rev() {
        let from = day_before_today(day);
        on_postgres(connection, &quarters(from, conversions * CLICKS_OF_A_CONVERSION)).await?;
    }
    say("figures");
    Ok(())
}

/// The sums and the sub ids of every day but the last, as the server counts them.
async fn count(database: &Database) -> Outcome<()> {
    let began = Instant::now();
    let now = SystemClock.now();
    let held = Held { holder: "bench".to_owned(), until: now.plus_seconds(86_400) };
    let generation = Generation { number: 0, zone: Zone::utc() };
    let mut counts = keeper::take(database, &held.holder, now, held.until).await?;
    for day in COUNTED_UNTIL + 1..=DAYS {
        let day = day_before_today(day);
        counts = counts && sub_ids::count_day(database, &generation, day, &held, SystemClock.now()).await?;
    }
    println!("  {:>5} s  all days but the last counted", began.elapsed().as_secs());
    if counts { Ok(()) } else { Err("somebody else keeps the figures".into()) }
}

/// The conversions of a day as they are, and its part of the clicks: the r-th pair of offer and publisher has one of
/// every r. Where that is less than one in a quarter of an hour, it comes in some of them only. Two writers share them.
fn quarters(from: Timestamp, clicks: u64) -> String {
    let pairs = OFFERS * PUBLISHERS;
    // The sum of 1/r up to 4 000 is 8.9.
    let first = clicks * 10 / (DAYS.unsigned_abs() * BUCKETS_OF_A_DAY * 89);
    let first = first.max(1);
    let (low, high) = (from.as_millis(), from.plus_seconds(86_400).as_millis());
    format!(
        "INSERT INTO rollup (bucket_at, offer_id, publisher_id, currency, slot, clicks, conversions, approved, pending, \
            rejected, revenue_micros, payout_micros) \
         SELECT at, offer_id, publisher_id, 'EUR', (at / 900000 % 2)::int2, SUM(clicks)::int8, SUM(conversions)::int8, \
            SUM(conversions)::int8, 0, 0, SUM(revenue)::int8, SUM(payout)::int8 FROM ( \
            SELECT converted_at - converted_at % 900000 AS at, offer_id, publisher_id, 0 AS clicks, 1 AS conversions, \
                revenue_micros AS revenue, payout_micros AS payout \
            FROM conversion WHERE converted_at >= {low} AND converted_at < {high} \
            UNION ALL \
            SELECT {low} + q * 900000, (r % {OFFERS} + 1)::int4, (r / {OFFERS} % {PUBLISHERS} + 1)::int4, \
                GREATEST({first} / (r + 1), 1), 0, 0, 0 \
            FROM generate_series(0::int8, {last}::int8) AS q, generate_series(0::int8, {pairs}::int8 - 1) AS r \
            WHERE (q * 7919 + r * 104729) % (r + 1) < {first} \
         ) AS counted GROUP BY 1, 2, 3",
        last = BUCKETS_OF_A_DAY - 1,
    )
}
