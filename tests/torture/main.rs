//! `make torture`: breaks the real server in every way that the contract speaks of, and proves that nothing it
//! answered is lost. `docs/torture.md` says what is proved, how, and what is not.
//!
//! Arguments: what to break (`kills`, `power`, `postgres`, `disk`, `all`) and how long: `--runs N` (kills and cuts; of the
//! outages a tenth), `--seconds N` for each kind, `--seed N`, `--workers N`, `--audit-every N`. Exits with 1 when anything
//! was lost, or when a control did not fail.

#[expect(clippy::expect_used, clippy::panic, reason = "shared with the tests: what is wrong with a cluster ends both")]
#[path = "../it/support/postgres.rs"]
mod postgres;
mod rig;
mod rows;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use roundtrip::domain::clock::Clock as _;
use roundtrip::store::Engine;
use roundtrip::system::SystemClock;
use tokio::time::Instant;

use rig::{ClickRule, Options, Outcome, What, run};
use rows::commit_rows;

const EVERYTHING: [What; 5] =
    [What::Kills(Engine::Sqlite), What::Kills(Engine::Postgres), What::Power, What::Postgres, What::Disk];

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(default_value = "all")]
    what: Vec<Wish>,
    #[arg(long, default_value_t = 200)]
    runs: u32,
    #[arg(long, default_value_t = 3_600)]
    seconds: u64,
    /// By default the time of day: it is printed.
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long, default_value_t = 16)]
    workers: u32,
    #[arg(long, default_value_t = 20)]
    audit_every: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wish {
    All,
    Kills,
    KillsSqlite,
    KillsPostgres,
    Power,
    Postgres,
    Disk,
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("torture: {error}");
            return ExitCode::FAILURE;
        }
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.as_slice() {
        // This program as the victim of its own control.
        [flag, url, synchronous] if flag == "--commit-rows" => {
            runtime.block_on(commit_rows(url, synchronous)).map(|()| 0)
        }
        _ => runtime.block_on(torture(&Arguments::parse())),
    };
    match done {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failures) => {
            println!("{failures} FAILURES");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("torture: the torture itself is broken: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many failures there were.
async fn torture(arguments: &Arguments) -> Outcome<usize> {
    let seed = arguments.seed.unwrap_or(u64::try_from(SystemClock.now().as_millis())?);
    println!("seed {seed}: the same script again with --seed {seed}");
    let mut failures = 0;
    for what in EVERYTHING.into_iter().filter(|what| arguments.what.iter().any(|wish| wish.wants(*what))) {
        let runs = match what {
            What::Kills(_) | What::Power => arguments.runs,
            What::Postgres | What::Disk => arguments.runs.div_ceil(10),
        };
        let options = Options {
            seed,
            runs,
            time_max: Duration::from_secs(arguments.seconds),
            workers: arguments.workers,
            audit_every: arguments.audit_every.max(1),
            clicks: ClickRule::All,
            is_brief: false,
            rows_program: std::env::current_exe().ok(),
        };
        let began = Instant::now();
        for section in run(what, &options).await? {
            failures += section.failures().len();
            print!("\n{section}");
        }
        println!("  {:<34} {} s", "time", began.elapsed().as_secs());
    }
    println!("\nseed {seed}: {}", if failures == 0 { "nothing lost, nothing twice" } else { "FAILED" });
    Ok(failures)
}

impl Wish {
    fn wants(self, what: What) -> bool {
        match self {
            Self::All => true,
            Self::Kills => matches!(what, What::Kills(_)),
            Self::KillsSqlite => what == What::Kills(Engine::Sqlite),
            Self::KillsPostgres => what == What::Kills(Engine::Postgres),
            Self::Power => what == What::Power,
            Self::Postgres => what == What::Postgres,
            Self::Disk => what == What::Disk,
        }
    }
}
