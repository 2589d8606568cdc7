//! A PostgreSQL cluster of our own that may be broken: the one of the tests is shared.
//!
//! It is set up as the tests' own, and syncs as in production. It dies with this process: a shell watches us.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::super::postgres::{Programs, SETTINGS, USER};
use super::Outcome;
use super::process::{children, done, signal};

pub(super) struct Cluster {
    programs: Programs,
    folder: PathBuf,
    /// `None` while it is dead.
    postmaster: Option<Child>,
}

impl Cluster {
    /// A new cluster, ready. Its data lies in `data`, else in a folder of its own.
    pub(super) fn start(data: Option<&Path>) -> Outcome<Self> {
        let programs = Programs::find()?;
        // Not TMPDIR: the path of a socket has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("rt-pg-torture-").tempdir_in("/tmp")?.keep();
        programs.give(&folder)?;
        if let Some(data) = data {
            fs::create_dir_all(data)?;
            programs.give(data)?;
            std::os::unix::fs::symlink(data, folder.join("data"))?;
        }
        let mut cluster = Self { programs, folder, postmaster: None };
        cluster.watch()?;
        let mut init = cluster.programs.command("initdb");
        init.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C", "--username", USER, "--pgdata"]);
        done(init.arg(cluster.data()))?;
        cluster.up()?;
        Ok(cluster)
    }

    /// Starts it again and waits until it takes connections.
    pub(super) fn up(&mut self) -> Outcome<()> {
        for _ in 0..100 {
            let log = fs::File::options().create(true).append(true).open(self.folder.join("log"))?;
            let mut postgres = self.programs.command("postgres");
            postgres.arg("-D").arg(self.data()).arg("-k").arg(&self.folder).current_dir(&self.folder);
            // A cluster that is broken every other second shall not write 512 MB of log before it looks back.
            for setting in SETTINGS.iter().chain(&["max_wal_size=64MB", "min_wal_size=32MB"]) {
                postgres.args(["-c", setting]);
            }
            let mut child = postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?;
            // One whose postmaster was killed cannot start until the last of its children has noticed.
            while child.try_wait()?.is_none() {
                if self.is_ready() {
                    self.postmaster = Some(child);
                    return Ok(());
                }
                sleep(Duration::from_millis(20));
            }
            sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let start = log.len().saturating_sub(2_000);
        Err(format!("PostgreSQL does not start:\n{}", log.get(start..).unwrap_or(&log)).into())
    }

    /// Ends the postmaster by a signal: INT is `fast`, QUIT `immediate`, KILL what it says.
    pub(super) fn down(&mut self, by: &str) -> Outcome<()> {
        if let Some(mut postmaster) = self.postmaster.take() {
            signal(by, &[postmaster.id()])?;
            postmaster.wait()?;
        }
        Ok(())
    }

    /// Sends a signal to all its processes.
    pub(super) fn signal_all(&self, name: &str) -> Outcome<()> {
        let Some(postmaster) = &self.postmaster else { return Ok(()) };
        let mut all = children(postmaster.id())?;
        all.push(postmaster.id());
        signal(name, &all)
    }

    /// Starts it again when it has ended by itself.
    pub(super) fn up_if_ended(&mut self) -> Outcome<()> {
        let has_ended = match &mut self.postmaster {
            Some(postmaster) => postmaster.try_wait()?.is_some(),
            None => true,
        };
        if has_ended { self.up() } else { Ok(()) }
    }

    /// SQL as its owner, in the database `postgres`; answers with the first column, a value a line.
    pub(super) fn sql(&self, statements: &[&str]) -> Outcome<String> {
        let mut psql = self.programs.command("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.arg("--host").arg(&self.folder).args(["--username", USER, "--dbname", "postgres"]);
        statements.iter().for_each(|statement| {
            psql.args(["--command", statement]);
        });
        done(&mut psql)
    }

    /// The URL of a new, empty database.
    pub(super) fn database(&self, name: &str) -> Outcome<String> {
        let mut create = self.programs.command("createdb");
        create.arg("--host").arg(&self.folder).args(["--username", USER, "--template", "template0", name]);
        done(&mut create)?;
        Ok(format!("postgres://{USER}@{}/{name}", self.folder.display().to_string().replace('/', "%2F")))
    }

    pub(super) fn wait_until_ready(&self) -> Outcome<()> {
        for _ in 0..3_000 {
            if self.is_ready() {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        Err("PostgreSQL was not ready again after a minute".into())
    }

    fn is_ready(&self) -> bool {
        let mut ask = self.programs.command("pg_isready");
        ask.args(["--quiet", "--username", USER, "--dbname", "postgres", "--host"]).arg(&self.folder);
        ask.stderr(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// When this process is no more, neither is the cluster. It leaves no output open: a pipe would wait for it.
    fn watch(&self) -> Outcome<()> {
        const SCRIPT: &str = "while kill -0 \"$1\" && test -d \"$2\"; do sleep 0.5; done; \
             kill -QUIT $(head -n 1 \"$2/data/postmaster.pid\"); sleep 1; rm -rf \"$2\"";
        let mut watcher = Command::new("sh");
        watcher.args(["-c", SCRIPT, "watch-torture", &std::process::id().to_string()]).arg(&self.folder);
        watcher.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        watcher.spawn().map(|_| ()).map_err(Into::into)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nobody is left to be told; a frozen one would not hear.
        let _ = self.signal_all("CONT");
        let _ = self.down("QUIT");
        let _ = fs::remove_dir_all(&self.folder);
    }
}
