//! The victim of a control: commits one row after the other on SQLite, and says so after each, until it is killed.

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

use crate::rig::Outcome;

/// `synchronous` is the value of the pragma.
pub(crate) async fn commit_rows(url: &str, synchronous: &str) -> Outcome<()> {
    let options: SqliteConnectOptions = url.parse()?;
    let options =
        options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(synchronous.parse()?);
    let mut connection = options.connect().await?;
    sqlx::query("CREATE TABLE t (n INTEGER PRIMARY KEY, filler BLOB)").execute(&mut connection).await?;
    for number in 1_i64.. {
        sqlx::query("INSERT INTO t VALUES ($1, zeroblob(200))").bind(number).execute(&mut connection).await?;
        println!("{number}");
    }
    Ok(())
}
