//! The whole server in this process, on port 0, with a clock that is moved by hand and chance that repeats itself.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use roundtrip::app::App;
use roundtrip::app::create_token::{TokenRequest, create_token};
use roundtrip::app::form::PriceDraft;
use roundtrip::app::manage_offers::{OfferDraft, create_offer};
use roundtrip::app::manage_partners::{PartnerDraft, create_advertiser, create_publisher};
use roundtrip::app::tracking_domains::create_local_domain;
use roundtrip::config::{Config, Sources, keys};
use roundtrip::domain::clock::Clock as _;
use roundtrip::domain::ids::{ReceiptId, TokenId};
use roundtrip::domain::offer::{Offer, OfferState};
use roundtrip::domain::operator::Principal;
use roundtrip::domain::receipt::Receipt;
use roundtrip::domain::secure_token::{Capabilities, Capability, PlainToken, SecureToken, TokenScope};
use roundtrip::domain::snapshot::Snapshot;
use roundtrip::domain::transaction_id::{Kind, TransactionId};
use roundtrip::server::{RunProblem, Server, connect_options};
use roundtrip::store::{self, Database, Engine};
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::bench::{OFFER, PUBLISHER, offer_id, publisher_id, snapshot};
use super::chance::{ManualClock, SeededEntropy};
use super::desk::done;
use super::outage::Shaky;
use super::postgres;
use super::proxy::Proxy;

/// A verified tracking domain of every standard server.
pub(crate) const TRACKING_HOST: &str = "pixel.test";
/// The tracking domain of a seeded server, which must need no DNS.
pub(crate) const SEEDED_HOST: &str = "pixel.localhost";

pub(crate) struct TestServer {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    /// Follows no redirect and keeps no cookie.
    pub(crate) client: Client,
    /// The global token of a standard server; it may do everything.
    pub(crate) secret: String,
    public: SocketAddr,
    internal: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), RunProblem>>,
    config: Config,
    _folder: Option<TempDir>,
}

impl TestServer {
    /// A server with the control data of [`super::bench`] in memory: offer 42, publisher 7, one global token, the
    /// domain `pixel.test`. Its database holds none of it, and no control write reaches it.
    pub(crate) async fn start(engine: Engine) -> Self {
        Self::start_with(engine, "").await
    }

    /// As [`Self::start`], with more settings, in TOML.
    pub(crate) async fn start_with(engine: Engine, settings: &str) -> Self {
        Self::furnished(Self::start_empty(engine, settings).await)
    }

    fn furnished(mut self) -> Self {
        let plain = PlainToken::generate(TokenScope::Global, self.app.entropy.as_ref());
        self.app.snapshot.store(Arc::new(snapshot(&plain, self.clock.now())));
        self.secret = plain.reveal().to_owned();
        self
    }

    /// A server on a database with its schema and nothing else, for tests that make their own control data.
    pub(crate) async fn start_empty(engine: Engine, settings: &str) -> Self {
        Self::start_on(&fresh_url(engine), settings).await
    }

    /// As [`Self::start_empty`], on the database of this URL; without one, on SQLite.
    async fn start_on(url: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let entropy = Arc::new(SeededEntropy::new("server"));
        let config = config(url, folder.path(), settings);
        write_keys(&config.keys_file, &entropy);
        if config.database.engine == roundtrip::config::Engine::Postgres {
            let database = Database::connect(&connect_options(&config)).await.unwrap();
            database.migrate().await.unwrap();
            database.close().await;
        }
        Self::serve(config, Arc::new(ManualClock::new()), entropy, Some(folder)).await
    }

    /// As [`Self::start_with`], on a database that can be taken away.
    pub(crate) async fn start_shaky(engine: Engine, settings: &str) -> (Self, Shaky) {
        let (url, proxy) = match engine {
            Engine::Sqlite => (String::new(), None),
            Engine::Postgres => {
                let (proxy, url) = Proxy::before(&postgres::fresh_database());
                (url, Some(proxy))
            }
        };
        let server = Self::furnished(Self::start_on(&url, settings).await);
        let shaky = match proxy {
            Some(proxy) => Shaky::wire(proxy),
            None => Shaky::file(server.config.data_dir.join("roundtrip.db")),
        };
        (server, shaky)
    }

    /// A server on a database that holds the standard control data, made by the use cases themselves.
    pub(crate) async fn start_seeded(engine: Engine) -> Self {
        Self::start_seeded_with(engine, "").await
    }

    /// As [`Self::start_seeded`], with more settings, in TOML.
    pub(crate) async fn start_seeded_with(engine: Engine, settings: &str) -> Self {
        let mut server = Self::start_empty(engine, settings).await;
        server.secret = seed(&server.app).await;
        server
    }

    /// A second server on the same database, with the same keys, clock and global token.
    pub(crate) async fn sibling(&self) -> Self {
        let entropy = Arc::new(SeededEntropy::new("sibling"));
        let mut server = Self::serve(self.config.clone(), Arc::clone(&self.clock), entropy, None).await;
        server.secret = self.secret.clone();
        server
    }

    async fn serve(
        config: Config,
        clock: Arc<ManualClock>,
        entropy: Arc<SeededEntropy>,
        folder: Option<TempDir>,
    ) -> Self {
        let server = Server::build(&config, Arc::clone(&clock) as _, entropy).await.unwrap();
        let (app, public, internal) = (server.app(), server.local_addr(), server.internal_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        let work = server.run(async {
            let _ = stopped.await;
        });
        #[expect(clippy::disallowed_methods, reason = "awaited in `end`, or ended with the test's runtime")]
        let running = tokio::spawn(work);
        let client = Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(30)).build().unwrap();
        Self {
            app,
            clock,
            client,
            secret: String::new(),
            public,
            internal,
            stop: Some(stop),
            running,
            config,
            _folder: folder,
        }
    }

    /// The keys that this server and its siblings read when they start.
    pub(crate) fn keys_file(&self) -> &Path {
        &self.config.keys_file
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn end(mut self) -> Result<(), RunProblem> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        (&mut self.running).await.unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }

    pub(crate) fn internal_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.internal)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse().unwrap(), self.url(path))
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request("GET", path).send().await.unwrap()
    }

    /// GET on a tracking domain.
    pub(crate) async fn get_on_domain(&self, path: &str) -> Response {
        self.request("GET", path).header("host", TRACKING_HOST).send().await.unwrap()
    }

    /// GET with the global token, its JSON answer and status.
    pub(crate) async fn told(&self, path: &str) -> (u16, Value) {
        let response = self.request("GET", path).bearer_auth(&self.secret).send().await.unwrap();
        told(response).await
    }

    pub(crate) async fn post_form(&self, path: &str, form: impl Into<String>) -> Response {
        let request = self.request("POST", path).header("content-type", "application/x-www-form-urlencoded");
        request.body(form.into()).send().await.unwrap()
    }

    pub(crate) async fn post_json(&self, path: &str, json: impl Into<String>) -> Response {
        let request = self.request("POST", path).header("content-type", "application/json");
        request.body(json.into()).send().await.unwrap()
    }

    /// An id of offer 42 and publisher 7, as a click now would mint it.
    pub(crate) fn mint(&self) -> TransactionId {
        let app = &self.app;
        app.minter.mint(&app.keyring, self.clock.now(), Kind::Click, offer_id(), publisher_id())
    }

    /// Changes the control data in memory.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut new = Snapshot::clone(&self.app.snapshot.load());
        change(&mut new);
        self.app.snapshot.store(Arc::new(new));
    }

    pub(crate) fn change_offer(&self, change: impl FnOnce(&mut Offer)) {
        self.change(|snapshot| change(snapshot.offers.get_mut(&offer_id()).unwrap()));
    }

    /// Changes the global token.
    pub(crate) fn change_token(&self, change: impl FnOnce(&mut SecureToken)) {
        self.change(|snapshot| change(snapshot.tokens.values_mut().next().unwrap()));
    }

    /// One more token in memory; its secret.
    pub(crate) fn add_token(&self, number: u128, scope: TokenScope, change: impl FnOnce(&mut SecureToken)) -> String {
        let plain = PlainToken::generate(scope, self.app.entropy.as_ref());
        let capabilities = self.app.snapshot.load().tokens.values().next().unwrap().capabilities;
        let id = TokenId::from_uuid(uuid::Uuid::from_u128(number));
        let mut token = SecureToken::new(id, plain.digest(), scope, capabilities);
        change(&mut token);
        self.change(|snapshot| {
            snapshot.tokens.insert(token.digest, token);
        });
        plain.reveal().to_owned()
    }

    /// The receipt that an answer names.
    pub(crate) async fn receipt(&self, told: &Value) -> Receipt {
        let id = ReceiptId::parse(told["receipt_id"].as_str().unwrap()).unwrap();
        store::receipts::find(&self.app.database, id).await.unwrap().expect("the receipt is kept")
    }
}

/// Offer 42 of one advertiser, with clickless and pixels on; publisher 7; the domain `pixel.localhost`; and the secret of a
/// global token that may do everything.
pub(crate) async fn seed(app: &App) -> String {
    let system = Principal::system();
    let partner = |name: &str| PartnerDraft { name: Some(name.into()), ..PartnerDraft::default() };
    let advertiser = done(create_advertiser(app, &system, &partner("Advertiser")).await);
    let publisher = PartnerDraft { number: Some(PUBLISHER), ..partner("Publisher") };
    done(create_publisher(app, &system, &publisher).await);
    let price = |fixed: &str| Some(PriceDraft { fixed: Some(fixed.into()), percent: None });
    let offer = OfferDraft {
        name: Some("Offer".into()),
        advertiser: Some(advertiser.id),
        landing_page_url: Some("https://shop.example/?tid={transaction_id}".into()),
        state: Some(OfferState::Active),
        revenue: price("10"),
        payout: price("7"),
        currency: Some("EUR".into()),
        clickless_enabled: Some(true),
        pixel_enabled: Some(true),
        number: Some(OFFER),
        ..OfferDraft::default()
    };
    done(create_offer(app, &system, offer).await);
    done(create_local_domain(app, &system, SEEDED_HOST).await);
    let everything = [Capability::Convert, Capability::Reject, Capability::Clickless, Capability::Status];
    let request = TokenRequest {
        capabilities: Some(Capabilities::from_iter(everything)),
        ..TokenRequest::new(TokenScope::Global)
    };
    done(create_token(app, &system, &request).await).secret.reveal().to_owned()
}

/// The scope of a token of offer 42.
pub(crate) fn offer_scope() -> TokenScope {
    TokenScope::Offer(offer_id())
}

/// Status and JSON body.
pub(crate) async fn told(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    (status, json)
}

/// A header as text.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Empty for SQLite, which the data folder is for.
fn fresh_url(engine: Engine) -> String {
    match engine {
        Engine::Sqlite => String::new(),
        Engine::Postgres => postgres::fresh_database(),
    }
}

fn config(url: &str, folder: &Path, settings: &str) -> Config {
    let text = format!("data_dir = \"{}\"\n{settings}\n", folder.display());
    let set = |name: &str, value: &str| (format!("ROUNDTRIP__{name}"), value.to_owned());
    let mut environment = vec![
        set("SERVER__BIND_ADDRESS", "127.0.0.1:0"),
        set("SERVER__INTERNAL_BIND_ADDRESS", "127.0.0.1:0"),
        set("SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        set("DATABASE__URL", url),
    ];
    // No test asks the real DNS.
    if !settings.contains("resolvers") {
        environment.push(set("DNS__RESOLVERS", "127.0.0.1"));
    }
    // A click is in the tables when its visitor is sent on, however busy the machine is.
    if !settings.contains("visitor_patience_ms") {
        environment.push(set("INTAKE__VISITOR_PATIENCE_MS", "2000"));
    }
    let sources = Sources { file: Some(("test.toml".to_owned(), text)), environment };
    Config::read(&sources).unwrap_or_else(|problems| panic!("{problems}"))
}

pub(crate) fn write_keys(file: &Path, entropy: &SeededEntropy) {
    use std::io::Write;
    let text = keys::new_key_file(entropy).unwrap();
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(file).unwrap();
    file.write_all(text.expose_secret().as_bytes()).unwrap();
}
