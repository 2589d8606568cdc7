//! `serve`: settings, one server, and its end.
//!
//! While nobody can sign in, each start prints a fresh one-time code to stdout; it never goes through the log, which
//! is often shipped to where more people read.

use std::sync::Arc;

use super::{CliProblem, print};
use crate::app::setup::ensure_setup_code;
use crate::config::Config;
use crate::server::{Server, told_to_end};
use crate::system::{SystemClock, SystemEntropy};

pub(super) async fn serve(config: &Config) -> Result<(), CliProblem> {
    let told = listen()?;
    let server = Server::build(config, Arc::new(SystemClock), Arc::new(SystemEntropy)).await?;
    if let Some(code) = ensure_setup_code(&server.app()).await? {
        print(&invitation(config.server.public_url.as_str().trim_end_matches('/'), code.reveal()))?;
    }
    run(server, told).await
}

/// Listens for the end, from now on.
pub(super) fn listen() -> Result<impl Future<Output = ()>, CliProblem> {
    told_to_end().map_err(|error| CliProblem::io("SIGTERM cannot be listened for", error))
}

/// Serves until the process is told to end.
pub(super) async fn run(server: Server, told: impl Future<Output = ()>) -> Result<(), CliProblem> {
    tracing::info!(public = %server.local_addr(), internal = %server.internal_addr(), "listening");
    server.run(told).await?;
    tracing::info!("stopped");
    Ok(())
}

fn invitation(url: &str, code: &str) -> String {
    format!(
        "There is no operator yet. Make the first one, an administrator, with this code. It works once, and only\n\
         until the next start:\n\n    {code}\n\n\
         {url}/dashboard/setup#{code}\n\n\
         curl -sS {url}/api/setup -H 'Content-Type: application/json' \\\n  \
         -d '{{\"code\":\"{code}\",\"email\":\"you@example.com\",\"name\":\"You\",\"password\":\"at least 12 characters\"}}'\n\n\
         (Or at this machine: roundtrip operator create --email you@example.com --name You --role admin)\n"
    )
}
