//! Databases of both engines, and rows put into them as they are.
//!
//! For tests of what is below the doors: whoever tests a door goes through it.

use std::collections::BTreeMap;

use roundtrip::store::{Database, Engine};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QueryResult, Statement,
};
use tempfile::TempDir;

use super::bench;

/// A database that lives as long as this value.
pub(crate) struct Fresh {
    pub(crate) database: Database,
    _folder: Option<TempDir>,
}

/// A new, migrated database of each engine.
pub(crate) async fn both() -> [Fresh; 2] {
    let fresh = async |engine| {
        let (database, folder) = bench::fresh(engine).await;
        Fresh { database, _folder: folder }
    };
    [fresh(Engine::Sqlite).await, fresh(Engine::Postgres).await]
}

/// Inserts rows as they are.
pub(crate) async fn insert<E, A>(database: &Database, rows: Vec<E::Model>)
where
    E: EntityTrait,
    E::Model: IntoActiveModel<A>,
    A: ActiveModelTrait<Entity = E> + Send + 'static,
{
    let rows: Vec<A> = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    let write = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            E::insert_many(rows).exec_without_returning(transaction).await?;
            Ok(())
        })
    }));
    write.await.expect("inserted");
}

/// Runs a statement behind the server's back.
pub(crate) async fn tamper(database: &Database, sql: &str) {
    let sql = sql.to_owned();
    let write = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            transaction.execute_unprepared(&sql).await?;
            Ok(())
        })
    }));
    write.await.expect("done");
}

/// How many rows each table holds that a request might write to.
pub(crate) async fn rows(database: &Database) -> BTreeMap<&'static str, u64> {
    let read = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let mut counted = BTreeMap::new();
            macro_rules! count {
                ($($table:ident),+) => {
                    $(counted.insert(stringify!($table), entity::$table::Entity::find().count(transaction).await?);)+
                };
            }
            count!(click, conversion, conversion_change, conversion_extra, conversion_key, parked_rejection);
            count!(receipt, rollup, audit_event, offer, publisher, secure_token, tracking_domain);
            Ok(counted)
        })
    }));
    read.await.expect("counted")
}

/// The sums of all figures, by column.
pub(crate) async fn rollup(database: &Database) -> BTreeMap<&'static str, i64> {
    let read = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let mut sums = BTreeMap::new();
            for row in entity::rollup::Entity::find().all(transaction).await? {
                let columns = [
                    ("clicks", row.clicks),
                    ("conversions", row.conversions),
                    ("approved", row.approved),
                    ("pending", row.pending),
                    ("rejected", row.rejected),
                    ("events", row.events),
                    ("revenue_micros", row.revenue_micros),
                    ("payout_micros", row.payout_micros),
                ];
                columns.into_iter().for_each(|(name, value)| *sums.entry(name).or_default() += value);
            }
            Ok(sums)
        })
    }));
    read.await.expect("summed")
}

/// How many conversions wait for their click.
pub(crate) async fn waiting_for_clicks(database: &Database) -> u64 {
    let read = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let waiting = entity::conversion::Entity::find().filter(entity::conversion::Column::ClickPending.eq(true));
            Ok(waiting.count(transaction).await?)
        })
    }));
    read.await.expect("counted")
}

/// The ids of all rows of a table, as the admin API shows them behind their prefix.
pub(crate) async fn ids(database: &Database, table: &'static str) -> Vec<String> {
    let read = database.side_write(Box::new(move |transaction| {
        Box::pin(async move {
            let statement =
                Statement::from_string(transaction.get_database_backend(), format!("SELECT id FROM {table}"));
            let rows = transaction.query_all_raw(statement).await?;
            let id = |row: &QueryResult| Ok(row.try_get::<uuid::Uuid>("", "id")?.simple().to_string());
            rows.iter().map(id).collect()
        })
    }));
    read.await.expect("read")
}
