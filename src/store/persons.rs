//! A person's rows: found, and emptied of what is personal.
//!
//! Conversions, their keys, their history and their figures stay: what is emptied is who it was. Every function does a
//! bounded piece and says whether there may be more; done twice, it finds nothing the second time. A row that a batch
//! of tracking events has locked is waited for, and a batch that comes later reads the emptied row, so nothing that was
//! emptied comes back.

use entity::{click, conversion, conversion_extra, receipt};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use super::{clicks, receipts};
use crate::domain::click::Click;
use crate::domain::person::Person;
use crate::domain::receipt::Receipt;
use crate::domain::transaction_id::TransactionId;

/// Rows of one piece.
pub const PIECE_ROWS: u64 = 200;
/// Receipts that one piece looks through.
pub const SEARCHED_ROWS: u64 = 10_000;

/// What one piece did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    pub conversions: u64,
    pub clicks: u64,
    pub receipts: u64,
}

impl Erased {
    pub fn rows(self) -> u64 {
        self.conversions.saturating_add(self.clicks).saturating_add(self.receipts)
    }
}

/// Empties the next of a person's visits: conversions that name them, with their clicks and receipts. Nothing left: none
/// was emptied.
pub(crate) async fn erase_visits(transaction: &impl ConnectionTrait, person: &Person) -> Result<Erased, StoreError> {
    let mut visits = transactions_of_conversions(transaction, person).await?;
    if visits.is_empty() {
        visits = transactions_of_clicks(transaction, person).await?;
    }
    erase_transactions(transaction, visits).await
}

/// The visits of a person, at most `visits_max`: whatever they are found by.
///
/// # Errors
/// As of every read.
pub async fn find_visits(
    database: &Database,
    person: &Person,
    visits_max: u64,
) -> Result<Vec<TransactionId>, StoreError> {
    let of_conversions = conversion::Entity::find().select_only().column(conversion::Column::TransactionId);
    let of_clicks = click::Entity::find().select_only().column(click::Column::TransactionId);
    let mut found: Vec<Vec<u8>> = match person {
        Person::Transaction(id) => vec![id.as_bytes().to_vec()],
        Person::Email(hash) => {
            let select = of_conversions.filter(conversion::Column::EmailHash.eq(hash.as_bytes().to_vec()));
            select.limit(visits_max).into_tuple().all(database.read()).await?
        }
        Person::Device(device) => {
            let select = of_conversions.filter(conversion::Column::DeviceId.eq(device.as_str()));
            let mut found: Vec<Vec<u8>> = select.limit(visits_max).into_tuple().all(database.read()).await?;
            let select = of_clicks.filter(click::Column::DeviceId.eq(device.as_str()));
            found.extend(select.limit(visits_max).into_tuple::<Vec<u8>>().all(database.read()).await?);
            found
        }
    };
    found.sort_unstable();
    found.dedup();
    let cell = Cell("conversion", "transaction_id");
    found.iter().map(|bytes| cell.transaction(bytes)).collect()
}

/// The clicks and receipts of these visits.
///
/// # Errors
/// As of every read.
pub async fn find_rows(
    database: &Database,
    visits: &[TransactionId],
) -> Result<(Vec<Click>, Vec<Receipt>), StoreError> {
    let ids = || visits.iter().map(|id| id.as_bytes().to_vec());
    let clicks = click::Entity::find().filter(click::Column::TransactionId.is_in(ids())).all(database.read()).await?;
    let receipts = receipt::Entity::find()
        .filter(receipt::Column::TransactionId.is_in(ids()))
        .order_by_asc(receipt::Column::Id)
        .all(database.read())
        .await?;
    let clicks = clicks.into_iter().map(clicks::click).collect::<Result<_, _>>()?;
    Ok((clicks, receipts.into_iter().map(receipts::receipt).collect::<Result<_, _>>()?))
}

/// Receipts that name a person and belong to no visit of theirs, from `after` on: which they are, and the last that was
/// looked at; none when there are no more.
///
/// # Errors
/// As of every read.
pub async fn find_receipts(
    database: &Database,
    mark: &str,
    after: Uuid,
) -> Result<(Vec<Uuid>, Option<Uuid>), StoreError> {
    let behind =
        receipt::Entity::find().select_only().column(receipt::Column::Id).filter(receipt::Column::Id.gt(after));
    let last: Option<Uuid> = behind
        .clone()
        .order_by_asc(receipt::Column::Id)
        .offset(SEARCHED_ROWS - 1)
        .limit(1)
        .into_tuple()
        .one(database.read())
        .await?;
    let named = behind.filter(receipt::Column::Params.contains(mark));
    let named = last.into_iter().fold(named, |named, last| named.filter(receipt::Column::Id.lte(last)));
    Ok((named.into_tuple().all(database.read()).await?, last))
}

/// These receipts, oldest first.
///
/// # Errors
/// As of every read.
pub async fn find_receipts_by_id(database: &Database, ids: Vec<Uuid>) -> Result<Vec<Receipt>, StoreError> {
    let select = receipt::Entity::find().filter(receipt::Column::Id.is_in(ids)).order_by_asc(receipt::Column::Id);
    select.all(database.read()).await?.into_iter().map(receipts::receipt).collect()
}

/// Empties these receipts.
pub(crate) async fn erase_receipts(transaction: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<u64, StoreError> {
    empty_receipts(transaction, Condition::all().add(receipt::Column::Id.is_in(ids))).await
}

async fn transactions_of_conversions(
    transaction: &impl ConnectionTrait,
    person: &Person,
) -> Result<Vec<Vec<u8>>, StoreError> {
    use conversion::Column;
    let (of_person, named) = match person {
        Person::Email(hash) => (Column::EmailHash.eq(hash.as_bytes().to_vec()), None),
        Person::Device(device) => (Column::DeviceId.eq(device.as_str()), None),
        // A transaction is no personal value and stays: what is left to do shows in the columns that are not empty.
        Person::Transaction(id) => (Column::TransactionId.eq(id.as_bytes().to_vec()), Some(names_somebody())),
    };
    let select = conversion::Entity::find().select_only().column(Column::TransactionId);
    let select = select.filter(Condition::all().add(of_person).add_option(named)).limit(PIECE_ROWS);
    Ok(select.into_tuple().all(transaction).await?)
}

/// Of conversions.
fn names_somebody() -> Condition {
    use conversion::Column;
    [Column::ConversionIp, Column::UserAgent, Column::DeviceId, Column::EmailMasked]
        .into_iter()
        .fold(Condition::any(), |any, column| any.add(column.is_not_null()))
}

async fn transactions_of_clicks(
    transaction: &impl ConnectionTrait,
    person: &Person,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let of_person = match person {
        Person::Email(_) => return Ok(Vec::new()),
        Person::Device(device) => Condition::all().add(click::Column::DeviceId.eq(device.as_str())),
        Person::Transaction(id) => {
            let personal = [
                click::Column::DeviceId,
                click::Column::Address,
                click::Column::UserAgent,
                click::Column::ReferrerOrigin,
            ];
            let any = personal.into_iter().fold(Condition::any(), |any, column| any.add(column.is_not_null()));
            Condition::all().add(click::Column::TransactionId.eq(id.as_bytes().to_vec())).add(any)
        }
    };
    let select = click::Entity::find().select_only().column(click::Column::TransactionId).filter(of_person);
    let found: Vec<Vec<u8>> = select.limit(PIECE_ROWS).into_tuple().all(transaction).await?;
    match (found.is_empty(), person) {
        (true, Person::Transaction(id)) => transactions_of_receipts(transaction, id.as_bytes().to_vec()).await,
        (_, Person::Transaction(_) | Person::Device(_) | Person::Email(_)) => Ok(found),
    }
}

/// A visit of which nothing is left but its requests.
async fn transactions_of_receipts(transaction: &impl ConnectionTrait, id: Vec<u8>) -> Result<Vec<Vec<u8>>, StoreError> {
    let named = receipt::Entity::find()
        .select_only()
        .column(receipt::Column::Id)
        .filter(receipt::Column::TransactionId.eq(id.clone()))
        .filter(receipt_names_somebody())
        .limit(1);
    let found: Option<Uuid> = named.into_tuple().one(transaction).await?;
    Ok(found.map(|_| id).into_iter().collect())
}

fn receipt_names_somebody() -> Condition {
    Condition::any()
        .add(receipt::Column::Params.ne(""))
        .add(receipt::Column::Address.is_not_null())
        .add(receipt::Column::UserAgent.is_not_null())
        .add(receipt::Column::Received.is_not_null())
        .add(receipt::Column::Detail.is_not_null())
}

async fn erase_transactions(
    transaction: &impl ConnectionTrait,
    transactions: Vec<Vec<u8>>,
) -> Result<Erased, StoreError> {
    if transactions.is_empty() {
        return Ok(Erased::default());
    }
    // In the order of their ids, as the writer of tracking events locks them.
    let ids: Vec<Uuid> = conversion::Entity::find()
        .select_only()
        .column(conversion::Column::Id)
        .filter(conversion::Column::TransactionId.is_in(transactions.clone()))
        .order_by_asc(conversion::Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(transaction)
        .await?;
    let conversions = empty_conversions(transaction, ids.clone()).await?;
    let extras = conversion_extra::Column::ConversionId.is_in(ids);
    conversion_extra::Entity::delete_many().filter(extras).exec(transaction).await?;
    let clicks = empty_clicks(transaction, transactions.clone()).await?;
    let of_visits = Condition::all().add(receipt::Column::TransactionId.is_in(transactions));
    let receipts = empty_receipts(transaction, of_visits).await?;
    Ok(Erased { conversions, clicks, receipts })
}

async fn empty_conversions(transaction: &impl ConnectionTrait, ids: Vec<Uuid>) -> Result<u64, StoreError> {
    use conversion::Column;
    let text = || Expr::value(Option::<String>::None);
    let hash = || Expr::value(Option::<Vec<u8>>::None);
    let done = conversion::Entity::update_many()
        .col_expr(Column::ConversionIp, text())
        .col_expr(Column::ConversionIpHash, hash())
        .col_expr(Column::UserAgent, text())
        .col_expr(Column::DeviceId, text())
        .col_expr(Column::EmailMasked, text())
        .col_expr(Column::EmailHash, hash())
        .filter(Column::Id.is_in(ids))
        .exec(transaction)
        .await?;
    Ok(done.rows_affected)
}

async fn empty_clicks(transaction: &impl ConnectionTrait, transactions: Vec<Vec<u8>>) -> Result<u64, StoreError> {
    use click::Column;
    let text = || Expr::value(Option::<String>::None);
    let done = click::Entity::update_many()
        .col_expr(Column::DeviceId, text())
        .col_expr(Column::Address, text())
        .col_expr(Column::AddressHash, Expr::value(Option::<Vec<u8>>::None))
        .col_expr(Column::UserAgent, text())
        .col_expr(Column::ReferrerOrigin, text())
        .filter(Column::TransactionId.is_in(transactions))
        .exec(transaction)
        .await?;
    Ok(done.rows_affected)
}

/// The parameters name the transaction too, which stays in its own column; warnings quote parameters.
async fn empty_receipts(transaction: &impl ConnectionTrait, which: Condition) -> Result<u64, StoreError> {
    use receipt::Column;
    let text = || Expr::value(Option::<String>::None);
    let done = receipt::Entity::update_many()
        .col_expr(Column::Params, Expr::value(""))
        .col_expr(Column::Detail, text())
        .col_expr(Column::Received, text())
        .col_expr(Column::Warnings, Expr::value(""))
        .col_expr(Column::Address, text())
        .col_expr(Column::AddressHash, Expr::value(Option::<Vec<u8>>::None))
        .col_expr(Column::UserAgent, text())
        .filter(which)
        .filter(receipt_names_somebody())
        .exec(transaction)
        .await?;
    Ok(done.rows_affected)
}
