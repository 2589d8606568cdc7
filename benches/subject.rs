//! The server under test: the release binary, with its own database and a workspace of 200 offers and 20 publishers.
//!
//! It is configured through its environment as an operator would, and nothing of its durability is changed: commits
//! are synced. What differs from the defaults is said in [`settings`]. The tables are read from outside, by SQL, so
//! that a server that counts wrongly cannot vouch for itself.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use roundtrip::app::create_token::{TokenRequest, create_token};
use roundtrip::app::form::PriceDraft;
use roundtrip::app::manage_offers::{OfferDraft, create_offer};
use roundtrip::app::manage_outbound::{OutboundDraft, create_outbound, delete_outbound};
use roundtrip::app::manage_partners::{PartnerDraft, create_advertiser, create_publisher};
use roundtrip::app::operators::{Draft, create_operator};
use roundtrip::app::tracking_domains::create_local_domain;
use roundtrip::app::{App, Outcome as Verb, retention};
use roundtrip::config::{Config, Sources, keys};
use roundtrip::domain::clock::{Clock as _, Timestamp};
use roundtrip::domain::ids::{OfferId, OutboundPostbackId, PublisherId};
use roundtrip::domain::operator::{Principal, Role};
use roundtrip::domain::secure_token::TokenScope;
use roundtrip::domain::transaction_id::{Kind, TransactionId};
use roundtrip::server;
use roundtrip::store::Database;
use roundtrip::system::{SystemClock, SystemEntropy};
use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::fill::{Fill, day_before_today, make_partitions};
use crate::process::{Process, free_address};
use crate::requests::{OFFERS, PIXEL_HOST, PUBLISHERS, Supply, offer_of, publisher_of};
use crate::{Outcome, postgres};

/// Who may use the admin API of a subject.
pub(crate) const USER: &str = "bench@shop.example";
pub(crate) const PASSWORD: &str = "correct horse battery";

const PROGRAM: &str = env!("CARGO_BIN_EXE_roundtrip");
/// Clicks that are loaded by one statement: each pair of offer and publisher once.
const LOADED_AT_ONCE: u64 = OFFERS * PUBLISHERS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// What is in the tables before the server starts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stock {
    /// Clicks whose ids the server's keys sealed: each is converted at most once.
    pub(crate) clicks: u64,
    /// Over how many days before today they are spread; 0: they came within the last minute.
    pub(crate) days: i64,
    pub(crate) fill: Option<Fill>,
}

pub(crate) struct Subject {
    pub(crate) engine: Engine,
    pub(crate) address: SocketAddr,
    /// A global token that may convert and reject.
    pub(crate) secret: String,
    /// The ids of the clicks that are there.
    pub(crate) supply: Supply,
    /// `None` while it is stopped.
    process: Option<Process>,
    settings: Vec<(String, String)>,
    database_url: String,
    folder: TempDir,
}

impl Subject {
    /// A database with the workspace and clicks, and a server that is ready.
    pub(crate) async fn start(engine: Engine, stock: Stock) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let address = free_address()?;
        let database_url = match engine {
            Engine::Sqlite => format!("sqlite://{}", folder.path().join("roundtrip.db").display()),
            Engine::Postgres => postgres::fresh_database(),
        };
        let settings = settings(folder.path(), address, &database_url)?;
        let config = read(&settings)?;
        if engine == Engine::Postgres {
            write_keys(&config)?;
            let database = Database::connect(&server::connect_options(&config)).await?;
            database.migrate().await?;
            database.close().await;
        }
        let app = server::open(&config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
        let secret = workspace(&app).await?;
        retention::pass(&app.database, app.clock.now(), app.kept()).await?;
        if let Some(fill) = stock.fill {
            fill.run(engine, &database_url).await?;
        } else if engine == Engine::Postgres {
            make_partitions(&database_url, stock.days).await?;
        }
        let supply = Supply::new(load_clicks(&app, engine, &database_url, stock).await?);
        app.database.close().await;
        let mut subject = Self { engine, address, secret, supply, process: None, settings, database_url, folder };
        subject.restart()?;
        Ok(subject)
    }

    /// Ends the server and starts it again on the same database; returns the time from the start to ready.
    pub(crate) fn restart(&mut self) -> Outcome<Duration> {
        self.process = None;
        let (process, ready_after) = serve(&self.settings, self.folder.path(), self.address)?;
        self.process = Some(process);
        Ok(ready_after)
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }

    /// Every conversion is told to a server of this machine from now on, so many seconds after it.
    pub(crate) async fn tell(&self, sink: SocketAddr, delay_seconds: i32) -> Outcome<OutboundPostbackId> {
        let draft = OutboundDraft {
            name: Some("bench".to_owned()),
            url_template: Some(format!("http://{sink}/pixel.gif?c={{external_transaction_id}}&s={{status}}")),
            delay_seconds: Some(delay_seconds),
            ..OutboundDraft::default()
        };
        let app = self.open().await?;
        let rule = done(create_outbound(&app, &Principal::system(), &draft).await)?.rule.id;
        app.database.close().await;
        Ok(rule)
    }

    /// Nobody is told any more, and what waits is cancelled.
    pub(crate) async fn tell_no_more(&self, rule: OutboundPostbackId) -> Outcome<()> {
        let app = self.open().await?;
        done(delete_outbound(&app, &Principal::system(), rule).await)?;
        app.database.close().await;
        Ok(())
    }

    /// The use cases on the same database, beside the server.
    async fn open(&self) -> Outcome<Arc<App>> {
        Ok(server::open(&read(&self.settings)?, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?)
    }

    pub(crate) fn process(&self) -> Outcome<&Process> {
        self.process.as_ref().ok_or_else(|| "the server is stopped".into())
    }

    /// What the server said last, for whoever must know why a run failed.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let start = log.len().saturating_sub(2_000);
        log.get(start..).unwrap_or(&log).to_owned()
    }

    /// What autovacuum would do once a minute: the cluster that the bench shares with the tests runs without it.
    /// Else PostgreSQL would keep plans that it made for empty tables.
    pub(crate) async fn analyze(&self) -> Outcome<()> {
        if self.engine == Engine::Postgres {
            let mut connection = PgConnection::connect(&self.database_url).await?;
            sqlx::query("ANALYZE").execute(&mut connection).await?;
            connection.close().await?;
        }
        Ok(())
    }

    /// As [`Self::analyze`], for tables that are too long to sample all of them after each run.
    pub(crate) async fn analyze_recent(&self) -> Outcome<()> {
        if self.engine == Engine::Postgres {
            let today: String = day_before_today(0).to_string().chars().take(10).filter(|c| *c != '-').collect();
            let mut connection = PgConnection::connect(&self.database_url).await?;
            let sql = format!(
                "ANALYZE click_{today}, receipt_{today}, conversion, conversion_key, conversion_change, rollup"
            );
            sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
            connection.close().await?;
        }
        Ok(())
    }

    /// Ends the server and gives back what its database takes on disk (a cluster lives as long as the bench).
    pub(crate) async fn discard(mut self) -> Outcome<()> {
        self.process = None;
        if self.engine == Engine::Postgres {
            let mut connection = PgConnection::connect(&self.database_url).await?;
            for sql in ["DROP SCHEMA public CASCADE", "CHECKPOINT"] {
                sqlx::query(sql).execute(&mut connection).await?;
            }
            connection.close().await?;
        }
        Ok(self.folder.close()?)
    }

    /// One number for each question, asked of the database itself.
    pub(crate) async fn count(&self, questions: &[impl AsRef<str>]) -> Outcome<Vec<u64>> {
        let mut answers = Vec::with_capacity(questions.len());
        match self.engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.database_url).await?;
                for question in questions {
                    let answer: i64 = sqlx::query_scalar(AssertSqlSafe(question.as_ref().to_owned()))
                        .fetch_one(&mut connection)
                        .await?;
                    answers.push(u64::try_from(answer)?);
                }
                connection.close().await?;
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&self.database_url).await?;
                for question in questions {
                    let answer: i64 = sqlx::query_scalar(AssertSqlSafe(question.as_ref().to_owned()))
                        .fetch_one(&mut connection)
                        .await?;
                    answers.push(u64::try_from(answer)?);
                }
                connection.close().await?;
            }
        }
        Ok(answers)
    }
}

/// From the start of a process on an empty folder to ready: keys and schema are made on the way.
pub(crate) fn first_start() -> Outcome<Duration> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let url = format!("sqlite://{}", folder.path().join("roundtrip.db").display());
    let settings = settings(folder.path(), address, &url)?;
    serve(&settings, folder.path(), address).map(|(_process, ready_after)| ready_after)
}

/// Bytes of the binary, stripped as the release profile says.
pub(crate) fn binary_bytes() -> Outcome<u64> {
    Ok(fs::metadata(PROGRAM)?.len())
}

/// What the bench sets: places, and two things that let one machine play many senders. All else is the default.
fn settings(folder: &Path, address: SocketAddr, database_url: &str) -> Outcome<Vec<(String, String)>> {
    let set = |key: &str, value: String| (format!("ROUNDTRIP__{key}"), value);
    Ok(vec![
        set("DATA_DIR", folder.display().to_string()),
        set("DATABASE__URL", database_url.to_owned()),
        set("SERVER__BIND_ADDRESS", address.to_string()),
        set("SERVER__INTERNAL_BIND_ADDRESS", free_address()?.to_string()),
        set("SERVER__TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        set("LIMITS__BAD_TOKENS_PER_MINUTE", "100000".to_owned()),
        // More pages than a person would look at.
        set("LIMITS__GRAPHQL_POINTS_PER_MINUTE", "1000000000".to_owned()),
        // The publisher's server is on this machine.
        set("OUTBOUND__ALLOW_HTTP", "true".to_owned()),
        set("OUTBOUND__ALLOW_PRIVATE", "127.0.0.1/32".to_owned()),
    ])
}

fn read(settings: &[(String, String)]) -> Outcome<Config> {
    Config::read(&Sources { file: None, environment: settings.to_vec() }).map_err(|error| error.to_string().into())
}

fn serve(settings: &[(String, String)], folder: &Path, address: SocketAddr) -> Outcome<(Process, Duration)> {
    let mut command = Command::new(PROGRAM);
    command.arg("serve").current_dir(folder).envs(settings.iter().cloned());
    let log = folder.join("log");
    let mut process = Process::start(&mut command, &log)?;
    let ready = process.wait_until_ready(address, "/readyz").map_err(|error| {
        let log = fs::read_to_string(&log).unwrap_or_default();
        format!("{error}\n{log}")
    })?;
    Ok((process, ready))
}

fn write_keys(config: &Config) -> Outcome<()> {
    let text = keys::new_key_file(&SystemEntropy)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&config.keys_file)?;
    Ok(file.write_all(text.expose_secret().as_bytes())?)
}

/// Offers that take one conversion for each transaction, and pixels. Returns the secret of a global token.
async fn workspace(app: &App) -> Outcome<String> {
    let me = Principal::system();
    let partner = |name: String, number| PartnerDraft { name: Some(name), number, ..PartnerDraft::default() };
    let advertiser = done(create_advertiser(app, &me, &partner("Polar Shop".to_owned(), Some(1))).await)?.id;
    for number in 1..=i32::try_from(PUBLISHERS)? {
        done(create_publisher(app, &me, &partner(format!("Publisher {number}"), Some(number))).await)?;
    }
    let price = |amount: &str| Some(PriceDraft { fixed: Some(amount.to_owned()), percent: None });
    for number in 1..=i32::try_from(OFFERS)? {
        let offer = OfferDraft {
            name: Some(format!("Offer {number}")),
            advertiser: Some(advertiser),
            landing_page_url: Some(
                "https://shop.example/landing?utm_source={publisher_id}&utm_campaign={sub_id}&clickid={transaction_id}"
                    .to_owned(),
            ),
            revenue: price("10.00"),
            payout: price("7.00"),
            currency: Some("EUR".to_owned()),
            pixel_enabled: Some(true),
            number: Some(number),
            ..OfferDraft::default()
        };
        done(create_offer(app, &me, offer).await)?;
    }
    done(create_local_domain(app, &me, PIXEL_HOST).await)?;
    let user = Draft { email: USER.to_owned(), name: "Bench".to_owned(), role: Role::Admin };
    done(create_operator(app, &me, user, PASSWORD.to_owned().into()).await)?;
    let token = done(create_token(app, &me, &TokenRequest::new(TokenScope::Global)).await)?;
    Ok(token.secret.reveal().to_owned())
}

fn done<T>(verb: Verb<T>) -> Outcome<T> {
    verb?.map_err(|errors| format!("the workspace was refused: {errors:?}").into())
}

/// Clicks with ids that the server's own keys sealed. They are put in without the server (and without figures): they
/// are there to be looked up, and to make the tables as long as they would be.
async fn load_clicks(app: &App, engine: Engine, url: &str, stock: Stock) -> Outcome<Vec<TransactionId>> {
    let mut ids = Vec::with_capacity(usize::try_from(stock.clicks)?);
    let batches = stock.clicks.div_ceil(LOADED_AT_ONCE);
    // Of the last minute: a millisecond for each batch.
    let spread = stock.days * 24 * 3600 * 1000;
    let step = spread / i64::try_from(batches * LOADED_AT_ONCE)?.max(1);
    let batch_millis = if stock.days == 0 { 1 } else { step * i64::try_from(LOADED_AT_ONCE)? };
    let end = if stock.days == 0 { SystemClock.now() } else { day_before_today(0) };
    let mut loader = Loader::open(engine, url).await?;
    for batch in 0..batches {
        let at = end.plus_millis(-batch_millis * i64::try_from(batches - batch)?);
        let first = batch * LOADED_AT_ONCE;
        let mut bytes = Vec::new();
        for (place, number) in (0_i64..).zip(first..first + LOADED_AT_ONCE) {
            let id = mint(app, at.plus_millis(place * step), number)?;
            bytes.extend_from_slice(id.as_bytes());
            ids.push(id);
        }
        loader.load(bytes, at, step).await?;
    }
    loader.close().await?;
    Ok(ids)
}

fn mint(app: &App, at: Timestamp, number: u64) -> Outcome<TransactionId> {
    let offer = OfferId::new(i32::try_from(offer_of(number))?).ok_or("an offer's number is positive")?;
    let publisher = PublisherId::new(i32::try_from(publisher_of(number))?).ok_or("a publisher's number is positive")?;
    Ok(app.minter.mint(&app.keyring, at, Kind::Click, offer, publisher))
}

/// One connection that puts clicks in by a statement for many, their ids in one value.
enum Loader {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Loader {
    async fn open(engine: Engine, url: &str) -> Outcome<Self> {
        Ok(match engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(url).await?;
                // This connection alone, and before the server starts.
                sqlx::query("PRAGMA synchronous = OFF").execute(&mut connection).await?;
                Self::Sqlite(connection)
            }
            Engine::Postgres => Self::Postgres(PgConnection::connect(url).await?),
        })
    }

    /// Clicks from `at` on, `step` milliseconds apart.
    async fn load(&mut self, ids: Vec<u8>, at: Timestamp, step: i64) -> Outcome<()> {
        let at = at.as_millis();
        match self {
            Self::Sqlite(connection) => {
                let series = "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $3) SELECT i FROM n)";
                let sql = loading("CAST($1 AS BLOB)", series);
                let last = i64::try_from(LOADED_AT_ONCE)?;
                sqlx::query(AssertSqlSafe(sql)).bind(ids).bind(at).bind(last).bind(step).execute(connection).await?;
            }
            Self::Postgres(connection) => {
                let sql = loading("$1::bytea", "generate_series(0, $3::int8 - 1) AS n(i)");
                let last = i64::try_from(LOADED_AT_ONCE)?;
                sqlx::query(AssertSqlSafe(sql)).bind(ids).bind(at).bind(last).bind(step).execute(connection).await?;
            }
        }
        Ok(())
    }

    /// Leaves the database as one that has been at rest: statistics known, log written back.
    async fn close(self) -> Outcome<()> {
        match self {
            Self::Sqlite(mut connection) => {
                sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
                connection.close().await?;
            }
            Self::Postgres(mut connection) => {
                sqlx::query("ANALYZE").execute(&mut connection).await?;
                sqlx::query("CHECKPOINT").execute(&mut connection).await?;
                connection.close().await?;
            }
        }
        Ok(())
    }
}

fn loading(ids: &str, series: &str) -> String {
    let offers = OFFERS;
    let publishers = PUBLISHERS;
    format!(
        "INSERT INTO click (transaction_id, clicked_at, offer_id, publisher_id, sub_id, sub_id_2, \
         external_transaction_id, device_id, address, address_hash, user_agent, is_bot, is_test) \
         SELECT substr({ids}, CAST(i * 25 + 1 AS INTEGER), 25), $2 + i * $4, CAST(i % {offers} + 1 AS INTEGER), \
         CAST(i / {offers} % {publishers} + 1 AS INTEGER), 'newsletter-2026-w47', 'campaign-00042', \
         '9f1c6b52-7d0e-4a53-8f7e-000000000000', '6ba7b810-9dad-11d1-80b4-000000000000', '203.0.113.0/24', \
         substr({ids}, CAST(i * 25 + 1 AS INTEGER), 16), \
         'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36', \
         FALSE, FALSE FROM {series}"
    )
}
