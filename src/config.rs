//! Typed settings, and the only reader of the environment.
//!
//! Three layers, the later winning: `config/default.toml` (embedded; it is also the list of what exists),
//! the file of `--config` or `ROUNDTRIP_CONFIG`, and variables `ROUNDTRIP__SECTION__KEY`. Everything that is
//! wrong is said at once, with the place where it was written: a server that starts with half of its settings
//! understood does damage later, so an unknown key, a bad value or a secret from an example ends the start.
//! No value of a setting that may hold a secret is ever part of a message.
//!
//! To add a setting: a commented line in `config/default.toml`, a field in the section's file with its bounds
//! in `check`, and whoever needs it is handed the value by `server.rs`: no other room reads a setting by itself.

mod database;
mod dns;
mod intake;
pub mod keys;
mod limits;
mod logs;
mod outbound;
mod problems;
mod retention;
mod server;
mod session;
mod sources;
mod spool;
mod tokens;
mod values;

use std::path::{Path, PathBuf};

pub use database::{DatabaseConfig, Engine};
pub use dns::DnsConfig;
pub use intake::IntakeConfig;
pub use limits::LimitsConfig;
pub use logs::{LogFormat, LogsConfig};
pub use outbound::OutboundConfig;
pub use problems::ConfigProblems;
pub use retention::RetentionConfig;
pub use server::ServerConfig;
pub use session::SessionConfig;
pub use sources::Sources;
pub use spool::SpoolConfig;
pub use tokens::TokensConfig;

use problems::Problems;

/// The documented defaults, as `roundtrip` prints them.
pub const DEFAULT_TOML: &str = include_str!("../config/default.toml");

/// All settings, read and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder for what this server keeps itself.
    pub data_dir: PathBuf,
    pub server: ServerConfig,
    pub database: DatabaseConfig,
    /// Path of the key file (`[keys] file`, else `keys.toml` in the data folder).
    pub keys_file: PathBuf,
    pub tokens: TokensConfig,
    pub intake: IntakeConfig,
    pub spool: SpoolConfig,
    pub session: SessionConfig,
    pub limits: LimitsConfig,
    pub dns: DnsConfig,
    pub outbound: OutboundConfig,
    pub retention: RetentionConfig,
    pub logs: LogsConfig,
}

impl Config {
    /// Reads the three layers of this process. `file` is that of `--config`; without it `ROUNDTRIP_CONFIG` counts.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, all at once.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigProblems> {
        Self::read(&Sources::of_this_process(file)?)
    }

    /// Reads settings from sources that are at hand, which is how tests set them.
    ///
    /// # Errors
    /// Everything that is wrong with the settings, all at once.
    pub fn read(sources: &Sources) -> Result<Self, ConfigProblems> {
        let mut problems = Problems::default();
        let layers = sources.layers(&mut problems);
        let data_dir: Option<PathBuf> = layers.value("data_dir", &mut problems);
        let server: Option<ServerConfig> = layers.value("server", &mut problems);
        let database: Option<database::DatabaseSettings> = layers.value("database", &mut problems);
        let keys: Option<KeysSettings> = layers.value("keys", &mut problems);
        let tokens: Option<TokensConfig> = layers.value("tokens", &mut problems);
        let intake: Option<IntakeConfig> = layers.value("intake", &mut problems);
        let spool: Option<spool::SpoolSettings> = layers.value("spool", &mut problems);
        let session: Option<SessionConfig> = layers.value("session", &mut problems);
        let limits: Option<LimitsConfig> = layers.value("limits", &mut problems);
        let dns: Option<DnsConfig> = layers.value("dns", &mut problems);
        let outbound: Option<OutboundConfig> = layers.value("outbound", &mut problems);
        let retention: Option<RetentionConfig> = layers.value("retention", &mut problems);
        let logs: Option<LogsConfig> = layers.value("logs", &mut problems);

        let database = match (&data_dir, database) {
            (Some(data_dir), Some(settings)) => settings.resolve(data_dir, &mut problems),
            (None, _) | (_, None) => None,
        };
        let spool = data_dir.as_ref().zip(spool).map(|(data_dir, settings)| settings.resolve(data_dir, &mut problems));
        check(server.as_ref(), |s| s.check(&mut problems));
        check(tokens.as_ref(), |s| s.check(&mut problems));
        check(intake.as_ref(), |s| s.check(database.as_ref().map(|d| d.engine), &mut problems));
        check(session.as_ref(), |s| s.check(&mut problems));
        check(limits.as_ref(), |s| s.check(&mut problems));
        check(dns.as_ref(), |s| s.check(&mut problems));
        check(outbound.as_ref(), |s| s.check(&mut problems));
        check(retention.as_ref(), |s| s.check(&mut problems));
        check(logs.as_ref(), |s| s.check(&mut problems));
        problems.finish()?;

        // A section that is missing here has left a problem above; `?` only satisfies the types.
        let assembled = (|| {
            let data_dir = data_dir?;
            let keys_file = keys?.file.unwrap_or_else(|| data_dir.join("keys.toml"));
            Some(Self {
                data_dir,
                server: server?,
                database: database?,
                keys_file,
                tokens: tokens?,
                intake: intake?,
                spool: spool?,
                session: session?,
                limits: limits?,
                dns: dns?,
                outbound: outbound?,
                retention: retention?,
                logs: logs?,
            })
        })();
        assembled.ok_or_else(|| ConfigProblems::one("a section of the embedded defaults is missing".to_owned()))
    }
}

/// The section `[keys]` as it is written.
#[derive(Debug, serde::Deserialize)]
struct KeysSettings {
    #[serde(deserialize_with = "values::optional_path")]
    file: Option<PathBuf>,
}

fn check<T>(section: Option<&T>, bounds: impl FnOnce(&T)) {
    if let Some(section) = section {
        bounds(section);
    }
}

#[cfg(test)]
mod tests;
