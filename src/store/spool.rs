//! The file of the spool: what could not go to the database yet, in the order in which it came.
//!
//! A SQLite file of its own whatever the main engine is, because it must work exactly when the main database does
//! not. It keeps its own schema and number of version: the history of the main schema is applied to the main database,
//! which may be on another machine, shared by servers that each have a spool, and away when this file is opened.
//! Knows nothing of what it holds: a kind, a payload, and when it was kept. Nothing is ever thrown away here but by
//! [`SpoolFile::remove`]; what cannot be read any more is set aside, and given back when the file is opened again, for
//! a newer version may be able to read it.
//! A commit is synced before it returns. What a power cut leaves half-written at the end of the log has a wrong
//! checksum and was never answered, so it is passed over.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, QueryBuilder, Row as _, Sqlite};

use super::connect::assert_sqlite;
use super::error::StoreError;
use crate::domain::clock::Timestamp;

/// `PRAGMA user_version` of the schema below.
const VERSION: i64 = 1;

/// Numbers are never used twice: a removal that is repeated must not meet a newer row.
const SCHEMA: [&str; 2] = [
    "CREATE TABLE spool (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL,
        payload BLOB NOT NULL,
        kept_at INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE unreadable (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        payload BLOB NOT NULL,
        kept_at INTEGER NOT NULL,
        reason TEXT NOT NULL,
        moved_at INTEGER NOT NULL
    ) STRICT",
];

/// Nobody but an operator's tool locks this file, and a visitor waits behind every lock.
const BUSY_TIMEOUT: Duration = Duration::from_millis(200);

/// SQLite's result codes for a file that is broken, and for one that is something else.
const CORRUPT: u32 = 11;
const NOT_A_DATABASE: u32 = 26;

/// The place of a row in the order. Never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpoolId(i64);

impl fmt::Display for SpoolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRow {
    pub kind: &'static str,
    pub payload: Vec<u8>,
}

/// What was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolRow {
    pub id: SpoolId,
    pub kind: String,
    pub payload: Vec<u8>,
    pub kept_at: Timestamp,
}

/// How much is in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub items: u64,
    /// Of the payloads; the file is larger by about a fifth.
    pub bytes: u64,
    /// When the first of them was kept.
    pub oldest_at: Option<Timestamp>,
    /// Rows that were set aside; they are in no other figure.
    pub unreadable: u64,
}

impl Content {
    /// Follows a removal. Without a first row there is none at all, whatever was counted: another process may have had
    /// its hand in the file.
    pub fn lower(&mut self, removed: &Removed) {
        let left = |now: u64, out: u64| if removed.oldest_at.is_some() { now.saturating_sub(out) } else { 0 };
        self.items = left(self.items, removed.items);
        self.bytes = left(self.bytes, removed.bytes);
        self.oldest_at = removed.oldest_at;
    }
}

/// What a removal took out, and what is the first now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    pub items: u64,
    pub bytes: u64,
    pub oldest_at: Option<Timestamp>,
}

/// An open file. Cheap to clone. Its calls may be dropped at any await: each of them is one statement, or runs in a
/// task of ours.
#[derive(Clone, Debug)]
pub struct SpoolFile {
    path: PathBuf,
    /// One connection: whoever asks first writes first.
    write: SqlitePool,
    read: SqlitePool,
}

impl SpoolFile {
    /// Opens the file, made if it is missing, and asserts that it keeps what it acknowledges. What was set aside
    /// before is given back, in its old place.
    ///
    /// # Errors
    /// `Unfit`, naming the file and a cure: it cannot be written to, it is not a spool, or a newer version made it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let trouble = |error: &dyn fmt::Display, cure: &str| unfit(path, error, cure);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| trouble(&error, CURE_FOLDER))?;
        }
        let (write, read) = pools(path);
        assert_sqlite(&write).await.map_err(|error| trouble(&error, cure_for(&error)))?;
        let file = Self { path: path.to_owned(), write, read };
        file.bring_up_to_date().await?;
        Ok(file)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends all of them, in their order, in one synced transaction. One statement, so that dropping the call leaves
    /// no transaction open; at most 10 000 rows.
    ///
    /// # Errors
    /// Nothing was kept, or nobody knows: `Unavailable` on a full, broken or locked file.
    pub async fn append(&self, rows: &[NewRow], at: Timestamp) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO spool (kind, payload, kept_at) ");
        insert.push_values(rows, |mut values, row| {
            values.push_bind(row.kind).push_bind(row.payload.as_slice()).push_bind(at.as_millis());
        });
        // Every length of a batch is another statement: none is worth a place in the cache.
        insert.build().persistent(false).execute(&self.write).await?;
        Ok(())
    }

    /// The first rows, in their order.
    pub async fn oldest(&self, items_max: usize) -> Result<Vec<SpoolRow>, StoreError> {
        let limit = i64::try_from(items_max).unwrap_or(i64::MAX);
        let select = "SELECT id, kind, payload, kept_at FROM spool ORDER BY id LIMIT ?";
        let rows = sqlx::query(select).bind(limit).fetch_all(&self.read).await?;
        rows.iter()
            .map(|row| {
                // As bytes, because a damaged text would fail here, and then nothing behind it would ever be read.
                let kind: Vec<u8> = row.try_get("kind")?;
                Ok(SpoolRow {
                    id: SpoolId(row.try_get("id")?),
                    kind: String::from_utf8_lossy(&kind).into_owned(),
                    payload: row.try_get("payload")?,
                    kept_at: Timestamp::from_millis(row.try_get("kept_at")?),
                })
            })
            .collect()
    }

    /// Removes what is settled. Ids that are not there any more are no error, so it may be repeated.
    pub async fn remove(&self, ids: &[SpoolId]) -> Result<Removed, StoreError> {
        let delete = "DELETE FROM spool WHERE id IN (SELECT value FROM json_each(?)) RETURNING length(payload)";
        let ids = serde_json::Value::from(ids.iter().map(|id| id.0).collect::<Vec<_>>()).to_string();
        let lengths: Vec<i64> = sqlx::query_scalar(delete).bind(ids).fetch_all(&self.write).await?;
        Ok(Removed {
            items: u64::try_from(lengths.len()).unwrap_or(u64::MAX),
            bytes: lengths.iter().map(|length| length.unsigned_abs()).sum(),
            oldest_at: self.oldest_at().await?,
        })
    }

    /// Moves rows that cannot be read out of the way, each with the reason.
    pub async fn set_aside(&self, rows: &[(SpoolId, String)], at: Timestamp) -> Result<Removed, StoreError> {
        let (file, rows) = (self.clone(), rows.to_vec());
        let moving = async move { file.move_aside(&rows, at).await };
        #[expect(clippy::disallowed_methods, reason = "awaited here: a caller that hangs up must not cut it short")]
        let moved = tokio::spawn(moving).await.map_err(|stopped| StoreError::Unavailable(stopped.into()))??;
        Ok(Removed { oldest_at: self.oldest_at().await?, ..moved })
    }

    /// Counts everything. It reads the whole file, so it is for the start.
    pub async fn content(&self) -> Result<Content, StoreError> {
        let select = "SELECT count(*), coalesce(sum(length(payload)), 0), (SELECT count(*) FROM unreadable) FROM spool";
        let (items, bytes, unreadable): (i64, i64, i64) = sqlx::query_as(select).fetch_one(&self.read).await?;
        Ok(Content {
            items: items.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
            oldest_at: self.oldest_at().await?,
            unreadable: unreadable.unsigned_abs(),
        })
    }

    /// Ends both pools once their connections are idle.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// On the writing side, so that it sees what was just committed there.
    async fn oldest_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let select = "SELECT kept_at FROM spool ORDER BY id LIMIT 1";
        let first: Option<i64> = sqlx::query_scalar(select).fetch_optional(&self.write).await?;
        Ok(first.map(Timestamp::from_millis))
    }

    async fn move_aside(&self, rows: &[(SpoolId, String)], at: Timestamp) -> Result<Removed, StoreError> {
        let mut removed = Removed { items: 0, bytes: 0, oldest_at: None };
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await?;
        for (id, reason) in rows {
            let copy = "INSERT OR REPLACE INTO unreadable (id, kind, payload, kept_at, reason, moved_at) \
                        SELECT id, kind, payload, kept_at, ?, ? FROM spool WHERE id = ?";
            sqlx::query(copy).bind(reason).bind(at.as_millis()).bind(id.0).execute(&mut *tx).await?;
            let delete = "DELETE FROM spool WHERE id = ? RETURNING length(payload)";
            let length: Option<i64> = sqlx::query_scalar(delete).bind(id.0).fetch_optional(&mut *tx).await?;
            removed.items += u64::from(length.is_some());
            removed.bytes += length.unwrap_or(0).unsigned_abs();
        }
        tx.commit().await?;
        Ok(removed)
    }

    /// Makes the tables in a new file, refuses a file that is something else, and gives back what was set aside.
    async fn bring_up_to_date(&self) -> Result<(), StoreError> {
        let trouble = |error: StoreError| unfit(&self.path, &error, cure_for(&error));
        let mut tx = self.write.begin_with("BEGIN IMMEDIATE").await.map_err(|error| trouble(error.into()))?;
        let facts = "SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)";
        let facts = sqlx::query_as(facts).fetch_one(&mut *tx).await;
        let (version, tables): (i64, i64) = facts.map_err(|error| trouble(error.into()))?;
        let statements: &[&str] = match (version, tables) {
            (0, 0) => &SCHEMA,
            (VERSION, _) => &[],
            (newer, _) if newer > VERSION => {
                let what = format!("a newer version of this server made it (schema {newer}, known is {VERSION})");
                return Err(unfit(
                    &self.path,
                    &what,
                    "Start the newer version again, so that it settles what is in it",
                ));
            }
            (_, _) => return Err(unfit(&self.path, &"it is another database", CURE_OTHER_FILE)),
        };
        for statement in statements {
            sqlx::query(*statement).execute(&mut *tx).await.map_err(|error| trouble(error.into()))?;
        }
        for statement in [
            "PRAGMA user_version = 1",
            "INSERT INTO spool (id, kind, payload, kept_at) SELECT id, kind, payload, kept_at FROM unreadable",
            "DELETE FROM unreadable",
        ] {
            sqlx::query(statement).execute(&mut *tx).await.map_err(|error| trouble(error.into()))?;
        }
        tx.commit().await.map_err(|error| trouble(error.into()))
    }
}

const CURE_FOLDER: &str = "Give the server a folder that it may write to and that has room (`data_dir`, `spool.file`)";
const CURE_OTHER_FILE: &str = "Name another file in `spool.file`, or move this one away: a new one is made";

fn unfit(path: &Path, error: &dyn fmt::Display, cure: &str) -> StoreError {
    StoreError::Unfit(format!("the spool {} cannot be used: {error}. {cure}.", path.display()))
}

fn cure_for(error: &StoreError) -> &'static str {
    match error {
        StoreError::Refused(source) if is_no_spool(source.as_ref()) => CURE_OTHER_FILE,
        StoreError::Unfit(_) => "It is the SQLite of this program: install one that was built whole",
        StoreError::Refused(_)
        | StoreError::Unavailable(_)
        | StoreError::Taken(_)
        | StoreError::Unreadable { .. }
        | StoreError::CommitUnknown(_)
        | StoreError::Late
        | StoreError::Abandoned => CURE_FOLDER,
    }
}

fn is_no_spool(error: &(dyn std::error::Error + 'static)) -> bool {
    let database = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    let code = database.and_then(|error| error.code()).and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, CORRUPT | NOT_A_DATABASE))
}

/// Nothing is opened yet.
fn pools(path: &Path) -> (SqlitePool, SqlitePool) {
    let base = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging();
    let pool =
        || SqlitePoolOptions::new().max_connections(1).test_before_acquire(false).acquire_timeout(BUSY_TIMEOUT * 5);
    let write = pool().max_lifetime(None).idle_timeout(None).connect_lazy_with(base.clone().create_if_missing(true));
    (write, pool().connect_lazy_with(base.read_only(true)))
}
