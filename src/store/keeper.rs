//! `figure_keeper`: which server looks after the figures, for a time.
//!
//! Only to spare work: what the keeper does may be done twice, and a count that its keeper has lost meanwhile is
//! thrown away (see `sub_ids`).

use entity::figure_keeper as row;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _};

use super::connect::Database;
use super::error::StoreError;
use crate::domain::clock::Timestamp;

/// Takes the keeping, or keeps it, until `until`; false while another holds it.
pub async fn take(database: &Database, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
    let holder = holder.to_owned();
    let work = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let free = row::Column::HeldUntil.lt(now.as_millis());
            let mine = Condition::any().add(free).add(row::Column::Holder.eq(holder.as_str()));
            hold(transaction, &holder, until, mine).await
        })
    }));
    work.await
}

/// Keeps it until `until`, in the transaction of what needs it; false when somebody else has taken it.
pub(super) async fn keep_in(
    transaction: &impl ConnectionTrait,
    holder: &str,
    until: Timestamp,
) -> Result<bool, StoreError> {
    hold(transaction, holder, until, Condition::all().add(row::Column::Holder.eq(holder))).await
}

async fn hold(
    transaction: &impl ConnectionTrait,
    holder: &str,
    until: Timestamp,
    may: Condition,
) -> Result<bool, StoreError> {
    let update = row::Entity::update_many()
        .col_expr(row::Column::Holder, Expr::value(holder))
        .col_expr(row::Column::HeldUntil, Expr::value(until.as_millis()))
        .filter(row::Column::Id.eq(1_i16))
        .filter(may);
    Ok(update.exec(transaction).await?.rows_affected == 1)
}
