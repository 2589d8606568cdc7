//! What Roundtrip is compared with, part one: servers of our own in this same binary, each run as its own process.
//!
//! [`bare`] is axum with nothing behind it: what an answer costs at least. [`naive`] is what a usual tracking server
//! does: for each request one SeaORM insert, committed and synced, before the answer. It is meant well:
//! synced commits and nothing else to do: no figures, no keys, no receipts, no checks. It is a
//! yardstick and no example.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::get;
use roundtrip::domain::clock::{Clock as _, Entropy as _};
use roundtrip::system::{SystemClock, SystemEntropy};
use sea_orm::{ActiveModelTrait as _, ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, Schema, Set};
use uuid::Uuid;

use crate::Outcome;
use crate::process::{Process, free_address};

#[expect(unreachable_pub, reason = "the derive makes public items beside the model")]
mod row {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "naive_click")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub clicked_at: i64,
        pub offer_id: i32,
        pub publisher_id: i32,
        pub sub_id: Option<String>,
        pub sub_id_2: Option<String>,
        pub sub_id_3: Option<String>,
        pub external_transaction_id: Option<String>,
        pub device_id: Option<String>,
        pub user_agent: Option<String>,
        pub referrer: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Connections of the naive server's pool, chosen and not tuned. On SQLite one, since there is one write lock.
const POSTGRES_CONNECTIONS: u32 = 32;
const SQLITE_CONNECTIONS: u32 = 1;

/// A yardstick that runs as a process of its own.
pub(crate) struct Yardstick {
    pub(crate) address: SocketAddr,
    _process: Process,
}

/// Starts `bare`, or `naive <url>`, by running this program again.
pub(crate) fn start(words: &[&str], folder: &Path) -> Outcome<Yardstick> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--yardstick").arg(address.port().to_string()).args(words);
    let name = words.first().copied().unwrap_or_default();
    let log = folder.join(format!("{name}-{}.log", address.port()));
    let mut process = Process::start(&mut command, &log)?;
    process.wait_until_ready(address, "/readyz").map_err(|error| {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        format!("{name}: {error}\n{log}")
    })?;
    Ok(Yardstick { address, _process: process })
}

/// What the process that [`start`] has started does.
pub(crate) fn run(port: u16, words: &[String]) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = match words {
            [kind] if kind == "bare" => bare(),
            [kind, url] if kind == "naive" => naive(url).await?,
            _ => return Err("a yardstick is `bare` or `naive <url>`".into()),
        };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(axum::serve(listener, router.route("/readyz", get(async || "ready"))).await?)
    })
}

/// The body and headers of a refusal, and nothing done for it.
fn bare() -> Router {
    async fn refuse() -> Response<Body> {
        let mut response = Response::new(Body::from(r#"{"ok":false,"code":"invalid_secure"}"#));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
    Router::new().route("/postback", get(refuse))
}

#[derive(Clone)]
struct Naive {
    database: DatabaseConnection,
    count: Arc<AtomicU64>,
}

async fn naive(url: &str) -> Outcome<Router> {
    let mut options = ConnectOptions::new(url);
    options.sqlx_logging(false);
    if url.starts_with("sqlite:") {
        options.max_connections(SQLITE_CONNECTIONS).map_sqlx_sqlite_opts(|options| {
            use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
            options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full)
        });
    } else {
        options.max_connections(POSTGRES_CONNECTIONS);
    }
    let database = Database::connect(options).await?;
    let table = Schema::new(database.get_database_backend()).create_table_from_entity(row::Entity);
    database.execute(&table).await?;
    Ok(Router::new().route("/click", get(click)).with_state(Naive { database, count: Arc::default() }))
}

async fn click(State(naive): State<Naive>, request: Request) -> Response<Body> {
    let mut bytes = [0; 16];
    SystemEntropy.fill(&mut bytes);
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    let mut response = Response::new(Body::empty());
    if let Err(error) = row_of(id, &request).insert(&naive.database).await {
        // Once is enough to know why a run failed.
        if naive.count.fetch_add(1, Ordering::Relaxed) == 0 {
            let _ = writeln!(std::io::stderr(), "{error}");
        }
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    }
    *response.status_mut() = StatusCode::FOUND;
    let location = format!("https://shop.example/landing?utm_source=1&utm_campaign=news&clickid={id}");
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn row_of(id: Uuid, request: &Request) -> row::ActiveModel {
    let query = request.uri().query().unwrap_or_default();
    let value = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let number = |name: &str| value(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let sent = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    row::ActiveModel {
        id: Set(id),
        clicked_at: Set(SystemClock.now().as_millis()),
        offer_id: Set(number("offer")),
        publisher_id: Set(number("publisher")),
        sub_id: Set(value("sub_id")),
        sub_id_2: Set(value("sub_id_2")),
        sub_id_3: Set(value("sub_id_3")),
        external_transaction_id: Set(value("external_transaction_id")),
        device_id: Set(value("device_id")),
        user_agent: Set(sent(header::USER_AGENT)),
        referrer: Set(sent(header::REFERER)),
    }
}
