//! One PostgreSQL cluster for this test process, started by the first test that asks.
//!
//! It lives in a folder under /tmp and listens on a socket there, so it never meets another one, and it syncs as in
//! production: the server asserts `fsync` and `synchronous_commit` at start. A shell that watches this process stops
//! it and removes the folder, also when tests panic or are killed: the destructor of a static never runs.
//!
//! Without PostgreSQL the tests fail and say what to install. They are never skipped: half of the promises are about
//! this engine.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

const VERSION_MIN: u32 = 15;
pub(crate) const USER: &str = "roundtrip";
const START_SECONDS_MAX: u32 = 60;

const MISSING: &str = "these tests need the server programs of PostgreSQL 15 or newer, and found none on PATH or in \
     /usr/lib/postgresql/*/bin. On Debian or Ubuntu: apt-get install --no-install-recommends postgresql";

/// What is set on the command line of `postgres`. `fsync` and `synchronous_commit` are on by default, and stay so.
pub(crate) const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "max_connections=900",
    "shared_buffers=128MB",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=2GB",
    "autovacuum=off",
    "logging_collector=off",
];

/// More of them, with spaces between: they go before those above. `make bench` says there how much memory it may have.
#[expect(clippy::disallowed_methods, reason = "of the bench, which has no configuration")]
pub(crate) fn more_settings() -> String {
    std::env::var("ROUNDTRIP_TEST_POSTGRES").unwrap_or_default()
}

/// The URL of a new, empty database. Databases live as long as the cluster, which ends with this process.
pub(crate) fn fresh_database() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = cluster();
    let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let mut create = cluster.programs.command("createdb");
    create.args(["--host", cluster.socket_folder(), "--username", USER, "--template", "template0", &name]);
    run(create).unwrap_or_else(|problem| panic!("{problem}"));
    cluster.url(&name)
}

fn cluster() -> &'static Cluster {
    // The result is kept, so that a machine without PostgreSQL says it at once in every test.
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    match CLUSTER.get_or_init(Cluster::start) {
        Ok(cluster) => cluster,
        Err(problem) => panic!("{problem}"),
    }
}

struct Cluster {
    programs: Programs,
    folder: PathBuf,
}

impl Cluster {
    fn start() -> Result<Self, String> {
        let programs = Programs::find()?;
        // Not TMPDIR: the path of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("rt-pg-").tempdir_in("/tmp").map_err(|e| e.to_string())?.keep();
        programs.give(&folder)?;
        let cluster = Self { programs, folder };
        let mut init = cluster.programs.command("initdb");
        init.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username", USER, "--pgdata"]);
        init.arg(cluster.data());
        run(init)?;
        cluster.serve()?;
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    fn serve(&self) -> Result<(), String> {
        let log = File::create(self.log()).map_err(|e| e.to_string())?;
        let mut postgres = self.programs.command("postgres");
        postgres.arg("-D").arg(self.data()).arg("-k").arg(&self.folder).current_dir(&self.folder);
        let more = more_settings();
        SETTINGS.iter().copied().chain(more.split_whitespace()).for_each(|setting| {
            postgres.args(["-c", setting]);
        });
        let postgres = postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let postgres = postgres.map_err(|e| format!("postgres does not start: {e}"))?;
        self.watch(postgres.id())
    }

    /// Leaves no output open: whoever pipes the tests would wait for the watcher. It waits ten seconds at most for
    /// PostgreSQL to end, since in a container without an init an ended process is never cleared away.
    fn watch(&self, postgres: u32) -> Result<(), String> {
        const SCRIPT: &str = "while kill -0 \"$1\"; do sleep 0.5; done; kill -QUIT \"$2\"; \
             for _ in $(seq 100); do kill -0 \"$2\" || break; sleep 0.1; done; rm -rf \"$3\"";
        let mut watcher = Command::new("sh");
        watcher.args(["-c", SCRIPT, "watch-tests", &std::process::id().to_string(), &postgres.to_string()]);
        watcher.arg(&self.folder).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        watcher.spawn().map(|_| ()).map_err(|e| format!("sh does not start: {e}"))
    }

    fn wait_until_ready(&self) -> Result<(), String> {
        for _ in 0..START_SECONDS_MAX * 10 {
            let mut ask = self.programs.command("pg_isready");
            ask.args(["--quiet", "--host", self.socket_folder(), "--username", USER, "--dbname", "postgres"]);
            if run(ask).is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        Err(format!("PostgreSQL was not ready after {START_SECONDS_MAX} s. Its log:\n{log}"))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@{}/{database}", self.socket_folder().replace('/', "%2F"))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn socket_folder(&self) -> &str {
        self.folder.to_str().expect("made from text")
    }
}

/// Where the programs are, and as whom they run.
pub(crate) struct Programs {
    /// `None`: they are on PATH.
    folder: Option<PathBuf>,
    /// PostgreSQL refuses to run as root: then this account is used.
    account: Option<Account>,
}

struct Account {
    user: u32,
    group: u32,
}

impl Programs {
    pub(crate) fn find() -> Result<Self, String> {
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
        let account = if is_root { Some(Account::find()?) } else { None };
        let folder = installed_folders().into_iter().find(|folder| is_recent(&folder.join("postgres")));
        let on_path = || is_recent(Path::new("postgres")) && is_recent(Path::new("initdb"));
        if folder.is_none() && !on_path() {
            return Err(MISSING.to_owned());
        }
        Ok(Self { folder, account })
    }

    /// A folder for PostgreSQL to write in.
    pub(crate) fn give(&self, folder: &Path) -> Result<(), String> {
        let Some(Account { user, group }) = self.account else { return Ok(()) };
        chown(folder, Some(user), Some(group)).map_err(|e| e.to_string())
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let program = self.folder.as_ref().map_or_else(|| PathBuf::from(program), |folder| folder.join(program));
        let Some(Account { user, group }) = self.account else {
            return Command::new(program);
        };
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]).arg(program);
        // The folder of the sources may be closed to this account.
        command.current_dir("/");
        command
    }
}

impl Account {
    /// The account of the package, else nobody's.
    fn find() -> Result<Self, String> {
        let number = |kind: &str, name: &str| {
            let output = Command::new("id").args([kind, name]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
        };
        let account = |name: &str| Some(Self { user: number("-u", name)?, group: number("-g", name)? });
        let found = account("postgres").or_else(|| account("nobody"));
        found.ok_or_else(|| {
            "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody".to_owned()
        })
    }
}

/// Debian's folders, the newest version first.
fn installed_folders() -> Vec<PathBuf> {
    let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut versions: Vec<u32> =
        versions.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.iter().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))).collect()
}

/// `postgres (PostgreSQL) 15.14 (Debian ..)`
fn is_recent(program: &Path) -> bool {
    let Ok(output) = Command::new(program).arg("--version").output() else { return false };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = said.split_whitespace().find_map(|word| word.split('.').next()?.parse::<u32>().ok());
    version.is_some_and(|version| version >= VERSION_MIN)
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?} does not start: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let mut problem = format!("{command:?} failed: {}", output.status);
    for said in [&output.stdout, &output.stderr] {
        write!(problem, "\n{}", String::from_utf8_lossy(said)).expect("a String takes everything");
    }
    Err(problem)
}

#[tokio::test]
async fn a_fresh_database_is_empty_of_tables_and_syncs_its_commits() {
    use sqlx::{ConnectOptions, Connection, Row};

    let (first, second) = (fresh_database(), fresh_database());
    assert_ne!(first, second);
    let options: sqlx::postgres::PgConnectOptions = first.parse().expect("a URL that sqlx reads");
    let mut connection = options.connect().await.expect("connected");
    let count = "SELECT (SELECT count(*) FROM pg_tables WHERE schemaname = 'public'), \
                 current_setting('fsync'), current_setting('synchronous_commit')";
    let row = sqlx::query(count).fetch_one(&mut connection).await.expect("a row");
    assert_eq!((row.get::<i64, _>(0), row.get::<&str, _>(1), row.get::<&str, _>(2)), (0, "on", "on"));
    connection.close().await.expect("closed");
}
