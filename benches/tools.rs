//! What Roundtrip is compared with, part two: nginx, pgbench and sqlite3, as Debian has them.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use crate::Outcome;
use crate::process::{Process, free_address, said};

const MISSING: &str = "the bench compares with nginx, pgbench and sqlite3. On Debian or Ubuntu: \
     apt-get install --no-install-recommends nginx-light postgresql sqlite3";

/// One row of an ordinary table, about as long as a click.
const ROW: &str = "'2026-11-22', 42, 7, 'newsletter-2026-w47', 'campaign-00042', '9f1c6b52-7d0e-4a53-8f7e-000000000000', \
     'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36'";
const COLUMNS: &str = "at, offer, publisher, sub_id, sub_id_2, external_id, user_agent";
const TYPES: &str =
    "at TEXT, offer INTEGER, publisher INTEGER, sub_id TEXT, sub_id_2 TEXT, external_id TEXT, user_agent TEXT";

/// `return 302` with a buffered access log at `/click`, `empty_gif` without one at `/pixel.gif`.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    _process: Process,
}

impl Nginx {
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let program = find("nginx", &["/usr/sbin", "/usr/bin", "/usr/local/sbin"])?;
        let address = free_address()?;
        let at = folder.join("nginx");
        fs::create_dir_all(at.join("temp"))?;
        fs::write(at.join("nginx.conf"), nginx_settings(&at, address))?;
        let mut command = Command::new(program);
        command.arg("-p").arg(&at).arg("-c").arg(at.join("nginx.conf")).arg("-e").arg(at.join("error.log"));
        let mut process = Process::start(&mut command, &at.join("output"))?;
        process.wait_until_ready(address, "/readyz")?;
        Ok(Self { address, _process: process })
    }
}

fn nginx_settings(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/temp/{kind};\n"))
        .concat();
    format!(
        "daemon off;\nworker_processes auto;\npid {folder}/pid;\nevents {{ worker_connections 4096; }}\n\
         http {{\n{temporary}keepalive_requests 1000000000;\nkeepalive_timeout 600s;\n\
         access_log {folder}/access.log combined buffer=64k flush=1s;\n\
         server {{\nlisten {address};\n\
         location /click {{ return 302 https://shop.example/landing?utm_source=1&utm_campaign=news&clickid=0; }}\n\
         location = /pixel.gif {{ access_log off; empty_gif; }}\n\
         location = /readyz {{ access_log off; return 200; }}\n}}\n}}\n"
    )
}

/// A script by prepared statements, each run its own synced transaction.
pub(crate) struct Pgbench {
    program: PathBuf,
    /// The folder of the socket, and the database.
    place: (String, String),
    user: String,
    script: PathBuf,
    /// Settings of its sessions, as `PGOPTIONS` takes them.
    settings: &'static str,
}

impl Pgbench {
    /// `url` is that of an empty database: `postgres://user@%2Ffolder/name`.
    pub(crate) fn prepare(url: &str, folder: &Path) -> Outcome<Self> {
        let insert = format!("INSERT INTO one_row ({COLUMNS}) VALUES ({ROW});\n");
        let pgbench = Self::asking(url, &insert, "", folder)?;
        let make = format!("CREATE TABLE one_row (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {TYPES})");
        let (host, name) = (&pgbench.place.0, &pgbench.place.1);
        let psql = find_postgres("psql")?;
        said(Command::new(psql).args(["-qX", "-h", host, "-U", &pgbench.user, "-d", name, "-c", &make]))?;
        Ok(pgbench)
    }

    /// Runs a script of its own on the database of `url`.
    pub(crate) fn asking(url: &str, script: &str, settings: &'static str, folder: &Path) -> Outcome<Self> {
        let (user, place) = url
            .strip_prefix("postgres://")
            .and_then(|rest| rest.split_once('@'))
            .ok_or("not the URL of a database of the bench")?;
        let (host, name) = place.split_once('/').ok_or("a URL without a database")?;
        let place = (host.replace("%2F", "/"), name.to_owned());
        let file = folder.join("script.pgbench");
        fs::write(&file, script)?;
        Ok(Self { program: find_postgres("pgbench")?, place, user: user.to_owned(), script: file, settings })
    }

    /// Transactions a second.
    pub(crate) fn rate(&self, clients: usize, time: Duration) -> Outcome<u64> {
        let mut command = Command::new(&self.program);
        command.env("PGOPTIONS", self.settings);
        command.args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "-h", &self.place.0, "-U", &self.user]);
        command.args(["--client", &clients.to_string(), "--time", &time.as_secs().max(1).to_string()]);
        command.arg("--file").arg(&self.script).arg(&self.place.1);
        let text = said(&mut command)?;
        let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")).ok_or("pgbench named no tps")?;
        Ok(tps.split('.').next().unwrap_or_default().parse()?)
    }
}

/// One-row transactions of the `sqlite3` shell, with a write-ahead log that is synced at every commit.
pub(crate) fn sqlite_rate(folder: &Path, rows: u64) -> Outcome<u64> {
    let program = find("sqlite3", &["/usr/bin", "/usr/local/bin"])?;
    let at = tempfile::tempdir_in(folder)?;
    let script = at.path().join("one_row.sql");
    let insert = format!("INSERT INTO one_row ({COLUMNS}) VALUES ({ROW});\n");
    let head = "PRAGMA journal_mode = WAL;\nPRAGMA synchronous = FULL;\n";
    let table = format!("CREATE TABLE one_row (id INTEGER PRIMARY KEY, {TYPES});\n");
    fs::write(&script, format!("{head}{table}{}", insert.repeat(usize::try_from(rows)?)))?;
    let began = Instant::now();
    let mut command = Command::new(program);
    command.arg(at.path().join("one_row.db")).stdin(Stdio::from(fs::File::open(&script)?));
    said(&mut command)?;
    let micros = u64::try_from(began.elapsed().as_micros().max(1))?;
    Ok(rows * 1_000_000 / micros)
}

fn find(name: &str, folders: &[&str]) -> Outcome<PathBuf> {
    let places = folders.iter().map(|folder| Path::new(folder).join(name));
    places.into_iter().find(|place| place.is_file()).ok_or_else(|| MISSING.into())
}

/// The programs of the newest installed version: those on PATH are wrappers that look for other clusters.
fn find_postgres(name: &str) -> Outcome<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<u32> =
        versions.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    let folders: Vec<String> = versions.iter().map(|version| format!("/usr/lib/postgresql/{version}/bin")).collect();
    let folders: Vec<&str> = folders.iter().map(String::as_str).chain(["/usr/bin", "/usr/local/bin"]).collect();
    find(name, &folders)
}
