//! `[database]`: which engine, where, and how long we wait for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::problems::Problems;
use super::values::{millis, optional_path, optional_secret};

/// Passwords that stand in examples all over the world; whoever copied one has not chosen any.
const EXAMPLE_PASSWORDS: &[&str] = &["change-me", "changeme", "example", "password", "secret", "<password>"];

/// The two engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    pub engine: Engine,
    /// `sqlite://path`, `postgres://..`.
    pub url: SecretString,
    pub read_connections_max: u32,
    /// Control writes on PostgreSQL; SQLite has one writer.
    pub write_connections_max: u32,
    pub statement_timeout: Duration,
    pub acquire_timeout: Duration,
}

/// The section as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct DatabaseSettings {
    #[serde(deserialize_with = "optional_secret")]
    url: Option<SecretString>,
    #[serde(deserialize_with = "optional_path")]
    url_file: Option<PathBuf>,
    read_connections_max: u32,
    write_connections_max: u32,
    #[serde(rename = "statement_timeout_ms", deserialize_with = "millis")]
    statement_timeout: Duration,
    #[serde(rename = "acquire_timeout_ms", deserialize_with = "millis")]
    acquire_timeout: Duration,
}

impl DatabaseSettings {
    /// Reads the secret files, fills the default in and checks the bounds.
    pub(super) fn resolve(self, data_dir: &Path, problems: &mut Problems) -> Option<DatabaseConfig> {
        problems.bounds("database.read_connections_max", self.read_connections_max, 1, 200);
        problems.bounds("database.write_connections_max", self.write_connections_max, 1, 50);
        problems.bounds("database.statement_timeout_ms", self.statement_timeout.as_millis(), 100, 600_000);
        problems.bounds("database.acquire_timeout_ms", self.acquire_timeout.as_millis(), 10, 60_000);

        let url =
            one_of("database.url", self.url, self.url_file.as_deref(), problems).unwrap_or_else(|| embedded(data_dir));
        let engine = engine("database.url", &url, problems)?;
        Some(DatabaseConfig {
            engine,
            url,
            read_connections_max: self.read_connections_max,
            write_connections_max: self.write_connections_max,
            statement_timeout: self.statement_timeout,
            acquire_timeout: self.acquire_timeout,
        })
    }
}

fn embedded(data_dir: &Path) -> SecretString {
    SecretString::from(format!("sqlite://{}", data_dir.join("roundtrip.db").display()))
}

/// The secret itself or the text of its file; both is a contradiction.
fn one_of(
    key: &str,
    secret: Option<SecretString>,
    file: Option<&Path>,
    problems: &mut Problems,
) -> Option<SecretString> {
    let Some(file) = file else { return secret };
    if secret.is_some() {
        problems.push(format!("{key}: set it or {key}_file, not both"));
    }
    match std::fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => {
            problems.push(format!("{key}_file: {} is empty", file.display()));
            None
        }
        Ok(text) => Some(SecretString::from(text.trim())),
        Err(error) => {
            problems.push(format!("{key}_file: {} cannot be read: {error}", file.display()));
            None
        }
    }
}

fn engine(key: &str, url: &SecretString, problems: &mut Problems) -> Option<Engine> {
    match url.expose_secret().split_once(':') {
        Some(("sqlite", path)) if !path.trim_start_matches('/').is_empty() => Some(Engine::Sqlite),
        Some(("postgres" | "postgresql", _)) => {
            check_postgres(key, url, problems);
            Some(Engine::Postgres)
        }
        Some(_) | None => {
            problems.push(format!("{key}: expected sqlite://path or postgres://user:password@host/database"));
            None
        }
    }
}

fn check_postgres(key: &str, url: &SecretString, problems: &mut Problems) {
    match url::Url::parse(url.expose_secret()) {
        Ok(url) if url.password().is_some_and(|word| EXAMPLE_PASSWORDS.contains(&word.to_lowercase().as_str())) => {
            problems.push(format!("{key}: the password is that of an example; choose one of your own"));
        }
        Ok(_) => {}
        Err(error) => problems.push(format!("{key}: not a URL ({error}); special characters are percent-encoded")),
    }
}
