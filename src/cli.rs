//! The command line: what an administrator of the machine can do, one file for each command.
//!
//! Whoever may run this may read the key file and the database, so there is no sign-in here; what is changed is in
//! the audit trail as done by `cli`. What a command is asked for goes to stdout, everything else (logs, problems) to
//! stderr, so that `roundtrip schema > schema.graphql` holds a schema and nothing else. A secret is printed once, by
//! the command that made it; no problem ever names one. Refuses to guess: a command that cannot do what was asked
//! says what to do and ends with 1, settings or arguments that are wrong with 2.
//!
//! To add a command: a variant of [`Command`], a file here, a test in `tests/it/cli.rs`, a line in
//! `docs/operating.md`.

mod demo;
mod documents;
mod import_clicks;
mod keys;
mod migrate;
mod opened;
mod operator;
mod problem;
mod serve;
mod table;
mod token;
mod verify;

use std::future::Future;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, LogFormat, LogsConfig};
use crate::telemetry;
use problem::CliProblem;

/// Self-hosted conversion tracking: a click goes out with a transaction_id, a conversion comes home with it.
#[derive(Debug, Parser)]
#[command(name = "roundtrip", version, about, max_term_width = 100)]
pub struct Cli {
    /// The settings file (TOML); without it the one that ROUNDTRIP_CONFIG names. The environment
    /// (ROUNDTRIP__SECTION__KEY) overrides it.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until SIGTERM or Ctrl-C.
    Serve,
    /// Run a server on SQLite with sample data, and print the links of a whole round trip.
    Demo(demo::Arguments),
    /// Bring the schema of the database up to date.
    Migrate,
    /// Print the schema of the admin API (GraphQL SDL).
    Schema,
    /// Print the description of the tracking routes (OpenAPI 3.1).
    Openapi,
    /// Make, list and change operators of the admin API.
    #[command(subcommand)]
    Operator(operator::Action),
    /// Make, list, rotate and revoke secure tokens.
    #[command(subcommand)]
    Token(token::Action),
    /// Prove on live data that statuses, figures and keys agree with the history.
    Verify,
    /// Import the clicks of another system, so that their conversions come home under its ids.
    ImportClicks(import_clicks::Arguments),
    /// Print a new key file (the keys of one installation), or rotate the key of sessions in this one's.
    Keys {
        #[command(subcommand)]
        action: Option<keys::Action>,
    },
}

/// Runs one command to its end.
pub fn main(cli: Cli) -> ExitCode {
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            // Nothing is left to be done about a stderr that is gone.
            let _ = writeln!(io::stderr(), "roundtrip: {problem}");
            problem.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), CliProblem> {
    let config = || Config::load(cli.config.as_deref()).map_err(CliProblem::from);
    match cli.command {
        Command::Schema => documents::schema(),
        Command::Openapi => documents::openapi(),
        Command::Keys { action: None } => keys::print_new(),
        Command::Keys { action: Some(action) } => keys::run(&config()?, action),
        Command::Serve => {
            let config = config()?;
            telemetry::install_logs(&config.logs)?;
            wait_for(serve::serve(&config))
        }
        Command::Demo(arguments) => wait_for(demo::demo(arguments)),
        Command::Migrate => quietly(migrate::migrate(&config()?)),
        Command::Operator(action) => quietly(operator::run(&config()?, action)),
        Command::Token(action) => quietly(token::run(&config()?, action)),
        Command::Verify => quietly(verify::verify(&config()?)),
        Command::ImportClicks(arguments) => quietly(import_clicks::run(&config()?, arguments)),
    }
}

/// Runs a command that people wait for: only what went wrong is logged, as text.
fn quietly(work: impl Future<Output = Result<(), CliProblem>>) -> Result<(), CliProblem> {
    telemetry::install_logs(&LogsConfig { level: "warn".to_owned(), format: LogFormat::Text })?;
    wait_for(work)
}

fn wait_for(work: impl Future<Output = Result<(), CliProblem>>) -> Result<(), CliProblem> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| CliProblem::io("the runtime cannot be started", error))?.block_on(Box::pin(work))
}

/// Writes what was asked for. A reader that has seen enough (`roundtrip schema | head`) is no problem of ours.
fn print(text: &str) -> Result<(), CliProblem> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CliProblem::io("stdout cannot be written", error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
