//! Pools, pragmas and the migration lock: with `dialect.rs`, the only place where the two engines differ.
//!
//! Each writer of tracking events has a [`WriterConnection`] of its own: a transaction takes it along and gives it back
//! when it has ended well, so one that is in doubt is closed with it. Beside them two pools: the **write** pool for
//! control data, small, and the **read** pool for the admin API, read-only, with a statement timeout, so that a page
//! can never hold up a postback. No transaction lives in a future that a caller can drop: sqlx hands a pooled
//! connection back inside a transaction when its `BEGIN` is cancelled, so control writes run in tasks of ours.
//! SQLite has one writer at a time: whoever writes takes his turn first, in order of arrival, since its own waiting is
//! a sleep that a busy writer would let nobody out of.
//! Refuses to start on a database that would answer before it has synced (C1).

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use migration::MigratorTrait;
use sea_orm::{AccessMode, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction};
use sea_orm::{SqlxPostgresConnector, SqlxSqliteConnector};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Postgres, Row, Sqlite, SqliteConnection, Transaction};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use super::dialect::Wire;
use super::error::StoreError;

/// The oldest SQLite that we run on: earlier ones can lose a checkpoint of a WAL that is reset meanwhile.
const SQLITE_VERSION_MIN: (u32, u32, u32) = (3, 51, 3);
/// The oldest PostgreSQL that we test on.
const POSTGRES_VERSION_MIN: i32 = 150_000;
/// Pages that SQLite's writer keeps in memory: 32 MiB, as a negative number of KiB.
const SQLITE_CACHE: &str = "-32768";
/// Pages of the WAL after which SQLite's writer moves them into the file.
const SQLITE_CHECKPOINT: &str = "8000";
/// Rows that SQLite's thread reads ahead of the writer's: else the two would wake each other for every few.
const SQLITE_ROWS: usize = 1024;
/// Steps of SQLite's machine after which a read looks at the time: a fraction of a millisecond.
const SQLITE_STEPS: i32 = 20_000;
/// A writer looks rows up by their keys and by nothing else, so a plan that was made while a table was empty, and read
/// all of it, must never be kept.
const WRITER_PLANS: [(&str, &str); 2] = [("enable_seqscan", "off"), ("plan_cache_mode", "force_generic_plan")];
/// Milliseconds that a read in the background may take: ten minutes.
const LONG_READ_MS: &str = "600000";
/// After this time a pooled connection is asked whether it is still there.
const REST: Duration = Duration::from_millis(100);
/// The key of the advisory lock that migrations and partitions hold: "roundtrp" in ASCII.
pub(crate) const MIGRATION_LOCK: i64 = 0x726f_756e_6474_7270;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct ConnectOptionsOf {
    /// `sqlite:///path/file.db` or `postgres://..`.
    pub url: SecretString,
    pub read_connections: u32,
    /// PostgreSQL: writers, and as many again for control writes. SQLite always has one.
    pub write_connections: u32,
    pub acquire_timeout: Duration,
    pub statement_timeout: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// An open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    engine: Engine,
    write_pool: Pool,
    read_pool: Pool,
    write: DatabaseConnection,
    read: DatabaseConnection,
    writer: WriterOptions,
    /// Of the pools' connections: a writer has a runtime of its own.
    runtime: Handle,
}

/// How a writer connects.
#[derive(Clone, Debug)]
enum WriterOptions {
    Sqlite {
        options: SqliteConnectOptions,
        turn: Arc<Mutex<()>>,
        /// For the turn.
        patience: Duration,
    },
    Postgres(PgConnectOptions),
}

/// The connection of one writer, between two transactions.
#[derive(Debug)]
pub struct WriterConnection(Held);

#[derive(Debug)]
enum Held {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// The connection of a read that may take long.
#[derive(Debug)]
pub(super) struct LongRead(Held);

/// A transaction on the tables of tracking events. One that is dropped takes its connection with it, and with that
/// everything that it wrote.
#[derive(Debug)]
pub struct Tx(Open);

#[derive(Debug)]
enum Open {
    Sqlite(SqliteConnection, OwnedMutexGuard<()>),
    Postgres(PgConnection),
    /// Of a dry run, from the pool.
    ReadSqlite(Transaction<'static, Sqlite>),
    ReadPostgres(Transaction<'static, Postgres>),
}

/// What a transaction of ours is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// Changes what snapshots hold.
    Control,
    /// Changes what no snapshot holds.
    Side,
    Read,
}

fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// Work inside one control transaction.
pub type ControlWork<T> =
    Box<dyn for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>> + Send>;

impl Database {
    /// Opens both pools and asserts that the database keeps what it acknowledges.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached, `Unfit` when it is too old or would answer before it has synced.
    pub async fn connect(options: &ConnectOptionsOf) -> Result<Self, StoreError> {
        let url = options.url.expose_secret();
        let database = if url.starts_with("sqlite:") {
            open_sqlite(url, options).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            open_postgres(url, options).await?
        } else {
            return Err(StoreError::Unfit("database.url must begin with sqlite: or postgres:".into()));
        };
        database.assert_durable().await?;
        Ok(database)
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// For the read functions of this room.
    pub(crate) fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// A connection for one read that may take long, apart from those of the admin API: it holds none of them up.
    ///
    /// # Errors
    /// The database is away.
    pub(super) async fn open_long_read(&self) -> Result<LongRead, StoreError> {
        Ok(LongRead(match &self.read_pool {
            Pool::Sqlite(pool) => Held::Sqlite((*pool.connect_options()).clone().connect().await?),
            Pool::Postgres(pool) => {
                let options = (*pool.connect_options()).clone().options([("statement_timeout", LONG_READ_MS)]);
                Held::Postgres(options.connect().await?)
            }
        }))
    }

    /// A connection for a writer. It belongs to the runtime that opens it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn open_writer(&self) -> Result<WriterConnection, StoreError> {
        Ok(WriterConnection(match &self.writer {
            WriterOptions::Sqlite { options, .. } => Held::Sqlite(options.connect().await?),
            WriterOptions::Postgres(options) => Held::Postgres(options.connect().await?),
        }))
    }

    /// A transaction for a batch of tracking events, and the version of the control data that it sees.
    ///
    /// # Errors
    /// The database is away, or closed; the connection is closed too.
    pub async fn begin_write(&self, connection: WriterConnection) -> Result<(Tx, i64), StoreError> {
        if self.is_closed() {
            return Err(StoreError::Unavailable("closed".into()));
        }
        match connection.0 {
            Held::Sqlite(mut connection) => {
                let turn = self.turn(Purpose::Side).await?;
                let turn = turn.ok_or_else(|| StoreError::Unfit("a connection of another engine".into()))?;
                connection.execute("BEGIN IMMEDIATE").await?;
                let mut tx = Tx(Open::Sqlite(connection, turn));
                let version = tx.config_version().await?;
                Ok((tx, version))
            }
            Held::Postgres(mut connection) => {
                let mut rows = connection.fetch_all(sqlx::raw_sql(BEGIN)).await?;
                // The last statement's, behind the lock's.
                let row = rows.pop().filter(|_| !rows.is_empty());
                let row = row.ok_or_else(|| StoreError::unreadable("config_version", "no row"))?;
                Ok((Tx(Open::Postgres(connection)), row.try_get(0)?))
            }
        }
    }

    fn is_closed(&self) -> bool {
        match &self.write_pool {
            Pool::Sqlite(pool) => pool.is_closed(),
            Pool::Postgres(pool) => pool.is_closed(),
        }
    }

    /// Commits a write that changes nothing: a database that takes it can be written to again.
    ///
    /// # Errors
    /// It cannot.
    pub async fn prove_writable(&self) -> Result<WriterConnection, StoreError> {
        let (mut tx, _) = self.begin_write(self.open_writer().await?).await?;
        tx.run("UPDATE config_version SET version = version WHERE id = 1", Vec::new()).await?;
        tx.commit().await
    }

    /// A transaction that reads what a batch would, for a dry run, and the version of the control data that it sees.
    pub async fn begin_read(&self) -> Result<(Tx, i64), StoreError> {
        let mut tx = match &self.read_pool {
            Pool::Sqlite(pool) => Tx(Open::ReadSqlite(pool.begin().await?)),
            Pool::Postgres(pool) => Tx(Open::ReadPostgres(pool.begin().await?)),
        };
        let version = tx.config_version().await?;
        Ok((tx, version))
    }

    /// A write of control data: runs `work` in one transaction, in a task that no caller can cut short, and bumps
    /// `config_version` with it, so that every server reads anew.
    /// The bump comes first: its row lock lets one control write run at a time, so that what `work` reads cannot
    /// change before it writes.
    ///
    /// # Errors
    /// Whatever `work` returns; then nothing was written.
    pub async fn control_write<T: Send + 'static>(&self, work: ControlWork<T>) -> Result<T, StoreError> {
        self.transact(work, Purpose::Control, |_| true).await
    }

    /// As [`Self::control_write`], for work that may say no: then nothing is written and nothing is bumped.
    ///
    /// # Errors
    /// Whatever `work` returns; then nothing was written.
    pub async fn control_decision<T: Send + 'static, R: Send + 'static>(
        &self,
        work: ControlWork<Result<T, R>>,
    ) -> Result<Result<T, R>, StoreError> {
        self.transact(work, Purpose::Control, Result::is_ok).await
    }

    /// A write that no snapshot depends on: sessions, marks of last use.
    pub async fn side_write<T: Send + 'static>(&self, work: ControlWork<T>) -> Result<T, StoreError> {
        self.transact(work, Purpose::Side, |_| true).await
    }

    /// As [`Self::side_write`], for work that may say no: then nothing is written.
    ///
    /// # Errors
    /// Whatever `work` returns; then nothing was written.
    pub async fn side_decision<T: Send + 'static, R: Send + 'static>(
        &self,
        work: ControlWork<Result<T, R>>,
    ) -> Result<Result<T, R>, StoreError> {
        self.transact(work, Purpose::Side, Result::is_ok).await
    }

    /// Reads that must agree with each other: all of them see one state of the database.
    pub(crate) async fn consistent_read<T: Send + 'static>(&self, work: ControlWork<T>) -> Result<T, StoreError> {
        self.transact(work, Purpose::Read, |_| false).await
    }

    /// Runs `work` in a transaction of its own task, and keeps what it wrote when `keep` says so.
    async fn transact<T: Send + 'static>(
        &self,
        work: ControlWork<T>,
        purpose: Purpose,
        keep: fn(&T) -> bool,
    ) -> Result<T, StoreError> {
        let database = self.clone();
        let task = async move {
            let _turn = database.turn(purpose).await?;
            let transaction = database.begin(purpose).await?;
            let value = work(&transaction).await?;
            if keep(&value) {
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            Ok(value)
        };
        // Awaited here: a caller that hangs up must not cut it short.
        self.runtime.spawn(task).await.map_err(|stopped| StoreError::Unavailable(stopped.into()))?
    }

    /// The turn to write, where the engine lets one write at a time.
    async fn turn(&self, purpose: Purpose) -> Result<Option<OwnedMutexGuard<()>>, StoreError> {
        match (&self.writer, purpose) {
            (WriterOptions::Sqlite { turn, patience, .. }, Purpose::Control | Purpose::Side) => {
                take_turn(turn, *patience).await.map(Some)
            }
            (WriterOptions::Sqlite { .. }, Purpose::Read) | (WriterOptions::Postgres(_), _) => Ok(None),
        }
    }

    async fn begin(&self, purpose: Purpose) -> Result<DatabaseTransaction, StoreError> {
        match purpose {
            Purpose::Control => {
                let transaction = self.write.begin_with_options(immediate()).await?;
                transaction.execute_unprepared("UPDATE config_version SET version = version + 1 WHERE id = 1").await?;
                Ok(transaction)
            }
            Purpose::Side => Ok(self.write.begin_with_options(immediate()).await?),
            Purpose::Read => {
                // A SQLite transaction sees one state anyway, and knows no levels.
                let options = match self.engine {
                    Engine::Sqlite => TransactionOptions::default(),
                    Engine::Postgres => TransactionOptions {
                        isolation_level: Some(IsolationLevel::RepeatableRead),
                        access_mode: Some(AccessMode::ReadOnly),
                        ..TransactionOptions::default()
                    },
                };
                Ok(self.read.begin_with_options(options).await?)
            }
        }
    }

    /// Applies what is missing of the schema's history, one server at a time.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        match &self.write_pool {
            Pool::Sqlite(_) => {
                let exclusive = TransactionOptions {
                    sqlite_transaction_mode: Some(SqliteTransactionMode::Exclusive),
                    ..TransactionOptions::default()
                };
                let transaction = self.write.begin_with_options(exclusive).await?;
                migration::Migrator::up(&transaction, None).await?;
                transaction.commit().await?;
            }
            Pool::Postgres(pool) => {
                let mut holder = pool.acquire().await?;
                sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK).execute(&mut *holder).await?;
                let applied = migration::Migrator::up(&self.write, None).await;
                sqlx::query("SELECT pg_advisory_unlock($1)").bind(MIGRATION_LOCK).execute(&mut *holder).await?;
                applied?;
            }
        }
        Ok(())
    }

    /// How many steps of the schema's history are missing. On the writing side: in an empty database the migrator
    /// first makes the table that it keeps its own history in.
    pub async fn pending_migrations(&self) -> Result<usize, StoreError> {
        Ok(migration::Migrator::get_pending_migrations(&self.write).await?.len())
    }

    /// Counts the statements that are read with from now on, but for those that begin and end a transaction.
    #[cfg(test)]
    pub(crate) fn count_reads(&mut self) -> Arc<std::sync::atomic::AtomicUsize> {
        let counted = Arc::<std::sync::atomic::AtomicUsize>::default();
        let count = Arc::clone(&counted);
        self.read.set_metric_callback(move |_| {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        });
        counted
    }

    /// Answers when the database does.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read.execute_unprepared("SELECT 1").await?;
        Ok(())
    }

    /// Ends both pools once their connections are idle; writers begin nothing more.
    pub async fn close(&self) {
        for pool in [&self.write_pool, &self.read_pool] {
            match pool {
                Pool::Sqlite(pool) => pool.close().await,
                Pool::Postgres(pool) => pool.close().await,
            }
        }
    }

    async fn assert_durable(&self) -> Result<(), StoreError> {
        match &self.write_pool {
            Pool::Sqlite(pool) => assert_sqlite(pool).await,
            Pool::Postgres(pool) => assert_postgres(pool).await,
        }
    }
}

async fn take_turn(turn: &Arc<Mutex<()>>, patience: Duration) -> Result<OwnedMutexGuard<()>, StoreError> {
    let turn = timeout(patience, Arc::clone(turn).lock_owned()).await;
    turn.map_err(|_| StoreError::Unavailable("another write did not end in time".into()))
}

impl LongRead {
    pub(super) fn wire(&mut self) -> Wire<'_> {
        match &mut self.0 {
            Held::Sqlite(connection) => Wire::Sqlite(connection),
            Held::Postgres(connection) => Wire::Postgres(connection),
        }
    }
}

/// Opens a transaction and reads the version of the control data in it, in one round trip. The lock, "rtrpdays" in
/// ASCII, is shared by all batches: see [`lock_writers_out`].
const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock_shared(8247342644668234099); \
    SELECT version FROM config_version WHERE id = 1";
const LOCK_WRITERS_OUT: &str = "SELECT pg_advisory_xact_lock(8247342644668234099)";

/// Waits until no batch of tracking events is under way anywhere, and lets none begin before this transaction has
/// ended: every batch is then either wholly before it, or has read what it wrote. SQLite's writers take turns anyway.
///
/// # Errors
/// A batch did not end in the time that a lock is waited for.
pub(crate) async fn lock_writers_out(transaction: &DatabaseTransaction) -> Result<(), StoreError> {
    if transaction.get_database_backend() == DatabaseBackend::Postgres {
        transaction.execute_unprepared(LOCK_WRITERS_OUT).await?;
    }
    Ok(())
}

impl Tx {
    pub(super) fn wire(&mut self) -> Wire<'_> {
        match &mut self.0 {
            Open::Sqlite(connection, ..) => Wire::Sqlite(connection),
            Open::Postgres(connection) => Wire::Postgres(connection),
            Open::ReadSqlite(transaction) => Wire::Sqlite(transaction),
            Open::ReadPostgres(transaction) => Wire::Postgres(transaction),
        }
    }

    async fn config_version(&mut self) -> Result<i64, StoreError> {
        let rows = self.run("SELECT version FROM config_version WHERE id = 1", Vec::new()).await?;
        let row = rows.first().ok_or_else(|| StoreError::unreadable("config_version", "no row"))?;
        Ok(row.try_get("", "version")?)
    }

    /// Can nobody else write while this transaction is open? Then what it has read stays true.
    pub(super) fn writes_alone(&self) -> bool {
        match &self.0 {
            Open::Sqlite(..) => true,
            Open::Postgres(_) | Open::ReadSqlite(_) | Open::ReadPostgres(_) => false,
        }
    }

    /// # Errors
    /// `CommitUnknown` when the answer did not come: what was written must be read back.
    pub async fn commit(self) -> Result<WriterConnection, StoreError> {
        self.finish().await.map_err(StoreError::at_commit)
    }

    async fn finish(self) -> Result<WriterConnection, StoreError> {
        match self.0 {
            Open::Sqlite(mut connection, _turn) => {
                connection.execute("COMMIT").await?;
                Ok(WriterConnection(Held::Sqlite(connection)))
            }
            Open::Postgres(mut connection) => {
                connection.execute(sqlx::raw_sql("COMMIT")).await?;
                Ok(WriterConnection(Held::Postgres(connection)))
            }
            Open::ReadSqlite(_) | Open::ReadPostgres(_) => Err(StoreError::Unfit("a dry run writes nothing".into())),
        }
    }
}

async fn open_sqlite(url: &str, options: &ConnectOptionsOf) -> Result<Database, StoreError> {
    let base = SqliteConnectOptions::from_str(url)?
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(false)
        .busy_timeout(options.statement_timeout)
        .disable_statement_logging();
    if let Some(folder) = Path::new(base.get_filename()).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|error| StoreError::Unavailable(error.into()))?;
    }
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .test_before_acquire(false)
        .acquire_timeout(options.statement_timeout)
        .after_release(|connection, _| Box::pin(is_outside(connection)))
        .connect_with(base.clone().create_if_missing(true))
        .await?;
    let limit = options.statement_timeout;
    let read = SqlitePoolOptions::new()
        .max_connections(options.read_connections)
        .test_before_acquire(false)
        .acquire_timeout(options.acquire_timeout)
        .after_connect(move |connection, _| Box::pin(end_after(connection, limit)))
        .before_acquire(move |connection, _| Box::pin(async move { end_after(connection, limit).await.map(|()| true) }))
        .after_release(|connection, _| Box::pin(is_outside(connection)))
        .connect_lazy_with(base.clone().read_only(true));
    Ok(Database {
        engine: Engine::Sqlite,
        writer: WriterOptions::Sqlite {
            options: base
                .clone()
                .row_buffer_size(SQLITE_ROWS)
                .pragma("cache_size", SQLITE_CACHE)
                .pragma("wal_autocheckpoint", SQLITE_CHECKPOINT),
            turn: Arc::default(),
            patience: options.statement_timeout,
        },
        runtime: Handle::current(),
        write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write.clone()),
        read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read.clone()),
        write_pool: Pool::Sqlite(write),
        read_pool: Pool::Sqlite(read),
    })
}

/// Ends what is read with this connection when it takes longer than one statement may: PostgreSQL does it by itself.
async fn end_after(connection: &mut SqliteConnection, limit: Duration) -> Result<(), sqlx::Error> {
    let end = Instant::now() + limit;
    connection.lock_handle().await?.set_progress_handler(SQLITE_STEPS, move || Instant::now() < end);
    Ok(())
}

/// May this connection be used again? SQLite ends a transaction by itself when the disk is full or fails. sqlx (0.9.0)
/// takes the refusal of its own ROLLBACK for a transaction that goes on, and would never begin another one here. The
/// ping comes after a rollback that is still under way.
async fn is_outside(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

async fn open_postgres(url: &str, options: &ConnectOptionsOf) -> Result<Database, StoreError> {
    let statement_ms = options.statement_timeout.as_millis().to_string();
    let base = PgConnectOptions::from_str(url)?
        .application_name("roundtrip")
        .options([
            ("statement_timeout", statement_ms.as_str()),
            ("lock_timeout", "2000"),
            ("idle_in_transaction_session_timeout", "10000"),
            // It compiles a report for longer than it then takes.
            ("jit", "off"),
        ])
        .disable_statement_logging();
    let write = PgPoolOptions::new()
        .max_connections(options.write_connections.saturating_mul(2).saturating_add(1))
        .min_connections(1)
        .test_before_acquire(true)
        .acquire_timeout(options.acquire_timeout)
        .connect_with(base.clone())
        .await?;
    let read = PgPoolOptions::new()
        .max_connections(options.read_connections)
        .test_before_acquire(false)
        .before_acquire(|connection, rest| Box::pin(ask_after_a_rest(connection, rest.idle_for)))
        .acquire_timeout(options.acquire_timeout)
        .connect_lazy_with(base.clone().options([("default_transaction_read_only", "on")]));
    Ok(Database {
        engine: Engine::Postgres,
        writer: WriterOptions::Postgres(base.clone().options(WRITER_PLANS)),
        runtime: Handle::current(),
        write: SqlxPostgresConnector::from_sqlx_postgres_pool(write.clone()),
        read: SqlxPostgresConnector::from_sqlx_postgres_pool(read.clone()),
        write_pool: Pool::Postgres(write),
        read_pool: Pool::Postgres(read),
    })
}

/// A connection that has rested may have been cut meanwhile: then it is replaced here, and nobody meets the error. One
/// that is in use costs no question.
async fn ask_after_a_rest(connection: &mut PgConnection, idle_for: Duration) -> Result<bool, sqlx::Error> {
    if idle_for > REST {
        connection.ping().await?;
    }
    Ok(true)
}

pub(super) async fn assert_sqlite(pool: &SqlitePool) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(pool).await?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    if (next(), next(), next()) < SQLITE_VERSION_MIN {
        return Err(StoreError::Unfit(format!("SQLite {version} is too old: 3.51.3 or newer is needed")));
    }
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(pool).await?;
    if journal != "wal" || synchronous < 2 {
        return Err(StoreError::Unfit(format!(
            "SQLite must run with journal_mode=WAL and synchronous=FULL, not {journal} and {synchronous}"
        )));
    }
    Ok(())
}

async fn assert_postgres(pool: &PgPool) -> Result<(), StoreError> {
    let setting = async |name: &'static str| -> Result<String, StoreError> {
        Ok(sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(pool).await?)
    };
    let version = setting("server_version_num").await?;
    if version.parse::<i32>().is_ok_and(|number| number < POSTGRES_VERSION_MIN) {
        return Err(StoreError::Unfit(format!("PostgreSQL {version} is too old: 15 or newer is needed")));
    }
    if setting("fsync").await? != "on" {
        return Err(StoreError::Unfit("PostgreSQL runs with fsync=off: an answer would be worth nothing".into()));
    }
    let commit = setting("synchronous_commit").await?;
    if !matches!(commit.as_str(), "on" | "remote_apply") {
        return Err(StoreError::Unfit(format!("PostgreSQL must run with synchronous_commit=on, not {commit}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixtures::database_with;

    #[tokio::test]
    async fn a_read_that_takes_too_long_is_ended_and_the_connection_goes_on() {
        let (database, _folder) = database_with(Duration::from_millis(200)).await;
        let count = |rows: u64| {
            let sql = format!(
                "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT {rows}) SELECT MAX(i) FROM n"
            );
            let read = database.read();
            async move { read.execute_unprepared(&sql).await.map_err(StoreError::from) }
        };
        for _ in 0..3 {
            assert!(count(100_000_000_000).await.unwrap_err().ran_too_long());
            count(10).await.unwrap();
        }
    }
}
