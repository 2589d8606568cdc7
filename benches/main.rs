//! `make bench`: how fast the release binary is, as ratios against other programs in the same run.
//!
//! Absolute figures of a shared machine move by a third within minutes, so none is a goal: each round measures
//! everything once, a ratio is made inside a round, and the middle of the rounds counts. After each run on Roundtrip the
//! tables are counted against the answers that the load generator read: one row too few or too many ends the bench,
//! because a rate of lost conversions is worth nothing. Goals, and what they are held against: [`report`].
//!
//! `--long` takes longer runs; `--write` puts the figures into `benches/RESULTS.md`; `--try` is one round on small
//! tables, for whoever changes something and wants to see whether it helps: its figures are kept nowhere.
//! `--grown` is a form of its own (P11, memory, overload: [`grown`]), with a size if it shall not be the full one:
//! `--grown 2` for two million conversions, `--grown 60k --try` for a quick look. So is `--pages` (P9 and the bombs:
//! [`pages`]), with the same sizes.
//! `--reports` is another one (P10: [`reports`]), with a size like that.

mod fill;
mod grown;
mod load;
mod pages;
#[expect(clippy::expect_used, clippy::panic, reason = "shared with the tests: what is wrong with a cluster ends both")]
#[path = "../tests/it/support/postgres.rs"]
mod postgres;
mod process;
mod report;
mod reports;
mod requests;
mod subject;
mod tools;
mod yardsticks;

use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use roundtrip::domain::secure_token::{PlainToken, TokenScope};
use roundtrip::system::SystemEntropy;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use load::{Busy, Delays, Rate, Source, Target, Wanted, closed, closed_while, paced};
use process::processor_micros;
use report::{Figures, Part};
use requests::{bad_tokens, clicks, forged, forged_pixels, pixels, postbacks};
use subject::{Engine, Stock, Subject, binary_bytes, first_start};
use tools::{Nginx, Pgbench, sqlite_rate};
use yardsticks::Yardstick;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const CONNECTIONS: usize = 256;
const FEW_CONNECTIONS: usize = 64;
const MANY_CONNECTIONS: usize = 2_000;

const REDIRECT: Wanted = Wanted { status: 302, part: "" };
const RECORDED: Wanted = Wanted { status: 200, part: r#""code":"recorded""# };
const REFUSED: Wanted = Wanted { status: 401, part: "invalid_secure" };
const MALFORMED: Wanted = Wanted { status: 422, part: "malformed_transaction_id" };
const PIXEL_RECORDED: Wanted = Wanted { status: 200, part: "x-conversion-result: recorded" };
const PIXEL_REFUSED: Wanted = Wanted { status: 200, part: "x-conversion-result: refused" };
const PICTURE: Wanted = Wanted { status: 200, part: "GIF89a" };

/// A question to the tables, and by how much its answer grows with each right answer of a run.
type Facts = &'static [(&'static str, u64)];

const CLICK_FACTS: Facts = &[
    ("SELECT count(*) FROM click", 1),
    ("SELECT CAST(COALESCE(SUM(clicks), 0) AS BIGINT) FROM rollup", 1),
    ("SELECT count(*) FROM conversion", 0),
];
/// Its order and its transaction are keys.
const POSTBACK_FACTS: Facts = &[
    ("SELECT count(*) FROM conversion", 1),
    ("SELECT count(*) FROM conversion_change", 1),
    ("SELECT count(*) FROM receipt", 1),
    ("SELECT count(*) FROM conversion_key", 2),
    ("SELECT CAST(COALESCE(SUM(conversions), 0) AS BIGINT) FROM rollup", 1),
];
const TOLD_FACTS: Facts = &[
    ("SELECT count(*) FROM conversion", 1),
    ("SELECT count(*) FROM conversion_change", 1),
    ("SELECT count(*) FROM receipt", 1),
    ("SELECT count(*) FROM delivery", 1),
];
const PIXEL_FACTS: Facts = &[
    ("SELECT count(*) FROM conversion", 1),
    ("SELECT count(*) FROM conversion_change", 1),
    ("SELECT count(*) FROM receipt", 1),
    ("SELECT count(*) FROM conversion_key", 1),
    ("SELECT CAST(COALESCE(SUM(conversions), 0) AS BIGINT) FROM rollup", 1),
];
const FORGED_FACTS: Facts = &[("SELECT count(*) FROM conversion", 0), ("SELECT count(*) FROM receipt", 1)];
/// Nobody is known to have sent it: its receipt may be thinned.
const STRANGER_FACTS: Facts = &[("SELECT count(*) FROM conversion", 0), ("SELECT count(*) FROM conversion_key", 0)];

const TOLD_LATER: &str = "postback, PostgreSQL, 256, one rule, told later";
const TOLD_NOW: &str = "postback, PostgreSQL, 256, one rule, told at once";

/// How long it takes.
#[derive(Clone, Copy)]
struct Scale {
    name: &'static str,
    rounds: usize,
    run: Duration,
    paced: Duration,
    /// Clicks that are there before; each is converted at most once.
    clicks: u64,
    sqlite_rows: u64,
}

const SHORT: Scale = Scale {
    name: "short form",
    rounds: 3,
    run: Duration::from_millis(2_000),
    paced: Duration::from_secs(5),
    clicks: 1_000_000,
    sqlite_rows: 4_000,
};
const LONG: Scale = Scale {
    name: "long form",
    rounds: 5,
    run: Duration::from_secs(10),
    paced: Duration::from_secs(30),
    clicks: 4_000_000,
    sqlite_rows: 20_000,
};

const TRY: Scale = Scale {
    name: "a try",
    rounds: 1,
    run: Duration::from_secs(4),
    paced: Duration::from_secs(2),
    clicks: 300_000,
    sqlite_rows: 4_000,
};

fn main() -> ExitCode {
    // cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let done = match words.as_slice() {
        [flag, port, rest @ ..] if flag == "--yardstick" => {
            port.parse().map_err(Into::into).and_then(|port| yardsticks::run(port, rest))
        }
        options => bench(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("bench: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &[String]) -> Outcome<()> {
    let load_before = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load_before = load_before.split(' ').next().unwrap_or_default();
    if let Some(at) = options.iter().position(|option| ["--grown", "--pages"].contains(&option.as_str())) {
        let (before, after) = options.split_at(at);
        return with_size(&options[at], before, &after[1..], load_before);
    }
    if let Some(at) = options.iter().position(|option| option == "--reports") {
        let (before, after) = options.split_at(at);
        return on_large_tables(before, &after[1..], load_before);
    }
    if let Some(unknown) = options.iter().find(|option| !["--long", "--write", "--try"].contains(&option.as_str())) {
        return Err(format!("{unknown}: the bench takes --long, --write, --try, --grown, --pages and --reports").into());
    }
    let has = |name: &str| options.iter().any(|option| option == name);
    let scale = match (has("--try"), has("--long")) {
        (true, _) => TRY,
        (false, true) => LONG,
        (false, false) => SHORT,
    };
    let mut bench = Bench::prepare(scale)?;
    for round in 0..scale.rounds {
        println!("round {} of {}", round + 1, scale.rounds);
        bench.round(round == 0)?;
    }
    if has("--try") {
        return Ok(());
    }
    for name in [TOLD_LATER, TOLD_NOW] {
        let found = bench.figures.ratio(name, &["postback, PostgreSQL, 256"])?;
        bench.figures.add_found("P4", &format!("{name} / without a rule"), report::decimal(found));
    }
    bench.delays()?;
    bench.memory()?;
    bench.starts()?;
    let page = bench.figures.page(Part::Measured, scale.name, load_before)?;
    println!("\n{page}");
    if has("--write") {
        report::keep(Path::new("benches/RESULTS.md"), Part::Measured, &page)?;
    }
    Ok(())
}

/// What follows a form of its own: its size, if it shall not be the full one.
fn sized(after: &[String]) -> Outcome<(grown::Size, &[String])> {
    match after {
        [size, rest @ ..] if !size.starts_with("--") => Ok((size.parse()?, rest)),
        rest => Ok((grown::Size::FULL, rest)),
    }
}

/// P10; what follows `--reports` may be its size.
fn on_large_tables(before: &[String], after: &[String], load_before: &str) -> Outcome<()> {
    let (size, after) = sized(after)?;
    let options: Vec<&str> = before.iter().chain(after).map(String::as_str).collect();
    if let Some(unknown) = options.iter().find(|option| **option != "--write") {
        return Err(format!("{unknown}: with --reports the bench takes --write").into());
    }
    let mut figures = Figures::default();
    reports::run(size, &mut figures)?;
    let page = figures.page(Part::Reports, &of_postgres(reports::name(size)), load_before)?;
    println!("\n{page}");
    if options.contains(&"--write") {
        report::keep(Path::new("benches/RESULTS.md"), Part::Reports, &page)?;
    }
    Ok(())
}

/// With what PostgreSQL was given beyond its defaults.
fn of_postgres(name: String) -> String {
    let more = postgres::more_settings();
    if more.is_empty() { name } else { format!("{name}, PostgreSQL with {more}") }
}

/// A form of its own; what follows its name may be its size.
fn with_size(form: &str, before: &[String], after: &[String], load_before: &str) -> Outcome<()> {
    let (size, after) = sized(after)?;
    let options: Vec<&str> = before.iter().chain(after).map(String::as_str).collect();
    if let Some(unknown) = options.iter().find(|option| !["--write", "--try"].contains(option)) {
        return Err(format!("{unknown}: with {form} the bench takes --write and --try").into());
    }
    let is_try = options.contains(&"--try");
    let (figures, part) = match (form, is_try) {
        ("--pages", true) => (pages::run(size, pages::Pace::TRY)?, Part::Pages),
        ("--pages", false) => (pages::run(size, pages::Pace::FULL)?, Part::Pages),
        (_, true) => (grown::run(size, grown::Pace::TRY)?, Part::Grown),
        (_, false) => (grown::run(size, grown::Pace::FULL)?, Part::Grown),
    };
    let name = if form == "--pages" { pages::name(size) } else { grown::name(size) };
    let page = figures.page(part, &of_postgres(name), load_before)?;
    println!("\n{page}");
    if options.contains(&"--write") && !is_try {
        report::keep(Path::new("benches/RESULTS.md"), part, &page)?;
    }
    Ok(())
}

/// Has an answer of the tables grown by what the answers of a run say, from the least to the most?
fn rows_agree(engine: Engine, question: &str, (before, after): (u64, u64), (least, most): (u64, u64)) -> Outcome<()> {
    let grew = i128::from(after) - i128::from(before);
    if (i128::from(least)..=i128::from(most)).contains(&grew) {
        return Ok(());
    }
    let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
    Err(format!("{}: by the answers `{question}` should have grown by {wanted}, and grew by {grew}", engine.name())
        .into())
}

/// Everything that is measured, running side by side; only one of them has work at a time.
struct Bench {
    scale: Scale,
    figures: Figures,
    runtime: Runtime,
    nginx: Nginx,
    bare: Yardstick,
    naive: [Yardstick; 2],
    pgbench: Pgbench,
    postgres: Subject,
    sqlite: Subject,
    folder: TempDir,
}

impl Bench {
    fn prepare(scale: Scale) -> Outcome<Self> {
        println!("preparing: two databases with {} clicks each", scale.clicks);
        let stock = Stock { clicks: scale.clicks, days: 0, fill: None };
        let folder = tempfile::tempdir()?;
        let runtime = Runtime::new()?;
        let naive_file = format!("sqlite://{}", folder.path().join("naive.db").display());
        Ok(Self {
            nginx: Nginx::start(folder.path())?,
            bare: yardsticks::start(&["bare"], folder.path())?,
            naive: [
                yardsticks::start(&["naive", &postgres::fresh_database()], folder.path())?,
                yardsticks::start(&["naive", &naive_file], folder.path())?,
            ],
            pgbench: Pgbench::prepare(&postgres::fresh_database(), folder.path())?,
            postgres: runtime.block_on(Subject::start(Engine::Postgres, stock))?,
            sqlite: runtime.block_on(Subject::start(Engine::Sqlite, stock))?,
            figures: Figures::default(),
            scale,
            runtime,
            folder,
        })
    }

    /// Everything once. What is compared is measured close together.
    fn round(&mut self, is_first: bool) -> Outcome<()> {
        if self.scale.rounds == 1 {
            return self.glance();
        }
        let time = self.scale.run;
        let whole_seconds = Duration::from_secs(time.as_secs().max(2));
        let nginx = Target { address: self.nginx.address, source: clicks(), wanted: REDIRECT };
        self.figures.add("nginx 302, access log", closed(&nginx, CONNECTIONS, time)?.per_second);
        self.click(Engine::Postgres, CONNECTIONS, "click, PostgreSQL, 256")?;
        self.click(Engine::Sqlite, CONNECTIONS, "click, SQLite, 256")?;
        if is_first {
            self.figures.add("nginx 302, access log, 64", closed(&nginx, FEW_CONNECTIONS, time)?.per_second);
            self.click(Engine::Postgres, FEW_CONNECTIONS, "click, PostgreSQL, 64")?;
            self.click(Engine::Sqlite, FEW_CONNECTIONS, "click, SQLite, 64")?;
        }
        for (engine, name) in ["naive, PostgreSQL", "naive, SQLite"].into_iter().enumerate() {
            let target = Target { address: self.naive[engine].address, source: clicks(), wanted: REDIRECT };
            self.figures.add(name, closed(&target, CONNECTIONS, time)?.per_second);
        }
        self.figures.add("pgbench, 16 clients", self.pgbench.rate(16, whole_seconds)?);
        self.figures.add("pgbench, 64 clients", self.pgbench.rate(64, whole_seconds)?);
        self.postback(Engine::Postgres, CONNECTIONS, "postback, PostgreSQL, 256")?;
        self.recorded_pixel("pixel recorded, PostgreSQL")?;
        self.figures.add("sqlite3, one row", sqlite_rate(self.folder.path(), self.scale.sqlite_rows)?);
        self.postback(Engine::Sqlite, CONNECTIONS, "postback, SQLite, 256")?;
        if is_first {
            self.postback(Engine::Postgres, FEW_CONNECTIONS, "postback, PostgreSQL, 64")?;
            self.postback(Engine::Sqlite, FEW_CONNECTIONS, "postback, SQLite, 64")?;
        }
        self.refusals()?;
        self.told()
    }

    /// P4 once more, with one rule that tells of every conversion: its rows alone, and with the telling beside it.
    fn told(&mut self) -> Outcome<()> {
        for (name, delay_seconds) in [(TOLD_LATER, 3600), (TOLD_NOW, 0)] {
            let sink = self.nginx.address;
            let rule = self.runtime.block_on(self.postgres.tell(sink, delay_seconds))?;
            let source = self.postbacks(Engine::Postgres);
            let rate = self.counted(Engine::Postgres, source, RECORDED, TOLD_FACTS, |target, time| {
                let rate = closed(target, CONNECTIONS, time)?;
                Ok((rate.per_second, rate.right))
            })?;
            self.figures.add(name, rate);
            let sent = ["SELECT count(*) FROM delivery_attempt"];
            let sent = self.runtime.block_on(self.postgres.count(&sent))?;
            println!("           {} deliveries have arrived so far", sent[0]);
            self.runtime.block_on(self.postgres.tell_no_more(rule))?;
        }
        Ok(())
    }

    /// What a change of the write path is looked at with.
    fn glance(&mut self) -> Outcome<()> {
        let nginx = Target { address: self.nginx.address, source: clicks(), wanted: REDIRECT };
        self.figures.add("nginx 302, access log", closed(&nginx, CONNECTIONS, self.scale.run)?.per_second);
        self.click(Engine::Postgres, CONNECTIONS, "click, PostgreSQL, 256")?;
        self.click(Engine::Sqlite, CONNECTIONS, "click, SQLite, 256")?;
        self.figures.add("pgbench, 64 clients", self.pgbench.rate(64, self.scale.run)?);
        self.postback(Engine::Postgres, CONNECTIONS, "postback, PostgreSQL, 256")?;
        self.figures.add("sqlite3, one row", sqlite_rate(self.folder.path(), self.scale.sqlite_rows)?);
        self.postback(Engine::Sqlite, CONNECTIONS, "postback, SQLite, 256")?;
        self.told()
    }

    fn click(&mut self, engine: Engine, connections: usize, name: &'static str) -> Outcome<()> {
        let rate = self.counted(engine, clicks(), REDIRECT, CLICK_FACTS, |target, time| {
            let rate = closed(target, connections, time)?;
            Ok((rate.per_second, rate.right))
        })?;
        self.figures.add(name, rate);
        Ok(())
    }

    fn postback(&mut self, engine: Engine, connections: usize, name: &'static str) -> Outcome<()> {
        let source = self.postbacks(engine);
        let rate = self.counted(engine, source, RECORDED, POSTBACK_FACTS, |target, time| {
            let rate = closed(target, connections, time)?;
            Ok((rate.per_second, rate.right))
        })?;
        self.figures.add(name, rate);
        Ok(())
    }

    fn postbacks(&self, engine: Engine) -> Source {
        let subject = self.subject(engine);
        postbacks(&subject.secret, subject.supply.clone())
    }

    fn recorded_pixel(&mut self, name: &'static str) -> Outcome<()> {
        let source = pixels(self.postgres.supply.clone());
        let rate = self.counted(Engine::Postgres, source, PIXEL_RECORDED, PIXEL_FACTS, |target, time| {
            let rate = closed(target, CONNECTIONS, time)?;
            Ok((rate.per_second, rate.right))
        })?;
        self.figures.add(name, rate);
        Ok(())
    }

    fn refusals(&mut self) -> Outcome<()> {
        let plain = |target: &Target, time| {
            let rate: Rate = closed(target, CONNECTIONS, time)?;
            Ok((rate.per_second, rate.right))
        };
        let time = self.scale.run;
        let unknown = PlainToken::generate(TokenScope::Global, &SystemEntropy);
        let bare = Target { address: self.bare.address, source: bad_tokens(unknown.reveal()), wanted: REFUSED };
        self.figures.add("bare axum", closed(&bare, CONNECTIONS, time)?.per_second);
        let source = bad_tokens(unknown.reveal());
        let rate = self.counted(Engine::Postgres, source, REFUSED, STRANGER_FACTS, plain)?;
        self.figures.add("bad token, PostgreSQL", rate);
        self.receipts_settled()?;
        let picture = Target { address: self.nginx.address, source: forged_pixels(), wanted: PICTURE };
        self.figures.add("nginx empty_gif", closed(&picture, CONNECTIONS, time)?.per_second);
        let rate = self.counted(Engine::Postgres, forged_pixels(), PIXEL_REFUSED, STRANGER_FACTS, plain)?;
        self.figures.add("pixel refused, PostgreSQL", rate);
        self.receipts_settled()?;
        let source = forged(&self.postgres.secret);
        let rate = self.counted(Engine::Postgres, source, MALFORMED, FORGED_FACTS, plain)?;
        self.figures.add("forged id, good token, PostgreSQL", rate);
        Ok(())
    }

    /// Receipts of strangers are written after their answer: the next count must not meet them.
    fn receipts_settled(&self) -> Outcome<()> {
        let ask = || self.runtime.block_on(self.postgres.count(&["SELECT count(*) FROM receipt"]));
        let mut last = ask()?;
        for _ in 0..100 {
            sleep(Duration::from_millis(200));
            let now = ask()?;
            if now == last {
                return Ok(());
            }
            last = now;
        }
        Err("receipts are still written 20 s after their requests".into())
    }

    const fn subject(&self, engine: Engine) -> &Subject {
        match engine {
            Engine::Sqlite => &self.sqlite,
            Engine::Postgres => &self.postgres,
        }
    }

    /// A run, with the tables counted before and after it. `run` returns what it found, and its right answers.
    fn counted<T>(
        &self,
        engine: Engine,
        source: Source,
        wanted: Wanted,
        facts: Facts,
        run: impl FnOnce(&Target, Duration) -> Outcome<(T, u64)>,
    ) -> Outcome<T> {
        let subject = self.subject(engine);
        let questions: Vec<&'static str> = facts.iter().map(|(question, _)| *question).collect();
        let before = self.runtime.block_on(subject.count(&questions))?;
        let target = Target { address: subject.address, source, wanted };
        let spent = || ["roundtrip", "postgres"].map(processor_micros);
        let spent_before = spent();
        let (found, right) = run(&target, self.scale.run)
            .map_err(|problem| format!("{engine:?}: {problem}\n{}", subject.last_words()))?;
        let spent_after = spent();
        let [server, postgres] =
            [0, 1].map(|program: usize| spent_after[program].saturating_sub(spent_before[program]) / right.max(1));
        println!("           processor time each: {server} us in the server, {postgres} us in PostgreSQL");
        self.runtime.block_on(subject.analyze())?;
        let after = self.runtime.block_on(subject.count(&questions))?;
        for (((question, times), before), after) in facts.iter().zip(before).zip(after) {
            rows_agree(engine, question, (before, after), (right * times, right * times))?;
        }
        Ok(found)
    }

    /// P8: half of the highest rate, by the clock.
    fn delays(&mut self) -> Outcome<()> {
        let paced_time = self.scale.paced;
        for (engine, name, what) in [
            (Engine::Postgres, "click, PostgreSQL, 256", "click at half the knee, PostgreSQL"),
            (Engine::Sqlite, "click, SQLite, 256", "click at half the knee, SQLite"),
            (Engine::Postgres, "postback, PostgreSQL, 256", "postback at half the knee, PostgreSQL"),
            (Engine::Sqlite, "postback, SQLite, 256", "postback at half the knee, SQLite"),
        ] {
            let rate = self.figures.middle(name)? / 2;
            let by_the_clock = |target: &Target, _| {
                let delays: Delays = paced(target, CONNECTIONS, rate, paced_time)?;
                Ok((delays, delays.right))
            };
            let delays = if name.starts_with("click") {
                self.counted(engine, clicks(), REDIRECT, CLICK_FACTS, by_the_clock)?
            } else {
                self.counted(engine, self.postbacks(engine), RECORDED, POSTBACK_FACTS, by_the_clock)?
            };
            self.figures.add_delays(what, delays);
        }
        Ok(())
    }

    /// P13. MiB, rounded up.
    fn memory(&mut self) -> Outcome<()> {
        let mebibytes = |kibibytes: u64| kibibytes.div_ceil(1024);
        let loaded = AtomicU64::new(0);
        for engine in [Engine::Postgres, Engine::Sqlite] {
            self.counted(engine, clicks(), REDIRECT, CLICK_FACTS, |target, time| {
                let look = || {
                    let memory = self.subject(engine).process().and_then(|process| process.memory("VmRSS"));
                    loaded.fetch_max(memory.unwrap_or(u64::MAX), Ordering::Relaxed);
                };
                let rate = closed_while(target, MANY_CONNECTIONS, time, Busy::Fails, look)?;
                Ok((rate.per_second, rate.right))
            })?;
        }
        let mut idle = 0;
        self.postgres.restart()?;
        self.sqlite.restart()?;
        sleep(Duration::from_secs(2));
        for engine in [Engine::Postgres, Engine::Sqlite] {
            idle = self.subject(engine).process()?.memory("VmRSS")?.max(idle);
        }
        self.figures.add_at_most("P13", "resident memory idle, the larger of both engines", mebibytes(idle), 25, "MiB");
        let what = "resident memory under 2 000 connections of clicks, the larger of both engines";
        self.figures.add_at_most("P13", what, mebibytes(loaded.into_inner()), 150, "MiB");
        self.figures.add_at_most("P13", "the binary, stripped", mebibytes(binary_bytes()?.div_ceil(1024)), 40, "MiB");
        Ok(())
    }

    /// P12. Milliseconds, the middle one of three.
    fn starts(&mut self) -> Outcome<()> {
        let mut first = [first_start()?, first_start()?, first_start()?];
        let mut again = [self.sqlite.restart()?, self.sqlite.restart()?, self.sqlite.restart()?];
        first.sort_unstable();
        again.sort_unstable();
        let millis = |time: Duration| u64::try_from(time.as_millis());
        self.figures.add_at_most("P12", "start to ready, an empty folder (SQLite)", millis(first[1])?, 100, "ms");
        let what = "start to ready, a million rows and more (SQLite)";
        self.figures.add_at_most("P12", what, millis(again[1])?, 500, "ms");
        Ok(())
    }
}
