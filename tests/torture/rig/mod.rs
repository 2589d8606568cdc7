//! The torture: loads the real binary over real HTTP, keeps a ledger of every answer, breaks something, and lets an
//! auditor compare ledger and database. `docs/torture.md` says what is proved and what is not.
//!
//! Whoever is tortured has no part in the proof: the server is another process, started as an operator would start
//! it; the tables are read by SQL of our own. Beside each claim stands a control that must fail, and a control that
//! does not is a failure of the run. What is drawn is drawn from the seed: requests, faults and their instants. How far a
//! worker comes before the fault is the machine's affair, so a seed repeats the script and not every interleaving.
//!
//! To add a fault: a function that returns a [`Section`], a variant of [`What`], a row in [`run`]. `main.rs` runs the
//! long form, `tests/it/torture.rs` a handful of each.

mod auditor;
mod cluster;
pub(crate) mod dice;
mod disk;
pub(crate) mod journal;
mod kills;
mod ledger;
mod load;
mod outage;
mod power;
mod process;
mod sender;
mod server;
mod stories;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use roundtrip::store::Engine;
use tokio::time::Instant;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The server, by SIGKILL.
    Kills(Engine),
    /// The power, on SQLite and every other file of the data folder.
    Power,
    /// PostgreSQL, in seven ways.
    Postgres,
    /// The disk under SQLite.
    Disk,
}

/// Which clicks must be in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClickRule {
    /// Those answered in good time while the database was well: for faults that take the spool's disk away too.
    Settled,
    /// All that were answered; those that the spool holds within [`SPOOL_EMPTY_WITHIN`].
    All,
}

/// How long a spool may take until what it holds is in the database.
const SPOOL_EMPTY_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    /// Kills, or cuts, or rounds of all outages.
    pub(crate) runs: u32,
    /// No further run begins after this time.
    pub(crate) time_max: Duration,
    /// Stories that are told at the same time.
    pub(crate) workers: u32,
    /// Kills and cuts between two full audits; there is always one at the end.
    pub(crate) audit_every: u32,
    pub(crate) clicks: ClickRule,
    /// Only some outages, and short ones: for every run of the tests.
    pub(crate) is_brief: bool,
    /// A program that commits rows on SQLite, for one control more: called with `--commit-rows`, the URL and the value
    /// of `synchronous`, it prints a line after each commit, until it is killed.
    pub(crate) rows_program: Option<PathBuf>,
}

/// What one kind of fault came to.
pub(crate) struct Section {
    name: String,
    figures: Vec<(&'static str, String)>,
    failures: Vec<String>,
}

impl Section {
    fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), figures: Vec::new(), failures: Vec::new() }
    }

    fn figure(&mut self, name: &'static str, value: impl fmt::Display) {
        self.figures.push((name, value.to_string()));
    }

    fn failure(&mut self, what: impl Into<String>) {
        self.failures.push(what.into());
    }

    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.failures.is_empty() { "good" } else { "FAILED" };
        writeln!(f, "{}: {verdict}", self.name)?;
        for (name, value) in &self.figures {
            writeln!(f, "  {name:<34} {value}")?;
        }
        for failure in self.failures.iter().take(20) {
            writeln!(f, "  FAILED: {failure}")?;
        }
        match self.failures.len().saturating_sub(20) {
            0 => Ok(()),
            more => writeln!(f, "  and {more} failures more"),
        }
    }
}

/// Runs one kind of fault.
///
/// # Errors
/// The torture itself is broken: something is missing on this machine, or the server does not start.
pub(crate) async fn run(what: What, options: &Options) -> Outcome<Vec<Section>> {
    match what {
        What::Kills(engine) => Ok(vec![kills::run(engine, options).await?]),
        What::Power => power::run(options).await,
        What::Postgres => outage::run(options).await,
        What::Disk => disk::run(options).await,
    }
}

/// When the next run would begin too late.
struct Clock {
    end: Instant,
}

impl Clock {
    fn start(options: &Options) -> Self {
        Self { end: Instant::now() + options.time_max }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }
}

/// The middle and the highest of some times, in milliseconds.
fn middle_and_most(times: &mut [Duration]) -> String {
    times.sort_unstable();
    match (times.get(times.len() / 2), times.last()) {
        (Some(middle), Some(most)) => format!("{} / {} ms", middle.as_millis(), most.as_millis()),
        (_, None) | (None, Some(_)) => "none".to_owned(),
    }
}
