//! The one statement of a report.
//!
//! Facts are summed by bucket, keys and currency once (`cell`); rows are numbered by what they are sorted by
//! (`place`); then the sums of all rows (place 0) and those of the first rows are read from the same cells. Whole
//! numbers are written into the text: they are ours, or bounded by their type; what a caller wrote is bound.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use sea_orm::{QueryResult, QueryTrait as _, Statement, Value};

use entity::conversion;

use crate::domain::clock::Timestamp;
use crate::domain::report::{Dimension, Metric};
use crate::domain::status::Status;
use crate::store::conversions::ConversionFilter;
use crate::store::dialect::{bucket_number, hex_of_uuid};
use crate::store::error::StoreError;
use crate::store::page::Direction;

use super::plan::{Bucket, Piece, Plan, Source, Span};
use super::sums::{self, By};

/// The sums of a cell, as its columns are called in all sources.
const SUMS: [&str; 8] = ["clicks", "conversions", "approved", "pending", "rejected", "events", "revenue", "payout"];

/// Where the columns of the statement are: a month of two hundred offers has six thousand rows, and looking a column up by
/// its name takes as long as the rest of reading it.
pub(super) const PLACE: usize = 0;
pub(super) const POINT: usize = 1;
pub(super) const KEYS: [usize; 2] = [2, 3];
pub(super) const CURRENCY: usize = 4;
const FIRST_SUM: usize = 5;

/// In the order of [`SUMS`].
pub(super) fn sums_of(row: &QueryResult) -> Result<[i64; SUMS.len()], StoreError> {
    let mut sums = [0; SUMS.len()];
    for (index, sum) in sums.iter_mut().enumerate() {
        *sum = row.try_get_by_index(FIRST_SUM + index)?;
    }
    Ok(sums)
}

pub(super) async fn statement(tx: &DatabaseTransaction, plan: &Plan) -> Result<Statement, StoreError> {
    let (facts, values) = match plan.source {
        Source::Figures => (figures(tx, plan).await?, Vec::new()),
        Source::SubIds => (sub_ids(plan), Vec::new()),
        Source::Conversions => conversions(tx, plan),
    };
    let sql = with_places(plan, &cells(tx, plan, &facts));
    Ok(Statement::from_sql_and_values(tx.get_database_backend(), sql, values))
}

/// Facts summed by bucket, keys and currency: no two cells have all of these in common.
fn cells(tx: &DatabaseTransaction, plan: &Plan, facts: &str) -> String {
    let starts: Vec<i64> = plan.buckets.iter().map(|bucket| bucket.start.as_millis()).collect();
    let point = bucket_number(tx.get_database_backend(), "r.at", &starts);
    let (k1, k2) = (key(tx, plan, 0), key(tx, plan, 1));
    let measures = measures(plan);
    let sums: Vec<String> = measures.iter().zip(SUMS).map(|(sum, name)| format!("{} AS {name}", total(sum))).collect();
    let (sums, joins) = (sums.join(", "), joins(plan));
    format!(
        "SELECT * FROM (
            SELECT {point} AS point, {k1} AS k1, {k2} AS k2, r.currency AS currency, {sums}
            FROM ({facts}) AS r {joins} GROUP BY 1, 2, 3, 4
         ) AS s WHERE s.clicks <> 0 OR s.conversions <> 0 OR s.events <> 0"
    )
}

fn with_places(plan: &Plan, cells: &str) -> String {
    let sums = SUMS.map(|name| format!("{} AS {name}", total(&format!("c.{name}")))).join(", ");
    let all = format!(
        "SELECT CAST(0 AS BIGINT) AS place, CAST(c.point AS BIGINT) AS point, CAST('' AS TEXT) AS k1,
            CAST('' AS TEXT) AS k2, c.currency AS currency, {sums}
         FROM cell c GROUP BY c.point, c.currency"
    );
    if plan.query.dimensions.is_empty() {
        return format!("WITH cell AS MATERIALIZED ({cells}) {all}");
    }
    let order = order(plan);
    let before = plan.buckets.iter().filter(|bucket| bucket.span != Span::Current).count();
    let limit = plan.query.limit.saturating_add(1);
    // Where nobody asked for the points of a row, its sums suffice: one cell for each range.
    let (point, of_row, group) = if plan.query.row_points {
        ("c.point".to_owned(), SUMS.map(|name| format!("c.{name}")).join(", "), "")
    } else {
        let current = format!("CASE WHEN c.point > {before} THEN {} ELSE 1 END", before.saturating_add(1));
        (current, sums.clone(), "GROUP BY 1, 2, 3, 4, 5")
    };
    format!(
        "WITH cell AS MATERIALIZED ({cells}),
         place AS MATERIALIZED (
            SELECT c.k1 AS k1, c.k2 AS k2, ROW_NUMBER() OVER (ORDER BY {order}) AS place
            FROM cell c WHERE c.point > {before} GROUP BY c.k1, c.k2 ORDER BY 3 LIMIT {limit}
         )
         {all}
         UNION ALL
         SELECT CAST(p.place AS BIGINT), CAST({point} AS BIGINT), CAST(c.k1 AS TEXT), CAST(c.k2 AS TEXT), c.currency,
            {of_row}
         FROM cell c JOIN place p ON p.k1 = c.k1 AND p.k2 = c.k2
         WHERE c.point > {before} OR {compare}
         {group}",
        compare = if plan.query.compare { "1 = 1" } else { "1 = 0" },
    )
}

/// What has no value comes last, in either direction; equal ones by their keys, so that two reports agree.
fn order(plan: &Plan) -> String {
    let sum = |name: &str| format!("SUM(c.{name})");
    let rate = |part: &str, whole: &str| format!("SUM(c.{part}) * 1000000 / NULLIF(SUM(c.{whole}), 0)");
    let money = |name: &str| match plan.currency {
        Some(currency) => format!("SUM(CASE WHEN c.currency = '{currency}' THEN c.{name} END)"),
        None => sum(name),
    };
    let value = match plan.query.order {
        Metric::Clicks => sum("clicks"),
        Metric::Conversions => sum("conversions"),
        Metric::Approved => sum("approved"),
        Metric::Pending => sum("pending"),
        Metric::Rejected => sum("rejected"),
        Metric::RejectionRate => rate("rejected", "conversions"),
        Metric::ConversionRate => rate("conversions", "clicks"),
        Metric::Revenue => money("revenue"),
        Metric::Payout => money("payout"),
    };
    let direction = match plan.query.direction {
        Direction::Ascending => "ASC",
        Direction::Descending => "DESC",
    };
    format!("CASE WHEN {value} IS NULL THEN 1 ELSE 0 END, {value} {direction}, c.k1, c.k2")
}

/// The value of a dimension; no dimension has an empty one, so that stands for none.
fn key(tx: &DatabaseTransaction, plan: &Plan, index: usize) -> String {
    let of_facts = plan.source == Source::Conversions;
    match plan.query.dimensions.get(index) {
        None => "CAST('' AS TEXT)".to_owned(),
        Some(Dimension::Offer) => "r.offer_id".to_owned(),
        Some(Dimension::Publisher) => "r.publisher_id".to_owned(),
        Some(Dimension::Advertiser) => "o.advertiser_id".to_owned(),
        Some(Dimension::SubId) => "COALESCE(r.sub_id, '')".to_owned(),
        Some(Dimension::Status) if of_facts => "r.status".to_owned(),
        Some(Dimension::Status) => "s.status".to_owned(),
        Some(Dimension::RejectionReason) => "COALESCE(r.rejection_reason, '')".to_owned(),
        Some(Dimension::Source) => "r.source".to_owned(),
        Some(Dimension::Token) => hex_of_uuid(tx.get_database_backend(), "r.token_id"),
    }
}

fn joins(plan: &Plan) -> String {
    let by = |dimension| plan.query.dimensions.contains(&dimension);
    let mut joins = String::new();
    if by(Dimension::Advertiser) {
        joins.push_str(" JOIN offer o ON o.id = r.offer_id");
    }
    if by(Dimension::Status) && plan.source != Source::Conversions {
        let wanted = plan.query.filter.statuses.as_deref().unwrap_or(&Status::ALL);
        let wanted: Vec<String> =
            wanted.iter().map(|status| format!("SELECT '{}' AS status", status.as_str())).collect();
        let none = "SELECT '' AS status WHERE 1 = 0".to_owned();
        let list = if wanted.is_empty() { none } else { wanted.join(" UNION ") };
        joins.push_str(" CROSS JOIN (");
        joins.push_str(&list);
        joins.push_str(") AS s");
    }
    joins
}

/// What each of [`SUMS`] adds up.
fn measures(plan: &Plan) -> [String; 8] {
    if plan.source == Source::Conversions {
        return SUMS.map(|name| format!("r.{name}"));
    }
    if plan.query.dimensions.contains(&Dimension::Status) {
        let only =
            |status: Status, name: &str| format!("CASE s.status WHEN '{}' THEN r.{name} ELSE 0 END", status.as_str());
        let any = "CASE s.status WHEN 'approved' THEN r.approved WHEN 'pending' THEN r.pending ELSE r.rejected END";
        return [
            "0".to_owned(),
            any.to_owned(),
            only(Status::Approved, "approved"),
            only(Status::Pending, "pending"),
            only(Status::Rejected, "rejected"),
            "0".to_owned(),
            only(Status::Approved, "revenue"),
            only(Status::Approved, "payout"),
        ];
    }
    let Some(wanted) = &plan.query.filter.statuses else { return SUMS.map(|name| format!("r.{name}")) };
    let if_wanted = |status: Status, name: &str| {
        if wanted.contains(&status) { format!("r.{name}") } else { "0".to_owned() }
    };
    let [approved, pending, rejected] =
        [(Status::Approved, "approved"), (Status::Pending, "pending"), (Status::Rejected, "rejected")]
            .map(|(status, name)| if_wanted(status, name));
    [
        "0".to_owned(),
        format!("{approved} + {pending} + {rejected}"),
        approved,
        pending,
        rejected,
        "0".to_owned(),
        if_wanted(Status::Approved, "revenue"),
        if_wanted(Status::Approved, "payout"),
    ]
}

/// Sums are as wide as what they add up.
fn total(measure: &str) -> String {
    format!("CAST(SUM({measure}) AS BIGINT)")
}

/// Pieces of time that are summed each by itself: a day of hours, and some. More are read as they are.
const SUMMED_MAX: usize = 40;
const FIGURES: &str = "offer_id, publisher_id, currency, clicks, conversions, approved, pending, rejected, events, \
    revenue_micros AS revenue, payout_micros AS payout";

/// Each piece from the shortest table that answers for it.
async fn figures(tx: &DatabaseTransaction, plan: &Plan) -> Result<String, StoreError> {
    let (places, generation, zone) = (places(&plan.query.filter), plan.days.number, &plan.days.zone);
    let (days, quarters) = plan.pieces();
    let range = days.iter().chain(&quarters).fold(None, |range: Option<(Timestamp, Timestamp)>, piece| {
        let (from, to) = range.unwrap_or((piece.from, piece.to));
        Some((from.min(piece.from), to.max(piece.to)))
    });
    let counted = match range {
        Some((from, to)) => sums::days(tx, generation, (zone.day_of(from), to)).await?,
        None => Vec::new(),
    };
    let (summed_days, mut rest) = sums::cut(&days, &counted, zone);
    let by = By::of(plan);
    let mut parts = Vec::new();
    let held = format!("JOIN sub_id_day d ON d.edition = s.edition WHERE d.generation = {generation}");
    if !summed_days.is_empty() {
        let ((table, rows), within) = (by.days(), within("d.day_at", &summed_days));
        parts.push(format!("SELECT d.day_at AS at, {FIGURES} FROM {table} s {held} AND {within}{rows}{places}"));
    }
    if let Some((table, rows)) = by.quarters() {
        let (summed, unsummed) = sums::cut(&quarters, &counted, zone);
        rest.extend(unsummed);
        if !summed.is_empty() {
            let of_days: Vec<Piece> =
                summed.iter().map(|piece| Piece { from: zone.day_of(piece.from), ..*piece }).collect();
            let (of_days, within) = (within("d.day_at", &of_days), within("s.bucket_at", &summed));
            parts.push(format!(
                "SELECT s.bucket_at AS at, {FIGURES} FROM {table} s {held} AND {of_days} AND {within}{rows}{places}"
            ));
        }
    } else {
        rest.extend(quarters);
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.extend(uncounted(plan, by, &rest, &places));
    }
    Ok(parts.join(" UNION ALL "))
}

/// The 15 minutes of days that are not counted, today above all. What lies in one bucket is summed where it is read:
/// there are few sums, and rows for every pair and quarter of an hour, which would be sorted otherwise.
fn uncounted(plan: &Plan, by: By, rest: &[Piece], places: &str) -> Vec<String> {
    let whole = rest.iter().flat_map(|piece| {
        let meets = |bucket: &&Bucket| bucket.start < piece.to && piece.from < bucket.end;
        let part = |bucket: &Bucket| Piece { from: piece.from.max(bucket.start), to: piece.to.min(bucket.end) };
        plan.buckets.iter().filter(meets).map(part)
    });
    let whole: Vec<Piece> = whole.take(SUMMED_MAX + 1).collect();
    if whole.is_empty() || whole.len() > SUMMED_MAX {
        let within = within("bucket_at", rest);
        return vec![format!("SELECT bucket_at AS at, {FIGURES} FROM rollup WHERE {within}{places}")];
    }
    let (ids, group) = by.ids();
    let sum = |name: &str| match name {
        "revenue" | "payout" => format!("{} AS {name}", total(&format!("{name}_micros"))),
        name => format!("{} AS {name}", total(name)),
    };
    let sums = SUMS.map(sum).join(", ");
    let select = |piece: &Piece| {
        let (at, within) = (piece.from.as_millis(), within("bucket_at", std::slice::from_ref(piece)));
        format!(
            "SELECT CAST({at} AS BIGINT) AS at, {ids}, currency, {sums} FROM rollup WHERE {within}{places}
             GROUP BY {group}, currency"
        )
    };
    whole.iter().map(select).collect()
}

fn sub_ids(plan: &Plan) -> String {
    let (days, _) = plan.pieces();
    let (within, generation, places) = (within("d.day_at", &days), plan.days.number, places(&plan.query.filter));
    format!(
        "SELECT d.day_at AS at, i.sub_id AS sub_id, {FIGURES} FROM sub_id_day d
         JOIN rollup_sub_id i ON i.edition = d.edition WHERE d.generation = {generation} AND {within}{places}"
    )
}

/// The text of the rows, and the values that it is to be bound to.
fn conversions(tx: &DatabaseTransaction, plan: &Plan) -> (String, Vec<Value>) {
    use conversion::Column;
    let is_base = || Expr::col(Column::EventNumber).eq(0);
    let count = |which: Expr| -> Expr { Expr::case(which, 1_i64).finally(0_i64).into() };
    let base = |status: Status| count(is_base().and(Expr::col(Column::Status).eq(status.as_str())));
    let money = |column: Column| {
        let is_approved = Expr::col(Column::Status).eq(Status::Approved.as_str());
        Expr::case(is_approved, Expr::col(column).if_null(0_i64)).finally(0_i64)
    };
    let select = conversion::Entity::find()
        .select_only()
        .expr_as(Expr::col(Column::ConvertedAt), "at")
        .columns([Column::OfferId, Column::PublisherId, Column::Currency, Column::Status, Column::Source])
        .columns([Column::RejectionReason, Column::SubId, Column::TokenId])
        .expr_as(Expr::val(0_i64), "clicks")
        .expr_as(count(is_base()), "conversions")
        .expr_as(base(Status::Approved), "approved")
        .expr_as(base(Status::Pending), "pending")
        .expr_as(base(Status::Rejected), "rejected")
        .expr_as(count(is_base().not()), "events")
        .expr_as(money(Column::RevenueMicros), "revenue")
        .expr_as(money(Column::PayoutMicros), "payout")
        .filter(Expr::cust(within("converted_at", &plan.whole())))
        .filter(plan.query.filter.condition());
    let statement = tx.get_database_backend().build(&select.into_query());
    (statement.sql, statement.values.map(|values| values.0).unwrap_or_default())
}

/// Of the offers, advertisers and publishers of a filter.
fn places(filter: &ConversionFilter) -> String {
    let list = |numbers: Vec<i32>| {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        // Nothing has the number 0, and an empty list is no SQL.
        if numbers.is_empty() { "0".to_owned() } else { numbers.join(", ") }
    };
    let mut places = String::new();
    if let Some(offers) = &filter.offers {
        let offers = list(offers.iter().map(|id| id.number()).collect());
        places.push_str(&format!(" AND offer_id IN ({offers})"));
    }
    if let Some(publishers) = &filter.publishers {
        let publishers = list(publishers.iter().map(|id| id.number()).collect());
        places.push_str(&format!(" AND publisher_id IN ({publishers})"));
    }
    if let Some(advertisers) = &filter.advertisers {
        let advertisers = list(advertisers.iter().map(|id| id.number()).collect());
        places.push_str(&format!(" AND offer_id IN (SELECT id FROM offer WHERE advertiser_id IN ({advertisers}))"));
    }
    places
}

fn within(column: &str, pieces: &[Piece]) -> String {
    let millis = Timestamp::as_millis;
    let pieces: Vec<String> = pieces
        .iter()
        .map(|piece| format!("({column} >= {} AND {column} < {})", millis(piece.from), millis(piece.to)))
        .collect();
    if pieces.is_empty() { "1 = 0".to_owned() } else { format!("({})", pieces.join(" OR ")) }
}
