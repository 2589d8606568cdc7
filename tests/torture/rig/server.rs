//! The server under torture: the real binary on a database of its own, with a small workspace.
//!
//! It is configured through its environment, as an operator would do it, and nothing of its durability is changed.
//! It is never asked to end: it is killed. Only the last stop of a run may be a kind one.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use roundtrip::app::create_token::{TokenRequest, create_token};
use roundtrip::app::form::PriceDraft;
use roundtrip::app::manage_offers::{OfferDraft, create_offer};
use roundtrip::app::manage_partners::{PartnerDraft, create_advertiser, create_publisher};
use roundtrip::app::tracking_domains::create_local_domain;
use roundtrip::app::{App, Outcome as Verb, retention};
use roundtrip::config::{Config, Sources, keys};
use roundtrip::domain::clock::Clock as _;
use roundtrip::domain::ids::{OfferId, PublisherId};
use roundtrip::domain::keyring::Keyring;
use roundtrip::domain::offer::DuplicatePolicy;
use roundtrip::domain::operator::Principal;
use roundtrip::domain::secure_token::{Capabilities, Capability, TokenScope};
use roundtrip::domain::transaction_id::{Kind, Minter, TransactionId};
use roundtrip::server;
use roundtrip::store::{Database, Engine};
use roundtrip::system::{SystemClock, SystemEntropy};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::time::Instant;

use super::Outcome;
use super::process::{free_address, signal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_roundtrip");
const READY_WITHIN: Duration = Duration::from_secs(60);
/// A verified tracking domain that needs no DNS.
pub(super) const PIXEL_HOST: &str = "pixel.localhost";
pub(super) const PUBLISHER: i32 = 7;
/// Takes one conversion for each transaction; clickless and pixels are on.
pub(super) const OFFER: i32 = 1;
/// Takes one for each order.
pub(super) const OFFER_OF_ORDERS: i32 = 2;

/// A server and the workspace that it serves.
pub(super) struct Server {
    pub(super) program: Program,
    pub(super) engine: Engine,
    /// A global token that may do everything.
    pub(super) secret: String,
    pub(super) database_url: String,
    pub(super) mint: Mint,
}

/// The binary with its settings and its folder, alive or dead.
pub(super) struct Program {
    pub(super) address: SocketAddr,
    settings: Vec<(String, String)>,
    /// `None` while it is dead.
    child: Option<Child>,
    folder: TempDir,
}

/// Makes transaction ids as the server would, from its own keys.
#[derive(Clone)]
pub(super) struct Mint {
    minter: Arc<Minter>,
    keyring: Arc<Keyring>,
}

impl Mint {
    pub(super) fn mint(&self, offer: i32) -> Outcome<TransactionId> {
        let offer = OfferId::new(offer).ok_or("an offer's number is positive")?;
        let publisher = PublisherId::new(PUBLISHER).ok_or("a publisher's number is positive")?;
        Ok(self.minter.mint(&self.keyring, SystemClock.now(), Kind::Click, offer, publisher))
    }
}

impl Server {
    /// A database with the workspace; the server is not started. `url` is an empty database of PostgreSQL; without
    /// one it is SQLite in `data`, which may lie on another disk.
    pub(super) async fn prepare(url: Option<String>, data: Option<PathBuf>) -> Outcome<Self> {
        let engine = if url.is_some() { Engine::Postgres } else { Engine::Sqlite };
        let program = Program::new(url, data)?;
        let config = read(&program.settings)?;
        if engine == Engine::Postgres {
            write_keys(&config)?;
            let database = Database::connect(&server::connect_options(&config)).await?;
            database.migrate().await?;
            database.close().await;
        }
        let app = server::open(&config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
        let secret = workspace(&app).await?;
        retention::pass(&app.database, app.clock.now(), app.kept()).await?;
        app.database.close().await;
        let mint = Mint { minter: Arc::clone(&app.minter), keyring: Arc::clone(&app.keyring) };
        let database_url = config.database.url.expose_secret().to_owned();
        Ok(Self { program, engine, secret, database_url, mint })
    }
}

impl Program {
    /// Where nothing is yet: no key, no schema.
    pub(super) fn new(url: Option<String>, data: Option<PathBuf>) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("rt-torture-").tempdir()?;
        let data = match data {
            Some(data) => data,
            None => fs::canonicalize(folder.path())?.join("data"),
        };
        fs::create_dir_all(&data)?;
        let url = url.unwrap_or_else(|| format!("sqlite://{}", data.join("roundtrip.db").display()));
        let address = free_address()?;
        Ok(Self { address, settings: settings(&data, address, &url)?, child: None, folder })
    }

    /// Where its data lies.
    pub(super) fn data(&self) -> PathBuf {
        let set = self.settings.iter().find(|(name, _)| name.ends_with("DATA_DIR"));
        set.map(|(_, value)| PathBuf::from(value)).unwrap_or_default()
    }

    /// Starts it, with more in its environment; returns the time until `/readyz` says 200.
    pub(super) fn start(&mut self, environment: &[(&str, &str)]) -> Outcome<Duration> {
        let began = Instant::now();
        self.launch(environment)?;
        while began.elapsed() < READY_WITHIN {
            if status_of(self.address, "/readyz").is_ok_and(|status| status == 200) {
                return Ok(began.elapsed());
            }
            if let Some(status) = self.ended()? {
                return Err(format!("the server ended before it was ready: {status}\n{}", self.last_words()).into());
            }
            sleep(Duration::from_millis(2));
        }
        Err(format!("the server was not ready after {READY_WITHIN:?}\n{}", self.last_words()).into())
    }

    /// As [`Self::start`], and does not wait: for a fault that comes while it starts.
    pub(super) fn launch(&mut self, environment: &[(&str, &str)]) -> Outcome<()> {
        let log = fs::File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(PROGRAM);
        command.arg("serve").current_dir(self.folder.path()).envs(self.settings.iter().cloned());
        command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.child = Some(command.spawn().map_err(|error| format!("{PROGRAM} does not start: {error}"))?);
        Ok(())
    }

    /// `Some` when it has ended, which nobody asked it to.
    pub(super) fn ended(&mut self) -> Outcome<Option<std::process::ExitStatus>> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?,
            None => None,
        })
    }

    /// SIGKILL, and not a word before.
    pub(super) fn kill(&mut self) -> Outcome<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// SIGTERM; its exit code must be 0.
    pub(super) fn stop(&mut self) -> Outcome<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        signal("TERM", &[child.id()])?;
        let status = child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("SIGTERM ended it with {status}").into()) }
    }

    pub(super) fn process(&self) -> Outcome<u32> {
        self.child.as_ref().map(Child::id).ok_or_else(|| "the server is dead".into())
    }

    /// `roundtrip verify` on its database: the drifts that it prints, none when all is well.
    pub(super) fn verify(&self) -> Outcome<Vec<String>> {
        let mut command = Command::new(PROGRAM);
        command.arg("verify").current_dir(self.folder.path()).envs(self.settings.iter().cloned());
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let drifts: Vec<String> = said.lines().filter(|line| line.starts_with("drift: ")).map(str::to_owned).collect();
        match (output.status.success(), drifts.is_empty()) {
            (true, true) | (false, false) => Ok(drifts),
            (true, false) | (false, true) => {
                Err(format!("verify: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
            }
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What it said last, for whoever must know why.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let start = log.len().saturating_sub(2_000);
        log.get(start..).unwrap_or(&log).to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.kill();
    }
}

/// The status of a GET, by a connection of its own.
pub(super) fn status_of(address: SocketAddr, path: &str) -> Outcome<u16> {
    use std::io::Read as _;
    let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    let text = std::str::from_utf8(&answer)?;
    Ok(text.strip_prefix("HTTP/1.1 ").ok_or("no HTTP")?.parse()?)
}

/// Places, and a limit that strangers of one address would meet; all else is the default.
fn settings(data: &Path, address: SocketAddr, database_url: &str) -> Outcome<Vec<(String, String)>> {
    let set = |key: &str, value: String| (format!("ROUNDTRIP__{key}"), value);
    Ok(vec![
        set("DATA_DIR", data.display().to_string()),
        set("DATABASE__URL", database_url.to_owned()),
        set("SERVER__BIND_ADDRESS", address.to_string()),
        set("SERVER__INTERNAL_BIND_ADDRESS", free_address()?.to_string()),
        set("LIMITS__BAD_TOKENS_PER_MINUTE", "100000".to_owned()),
        set("DNS__RESOLVERS", "127.0.0.1".to_owned()),
        set("LOGS__LEVEL", "warn".to_owned()),
    ])
}

fn read(settings: &[(String, String)]) -> Outcome<Config> {
    Config::read(&Sources { file: None, environment: settings.to_vec() }).map_err(|error| error.to_string().into())
}

fn write_keys(config: &Config) -> Outcome<()> {
    let text = keys::new_key_file(&SystemEntropy)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&config.keys_file)?;
    Ok(file.write_all(text.expose_secret().as_bytes())?)
}

async fn workspace(app: &App) -> Outcome<String> {
    let me = Principal::system();
    let partner = |name: &str, number| PartnerDraft {
        name: Some(name.to_owned()),
        number: Some(number),
        ..PartnerDraft::default()
    };
    let advertiser = done(create_advertiser(app, &me, &partner("Shop", 1)).await)?.id;
    done(create_publisher(app, &me, &partner("News", PUBLISHER)).await)?;
    let price = |amount: &str| Some(PriceDraft { fixed: Some(amount.to_owned()), percent: None });
    for (number, policy) in
        [(OFFER, DuplicatePolicy::OnePerTransaction), (OFFER_OF_ORDERS, DuplicatePolicy::OnePerOrder)]
    {
        let offer = OfferDraft {
            name: Some(format!("Offer {number}")),
            advertiser: Some(advertiser),
            landing_page_url: Some("https://shop.example/?tid={transaction_id}".to_owned()),
            revenue: price("10.00"),
            payout: price("7.00"),
            currency: Some("EUR".to_owned()),
            clickless_enabled: Some(true),
            pixel_enabled: Some(true),
            duplicate_policy: Some(policy),
            number: Some(number),
            ..OfferDraft::default()
        };
        done(create_offer(app, &me, offer).await)?;
    }
    done(create_local_domain(app, &me, PIXEL_HOST).await)?;
    let everything = [Capability::Convert, Capability::Reject, Capability::Clickless, Capability::Status];
    let request = TokenRequest {
        capabilities: Some(Capabilities::from_iter(everything)),
        ..TokenRequest::new(TokenScope::Global)
    };
    Ok(done(create_token(app, &me, &request).await)?.secret.reveal().to_owned())
}

fn done<T>(verb: Verb<T>) -> Outcome<T> {
    verb?.map_err(|errors| format!("the workspace was refused: {errors:?}").into())
}
