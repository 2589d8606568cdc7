//! Receipts, as they are read, and the one column of theirs that has a grammar of its own.
//!
//! Nothing here writes. A receipt's id begins with the millisecond of its arrival, so a range of time is a range
//! of ids: every read that can be bounded in time is, because the table is as large as the traffic.

use std::borrow::Cow;

use entity::{conversion_change, receipt as row};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sea_orm::sea_query::{Query, SelectStatement, UnionType};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait as _, EntityTrait, QueryFilter, QueryOrder, QueryResult};
use sea_orm::{QuerySelect, QueryTrait, Select, Statement};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::code::{Code, Verdict};
use crate::domain::ids::{ConversionId, OfferId, PublisherId, ReceiptId, TokenId};
use crate::domain::inbound::{Door, Warning, WarningCode};
use crate::domain::receipt::Receipt;
use crate::domain::screening::Check;
use crate::domain::status::Status;
use crate::domain::transaction_id::TransactionId;

use super::columns::Cell;
use super::connect::Database;
use super::dialect::bucket_number;
use super::error::StoreError;
use super::filter::{AddressMatch, StringMatch, TimeRange, one_of};
use super::page::{self, BoundedCount, Direction, Key, KeyKind, Order, Page, PageRequest, Sort};

const TABLE: &str = "receipt";
/// An id begins with the millisecond of arrival, but the clock may have been read a moment earlier or later.
const ID_SLACK_SECONDS: i64 = 60;

/// As [`ConversionFilter`](super::conversions::ConversionFilter).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptFilter {
    pub received_at: Option<TimeRange>,
    pub doors: Option<Vec<Door>>,
    pub verdicts: Option<Vec<Verdict>>,
    pub codes: Option<Vec<Code>>,
    pub offers: Option<Vec<OfferId>>,
    pub publishers: Option<Vec<PublisherId>>,
    pub tokens: Option<Vec<TokenId>>,
    pub transaction_id: Option<StringMatch>,
    pub addresses: Option<Vec<AddressMatch>>,
    pub include_tests: bool,
}

/// Everything, tests too.
impl Default for ReceiptFilter {
    fn default() -> Self {
        Self {
            received_at: None,
            doors: None,
            verdicts: None,
            codes: None,
            offers: None,
            publishers: None,
            tokens: None,
            transaction_id: None,
            addresses: None,
            include_tests: true,
        }
    }
}

/// The order of receipts: newest first, by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest;

pub async fn list(
    database: &Database,
    filter: &ReceiptFilter,
    page: &PageRequest<Newest>,
) -> Result<Page<Receipt>, StoreError> {
    fetch(database, row::Entity::find().filter(filter.condition()), page).await
}

/// The ids of one page, for work that walks a whole filter.
pub async fn walk(
    database: &Database,
    filter: &ReceiptFilter,
    page: &PageRequest<Newest>,
) -> Result<Page<ReceiptId>, StoreError> {
    let mut select = row::Entity::find().select_only().column(row::Column::Id).filter(filter.condition());
    page::narrow(QueryTrait::query(&mut select), page, &[row::Column::Id.into_expr()]);
    let ids: Vec<Uuid> = select.into_tuple().all(database.read()).await?;
    page::page_of(ids, page, |id| vec![Key::Uuid(*id)], |id| Ok(ReceiptId::from_uuid(id)))
}

/// Those of a filter that may be sent again: refused, or failed by our fault, and no replay themselves. The oldest
/// first, after the one that is named.
pub async fn list_replayable(
    database: &Database,
    filter: &ReceiptFilter,
    after: Option<ReceiptId>,
    rows_max: u64,
) -> Result<Vec<Receipt>, StoreError> {
    let verdicts = [Verdict::Refused, Verdict::Failed].map(Verdict::as_str);
    let select = row::Entity::find()
        .filter(filter.condition())
        .filter(row::Column::Verdict.is_in(verdicts))
        .filter(row::Column::TokenId.is_not_null())
        .filter(row::Column::ReplayOf.is_null())
        .filter(Condition::all().add_option(after.map(|id| row::Column::Id.gt(id.uuid()))))
        .order_by_asc(row::Column::Id)
        .limit(rows_max);
    select.all(database.read()).await?.into_iter().map(receipt).collect()
}

/// How many a filter matches, up to a bound.
pub async fn count(database: &Database, filter: &ReceiptFilter) -> Result<BoundedCount, StoreError> {
    page::count(database.read(), row::Entity::find().filter(filter.condition()).into_query()).await
}

pub async fn find(database: &Database, id: ReceiptId) -> Result<Option<Receipt>, StoreError> {
    row::Entity::find_by_id(id.uuid()).one(database.read()).await?.map(receipt).transpose()
}

/// Those that exist, in no order.
pub async fn find_many(database: &Database, ids: &[ReceiptId]) -> Result<Vec<Receipt>, StoreError> {
    let select = row::Entity::find().filter(row::Column::Id.is_in(ids.iter().map(|id| id.uuid())));
    select.all(database.read()).await?.into_iter().map(receipt).collect()
}

/// Those of `ids` that a filter holds, in no order.
pub async fn find_matching(
    database: &Database,
    ids: &[ReceiptId],
    filter: &ReceiptFilter,
) -> Result<Vec<Receipt>, StoreError> {
    let select = row::Entity::find().filter(row::Column::Id.is_in(ids.iter().map(|id| id.uuid())));
    select.filter(filter.condition()).all(database.read()).await?.into_iter().map(receipt).collect()
}

/// What concerned a conversion, newest first: the requests of its history, and those of its transaction that were
/// about it or about no conversion at all (refused ones, for example).
pub async fn of_conversion(
    database: &Database,
    conversion: ConversionId,
    transaction: &TransactionId,
    page: &PageRequest<Newest>,
) -> Result<Page<Receipt>, StoreError> {
    fetch(database, concerning(conversion, transaction), page).await
}

/// How many concerned a conversion, up to a bound.
pub async fn count_of_conversion(
    database: &Database,
    conversion: ConversionId,
    transaction: &TransactionId,
) -> Result<BoundedCount, StoreError> {
    page::count(database.read(), concerning(conversion, transaction).into_query()).await
}

/// How many receipts of one time, verdict and code there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiptCount {
    /// The number of the bucket, from 0.
    pub bucket: usize,
    pub code: Code,
    pub count: i64,
    pub last: Timestamp,
}

/// Counts what a filter matches, by the buckets that begin at `starts` and by code.
pub async fn count_by_code(
    database: &Database,
    filter: &ReceiptFilter,
    starts: &[Timestamp],
) -> Result<Vec<ReceiptCount>, StoreError> {
    let backend = database.read().get_database_backend();
    let starts: Vec<i64> = starts.iter().map(|start| start.as_millis()).collect();
    let columns = [row::Column::ReceivedAt, row::Column::Code];
    let select = row::Entity::find().select_only().columns(columns).filter(filter.condition());
    let Statement { sql, values, .. } = backend.build(&select.into_query());
    let bucket = bucket_number(backend, "r.received_at", &starts);
    let sql = format!(
        "SELECT CAST({bucket} AS BIGINT) AS bucket, r.code AS code, COUNT(*) AS counted, MAX(r.received_at) AS newest
         FROM ({sql}) AS r GROUP BY 1, 2 ORDER BY 1, 2"
    );
    let values = values.map(|values| values.0).unwrap_or_default();
    let rows = database.read().query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    rows.iter().filter_map(|row| read_count(row).transpose()).collect()
}

/// None before the first bucket.
fn read_count(row: &QueryResult) -> Result<Option<ReceiptCount>, StoreError> {
    let number: i64 = row.try_get("", "bucket")?;
    let Some(bucket) = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)) else { return Ok(None) };
    Ok(Some(ReceiptCount {
        bucket,
        code: Cell(TABLE, "code").word(&row.try_get::<String>("", "code")?, Code::parse)?,
        count: row.try_get("", "counted")?,
        last: Timestamp::from_millis(row.try_get("", "newest")?),
    }))
}

/// What came from one network with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkUse {
    /// As we keep it, /24 or /48.
    pub network: String,
    pub requests: i64,
    pub last: Timestamp,
}

/// From where the receipts that a filter matches came, the busiest network first; those whose address was erased are
/// left out.
pub async fn count_by_network(
    database: &Database,
    filter: &ReceiptFilter,
    limit: u64,
) -> Result<Vec<NetworkUse>, StoreError> {
    let requests = || row::Column::Id.count();
    let select = row::Entity::find()
        .select_only()
        .column(row::Column::Address)
        .expr_as(requests(), "requests")
        .expr_as(row::Column::ReceivedAt.max(), "newest")
        .filter(filter.condition())
        .filter(row::Column::Address.is_not_null())
        .group_by(row::Column::Address)
        .order_by_desc(requests())
        .order_by_asc(row::Column::Address)
        .limit(limit);
    let rows: Vec<(String, i64, i64)> = select.into_tuple().all(database.read()).await?;
    let uses = rows.into_iter().map(|(network, requests, last)| NetworkUse {
        network,
        requests,
        last: Timestamp::from_millis(last),
    });
    Ok(uses.collect())
}

fn concerning(conversion: ConversionId, transaction: &TransactionId) -> Select<row::Entity> {
    let mut ids = of_transaction(conversion, transaction);
    ids.union(UnionType::Distinct, of_history(conversion));
    row::Entity::find().filter(row::Column::Id.in_subquery(ids))
}

fn of_transaction(conversion: ConversionId, transaction: &TransactionId) -> SelectStatement {
    let about_it = row::Column::ConversionId.eq(conversion.uuid());
    Query::select()
        .column(row::Column::Id)
        .from(row::Entity)
        .and_where(row::Column::TransactionId.eq(transaction.as_bytes().to_vec()))
        .cond_where(Condition::any().add(about_it).add(row::Column::ConversionId.is_null()))
        .take()
}

fn of_history(conversion: ConversionId) -> SelectStatement {
    Query::select()
        .column(conversion_change::Column::ReceiptId)
        .from(conversion_change::Entity)
        .and_where(conversion_change::Column::ConversionId.eq(conversion.uuid()))
        .and_where(conversion_change::Column::ReceiptId.is_not_null())
        .take()
}

async fn fetch(
    database: &Database,
    select: Select<row::Entity>,
    page: &PageRequest<Newest>,
) -> Result<Page<Receipt>, StoreError> {
    let columns = [row::Column::Id.into_expr()];
    page::fetch(database.read(), select, page, &columns, |row: &row::Model| vec![Key::Uuid(row.id)], receipt).await
}

impl Sort for Newest {
    fn order(self) -> Order {
        Order { name: "receipt.id", direction: Direction::Descending, keys: &[KeyKind::Uuid] }
    }
}

impl ReceiptFilter {
    fn condition(&self) -> Condition {
        use row::Column;
        Condition::all()
            .add_option(self.received_at.map(|range| range.condition(Column::ReceivedAt)))
            .add_option(self.received_at.map(|range| range.id_condition(Column::Id, ID_SLACK_SECONDS)))
            .add_option(one_of(Column::Door, self.doors.as_deref().map(|all| all.iter().map(|one| one.as_str()))))
            .add_option(one_of(Column::Verdict, self.verdicts.as_deref().map(|all| all.iter().map(|one| one.as_str()))))
            .add_option(one_of(Column::Code, self.codes.as_deref().map(|all| all.iter().map(|one| one.as_str()))))
            .add_option(one_of(Column::OfferId, self.offers.as_deref().map(|all| all.iter().map(|id| id.number()))))
            .add_option(one_of(
                Column::PublisherId,
                self.publishers.as_deref().map(|all| all.iter().map(|id| id.number())),
            ))
            .add_option(one_of(Column::TokenId, self.tokens.as_deref().map(|all| all.iter().map(|id| id.uuid()))))
            .add_option(self.transaction_id.as_ref().map(|text| text.transaction_condition(Column::TransactionId)))
            .add_option(
                self.addresses.as_deref().map(|all| AddressMatch::any(all, Column::Address, Column::AddressHash)),
            )
            .add_option((!self.include_tests).then(|| Column::IsTest.eq(false)))
    }
}

/// What would break `code:field:hint` and its lines.
const RESERVED: &AsciiSet = &CONTROLS.add(b'%').add(b':');

/// # Errors
/// `Unreadable` for a row that our own code did not write like this.
pub(super) fn receipt(row: row::Model) -> Result<Receipt, StoreError> {
    let cell = |column| Cell(TABLE, column);
    let address = cell("address").address(row.address, row.address_hash)?;
    Ok(Receipt {
        id: ReceiptId::from_uuid(row.id),
        received_at: Timestamp::from_millis(row.received_at),
        door: cell("door").word(&row.door, Door::parse)?,
        code: cell("code").word(&row.code, Code::parse)?,
        decisive_check: cell("decisive_check").optional_word(row.decisive_check.as_deref(), Check::parse)?,
        detail: row.detail,
        field: row.field,
        received: row.received,
        method: row.method,
        host: row.host,
        path: row.path,
        params: row.params,
        address,
        user_agent: row.user_agent,
        latency_us: row.latency_us,
        is_test: row.is_test,
        lenient: row.lenient,
        token: row.token_id.map(TokenId::from_uuid),
        offer: row.offer_id.map(|number| cell("offer_id").offer(number)).transpose()?,
        publisher: row.publisher_id.map(|number| cell("publisher_id").publisher(number)).transpose()?,
        transaction_id: row.transaction_id.map(|bytes| cell("transaction_id").transaction(&bytes)).transpose()?,
        conversion: row.conversion_id.map(ConversionId::from_uuid),
        status: cell("status").optional_word(row.status.as_deref(), Status::parse)?,
        warnings: read_warnings(&row.warnings).ok_or_else(|| cell("warnings").unreadable())?,
        request_id: row.request_id,
        replay_of: row.replay_of.map(ReceiptId::from_uuid),
    })
}

/// The column `warnings`: `code:field` or `code:field:hint`, a line each; what a sender wrote is percent-encoded
/// where it would break that.
pub(crate) fn warnings_text(warnings: &[Warning]) -> String {
    let lines: Vec<String> = warnings.iter().map(warning_line).collect();
    lines.join("\n")
}

fn warning_line(warning: &Warning) -> String {
    let encoded = |text| utf8_percent_encode(text, RESERVED);
    let (code, field) = (warning.code.as_str(), encoded(&warning.field));
    match &warning.hint {
        Some(hint) => format!("{code}:{field}:{}", encoded(hint)),
        None => format!("{code}:{field}"),
    }
}

/// `None` when it is not what [`warnings_text`] writes.
fn read_warnings(text: &str) -> Option<Vec<Warning>> {
    text.lines().map(read_warning).collect()
}

fn read_warning(line: &str) -> Option<Warning> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned);
    let mut parts = line.split(':');
    let code = WarningCode::parse(parts.next()?)?;
    let field = decoded(parts.next()?)?;
    let hint = match parts.next() {
        Some(hint) => Some(decoded(hint)?),
        None => None,
    };
    parts.next().is_none().then_some(Warning { code, field, hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_come_back_whatever_a_sender_wrote() {
        let warning = |field: &str, hint: Option<&str>| Warning {
            code: WarningCode::UnknownParameter,
            field: field.into(),
            hint: hint.map(Into::into),
        };
        let lists = [
            vec![],
            vec![warning("", None)],
            vec![warning("a:b", Some("c%3Ad")), warning("line\nfeed\r", Some("")), warning("größe\u{2028}", None)],
        ];
        for warnings in lists {
            assert_eq!(read_warnings(&warnings_text(&warnings)), Some(warnings));
        }
        for broken in ["nothing_of_ours:a", "value_cut", "value_cut:a:b:c", "value_cut:%ff"] {
            assert_eq!(read_warnings(broken), None, "{broken}");
        }
    }
}
