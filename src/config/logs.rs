//! `[logs]`: how much is logged, and in which form.

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

use super::problems::Problems;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Clone, Debug, Deserialize)]
pub struct LogsConfig {
    /// A level or tracing directives.
    pub level: String,
    pub format: LogFormat,
}

impl LogsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Err(error) = EnvFilter::builder().parse(&self.level) {
            problems.push(format!("logs.level: {error}; expected error, warn, info, debug, trace or directives"));
        }
    }
}
