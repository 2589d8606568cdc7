//! Clicks of another system: rows in and out, outside of a batch.
//!
//! Append-only; what is there stays as it is, so that an id always leads to the same sealed one.

use std::collections::HashMap;

use entity::foreign_click as row;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QuerySelect as _,
};

use super::columns::Cell;
use super::connect::Database;
use super::error::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::foreign_click::ForeignClick;
use crate::domain::transaction_id::TransactionId;

const TABLE: &str = "foreign_click";
/// Rows that [`put`] takes at most, so that its statement stays below the engines' limits of parameters.
pub const ROWS_MAX: usize = 1000;

/// Was any imported?
pub(super) async fn any_in(connection: &impl ConnectionTrait) -> Result<bool, StoreError> {
    let any = row::Entity::find().select_only().column(row::Column::ForeignId).limit(1);
    let found: Option<String> = any.into_tuple().one(connection).await?;
    Ok(found.is_some())
}

/// The sealed id that was made for one of another system.
pub async fn find_alias(database: &Database, foreign_id: &str) -> Result<Option<TransactionId>, StoreError> {
    // PostgreSQL has no text with a NUL in it.
    if foreign_id.contains('\0') {
        return Ok(None);
    }
    let found = row::Entity::find_by_id(foreign_id.to_owned()).one(database.read()).await?;
    Ok(found.map(foreign_click).transpose()?.map(|click| click.transaction_id))
}

/// Inserts those that are not there, [`ROWS_MAX`] at most, and returns what is there now under each of their ids.
pub(crate) async fn put(
    transaction: &impl ConnectionTrait,
    clicks: &[ForeignClick],
) -> Result<HashMap<String, ForeignClick>, StoreError> {
    if clicks.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = clicks.iter().map(|click| to_row(click).into_active_model().reset_all());
    row::Entity::insert_many(rows)
        .on_conflict(OnConflict::column(row::Column::ForeignId).do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    let ids = clicks.iter().map(|click| click.foreign_id.as_str());
    let there = row::Entity::find().filter(row::Column::ForeignId.is_in(ids)).all(transaction).await?;
    there.into_iter().map(|row| foreign_click(row).map(|click| (click.foreign_id.clone(), click))).collect()
}

/// # Errors
/// `Unreadable` for a row that our own code did not write like this.
pub(super) fn foreign_click(row: row::Model) -> Result<ForeignClick, StoreError> {
    let cell = |column| Cell(TABLE, column);
    Ok(ForeignClick {
        foreign_id: row.foreign_id,
        transaction_id: cell("transaction_id").transaction(&row.transaction_id)?,
        clicked_at: Timestamp::from_millis(row.clicked_at),
        offer: cell("offer_id").offer(row.offer_id)?,
        publisher: cell("publisher_id").publisher(row.publisher_id)?,
        external_transaction_id: row.external_transaction_id,
        sub_ids: [row.sub_id, row.sub_id_2, row.sub_id_3, row.sub_id_4, row.sub_id_5, row.sub_id_6],
    })
}

fn to_row(click: &ForeignClick) -> row::Model {
    let [sub_id, sub_id_2, sub_id_3, sub_id_4, sub_id_5, sub_id_6] = click.sub_ids.clone();
    row::Model {
        foreign_id: click.foreign_id.clone(),
        transaction_id: click.transaction_id.as_bytes().to_vec(),
        clicked_at: click.clicked_at.as_millis(),
        offer_id: click.offer.number(),
        publisher_id: click.publisher.number(),
        external_transaction_id: click.external_transaction_id.clone(),
        sub_id,
        sub_id_2,
        sub_id_3,
        sub_id_4,
        sub_id_5,
        sub_id_6,
    }
}
