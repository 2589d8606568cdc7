//! The real binary as a process of its own: for signals, exit codes, and metrics that no other test counts in.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use roundtrip::app::App;
use roundtrip::config::{Config, Sources, keys};
use roundtrip::domain::transaction_id::{Kind, TransactionId};
use roundtrip::server::{connect_options, open};
use roundtrip::store::{Database, Engine};
use roundtrip::system::{SystemClock, SystemEntropy};
use secrecy::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::bench::{offer_id, publisher_id};
use super::outage::Shaky;
use super::postgres;
use super::proxy::Proxy;
use super::server::{seed, told};

/// From SIGTERM to the end.
pub(crate) const END_MAX: Duration = Duration::from_secs(20);

/// A data folder and a database with the standard control data, for servers that come and go.
pub(crate) struct Home {
    /// On the same database, past any proxy: for the audit.
    pub(crate) app: Arc<App>,
    pub(crate) secret: String,
    /// Empty on SQLite.
    pub(crate) database_url: String,
    folder: TempDir,
    /// More of its environment.
    more: Vec<(String, String)>,
}

/// A server that runs.
pub(crate) struct Process {
    child: Child,
    client: Client,
    secret: String,
    public: SocketAddr,
    internal: SocketAddr,
    /// Its log, until its end.
    said: Arc<Mutex<String>>,
}

impl Home {
    pub(crate) async fn furnish(engine: Engine) -> Self {
        Self::furnish_with(engine, &[]).await
    }

    /// As [`Self::furnish`], with more settings: section and key in capitals, two underscores between them.
    pub(crate) async fn furnish_with(engine: Engine, more: &[(&str, &str)]) -> Self {
        let more = more.iter().map(|(name, value)| (format!("ROUNDTRIP__{name}"), (*value).to_owned())).collect();
        let folder = tempfile::tempdir().unwrap();
        let database_url = match engine {
            Engine::Sqlite => String::new(),
            Engine::Postgres => postgres::fresh_database(),
        };
        let keys_file = folder.path().join("keys.toml");
        std::fs::write(&keys_file, keys::new_key_file(&SystemEntropy).unwrap().expose_secret()).unwrap();
        std::fs::set_permissions(&keys_file, PermissionsExt::from_mode(0o600)).unwrap();
        let environment = [settings(&folder, &database_url), Vec::clone(&more)].concat();
        let config = Config::read(&Sources { file: None, environment });
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        if engine == Engine::Postgres {
            let database = Database::connect(&connect_options(&config)).await.unwrap();
            database.migrate().await.unwrap();
            database.close().await;
        }
        let app = open(&config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await.unwrap();
        let secret = seed(&app).await;
        Self { app, secret, database_url, folder, more }
    }

    pub(crate) fn mint(&self) -> TransactionId {
        let app = &self.app;
        app.minter.mint(&app.keyring, app.clock.now(), Kind::Click, offer_id(), publisher_id())
    }

    /// The URL of the same database, and the means to take it away.
    pub(crate) fn shaky(&self) -> (Shaky, String) {
        if self.database_url.is_empty() {
            return (Shaky::file(self.folder.path().join("data/roundtrip.db")), String::new());
        }
        let (proxy, url) = Proxy::before(&self.database_url);
        (Shaky::wire(proxy), url)
    }

    /// Starts the binary, on the database of this URL (that of a proxy, or [`Self::database_url`]), and waits until it
    /// listens.
    pub(crate) async fn serve(&self, database_url: &str) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_roundtrip"));
        command.env_remove("ROUNDTRIP_CONFIG").envs(settings(&self.folder, database_url));
        command.envs(self.more.iter().cloned()).arg("serve");
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let said = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&said);
        // Nobody may stop reading: a full pipe would stop the server.
        std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|count| count > 0) {
                kept.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        let (public, internal) = addresses(&mut child, &said).await;
        let client = Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(30)).build().unwrap();
        Process { child, client, secret: self.secret.clone(), public, internal, said }
    }
}

/// Where it listens, as its log says.
async fn addresses(child: &mut Child, said: &Mutex<String>) -> (SocketAddr, SocketAddr) {
    let began = Instant::now();
    loop {
        let log = said.lock().unwrap().clone();
        for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            if line["message"] == "listening" {
                let address = |name: &str| line[name].as_str().unwrap().parse().unwrap();
                return (address("public"), address("internal"));
            }
        }
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none() && began.elapsed() < Duration::from_secs(30), "{ended:?}: {log}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn settings(folder: &TempDir, database_url: &str) -> Vec<(String, String)> {
    let path = |name: &str| folder.path().join(name).display().to_string();
    let set = |name: &str, value: String| (format!("ROUNDTRIP__{name}"), value);
    vec![
        set("DATA_DIR", path("data")),
        set("KEYS__FILE", path("keys.toml")),
        set("SERVER__BIND_ADDRESS", "127.0.0.1:0".to_owned()),
        set("SERVER__INTERNAL_BIND_ADDRESS", "127.0.0.1:0".to_owned()),
        set("DATABASE__URL", database_url.to_owned()),
        set("DNS__RESOLVERS", "127.0.0.1".to_owned()),
    ]
}

impl Process {
    pub(crate) async fn get(&self, path: &str) -> reqwest::Result<Response> {
        self.client.get(format!("http://{}{path}", self.public)).send().await
    }

    /// GET with the global token, its JSON answer and status.
    pub(crate) async fn told(&self, path: &str) -> (u16, Value) {
        let request = self.client.get(format!("http://{}{path}", self.public)).bearer_auth(&self.secret);
        told(request.send().await.unwrap()).await
    }

    /// `/readyz` of the internal port, which is there until the end.
    pub(crate) async fn readiness(&self) -> (u16, Value) {
        told(self.client.get(format!("http://{}/readyz", self.internal)).send().await.unwrap()).await
    }

    /// A counter without labels; 0 when it was never counted.
    pub(crate) async fn counted(&self, name: &str) -> u64 {
        let page = self.client.get(format!("http://{}/metrics", self.internal)).send().await.unwrap();
        let page = page.text().await.unwrap();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |number| number.parse().unwrap())
    }

    /// SIGKILL, and not a word before.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn tell_to_end(&self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// The end that must follow [`Self::tell_to_end`]; how long it took.
    pub(crate) async fn ends(&mut self) -> Duration {
        let began = Instant::now();
        while began.elapsed() < END_MAX {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert_eq!(status.code(), Some(0), "{}", self.said.lock().unwrap());
                return began.elapsed();
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("it did not end within {END_MAX:?} of SIGTERM: {}", self.said.lock().unwrap());
    }
}

impl Drop for Process {
    /// A test that failed leaves no server behind. One that has ended cannot be killed, which is as good.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
