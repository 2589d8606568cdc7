//! What an export holds, and how it is read: columns with stable names, rows in pages.
//!
//! A download reads the rows of its filter page by page, each in a statement of its own, so that it never holds the
//! database nor the memory, however slowly it is taken; a row that is changed meanwhile is as it is when its page is
//! read. Two at a time on one server. What people or senders wrote can be no formula (`domain::csv_cell`). To add a
//! column: a line in its table; a name that was given stays what it is.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::jobs::export_person::Place;
use super::jobs::{StepFailed, export_conversions, export_person, export_receipts};
use super::{App, AppError, UserError, UserErrorCode};
use crate::domain::click::Click;
use crate::domain::clock::Timestamp;
use crate::domain::csv_cell::CsvCell;
use crate::domain::ids::{JobId, TokenId};
use crate::domain::job::{Job, JobKind, JobState};
use crate::domain::operator::Role;
use crate::domain::person::Person;
use crate::domain::receipt::Receipt;
use crate::store::conversions::{self, ConversionFilter, ConversionListed, ConversionQuery, ConversionSort};
use crate::store::page::{Page, PageRequest};
use crate::store::receipts::{self, Newest, ReceiptFilter};

/// How long after its end an export can be downloaded.
pub const DOWNLOAD_SECONDS: i64 = 24 * 3600;
/// Downloads of one server at a time.
pub const DOWNLOADS_MAX: usize = 2;
/// Rows of one statement.
const PAGE_ROWS: u64 = 500;

/// One column: its name in the first line, and what it holds of a row.
pub(super) struct Column<T> {
    pub(super) name: &'static str,
    cell: fn(&T) -> CsvCell,
}

/// A conversion with its additional parameters.
pub(super) struct ConversionRow {
    listed: ConversionListed,
    extras: Vec<(String, String)>,
}

/// Why there is no download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownloadRefused {
    /// The least role that may have it.
    Forbidden(Role),
    /// No export of this id; also after it is gone.
    NotFound,
    /// It is not finished, or it ended otherwise.
    NotReady,
    /// It ended more than a day ago.
    Expired,
    /// Others are downloading.
    Busy,
}

/// A download under way.
pub struct Download {
    app: Arc<App>,
    rows: Rows,
    position: Position,
    _place: OwnedSemaphorePermit,
}

enum Rows {
    Conversions {
        filter: Box<ConversionFilter>,
        asked_at: Timestamp,
        columns: Vec<&'static Column<ConversionRow>>,
    },
    Receipts {
        filter: Box<ReceiptFilter>,
        columns: Vec<&'static Column<Receipt>>,
    },
    /// Not a table: one JSON object a line.
    Person(Person),
}

enum Position {
    Header,
    Behind(Option<String>),
    End,
}

/// Can the rows of this job be downloaded now?
pub fn is_downloadable(job: &Job, now: Timestamp) -> bool {
    let in_time = job.finished_at.is_some_and(|end| now < end.plus_seconds(DOWNLOAD_SECONDS));
    job.kind.is_export() && job.state == JobState::Succeeded && in_time
}

/// Opens the download of a finished export.
///
/// # Errors
/// Ours; the inner one is the caller's.
pub async fn open_download(
    app: &Arc<App>,
    role: Role,
    id: JobId,
) -> Result<Result<Download, DownloadRefused>, AppError> {
    if !role.includes(Role::Manager) {
        return Ok(Err(DownloadRefused::Forbidden(Role::Manager)));
    }
    let Some(job) = super::jobs::find(app, id).await?.filter(|job| job.kind.is_export()) else {
        return Ok(Err(DownloadRefused::NotFound));
    };
    if !role.includes(job.kind.least_role()) {
        return Ok(Err(DownloadRefused::Forbidden(job.kind.least_role())));
    }
    if job.state != JobState::Succeeded {
        return Ok(Err(DownloadRefused::NotReady));
    }
    if !is_downloadable(&job, app.clock.now()) {
        return Ok(Err(DownloadRefused::Expired));
    }
    let Ok(place) = Arc::clone(&app.jobs.downloads).try_acquire_owned() else {
        return Ok(Err(DownloadRefused::Busy));
    };
    let rows = rows_of(&job).map_err(|failed| match failed {
        StepFailed::Ours(error) => error,
        StepFailed::Impossible(why) => AppError::Internal(why),
    })?;
    Ok(Ok(Download { app: Arc::clone(app), rows, position: Position::Header, _place: place }))
}

fn rows_of(job: &Job) -> Result<Rows, StepFailed> {
    Ok(match job.kind {
        JobKind::ConversionsExport => {
            let input = export_conversions::read(job)?;
            let columns = chosen(CONVERSION_COLUMNS, &input.columns);
            Rows::Conversions { filter: Box::new(input.filter), asked_at: input.asked_at, columns }
        }
        JobKind::ReceiptsExport => {
            let input = export_receipts::read(job)?;
            Rows::Receipts { filter: Box::new(input.filter), columns: RECEIPT_COLUMNS.iter().collect() }
        }
        JobKind::PersonExport => Rows::Person(export_person::read(job)?),
        JobKind::ConversionsReject
        | JobKind::ConversionsReinstate
        | JobKind::PersonErase
        | JobKind::ReceiptsReplay
        | JobKind::DeliveriesRetry => {
            return Err(StepFailed::Impossible("It is no export.".to_owned()));
        }
    })
}

impl Download {
    /// The media type of the file, and the end of its name.
    pub fn media(&self) -> (&'static str, &'static str) {
        match &self.rows {
            Rows::Conversions { .. } | Rows::Receipts { .. } => ("text/csv; charset=utf-8; header=present", "csv"),
            Rows::Person(_) => ("application/x-ndjson", "ndjson"),
        }
    }

    /// The next piece of the file; none at its end.
    ///
    /// # Errors
    /// The database does not answer: the file is not complete.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, AppError> {
        match std::mem::replace(&mut self.position, Position::End) {
            Position::End => Ok(None),
            Position::Header => {
                self.position = Position::Behind(None);
                self.header().map(Some)
            }
            Position::Behind(cursor) => {
                let (piece, next) = self.page(cursor.as_deref()).await?;
                if next.is_some() {
                    self.position = Position::Behind(next);
                }
                Ok(Some(piece))
            }
        }
    }

    fn header(&self) -> Result<Vec<u8>, AppError> {
        let names: Vec<&str> = match &self.rows {
            Rows::Conversions { columns, .. } => columns.iter().map(|column| column.name).collect(),
            Rows::Receipts { columns, .. } => columns.iter().map(|column| column.name).collect(),
            Rows::Person(_) => return Ok(Vec::new()),
        };
        written(|writer| writer.write_record(names))
    }

    async fn page(&self, after: Option<&str>) -> Result<(Vec<u8>, Option<String>), AppError> {
        let lost = |refused: &dyn std::fmt::Display| AppError::Internal(refused.to_string());
        match &self.rows {
            Rows::Conversions { filter, asked_at, columns } => {
                let page = PageRequest::walk(ConversionSort::OLDEST, PAGE_ROWS, after).map_err(|error| lost(&error))?;
                let query = ConversionQuery { filter: (**filter).clone(), page };
                let page = conversions::list(&self.app.database, &query, *asked_at).await?;
                let page = page.map_err(|refused| lost(&refused))?;
                let next = next_of(&page);
                let rows = with_extras(&self.app, page.into_values(), columns).await?;
                Ok((lines(&rows, columns)?, next))
            }
            Rows::Receipts { filter, columns } => {
                let page = PageRequest::walk(Newest, PAGE_ROWS, after).map_err(|error| lost(&error))?;
                let page = receipts::list(&self.app.database, filter, &page).await?;
                let next = next_of(&page);
                Ok((lines(&page.into_values(), columns)?, next))
            }
            Rows::Person(person) => self.person(person, after).await,
        }
    }

    async fn person(&self, person: &Person, after: Option<&str>) -> Result<(Vec<u8>, Option<String>), AppError> {
        let place = after.map_or(Ok(Place::BEGINNING), serde_json::from_str);
        let place = place.map_err(|error| AppError::Internal(error.to_string()))?;
        let piece = export_person::piece(&self.app, person, place).await.map_err(|failed| match failed {
            StepFailed::Ours(error) => error,
            StepFailed::Impossible(why) => AppError::Internal(why),
        })?;
        let all: Vec<&Column<ConversionRow>> = CONVERSION_COLUMNS.iter().collect();
        let conversions = with_extras(&self.app, piece.conversions, &all).await?;
        let mut text = objects("conversion", &conversions, CONVERSION_COLUMNS);
        text.push_str(&objects("click", &piece.clicks, CLICK_COLUMNS));
        text.push_str(&objects("receipt", &piece.receipts, RECEIPT_COLUMNS));
        let next = piece.next.map(|place| serde_json::to_string(&place)).transpose();
        Ok((text.into_bytes(), next.map_err(|error| AppError::Internal(error.to_string()))?))
    }
}

/// One JSON object a line, without what is empty; nobody runs a formula in it.
fn objects<T>(kind: &str, rows: &[T], columns: &[Column<T>]) -> String {
    let object = |row: &T| {
        let filled = columns.iter().filter_map(|column| match (column.cell)(row) {
            CsvCell::Empty => None,
            CsvCell::Ours(text) | CsvCell::Text(text) => Some((column.name.to_owned(), text.into())),
        });
        let kind = std::iter::once(("type".to_owned(), serde_json::Value::from(kind)));
        format!("{}\n", serde_json::Value::Object(kind.chain(filled).collect()))
    };
    rows.iter().map(object).collect()
}

fn next_of<T>(page: &Page<T>) -> Option<String> {
    page.items.last().filter(|_| page.has_next).map(|item| item.cursor.clone())
}

async fn with_extras(
    app: &App,
    page: Vec<ConversionListed>,
    columns: &[&Column<ConversionRow>],
) -> Result<Vec<ConversionRow>, AppError> {
    let mut extras = if columns.iter().any(|column| column.name == EXTRA_PARAMS) {
        let ids: Vec<_> = page.iter().map(|listed| listed.conversion.id).collect();
        conversions::extras(&app.database, &ids).await?
    } else {
        std::collections::HashMap::new()
    };
    let row = |listed: ConversionListed| {
        let extras = extras.remove(&listed.conversion.id).unwrap_or_default();
        ConversionRow { listed, extras }
    };
    Ok(page.into_iter().map(row).collect())
}

fn lines<T>(rows: &[T], columns: &[&Column<T>]) -> Result<Vec<u8>, AppError> {
    written(|writer| {
        rows.iter().try_for_each(|row| {
            let cells: Vec<CsvCell> = columns.iter().map(|column| (column.cell)(row)).collect();
            writer.write_record(cells.iter().map(|cell| cell.shown().into_owned()))
        })
    })
}

fn written(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> Result<(), csv::Error>) -> Result<Vec<u8>, AppError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    write(&mut writer).map_err(|error| AppError::Internal(error.to_string()))?;
    writer.into_inner().map_err(|error| AppError::Internal(error.to_string()))
}

/// The names of the columns of conversions that are asked for; all of them where none are.
///
/// # Errors
/// `Invalid`, `Required` (columns).
pub(super) fn choose_columns(asked: Option<Vec<String>>) -> Result<Vec<String>, Vec<UserError>> {
    let known = || CONVERSION_COLUMNS.iter().map(|column| column.name);
    let Some(asked) = asked else { return Ok(known().map(str::to_owned).collect()) };
    if asked.is_empty() {
        let message = "Name at least one column, or none at all for all of them.";
        return Err(vec![UserError::new(UserErrorCode::Required, &["columns"], message)]);
    }
    let mut errors = Vec::new();
    for (index, name) in asked.iter().enumerate() {
        let message = match () {
            () if !known().any(|column| column == name) => "There is no such column.",
            () if asked[..index].contains(name) => "This column is named twice.",
            () => continue,
        };
        let hint = known().collect::<Vec<_>>().join(", ");
        let error = UserError::new(UserErrorCode::Invalid, &["columns"], message).with_hint(hint);
        errors.push(UserError { index: Some(index), ..error });
    }
    if errors.is_empty() { Ok(asked) } else { Err(errors) }
}

fn chosen<T>(table: &'static [Column<T>], names: &[String]) -> Vec<&'static Column<T>> {
    names.iter().filter_map(|name| table.iter().find(|column| column.name == name)).collect()
}

const EXTRA_PARAMS: &str = "extra_params";

macro_rules! columns {
    ($($name:ident: $cell:expr,)*) => {
        &[$(Column { name: stringify!($name), cell: $cell },)*]
    };
}

/// Every field of a conversion, under the names of the wire where it has one.
pub(super) static CONVERSION_COLUMNS: &[Column<ConversionRow>] = columns! {
    conversion_id: |row| ours(row.listed.conversion.id),
    transaction_id: |row| ours(row.listed.conversion.transaction_id),
    external_transaction_id: |row| text(&row.listed.conversion.external_transaction_id),
    order_id: |row| text(&row.listed.conversion.order_id),
    event_number: |row| ours(row.listed.conversion.event_number),
    source: |row| ours(row.listed.conversion.source.as_str()),
    status: |row| ours(row.listed.conversion.status.as_str()),
    pending_reason: |row| CsvCell::ours(row.listed.conversion.pending_reason.map(|reason| reason.as_str())),
    rejection_reason: |row| text(&row.listed.conversion.rejection_reason),
    rejected_by: |row| CsvCell::ours(row.listed.conversion.rejected_by.map(|party| party.as_str())),
    advertiser_reason: |row| text(&row.listed.conversion.advertiser_reason),
    offer: |row| ours(row.listed.conversion.offer.number()),
    offer_name: |row| CsvCell::Text(row.listed.offer_name.clone()),
    advertiser: |row| ours(row.listed.advertiser.number()),
    advertiser_name: |row| CsvCell::Text(row.listed.advertiser_name.clone()),
    publisher: |row| ours(row.listed.conversion.publisher.number()),
    publisher_name: |row| CsvCell::Text(row.listed.publisher_name.clone()),
    sub_id: |row| text(&row.listed.conversion.sub_ids[0]),
    sub_id_2: |row| text(&row.listed.conversion.sub_ids[1]),
    sub_id_3: |row| text(&row.listed.conversion.sub_ids[2]),
    sub_id_4: |row| text(&row.listed.conversion.sub_ids[3]),
    sub_id_5: |row| text(&row.listed.conversion.sub_ids[4]),
    sub_id_6: |row| text(&row.listed.conversion.sub_ids[5]),
    adv_sub_id: |row| text(&row.listed.conversion.adv_sub_ids[0]),
    adv_sub_id_2: |row| text(&row.listed.conversion.adv_sub_ids[1]),
    adv_sub_id_3: |row| text(&row.listed.conversion.adv_sub_ids[2]),
    adv_sub_id_4: |row| text(&row.listed.conversion.adv_sub_ids[3]),
    adv_sub_id_5: |row| text(&row.listed.conversion.adv_sub_ids[4]),
    adv_sub_id_6: |row| text(&row.listed.conversion.adv_sub_ids[5]),
    session_time: |row| CsvCell::ours(row.listed.conversion.session_time_seconds),
    conversion_ip: |row| CsvCell::ours(row.listed.conversion.conversion_ip.as_ref().map(|ip| &ip.network)),
    user_agent: |row| text(&row.listed.conversion.user_agent),
    device_id: |row| text(&row.listed.conversion.device_id),
    user_email: |row| CsvCell::text(row.listed.conversion.email.as_ref().map(|email| email.masked.as_str())),
    currency: |row| ours(row.listed.conversion.money.currency),
    revenue: |row| CsvCell::ours(row.listed.conversion.money.revenue),
    payout: |row| CsvCell::ours(row.listed.conversion.money.payout),
    purchase_value: |row| CsvCell::ours(row.listed.conversion.money.purchase_value),
    reported_revenue: |row| CsvCell::ours(row.listed.conversion.reported.revenue),
    reported_payout: |row| CsvCell::ours(row.listed.conversion.reported.payout),
    reported_currency: |row| CsvCell::ours(row.listed.conversion.reported.currency),
    click_pending: |row| ours(row.listed.conversion.click_pending),
    is_test: |row| ours(row.listed.conversion.is_test),
    token_id: |row| CsvCell::ours(row.listed.conversion.token),
    clicked_at: |row| CsvCell::ours(row.listed.conversion.clicked_at),
    converted_at: |row| ours(row.listed.conversion.converted_at),
    confirmed_at: |row| CsvCell::ours(row.listed.conversion.confirmed_at),
    recorded_at: |row| ours(row.listed.conversion.recorded_at),
    status_changed_at: |row| ours(row.listed.conversion.status_changed_at),
    version: |row| ours(row.listed.conversion.version),
    extra_params: |row| form_encoded(&row.extras),
};

/// Every field of a click, as it is kept.
static CLICK_COLUMNS: &[Column<Click>] = columns! {
    transaction_id: |click| ours(click.transaction_id),
    clicked_at: |click| ours(click.clicked_at),
    offer: |click| ours(click.offer.number()),
    publisher: |click| ours(click.publisher.number()),
    sub_id: |click| text(&click.sub_ids[0]),
    sub_id_2: |click| text(&click.sub_ids[1]),
    sub_id_3: |click| text(&click.sub_ids[2]),
    sub_id_4: |click| text(&click.sub_ids[3]),
    sub_id_5: |click| text(&click.sub_ids[4]),
    sub_id_6: |click| text(&click.sub_ids[5]),
    external_transaction_id: |click| text(&click.external_transaction_id),
    device_id: |click| text(&click.device_id),
    remote_ip: |click| CsvCell::ours(click.address.as_ref().map(|address| &address.network)),
    user_agent: |click| text(&click.user_agent),
    referrer: |click| text(&click.referrer_origin),
    is_bot: |click| ours(click.is_bot),
    is_test: |click| ours(click.is_test),
};

/// Every field of a receipt; parameters and addresses in their private forms, as they are kept.
static RECEIPT_COLUMNS: &[Column<Receipt>] = columns! {
    receipt_id: |receipt| ours(receipt.id),
    received_at: |receipt| ours(receipt.received_at),
    door: |receipt| ours(receipt.door.as_str()),
    verdict: |receipt| ours(receipt.code.verdict().as_str()),
    code: |receipt| ours(receipt.code.as_str()),
    detail: |receipt| text(&receipt.detail),
    field: |receipt| text(&receipt.field),
    received: |receipt| text(&receipt.received),
    method: |receipt| CsvCell::Text(receipt.method.clone()),
    host: |receipt| CsvCell::Text(receipt.host.clone()),
    path: |receipt| CsvCell::Text(receipt.path.clone()),
    params: |receipt| CsvCell::Text(receipt.params.clone()),
    remote_ip: |receipt| CsvCell::ours(receipt.address.as_ref().map(|address| &address.network)),
    user_agent: |receipt| text(&receipt.user_agent),
    latency_us: |receipt| ours(receipt.latency_us),
    is_test: |receipt| ours(receipt.is_test),
    token_id: |receipt| CsvCell::ours(receipt.token.map(|id: TokenId| id)),
    offer: |receipt| CsvCell::ours(receipt.offer.map(|id| id.number())),
    publisher: |receipt| CsvCell::ours(receipt.publisher.map(|id| id.number())),
    transaction_id: |receipt| CsvCell::ours(receipt.transaction_id),
    conversion_id: |receipt| CsvCell::ours(receipt.conversion),
    status: |receipt| CsvCell::ours(receipt.status.map(|status| status.as_str())),
    request_id: |receipt| CsvCell::Text(receipt.request_id.clone()),
};

fn ours(value: impl ToString) -> CsvCell {
    CsvCell::Ours(value.to_string())
}

fn text(text: &Option<String>) -> CsvCell {
    CsvCell::text(text.as_deref())
}

fn form_encoded(pairs: &[(String, String)]) -> CsvCell {
    if pairs.is_empty() {
        return CsvCell::Empty;
    }
    CsvCell::Text(url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
}
