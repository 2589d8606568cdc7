//! `--grown`: what two months of traffic, an hour of load and too many senders do to a server.
//!
//! P11: clicks and postbacks on a filled database against a nearly empty one, in turns on one machine, so that both
//! meet the same noise. Then on the filled one: resident memory, looked at every few seconds under mixed load, and
//! far more connections than saturate it, which must not lower what gets through.
//! One engine after the other, and the first one's database is given back before the second is filled: the disk holds
//! one. Only rows of the last days are counted, since counting fifty million after each run would empty every cache.

use std::fmt::Write as _;
use std::process::Command;
use std::str::FromStr;
use std::thread::{self, sleep};
use std::time::Duration;

use roundtrip::domain::secure_token::{PlainToken, TokenScope};
use roundtrip::domain::transaction_id::lowest_of;
use roundtrip::system::SystemEntropy;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::fill::{DAYS, Fill, day_before_today};
use crate::load::{Busy, Rate, Source, Target, Wanted, closed, closed_while};
use crate::process::said;
use crate::report::{Figures, decimal};
use crate::requests::{bad_tokens, clicks, postbacks};
use crate::subject::{Engine, Stock, Subject};
use crate::{CONNECTIONS, MANY_CONNECTIONS, Outcome, RECORDED, REDIRECT, REFUSED, rows_agree, yardsticks};

/// Clicks that postbacks convert came within so many days.
const RECENT_DAYS: i64 = 3;
/// SQLite is filled with one of so many conversions.
const SQLITE_PART: u64 = 5;
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
const RESIDENT_MIB_MAX: u64 = 150;
/// For logs, and for the sorts of indexes.
const DISK_SPARE: u64 = 4 << 30;

/// Conversions that are there on PostgreSQL. As text: millions, or thousands with a `k`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(u64);

impl Size {
    pub(crate) const FULL: Self = Self(10_000_000);

    /// Of PostgreSQL.
    pub(crate) const fn conversions(self) -> u64 {
        self.0
    }

    /// In words.
    pub(crate) fn said(self) -> String {
        let sizes = |engine| {
            let fill = self.fill(engine);
            format!("{} conversions and {} clicks on {}", fill.conversions, fill.clicks(), engine.name())
        };
        format!("{}, {}", sizes(Engine::Postgres), sizes(Engine::Sqlite))
    }

    pub(crate) const fn fill(self, engine: Engine) -> Fill {
        match engine {
            Engine::Sqlite => Fill { conversions: self.0 / SQLITE_PART },
            Engine::Postgres => Fill { conversions: self.0 },
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (digits, unit) = text.strip_suffix('k').map_or((text, 1_000_000), |digits| (digits, 1_000));
        let conversions = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        // More clicks than fit into 2³¹ cannot be told apart; fewer conversions than days leave a day empty.
        let fits = |conversions: &u64| (1_000..=400_000_000).contains(conversions);
        conversions
            .filter(fits)
            .map(Self)
            .ok_or_else(|| format!("{text}: conversions in millions (10) or thousands (60k), from 1k to 400"))
    }
}

/// How long it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    rounds: usize,
    run: Duration,
    /// Of the mixed load, and how often memory is looked at meanwhile.
    mixed: Duration,
    look: Duration,
    /// Clicks to convert on the filled database, and on the other one.
    clicks: [u64; 2],
}

impl Pace {
    pub(crate) const FULL: Self = Self {
        rounds: 3,
        run: Duration::from_secs(6),
        mixed: Duration::from_secs(60),
        look: Duration::from_secs(10),
        clicks: [1_600_000, 480_000],
    };
    pub(crate) const TRY: Self = Self {
        rounds: 1,
        run: Duration::from_secs(2),
        mixed: Duration::from_secs(12),
        look: Duration::from_secs(2),
        clicks: [400_000, 100_000],
    };
}

/// All of it; the figures belong to the part of the page that has marks of its own.
pub(crate) fn run(size: Size, pace: Pace) -> Outcome<Figures> {
    let began = Instant::now();
    let mut figures = Figures::default();
    let say = |what: String| println!("{:>5} s  {what}", began.elapsed().as_secs());
    bare(&mut figures, pace)?;
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let name = engine.name();
        let form = Form::prepare(engine, size, pace)?;
        for round in 0..pace.rounds {
            say(format!("{name}: round {} of {}", round + 1, pace.rounds));
            form.round(&mut figures, round % 2 == 1)?;
        }
        form.compare(&mut figures)?;
        say(format!("{name}: memory, {} s of mixed load", pace.mixed.as_secs()));
        form.memory(&mut figures)?;
        say(format!("{name}: overload, {MANY_CONNECTIONS} connections"));
        form.overload(&mut figures)?;
        form.discard()?;
    }
    say("done".to_owned());
    Ok(figures)
}

/// What so many connections cost a server that does nothing, and the load generator: a goodput that falls no further
/// than this has not been lost by Roundtrip.
fn bare(figures: &mut Figures, pace: Pace) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let bare = yardsticks::start(&["bare"], folder.path())?;
    let unknown = PlainToken::generate(TokenScope::Global, &SystemEntropy);
    let target = Target { address: bare.address, source: bad_tokens(unknown.reveal()), wanted: REFUSED };
    let [few, many] = ["bare axum, 256 connections", "bare axum, 2 000 connections"];
    for _ in 0..pace.rounds {
        figures.add(few, closed(&target, CONNECTIONS, pace.run)?.per_second);
        figures.add(many, closed(&target, MANY_CONNECTIONS, pace.run)?.per_second);
    }
    let found = decimal(figures.ratio(many, &[few])?);
    figures.add_found("overload", "bare axum, 2 000 connections / 256", found);
    Ok(())
}

/// The name of the form with its sizes, for the page.
pub(crate) fn name(size: Size) -> String {
    format!("grown form ({})", size.said())
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Click,
    Postback,
}

impl Kind {
    const fn wanted(self) -> Wanted {
        match self {
            Self::Click => REDIRECT,
            Self::Postback => RECORDED,
        }
    }

    fn source(self, subject: &Subject) -> Source {
        match self {
            Self::Click => clicks(),
            Self::Postback => postbacks(&subject.secret, subject.supply.clone()),
        }
    }

    fn name(self, engine: Engine, which: &str) -> String {
        let kind = match self {
            Self::Click => "click",
            Self::Postback => "postback",
        };
        format!("{kind}, {}, {which}", engine.name())
    }
}

/// One engine with its two databases.
struct Form {
    engine: Engine,
    pace: Pace,
    runtime: Runtime,
    empty: Subject,
    grown: Subject,
}

impl Form {
    fn prepare(engine: Engine, size: Size, pace: Pace) -> Outcome<Self> {
        let runtime = Runtime::new()?;
        let fill = size.fill(engine);
        println!("preparing {}: {} conversions and {} clicks", engine.name(), fill.conversions, fill.clicks());
        enough_disk(fill.bytes(engine))?;
        let [of_grown, of_empty] = pace.clicks;
        let stock = |clicks, fill| Stock { clicks, days: RECENT_DAYS, fill };
        let empty = runtime.block_on(Subject::start(engine, stock(of_empty, None)))?;
        let grown = runtime.block_on(Subject::start(engine, stock(of_grown, Some(fill))))?;
        let filled = runtime.block_on(grown.count(&["SELECT count(*) FROM conversion"]))?;
        if filled != [fill.conversions / DAYS.unsigned_abs() * DAYS.unsigned_abs()] {
            return Err(format!("{engine:?} was to be filled with {fill:?}, and has {filled:?} conversions").into());
        }
        // What the load left to be written would be written during the first run.
        said(&mut Command::new("sync"))?;
        Ok(Self { engine, pace, runtime, empty, grown })
    }

    fn discard(self) -> Outcome<()> {
        self.runtime.block_on(self.empty.discard())?;
        self.runtime.block_on(self.grown.discard())
    }

    /// Both databases in turn; every other round the other one first.
    fn round(&self, figures: &mut Figures, is_grown_first: bool) -> Outcome<()> {
        for kind in [Kind::Click, Kind::Postback] {
            let mut order = [(&self.empty, "nearly empty"), (&self.grown, "grown")];
            if is_grown_first {
                order.reverse();
            }
            for (subject, which) in order {
                // A disk that stalls for seconds, as disks of shared machines do, costs its round and not the hour.
                let flood = self.flood(subject, kind, CONNECTIONS)?;
                figures.add(&kind.name(self.engine, which), flood.rate.per_second);
                if let Some(cost) = &flood.cost {
                    figures.add_found("P11", &kind.name(self.engine, which), cost.said(flood.rate.right));
                }
                if flood.rate.busy > 0 {
                    let what = kind.name(self.engine, which);
                    figures.add_found("P11", &what, format!("{} asked to come again in a round", flood.rate.busy));
                }
            }
        }
        Ok(())
    }

    fn compare(&self, figures: &mut Figures) -> Outcome<()> {
        for kind in [Kind::Click, Kind::Postback] {
            let [grown, empty] = ["grown", "nearly empty"].map(|which| kind.name(self.engine, which));
            figures.add_grown(&kind.name(self.engine, "grown / nearly empty"), &grown, &empty)?;
        }
        Ok(())
    }

    /// Clicks on one half of the connections, postbacks on the other.
    fn memory(&self, figures: &mut Figures) -> Outcome<()> {
        let Pace { mixed, look, .. } = self.pace;
        let mut resident = Vec::new();
        self.counted(&self.grown, &[Kind::Click, Kind::Postback], || {
            thread::scope(|scope| {
                let load = [Kind::Click, Kind::Postback].map(|kind| {
                    let target = target(&self.grown, kind);
                    scope.spawn(move || closed_while(&target, CONNECTIONS / 2, mixed, Busy::Counts, || {}))
                });
                let began = Instant::now();
                while began.elapsed() + look < mixed {
                    sleep(look);
                    resident.push((began.elapsed().as_secs(), self.grown.process()?.memory("VmRSS")?));
                }
                let rates = load.into_iter().map(|load| load.join().map_err(|_| "the load generator panicked")?);
                rates.collect()
            })
        })?;
        let mut found = String::new();
        for (second, kibibytes) in &resident {
            write!(found, "{} MiB at {second} s, ", kibibytes.div_ceil(1024))?;
        }
        write!(found, "slope {} KiB a minute", slope_a_minute(&resident))?;
        figures.add_found(
            "memory",
            &format!("clicks and postbacks, {CONNECTIONS} connections, {}", self.engine.name()),
            found,
        );
        Ok(())
    }

    /// What gets through with far more senders than there is work for, against the highest rate a moment before.
    fn overload(&self, figures: &mut Figures) -> Outcome<()> {
        for kind in [Kind::Click, Kind::Postback] {
            let name = |what| kind.name(self.engine, what);
            let [knee, beyond] = ["at the knee", "2 000 connections"].map(name);
            let (mut right, mut busy, mut resident) = (0, 0, 0);
            for _ in 0..self.pace.rounds {
                figures.add(&knee, self.flood(&self.grown, kind, CONNECTIONS)?.rate.per_second);
                let flood = self.flood(&self.grown, kind, MANY_CONNECTIONS)?;
                figures.add(&beyond, flood.rate.per_second);
                right += flood.rate.right;
                busy += flood.rate.busy;
                resident = flood.resident.max(resident);
            }
            let ratio = figures.ratio(&beyond, &[&knee])?;
            figures.add_at_least("overload", &name("2 000 connections / the knee"), ratio, 900);
            let share = format!("{busy} of {} ({} ‰)", right + busy, busy * 1000 / (right + busy).max(1));
            figures.add_found("overload", &name("asked to come again"), share);
            let what = name("resident memory at 2 000 connections");
            figures.add_at_most("overload", &what, resident.div_ceil(1024), RESIDENT_MIB_MAX, "MiB");
        }
        Ok(())
    }

    fn flood(&self, subject: &Subject, kind: Kind, connections: usize) -> Outcome<Flood> {
        let mut resident = Ok(0);
        let mut cost = None;
        let rates = self.counted(subject, &[kind], || {
            let look = || resident = subject.process().and_then(|process| process.memory("VmRSS"));
            let target = target(subject, kind);
            let before = self.spent(subject)?;
            let rate = closed_while(&target, connections, self.pace.run, Busy::Counts, look)?;
            cost = before.zip(self.spent(subject)?).map(|(before, after)| after.since(&before));
            Ok(vec![rate])
        })?;
        let rate = rates.into_iter().next().ok_or("a flood has one rate")?;
        Ok(Flood { rate, resident: resident?, cost })
    }

    /// What PostgreSQL has written and read until now; it tells a second late, which is little of a run. SQLite does
    /// not say.
    fn spent(&self, subject: &Subject) -> Outcome<Option<Cost>> {
        if self.engine == Engine::Sqlite {
            return Ok(None);
        }
        let questions = [
            "SELECT CAST(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS BIGINT)",
            "SELECT wal_fpi FROM pg_stat_wal",
            "SELECT blks_read FROM pg_stat_database WHERE datname = current_database()",
        ];
        let spent = self.runtime.block_on(subject.count(&questions))?;
        let [log_bytes, page_images, pages_read] = spent[..] else {
            return Err("three questions, three answers".into());
        };
        Ok(Some(Cost { log_bytes, page_images, pages_read }))
    }

    /// A run, with the recent rows counted before and after it, and one rate for each kind.
    fn counted(
        &self,
        subject: &Subject,
        kinds: &[Kind],
        run: impl FnOnce() -> Outcome<Vec<Rate>>,
    ) -> Outcome<Vec<Rate>> {
        let facts = Facts::of(self.engine);
        let before = self.runtime.block_on(subject.count(&facts.questions))?;
        let name = self.engine.name();
        let rates = run().map_err(|problem| format!("{name}: {problem}\n{}", subject.last_words()))?;
        let mut least = vec![0; facts.questions.len()];
        let mut most = least.clone();
        for (kind, rate) in kinds.iter().zip(&rates) {
            for ((least, most), times) in least.iter_mut().zip(&mut most).zip(facts.times(*kind)) {
                *least += rate.right * times;
                // Who was asked to come again may have been recorded all the same.
                *most += (rate.right + rate.busy) * times;
            }
        }
        let awaited: Vec<u64> = before.iter().zip(&least).map(|(before, least)| before + least).collect();
        let after = self.settled(subject, &facts, &awaited)?;
        self.runtime.block_on(subject.analyze_recent())?;
        for (index, question) in facts.questions.iter().enumerate() {
            rows_agree(self.engine, question, (before[index], after[index]), (least[index], most[index]))?;
        }
        Ok(rates)
    }

    /// The counts once all that is awaited is there and nothing moves any more: a click that waited too long comes
    /// through the spool, after its answer. What is still missing after a minute is for the caller to judge.
    fn settled(&self, subject: &Subject, facts: &Facts, awaited: &[u64]) -> Outcome<Vec<u64>> {
        let began = Instant::now();
        let ask = || self.runtime.block_on(subject.count(&facts.questions));
        let mut last = ask()?;
        loop {
            sleep(Duration::from_millis(1_500));
            let now = ask()?;
            let is_whole = now.iter().zip(awaited).all(|(now, awaited)| now >= awaited);
            if (is_whole && now == last) || began.elapsed() > SETTLED_WITHIN {
                return Ok(now);
            }
            last = now;
        }
    }
}

struct Flood {
    rate: Rate,
    /// KiB, in the middle of it.
    resident: u64,
    /// Of PostgreSQL.
    cost: Option<Cost>,
}

/// What a run, or a cluster until now, has cost PostgreSQL.
struct Cost {
    log_bytes: u64,
    /// Whole pages in the log: each that is changed first after a checkpoint.
    page_images: u64,
    /// That were not in its shared buffers.
    pages_read: u64,
}

impl Cost {
    fn since(&self, before: &Self) -> Self {
        Self {
            log_bytes: self.log_bytes.saturating_sub(before.log_bytes),
            page_images: self.page_images.saturating_sub(before.page_images),
            pages_read: self.pages_read.saturating_sub(before.pages_read),
        }
    }

    fn said(&self, requests: u64) -> String {
        let each = |count: u64| decimal(count * 1000 / requests.max(1));
        let bytes = self.log_bytes / requests.max(1);
        format!(
            "a request: {bytes} bytes of log, {} page images, {} pages read",
            each(self.page_images),
            each(self.pages_read)
        )
    }
}

fn target(subject: &Subject, kind: Kind) -> Target {
    Target { address: subject.address, source: kind.source(subject), wanted: kind.wanted() }
}

/// Questions about recent rows.
struct Facts {
    questions: Vec<String>,
}

impl Facts {
    fn of(engine: Engine) -> Self {
        let literal = |hex: &str| match engine {
            Engine::Sqlite => format!("x'{hex}'"),
            Engine::Postgres => format!("'\\x{hex}'::bytea"),
        };
        let uuid = |hex: &str| match engine {
            Engine::Sqlite => format!("x'{hex}'"),
            Engine::Postgres => format!("'{hex}'::uuid"),
        };
        let (today, recent) = (day_before_today(0), day_before_today(RECENT_DAYS));
        let id = uuid(&format!("{:012x}00000000000000000000", today.as_millis()));
        let lead = |at| lowest_of(0, at).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let click = literal(&lead(today));
        // 'T', and the transaction of a recent click.
        let (lowest, highest) = (literal(&format!("54{}", lead(recent))), literal("54ff"));
        let questions = vec![
            format!(
                "SELECT count(*) FROM click WHERE transaction_id >= {click} AND clicked_at >= {}",
                today.as_millis()
            ),
            "SELECT CAST(COALESCE(SUM(clicks), 0) AS BIGINT) FROM rollup".to_owned(),
            format!("SELECT count(*) FROM conversion WHERE id >= {id}"),
            format!("SELECT count(*) FROM conversion_change WHERE id >= {id}"),
            format!("SELECT count(*) FROM receipt WHERE id >= {id}"),
            format!("SELECT count(*) FROM conversion_key WHERE key >= {lowest} AND key < {highest}"),
            "SELECT CAST(COALESCE(SUM(conversions), 0) AS BIGINT) FROM rollup".to_owned(),
        ];
        Self { questions }
    }

    /// By how much each answer grows with a right answer. A postback's order and its transaction are keys.
    const fn times(&self, kind: Kind) -> [u64; 7] {
        match kind {
            Kind::Click => [1, 1, 0, 0, 0, 0, 0],
            Kind::Postback => [0, 0, 1, 1, 1, 2, 1],
        }
    }
}

/// KiB a minute by least squares; the first look is left out, since buffers are still being made.
fn slope_a_minute(looks: &[(u64, u64)]) -> i128 {
    let looks: Vec<(i128, i128)> = looks.iter().skip(1).map(|(x, y)| (i128::from(*x), i128::from(*y))).collect();
    let count = i128::try_from(looks.len()).unwrap_or(0);
    let sum = |of: fn(&(i128, i128)) -> i128| looks.iter().map(of).sum::<i128>();
    let (x, y, xy, xx) = (sum(|l| l.0), sum(|l| l.1), sum(|l| l.0 * l.1), sum(|l| l.0 * l.0));
    60 * (count * xy - x * y) / (count * xx - x * x).max(1)
}

/// Both engines keep their files under the folder for temporary ones, or under /tmp.
pub(crate) fn enough_disk(needed: u64) -> Outcome<()> {
    let said = said(Command::new("df").args(["--output=avail", "-B1", "/tmp"]))?;
    let free: u64 = said.lines().last().unwrap_or_default().trim().parse()?;
    println!("  needs about {} MiB of disk, {} MiB are free", needed >> 20, free >> 20);
    if free < needed + DISK_SPARE {
        return Err("the disk is too small for that: give fewer conversions, as `--grown 2`".into());
    }
    Ok(())
}
