//! What differs between SQLite and PostgreSQL in the statements of a batch.
//!
//! A batch writes whole columns: on PostgreSQL one `INSERT .. SELECT FROM UNNEST` with an array for each column,
//! on SQLite multi-row `VALUES` in chunks of a few fixed sizes, so that both keep their prepared statements.
//! Reads by a set of keys are `= ANY` on one and padded `IN` lists on the other. Rows come back as SeaORM's
//! [`QueryResult`], so that one entity reads both. Cells borrow from the nouns: they are copied once, into the wire's
//! own buffer.

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use sea_orm::{DbBackend, QueryResult};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, PgConnection, Postgres, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::connect::{LongRead, Tx};
use super::error::StoreError;

/// The connection of a transaction, by engine.
pub(super) enum Wire<'t> {
    Sqlite(&'t mut SqliteConnection),
    Postgres(&'t mut PgConnection),
}

/// One column of the rows to be written, or of the keys to be looked for.
#[derive(Clone, Debug)]
pub(crate) enum Column<'a> {
    I16(Vec<i16>),
    I32(Vec<Option<i32>>),
    I64(Vec<Option<i64>>),
    Bool(Vec<bool>),
    Text(Vec<Option<&'a str>>),
    /// Texts that were made for their cells.
    MadeText(Vec<String>),
    Bytes(Vec<Option<&'a [u8]>>),
    Uuid(Vec<Option<Uuid>>),
}

impl Column<'_> {
    fn len(&self) -> usize {
        match self {
            Self::I16(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::MadeText(values) => values.len(),
            Self::Bytes(values) => values.len(),
            Self::Uuid(values) => values.len(),
        }
    }

    const fn postgres_array(&self) -> &'static str {
        match self {
            Self::I16(_) => "int2[]",
            Self::I32(_) => "int4[]",
            Self::I64(_) => "int8[]",
            Self::Bool(_) => "bool[]",
            Self::Text(_) | Self::MadeText(_) => "text[]",
            Self::Bytes(_) => "bytea[]",
            Self::Uuid(_) => "uuid[]",
        }
    }

    fn bind_array<'q>(self, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
        match self {
            Self::I16(values) => query.bind(values),
            Self::I32(values) => query.bind(values),
            Self::I64(values) => query.bind(values),
            Self::Bool(values) => query.bind(values),
            Self::Text(values) => query.bind(values),
            Self::MadeText(values) => query.bind(values),
            Self::Bytes(values) => query.bind(values),
            Self::Uuid(values) => query.bind(values),
        }
    }

    fn bind_cell<'q>(
        &self,
        row: usize,
        query: Query<'q, Sqlite, SqliteArguments>,
    ) -> Query<'q, Sqlite, SqliteArguments> {
        match self {
            Self::I16(values) => query.bind(values[row]),
            Self::I32(values) => query.bind(values[row]),
            Self::I64(values) => query.bind(values[row]),
            Self::Bool(values) => query.bind(values[row]),
            Self::Text(values) => query.bind(values[row]),
            Self::MadeText(values) => query.bind(values[row].as_str()),
            Self::Bytes(values) => query.bind(values[row]),
            Self::Uuid(values) => query.bind(values[row]),
        }
    }
}

/// Rows for one table, column by column; every column has the same length.
#[derive(Clone, Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) table: &'static str,
    pub(crate) columns: Vec<(&'static str, Column<'a>)>,
    /// What follows the values, such as `ON CONFLICT DO NOTHING RETURNING key`.
    pub(crate) tail: &'static str,
}

impl Rows<'_> {
    fn count(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }
}

/// In which partitions to look: both ends belong to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) column: &'static str,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// Which of the buckets that begin at `starts`, in this order, holds `at`: 1 for the first, 0 before it.
pub(super) fn bucket_number(backend: DbBackend, at: &str, starts: &[i64]) -> String {
    if backend != DbBackend::Postgres {
        return halved(at, starts, 0);
    }
    let list = starts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!("width_bucket({at}, ARRAY[{list}]::int8[])")
}

/// A tree of comparisons: as many for each row as the number of buckets has binary digits.
fn halved(at: &str, starts: &[i64], before: usize) -> String {
    if starts.is_empty() {
        return before.to_string();
    }
    let middle = starts.len() / 2;
    let (low, high) = (&starts[..middle], &starts[middle + 1..]);
    let (earlier, later) = (halved(at, low, before), halved(at, high, before + middle + 1));
    format!("CASE WHEN {at} < {} THEN {earlier} ELSE {later} END", starts[middle])
}

/// The 32 hexadecimal digits of a UUID, in lower case; empty where there is none.
pub(super) fn hex_of_uuid(backend: DbBackend, column: &str) -> String {
    if backend == DbBackend::Postgres {
        format!("COALESCE(REPLACE(CAST({column} AS TEXT), '-', ''), '')")
    } else {
        format!("COALESCE(LOWER(HEX({column})), '')")
    }
}

/// Rows of one SQLite statement: few sizes, so that few statements are prepared.
const CHUNKS: [usize; 5] = [256, 64, 16, 4, 1];
/// Keys of one SQLite look-up; the last one is repeated to fill the list.
const LOOK_UP: [usize; 3] = [256, 32, 4];

impl Tx {
    /// Inserts all rows; returns what the tail's `RETURNING` says, nothing without one.
    pub(crate) async fn insert(&mut self, rows: Rows<'_>) -> Result<Vec<QueryResult>, StoreError> {
        let count = rows.count();
        if count == 0 {
            return Ok(Vec::new());
        }
        match self.wire() {
            Wire::Postgres(wire) => insert_arrays(wire, vec![rows]).await,
            Wire::Sqlite(wire) => insert_chunks(wire, &rows, count).await,
        }
    }

    /// Inserts rows of several tables that do not depend on each other and return nothing: on PostgreSQL in one
    /// statement, since every round trip costs the writer, and everybody who waits for it, a change of context.
    pub(crate) async fn insert_together(&mut self, tables: Vec<Rows<'_>>) -> Result<(), StoreError> {
        let tables: Vec<Rows<'_>> = tables.into_iter().filter(|rows| rows.count() > 0).collect();
        match self.wire() {
            _ if tables.is_empty() => {}
            Wire::Postgres(wire) => {
                insert_arrays(wire, tables).await?;
            }
            Wire::Sqlite(wire) => {
                for rows in &tables {
                    insert_chunks(wire, rows, rows.count()).await?;
                }
            }
        }
        Ok(())
    }

    /// `head` with each of `keys` in its place, for example `SELECT .. WHERE key IN` and `ORDER BY key`.
    /// `lock` is added on PostgreSQL only, where other servers write too.
    pub(crate) async fn select_by(
        &mut self,
        head: &str,
        keys: Column<'_>,
        tail: &str,
        lock: &str,
    ) -> Result<Vec<QueryResult>, StoreError> {
        if keys.len() == 0 {
            return Ok(Vec::new());
        }
        match self.wire() {
            Wire::Postgres(wire) => {
                let head = head.strip_suffix(" IN").unwrap_or(head);
                let sql = format!("{head} = ANY($1::{}) {tail} {lock}", keys.postgres_array());
                let rows = keys.bind_array(sqlx::query(AssertSqlSafe(sql))).fetch_all(&mut *wire).await?;
                Ok(rows.into_iter().map(QueryResult::from).collect())
            }
            Wire::Sqlite(wire) => select_lists(wire, head, &keys, tail).await,
        }
    }

    /// As [`Self::select_by`], on PostgreSQL in the partitions of `span` only; SQLite has none.
    pub(crate) async fn select_within(
        &mut self,
        head: &str,
        keys: Column<'_>,
        span: Span,
    ) -> Result<Vec<QueryResult>, StoreError> {
        if keys.len() == 0 {
            return Ok(Vec::new());
        }
        match self.wire() {
            Wire::Postgres(wire) => {
                let head = head.strip_suffix(" IN").unwrap_or(head);
                let (array, column) = (keys.postgres_array(), span.column);
                let sql = format!("{head} = ANY($1::{array}) AND {column} BETWEEN $2 AND $3");
                let query = keys.bind_array(sqlx::query(AssertSqlSafe(sql))).bind(span.first).bind(span.last);
                Ok(query.fetch_all(&mut *wire).await?.into_iter().map(QueryResult::from).collect())
            }
            Wire::Sqlite(wire) => select_lists(wire, head, &keys, "").await,
        }
    }

    /// A statement with at most a few values, spelled for both engines with `$1`, `$2`..
    pub(crate) async fn run(
        &mut self,
        sql: &'static str,
        values: Vec<Column<'_>>,
    ) -> Result<Vec<QueryResult>, StoreError> {
        match self.wire() {
            Wire::Postgres(wire) => {
                let mut query = sqlx::query(sql);
                for value in values {
                    query = bind_scalar(value, query);
                }
                Ok(query.fetch_all(&mut *wire).await?.into_iter().map(QueryResult::from).collect())
            }
            Wire::Sqlite(wire) => {
                let mut query = sqlx::query(sql);
                for value in &values {
                    query = value.bind_cell(0, query);
                }
                Ok(query.fetch_all(&mut *wire).await?.into_iter().map(QueryResult::from).collect())
            }
        }
    }
}

impl LongRead {
    /// The rows of a statement with at most a few values, spelled as for [`Tx::run`], one after the other: not all of
    /// them are ever in memory.
    pub(super) fn stream<'a>(
        &'a mut self,
        sql: &str,
        values: Vec<Column<'_>>,
    ) -> BoxStream<'a, Result<QueryResult, StoreError>> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self.wire() {
            Wire::Postgres(wire) => {
                let query = values.into_iter().fold(sqlx::query(sql), |query, value| bind_scalar(value, query));
                query.fetch(wire).map(|row| Ok(QueryResult::from(row?))).boxed()
            }
            Wire::Sqlite(wire) => {
                let query = values.iter().fold(sqlx::query(sql), |query, value| value.bind_cell(0, query));
                query.fetch(wire).map(|row| Ok(QueryResult::from(row?))).boxed()
            }
        }
    }
}

fn bind_scalar<'q>(value: Column<'_>, query: Query<'q, Postgres, PgArguments>) -> Query<'q, Postgres, PgArguments> {
    match value {
        Column::I16(mut values) => query.bind(values.pop()),
        Column::I32(mut values) => query.bind(values.pop().flatten()),
        Column::I64(mut values) => query.bind(values.pop().flatten()),
        Column::Bool(mut values) => query.bind(values.pop()),
        Column::Text(mut values) => query.bind(values.pop().flatten()),
        Column::MadeText(mut values) => query.bind(values.pop()),
        Column::Bytes(mut values) => query.bind(values.pop().flatten()),
        Column::Uuid(mut values) => query.bind(values.pop().flatten()),
    }
}

/// One statement: every table but the last in a `WITH` of its own.
async fn insert_arrays(wire: &mut PgConnection, tables: Vec<Rows<'_>>) -> Result<Vec<QueryResult>, StoreError> {
    let mut inserts = Vec::with_capacity(tables.len());
    let mut parameters = 0_usize;
    for rows in &tables {
        let arrays = rows.columns.iter().map(|(_, column)| {
            parameters = parameters.saturating_add(1);
            format!("${parameters}::{}", column.postgres_array())
        });
        let arrays = arrays.collect::<Vec<_>>().join(", ");
        let names: Vec<&str> = rows.columns.iter().map(|(name, _)| *name).collect();
        let (table, names, tail) = (rows.table, names.join(", "), rows.tail);
        inserts.push(format!("INSERT INTO {table} ({names}) SELECT * FROM UNNEST({arrays}) {tail}"));
    }
    let last = inserts.pop().unwrap_or_default();
    let first: Vec<String> = inserts.iter().enumerate().map(|(n, insert)| format!("t{n} AS ({insert})")).collect();
    let sql = if first.is_empty() { last } else { format!("WITH {} {last}", first.join(", ")) };
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for (_, column) in tables.into_iter().flat_map(|rows| rows.columns) {
        query = column.bind_array(query);
    }
    Ok(query.fetch_all(&mut *wire).await?.into_iter().map(QueryResult::from).collect())
}

async fn insert_chunks(
    wire: &mut SqliteConnection,
    rows: &Rows<'_>,
    count: usize,
) -> Result<Vec<QueryResult>, StoreError> {
    let names: Vec<&str> = rows.columns.iter().map(|(name, _)| *name).collect();
    let tuple = format!("({})", vec!["?"; names.len()].join(", "));
    let mut returned = Vec::new();
    let mut done = 0;
    for size in CHUNKS {
        while count - done >= size {
            let values = vec![tuple.as_str(); size].join(", ");
            let table = rows.table;
            // A row that fails ends the whole transaction here, so SQLite need not remember how each page was before
            // the statement (`ABORT`, the default, writes all of them aside).
            let sql = format!("INSERT OR FAIL INTO {table} ({}) VALUES {values} {}", names.join(", "), rows.tail);
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for row in done..done + size {
                for (_, column) in &rows.columns {
                    query = column.bind_cell(row, query);
                }
            }
            returned.extend(query.fetch_all(&mut *wire).await?.into_iter().map(QueryResult::from));
            done += size;
        }
    }
    Ok(returned)
}

async fn select_lists(
    wire: &mut SqliteConnection,
    head: &str,
    keys: &Column<'_>,
    tail: &str,
) -> Result<Vec<QueryResult>, StoreError> {
    let mut found = Vec::new();
    let mut done = 0;
    while done < keys.len() {
        let left = keys.len() - done;
        let size = LOOK_UP.into_iter().rev().find(|size| *size >= left).unwrap_or(LOOK_UP[0]);
        let sql = format!("{head} ({}) {tail}", vec!["?"; size].join(", "));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for slot in 0..size {
            query = keys.bind_cell((done + slot).min(keys.len() - 1), query);
        }
        found.extend(query.fetch_all(&mut *wire).await?.into_iter().map(QueryResult::from));
        done += size;
    }
    Ok(found)
}
