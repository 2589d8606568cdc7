//! The proofs of `roundtrip verify`: reads that find where the tables do not agree with each other.
//!
//! Nothing here repairs, and nothing is loaded whole: tables are walked by ranges of keys or time, and each range is
//! compared inside one statement, so that what is written meanwhile cannot look like a drift. What is found is
//! counted, and the first hundred are kept.

use std::collections::HashSet;
use std::fmt;

use entity::{conversion, conversion_key};
use futures_util::TryStreamExt as _;
use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QueryResult, QuerySelect,
};
use sea_orm::{QueryTrait, Statement, Value};
use uuid::Uuid;

use crate::domain::calendar::Interval;
use crate::domain::clock::Timestamp;
use crate::domain::conversion::Figures;
use crate::domain::conversion_key::ConversionKey;
use crate::domain::ids::ConversionId;
use crate::domain::money::Micros;
use crate::domain::transaction_id::{TransactionId, lowest_of};

use super::clicks;
use super::columns::Cell;
use super::connect::{Database, LongRead};
use super::dialect::Column;
use super::error::StoreError;
use super::{settings, sub_ids};

/// Drifts that are kept; all are counted.
pub const KEPT_MAX: usize = 100;
/// Rows of one step, so that a step stays far below any statement timeout.
const STEP_ROWS: u64 = 2_000;
/// The bucket of figures: 15 minutes.
const BUCKET_SECONDS: i64 = 900;
/// Time that one step compares: 16 buckets.
const WINDOW_SECONDS: i64 = 16 * BUCKET_SECONDS;

/// One place where the tables do not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// The entries of its history are not numbered 1 to its version.
    HistoryIncomplete(ConversionId),
    /// An entry does not begin where the one before it ends.
    HistoryBroken(ConversionId),
    /// It has a history and does not exist.
    HistoryOrphaned(ConversionId),
    /// Its status is not what its history says.
    Status(ConversionId),
    /// Its money is not what its history says.
    Money(ConversionId),
    /// The recount of conversions, less what the figures say.
    Figures { bucket: Timestamp, offer: i32, publisher: i32, currency: String, difference: Figures },
    /// The recount of clicks, less what the figures say.
    Clicks { bucket: Timestamp, offer: i32, publisher: i32, difference: i64 },
    /// The 15 minutes of a day, less what its count says.
    Day { day: Timestamp, offer: i32, publisher: i32, currency: String, difference: Figures },
    /// The recount of a day by sub id, less what its count says. Clicks have no currency: theirs is XXX.
    SubId { day: Timestamp, offer: i32, publisher: i32, sub_id: String, currency: String, difference: Figures },
    /// The 15 minutes of an offer or of a publisher (the other is 0), or their day, less what their sum says.
    Sum { at: Timestamp, offer: i32, publisher: i32, currency: String, difference: Figures },
    /// A key of a conversion that does not exist.
    KeyOrphaned { key: Vec<u8>, owner: ConversionId },
    /// A key without owner, on which no rejection is parked.
    KeyAbandoned { key: Vec<u8> },
    /// A rejection is parked on a key that is not there, or has an owner.
    ParkedAstray { key: Vec<u8> },
    /// A conversion that the next equal postback would count again.
    KeyMissing(ConversionId),
}

/// What was found so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first [`KEPT_MAX`].
    pub drifts: Vec<Drift>,
    /// All of them.
    pub count: u64,
}

/// Compares every conversion with its history. Returns how many there are.
pub async fn histories(database: &Database, findings: &mut Findings) -> Result<u64, StoreError> {
    let mut low = Uuid::nil();
    let mut seen = 0;
    loop {
        let step = conversion::Entity::find().filter(conversion::Column::Id.gt(low));
        let high = end_of_step(database, step.into_query(), conversion::Column::Id).await?;
        let range = [Value::from(low), Value::from(high.unwrap_or(Uuid::max()))];
        for row in read(database, HISTORIES, range.clone()).await? {
            note_history(&row, findings)?;
        }
        for row in read(database, ORPHANED_HISTORIES, range.clone()).await? {
            findings.note(Drift::HistoryOrphaned(ConversionId::from_uuid(row.try_get("", "id")?)));
        }
        seen +=
            counted(database, "SELECT COUNT(*) AS counted FROM conversion WHERE id > $1 AND id <= $2", range).await?;
        match high {
            Some(high) => low = high,
            None => return Ok(seen),
        }
    }
}

/// Compares the figures with a recount of conversions and clicks. Returns how many buckets of time were compared.
pub async fn figures(database: &Database, findings: &mut Findings) -> Result<u64, StoreError> {
    let headers = clicks::headers(database).await?;
    let mut from = Timestamp::from_millis(i64::MIN);
    let mut windows = 0;
    while let Some(next) = next_instant(database, &headers, from).await? {
        let start = next.max(from).bucket(BUCKET_SECONDS);
        let end = start.plus_seconds(WINDOW_SECONDS);
        compare_conversions(database, start, end, findings).await?;
        compare_clicks(database, &headers, start, end, findings).await?;
        windows += 1;
        if end <= from {
            break;
        }
        from = end;
    }
    Ok(windows * WINDOW_SECONDS.unsigned_abs() / BUCKET_SECONDS.unsigned_abs())
}

/// How far the counts of days have been compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DaysCompared {
    /// Days with facts, or with a count.
    pub days: u64,
    /// Of them, those whose count is as new as their facts: a count that is older is read by nobody.
    pub counted: u64,
}

/// Compares the counts of days, in sums and by sub id, with the 15 minutes and a recount, as far as they hold.
pub async fn days(database: &Database, findings: &mut Findings) -> Result<DaysCompared, StoreError> {
    let settings = settings::load_in(database.read()).await?;
    let generation = settings.day_generation;
    let headers = clicks::headers(database).await?;
    let mut compared = DaysCompared::default();
    let mut long = database.open_long_read().await?;
    let mut from = Timestamp::from_millis(i64::MIN);
    while let Some(next) = next_counted(database, generation, from).await? {
        let day = settings.zone.day_of(next);
        let end = settings.zone.next(day, Interval::Day);
        compare_sums(database, generation, (day, end), findings).await?;
        compared.days += 1;
        let holds = compare_sub_ids(&mut long, generation, &headers, (day, end), findings).await?;
        compared.counted += u64::from(holds);
        if end <= from {
            break;
        }
        from = end;
    }
    Ok(compared)
}

/// Compares keys with conversions and parked rejections. Returns how many keys there are.
pub async fn keys(database: &Database, findings: &mut Findings) -> Result<u64, StoreError> {
    let mut low = Vec::new();
    let mut seen = 0;
    loop {
        let step = conversion_key::Entity::find().filter(conversion_key::Column::Key.gt(low.clone()));
        let high: Option<Vec<u8>> = end_of_step(database, step.into_query(), conversion_key::Column::Key).await?;
        // No key is longer than 64 bytes, and none begins like this.
        let range = [Value::from(low), Value::from(high.clone().unwrap_or_else(|| vec![0xff; 64]))];
        compare_keys(database, &range, findings).await?;
        let count = "SELECT COUNT(*) AS counted FROM conversion_key WHERE key > $1 AND key <= $2";
        seen += counted(database, count, range).await?;
        match high {
            Some(high) => low = high,
            None => return Ok(seen),
        }
    }
}

/// Looks for conversions without a key.
pub async fn key_owners(database: &Database, findings: &mut Findings) -> Result<(), StoreError> {
    let mut low = Uuid::nil();
    loop {
        let rows: Vec<(Uuid, Vec<u8>, i32)> = conversion::Entity::find()
            .select_only()
            .columns([conversion::Column::Id, conversion::Column::TransactionId, conversion::Column::EventNumber])
            .filter(conversion::Column::Id.gt(low))
            .order_by_asc(conversion::Column::Id)
            .limit(STEP_ROWS)
            .into_tuple()
            .all(database.read())
            .await?;
        let Some((last, _, _)) = rows.last() else { return Ok(()) };
        low = *last;
        note_keyless(database, &rows, findings).await?;
    }
}

impl Findings {
    fn note(&mut self, drift: Drift) {
        self.count = self.count.saturating_add(1);
        if self.drifts.len() < KEPT_MAX {
            self.drifts.push(drift);
        }
    }
}

/// One line for an operator.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HistoryIncomplete(id) => write!(f, "{id}: its history is not numbered 1 to its version"),
            Self::HistoryBroken(id) => {
                write!(f, "{id}: an entry of its history does not begin where the last one ends")
            }
            Self::HistoryOrphaned(id) => write!(f, "{id}: has a history and does not exist"),
            Self::Status(id) => write!(f, "{id}: its status is not what its history says"),
            Self::Money(id) => write!(f, "{id}: its money is not what its history says"),
            Self::Figures { bucket, offer, publisher, currency, difference } => {
                write!(f, "{bucket} offer_{offer} pub_{publisher} {currency}: the figures lack {}", Lack(difference))
            }
            Self::Day { day, offer, publisher, currency, difference } => {
                let lack = Lack(difference);
                write!(f, "day of {day} offer_{offer} pub_{publisher} {currency}: its row lacks {lack}")
            }
            Self::SubId { day, offer, publisher, sub_id: _, currency, difference } => {
                // A sub id may hold a person, and this is printed.
                let lack = Lack(difference);
                write!(f, "day of {day} offer_{offer} pub_{publisher} {currency}: the row of a sub id lacks {lack}")
            }
            Self::Sum { at, offer, publisher, currency, difference } => {
                write!(f, "{at} offer_{offer} pub_{publisher} {currency}: the sum lacks {}", Lack(difference))
            }
            Self::Clicks { bucket, offer, publisher, difference } => {
                write!(f, "{bucket} offer_{offer} pub_{publisher}: the figures lack {difference} clicks")
            }
            Self::KeyOrphaned { key, owner } => write!(f, "key {}: its owner {owner} does not exist", hex::encode(key)),
            Self::KeyAbandoned { key } => {
                write!(f, "key {}: no owner, and no rejection is parked on it", hex::encode(key))
            }
            Self::ParkedAstray { key } => {
                write!(f, "key {}: a rejection is parked on it that has no place", hex::encode(key))
            }
            Self::KeyMissing(id) => write!(f, "{id}: has no key, so an equal request would count again"),
        }
    }
}

/// What is missing, in words.
struct Lack<'a>(&'a Figures);

impl fmt::Display for Lack<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { clicks, conversions, approved, pending, rejected, events, revenue, payout } = self.0;
        if *clicks != 0 {
            write!(f, "{clicks} clicks, ")?;
        }
        write!(f, "{conversions} conversions ({approved} approved, {pending} pending, {rejected} rejected), ")?;
        write!(f, "{events} events, revenue {revenue}, payout {payout}")
    }
}

const HISTORIES: &str = "SELECT id, gaps, broken, status, money FROM (
    SELECT c.id AS id,
        CASE WHEN h.entries IS NULL OR h.entries <> c.version OR h.numbers <> h.entries
            OR h.lowest <> 1 OR h.highest <> c.version THEN 1 ELSE 0 END AS gaps,
        CASE WHEN h.breaks > 0 THEN 1 ELSE 0 END AS broken,
        CASE WHEN l.id IS NOT NULL AND l.to_status IS DISTINCT FROM c.status THEN 1 ELSE 0 END AS status,
        CASE WHEN l.id IS NOT NULL AND (l.revenue_after_micros IS DISTINCT FROM c.revenue_micros
            OR l.payout_after_micros IS DISTINCT FROM c.payout_micros
            OR l.currency IS DISTINCT FROM c.currency) THEN 1 ELSE 0 END AS money
    FROM conversion c
    LEFT JOIN (
        SELECT conversion_id, COUNT(*) AS entries, COUNT(DISTINCT number) AS numbers, MIN(number) AS lowest,
            MAX(number) AS highest, SUM(breaks) AS breaks
        FROM (
            SELECT conversion_id, number,
                CASE WHEN from_status IS DISTINCT FROM LAG(to_status) OVER steps
                    OR revenue_before_micros IS DISTINCT FROM LAG(revenue_after_micros) OVER steps
                    OR payout_before_micros IS DISTINCT FROM LAG(payout_after_micros) OVER steps
                    THEN 1 ELSE 0 END AS breaks
            FROM conversion_change
            WHERE conversion_id > $1 AND conversion_id <= $2
            WINDOW steps AS (PARTITION BY conversion_id ORDER BY number)
        ) AS entry
        GROUP BY conversion_id
    ) AS h ON h.conversion_id = c.id
    LEFT JOIN conversion_change l ON l.conversion_id = c.id AND l.number = c.version
    WHERE c.id > $1 AND c.id <= $2
) AS compared
WHERE gaps + broken + status + money > 0
ORDER BY id";

const ORPHANED_HISTORIES: &str = "SELECT DISTINCT ch.conversion_id AS id
FROM conversion_change ch LEFT JOIN conversion c ON c.id = ch.conversion_id
WHERE ch.conversion_id > $1 AND ch.conversion_id <= $2 AND c.id IS NULL";

/// A fact counts one way and the figures the other: what is left is the drift.
const CONVERSIONS: &str = "SELECT bucket_at, offer_id, publisher_id, currency,
    CAST(SUM(conversions) AS BIGINT) AS conversions, CAST(SUM(approved) AS BIGINT) AS approved,
    CAST(SUM(pending) AS BIGINT) AS pending, CAST(SUM(rejected) AS BIGINT) AS rejected,
    CAST(SUM(events) AS BIGINT) AS events,
    CAST(SUM(revenue) AS BIGINT) AS revenue, CAST(SUM(payout) AS BIGINT) AS payout
FROM (
    SELECT converted_at - converted_at % 900000 AS bucket_at, offer_id, publisher_id, currency,
        CASE WHEN event_number = 0 THEN 1 ELSE 0 END AS conversions,
        CASE WHEN event_number = 0 AND status = 'approved' THEN 1 ELSE 0 END AS approved,
        CASE WHEN event_number = 0 AND status = 'pending' THEN 1 ELSE 0 END AS pending,
        CASE WHEN event_number = 0 AND status = 'rejected' THEN 1 ELSE 0 END AS rejected,
        CASE WHEN event_number = 0 THEN 0 ELSE 1 END AS events,
        CASE WHEN status = 'approved' THEN COALESCE(revenue_micros, 0) ELSE 0 END AS revenue,
        CASE WHEN status = 'approved' THEN COALESCE(payout_micros, 0) ELSE 0 END AS payout
    FROM conversion WHERE converted_at >= $1 AND converted_at < $2 AND NOT is_test
    UNION ALL
    SELECT bucket_at, offer_id, publisher_id, currency, -conversions, -approved, -pending, -rejected,
        -events, -revenue_micros, -payout_micros
    FROM rollup WHERE bucket_at >= $1 AND bucket_at < $2
) AS compared
GROUP BY bucket_at, offer_id, publisher_id, currency
HAVING SUM(conversions) <> 0 OR SUM(approved) <> 0 OR SUM(pending) <> 0 OR SUM(rejected) <> 0
    OR SUM(events) <> 0 OR SUM(revenue) <> 0 OR SUM(payout) <> 0
ORDER BY bucket_at, offer_id, publisher_id, currency";

const ORPHANED_KEYS: &str = "SELECT k.key AS key, k.conversion_id AS owner
FROM conversion_key k LEFT JOIN conversion c ON c.id = k.conversion_id
WHERE k.key > $1 AND k.key <= $2 AND k.conversion_id IS NOT NULL AND c.id IS NULL";

const ABANDONED_KEYS: &str = "SELECT k.key AS key
FROM conversion_key k LEFT JOIN parked_rejection p ON p.key = k.key
WHERE k.key > $1 AND k.key <= $2 AND k.conversion_id IS NULL AND p.key IS NULL";

const ASTRAY_REJECTIONS: &str = "SELECT p.key AS key
FROM parked_rejection p LEFT JOIN conversion_key k ON k.key = p.key
WHERE p.key > $1 AND p.key <= $2 AND (k.key IS NULL OR k.conversion_id IS NOT NULL)";

fn note_history(row: &QueryResult, findings: &mut Findings) -> Result<(), StoreError> {
    let id = ConversionId::from_uuid(row.try_get("", "id")?);
    let kinds = [
        ("gaps", Drift::HistoryIncomplete(id)),
        ("broken", Drift::HistoryBroken(id)),
        ("status", Drift::Status(id)),
        ("money", Drift::Money(id)),
    ];
    for (column, drift) in kinds {
        if row.try_get::<i32>("", column)? > 0 {
            findings.note(drift);
        }
    }
    Ok(())
}

async fn compare_conversions(
    database: &Database,
    start: Timestamp,
    end: Timestamp,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let window = [Value::from(start.as_millis()), Value::from(end.as_millis())];
    for row in read(database, CONVERSIONS, window).await? {
        let sum = |column| row.try_get::<i64>("", column);
        let difference = Figures {
            clicks: 0,
            conversions: sum("conversions")?,
            approved: sum("approved")?,
            pending: sum("pending")?,
            rejected: sum("rejected")?,
            events: sum("events")?,
            revenue: Micros::from_i64(sum("revenue")?),
            payout: Micros::from_i64(sum("payout")?),
        };
        findings.note(Drift::Figures {
            bucket: Timestamp::from_millis(row.try_get("", "bucket_at")?),
            offer: row.try_get("", "offer_id")?,
            publisher: row.try_get("", "publisher_id")?,
            currency: row.try_get("", "currency")?,
            difference,
        });
    }
    Ok(())
}

/// By offer and publisher only: a click has no currency of its own, and its offer's may have changed since.
async fn compare_clicks(
    database: &Database,
    headers: &[u8],
    start: Timestamp,
    end: Timestamp,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut values = vec![Value::from(start.as_millis()), Value::from(end.as_millis())];
    let sql = clicks_sql(headers, start, end, &mut values);
    for row in database.read().query_all_raw(statement(database, sql, values)).await? {
        findings.note(Drift::Clicks {
            bucket: Timestamp::from_millis(row.try_get("", "bucket_at")?),
            offer: row.try_get("", "offer_id")?,
            publisher: row.try_get("", "publisher_id")?,
            difference: row.try_get("", "clicks")?,
        });
    }
    Ok(())
}

fn clicks_sql(headers: &[u8], start: Timestamp, end: Timestamp, values: &mut Vec<Value>) -> String {
    let (ranges, bounds) = clicks::ranges(headers, (start, end), values.len() + 1);
    values.extend(bounds.into_iter().map(Value::from));
    format!(
        "SELECT bucket_at, offer_id, publisher_id, CAST(SUM(clicks) AS BIGINT) AS clicks FROM (
            SELECT clicked_at - clicked_at % 900000 AS bucket_at, offer_id, publisher_id, 1 AS clicks FROM click
            WHERE clicked_at >= $1 AND clicked_at < $2 AND NOT is_bot AND NOT is_test AND ({ranges})
            UNION ALL
            SELECT bucket_at, offer_id, publisher_id, -clicks FROM rollup WHERE bucket_at >= $1 AND bucket_at < $2
        ) AS compared
        GROUP BY bucket_at, offer_id, publisher_id HAVING SUM(clicks) <> 0
        ORDER BY bucket_at, offer_id, publisher_id"
    )
}

/// When, at or after `from`, the next thing is that counts or was counted: what lies between is not walked.
async fn next_instant(database: &Database, headers: &[u8], from: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let mut instants = Vec::new();
    for sql in [
        "SELECT MIN(converted_at) AS instant FROM conversion WHERE converted_at >= $1",
        "SELECT MIN(bucket_at) AS instant FROM rollup WHERE bucket_at >= $1",
    ] {
        for row in read(database, sql, [Value::from(from.as_millis())]).await? {
            instants.extend(row.try_get::<Option<i64>>("", "instant")?);
        }
    }
    for header in headers {
        let first = clicks::first_from(database, lowest_of(*header, from).to_vec()).await?;
        instants.extend(first.filter(|(id, _)| id.first() == Some(header)).map(|(_, at)| at));
    }
    Ok(instants.into_iter().min().map(Timestamp::from_millis))
}

/// When, at or after `from`, anything is counted next: what lies between is not walked.
async fn next_counted(database: &Database, generation: i32, from: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let buckets = "SELECT MIN(bucket_at) AS instant FROM rollup WHERE bucket_at >= $1";
    let days = "SELECT MIN(day_at) AS instant FROM sub_id_day WHERE generation = $1 AND day_at >= $2";
    let from = Value::from(from.as_millis());
    let mut rows = read(database, buckets, [from.clone()]).await?;
    rows.extend(read(database, days, [Value::from(generation), from]).await?);
    let instants = rows.iter().map(|row| row.try_get::<Option<i64>>("", "instant"));
    let instants: Vec<Option<i64>> = instants.collect::<Result<_, _>>()?;
    Ok(instants.into_iter().flatten().min().map(Timestamp::from_millis))
}

/// True when the count of the day is as new as its facts, and was compared.
async fn compare_sub_ids(
    long: &mut LongRead,
    generation: i32,
    headers: &[u8],
    day: (Timestamp, Timestamp),
    findings: &mut Findings,
) -> Result<bool, StoreError> {
    let (ranges, bounds) = clicks::ranges(headers, day, 1);
    let sql = sub_ids_sql(generation, day, &sub_ids::facts(&ranges, day));
    let values = bounds.iter().map(|bound| Column::Bytes(vec![Some(bound.as_slice())])).collect();
    let rows: Vec<QueryResult> = long.stream(&sql, values).try_collect().await?;
    // One row says whether the count holds; it is there whatever else is.
    let is_current = rows.iter().any(|row| row.try_get::<String>("", "currency").is_ok_and(|text| text == CURRENT));
    for row in &rows {
        let currency: String = row.try_get("", "currency")?;
        if is_current && currency != CURRENT {
            findings.note(Drift::SubId {
                day: day.0,
                offer: row.try_get("", "offer_id")?,
                publisher: row.try_get("", "publisher_id")?,
                sub_id: row.try_get("", "sub_id")?,
                currency,
                difference: figures_of(row)?,
            });
        }
    }
    Ok(is_current)
}

/// In place of a currency: the row that says that a count is as new as its facts.
const CURRENT: &str = "(current)";

/// Values that a count does not name are among its others.
fn sub_ids_sql(generation: i32, (day, _): (Timestamp, Timestamp), facts: &str) -> String {
    let day = day.as_millis();
    let counts = sub_ids::COUNTS.join(", ");
    let counted = sub_ids::COUNTS.map(|name| format!("-i.{name}")).join(", ");
    let sums = sub_ids::COUNTS.map(|name| format!("CAST(SUM({name}) AS BIGINT) AS {name}")).join(", ");
    let any = sub_ids::COUNTS.map(|name| format!("SUM({name}) <> 0")).join(" OR ");
    let zeros = sub_ids::COUNTS.map(|_| "CAST(0 AS BIGINT)").join(", ");
    let other = sub_ids::OTHER;
    format!(
        "WITH held AS (
            SELECT d.edition AS edition, d.counted_changes AS counted FROM sub_id_day d
            WHERE d.generation = {generation} AND d.day_at = {day}
         ), named AS (
            SELECT DISTINCT i.offer_id AS offer_id, i.publisher_id AS publisher_id, i.sub_id AS sub_id
            FROM rollup_sub_id i JOIN held h ON h.edition = i.edition
         )
         SELECT offer_id, publisher_id, sub_id, currency, {sums} FROM (
            SELECT f.offer_id AS offer_id, f.publisher_id AS publisher_id, COALESCE(n.sub_id, '{other}') AS sub_id,
                f.currency AS currency, {counts}
            FROM ({facts}) AS f LEFT JOIN named n
                ON n.offer_id = f.offer_id AND n.publisher_id = f.publisher_id AND n.sub_id = f.sub_id
            UNION ALL
            SELECT i.offer_id, i.publisher_id, i.sub_id, i.currency, {counted}
            FROM rollup_sub_id i JOIN held h ON h.edition = i.edition
         ) AS compared
         GROUP BY offer_id, publisher_id, sub_id, currency HAVING {any}
         UNION ALL
         SELECT 0, 0, '', '{CURRENT}', {zeros} FROM held h WHERE h.counted = (
            SELECT COALESCE(SUM(c.changes), 0) FROM rollup_day_change c
            WHERE c.generation = {generation} AND c.day_at = {day}
         )"
    )
}

/// Compares the sums of a day with its 15 minutes, where they hold.
async fn compare_sums(
    database: &Database,
    generation: i32,
    (day, next): (Timestamp, Timestamp),
    findings: &mut Findings,
) -> Result<(), StoreError> {
    const BOTH: &[&str] = &["offer_id, publisher_id"];
    const EITHER: &[&str] = &["offer_id, 0 AS publisher_id", "0 AS offer_id, publisher_id"];
    let midnight = day.as_millis().to_string();
    for (table, at, by) in
        [("rollup_day", &*midnight, BOTH), ("rollup_day_sum", &*midnight, EITHER), ("rollup_sum", "bucket_at", EITHER)]
    {
        let sql = sums_sql(generation, (day.as_millis(), next.as_millis()), (table, at, by));
        for row in database.read().query_all_raw(statement(database, sql, [])).await? {
            let at = Timestamp::from_millis(row.try_get("", "at")?);
            let (offer, publisher) = (row.try_get("", "offer_id")?, row.try_get("", "publisher_id")?);
            let (currency, difference) = (row.try_get("", "currency")?, figures_of(&row)?);
            findings.note(if by == BOTH {
                Drift::Day { day: at, offer, publisher, currency, difference }
            } else {
                Drift::Sum { at, offer, publisher, currency, difference }
            });
        }
    }
    Ok(())
}

/// Nothing is found where no count holds.
fn sums_sql(generation: i32, (day, next): (i64, i64), (table, at, by): (&str, &str, &[&str])) -> String {
    let counts = sub_ids::COUNTS.join(", ");
    let counted = sub_ids::COUNTS.map(|name| format!("-{name}")).join(", ");
    let sums = sub_ids::COUNTS.map(|name| format!("CAST(SUM({name}) AS BIGINT) AS {name}")).join(", ");
    let any = sub_ids::COUNTS.map(|name| format!("SUM({name}) <> 0")).join(" OR ");
    let facts = by.iter().map(|by| {
        format!(
            "SELECT {at} AS at, {by}, currency, {counts} FROM rollup CROSS JOIN held
             WHERE bucket_at >= {day} AND bucket_at < {next} UNION ALL "
        )
    });
    let facts: String = facts.collect();
    format!(
        "WITH held AS (
            SELECT d.edition AS edition FROM sub_id_day d
            WHERE d.generation = {generation} AND d.day_at = {day} AND d.counted_changes = (
                SELECT COALESCE(SUM(c.changes), 0) FROM rollup_day_change c
                WHERE c.generation = {generation} AND c.day_at = {day}
            )
         )
         SELECT CAST(at AS BIGINT) AS at, offer_id, publisher_id, currency, {sums} FROM (
            {facts}SELECT {at} AS at, offer_id, publisher_id, currency, {counted}
            FROM {table} s JOIN held h ON h.edition = s.edition
         ) AS compared
         GROUP BY at, offer_id, publisher_id, currency HAVING {any}
         ORDER BY at, offer_id, publisher_id, currency"
    )
}

fn figures_of(row: &QueryResult) -> Result<Figures, StoreError> {
    let sum = |column| row.try_get::<i64>("", column);
    Ok(Figures {
        clicks: sum("clicks")?,
        conversions: sum("conversions")?,
        approved: sum("approved")?,
        pending: sum("pending")?,
        rejected: sum("rejected")?,
        events: sum("events")?,
        revenue: Micros::from_i64(sum("revenue_micros")?),
        payout: Micros::from_i64(sum("payout_micros")?),
    })
}

async fn compare_keys(database: &Database, range: &[Value; 2], findings: &mut Findings) -> Result<(), StoreError> {
    for row in read(database, ORPHANED_KEYS, range.clone()).await? {
        let owner = ConversionId::from_uuid(row.try_get("", "owner")?);
        findings.note(Drift::KeyOrphaned { key: row.try_get("", "key")?, owner });
    }
    for row in read(database, ABANDONED_KEYS, range.clone()).await? {
        findings.note(Drift::KeyAbandoned { key: row.try_get("", "key")? });
    }
    for row in read(database, ASTRAY_REJECTIONS, range.clone()).await? {
        findings.note(Drift::ParkedAstray { key: row.try_get("", "key")? });
    }
    Ok(())
}

/// Nearly every conversion owns the first key of its transaction; only the others are looked for one by one.
async fn note_keyless(
    database: &Database,
    rows: &[(Uuid, Vec<u8>, i32)],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let cell = Cell("conversion", "transaction_id");
    let mut transactions = Vec::with_capacity(rows.len());
    for (id, bytes, event) in rows {
        transactions.push((*id, cell.transaction(bytes)?, *event));
    }
    let first = transactions.iter().map(|(_, id, event)| ConversionKey::first(id, *event).as_bytes().to_vec());
    let owned = owners(database, Condition::all().add(conversion_key::Column::Key.is_in(first))).await?;
    for (id, transaction, _) in transactions.iter().filter(|(id, _, _)| !owned.contains(id)) {
        if !owners(database, keys_of(transaction)).await?.contains(id) {
            findings.note(Drift::KeyMissing(ConversionId::from_uuid(*id)));
        }
    }
    Ok(())
}

async fn owners(database: &Database, condition: Condition) -> Result<HashSet<Uuid>, StoreError> {
    let select = conversion_key::Entity::find().select_only().column(conversion_key::Column::ConversionId);
    let owners: Vec<Option<Uuid>> = select.filter(condition).into_tuple().all(database.read()).await?;
    Ok(owners.into_iter().flatten().collect())
}

fn keys_of(transaction: &TransactionId) -> Condition {
    let (low, high) = ConversionKey::range_of(transaction);
    Condition::all().add(conversion_key::Column::Key.between(low.as_bytes().to_vec(), high.as_bytes().to_vec()))
}

/// The last key of a step of [`STEP_ROWS`]; none when fewer are left.
async fn end_of_step<T: sea_orm::TryGetable>(
    database: &Database,
    mut rest: SelectStatement,
    key: impl ColumnTrait,
) -> Result<Option<T>, StoreError> {
    rest.clear_selects().expr_as(key.into_expr(), "last");
    rest.order_by_expr(Expr::col(key.as_column_ref()), sea_orm::Order::Asc).limit(1).offset(STEP_ROWS - 1);
    let row = database.read().query_one(&rest).await?;
    Ok(row.map(|row| row.try_get("", "last")).transpose()?)
}

async fn counted(
    database: &Database,
    sql: &'static str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, StoreError> {
    let rows = read(database, sql, values).await?;
    let counted = rows.first().map(|row| row.try_get::<i64>("", "counted")).transpose()?;
    Ok(counted.and_then(|counted| u64::try_from(counted).ok()).unwrap_or(0))
}

async fn read(
    database: &Database,
    sql: &'static str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, StoreError> {
    Ok(database.read().query_all_raw(statement(database, sql, values)).await?)
}

fn statement(database: &Database, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(database.read().get_database_backend(), sql, values)
}
