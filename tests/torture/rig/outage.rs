//! Faults below a server that lives on: the contract's table is held against what senders saw.
//!
//! While something is broken a sender may be told 503 (or 429), a visitor is sent on, a browser gets its picture; `/livez`
//! goes on saying 200; nothing is cut. When it is mended a conversion is recorded within [`WELL_WITHIN`], by the
//! same process. And whatever was answered is there, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::auditor::{Depth, Findings, examine};
use super::cluster::Cluster;
use super::dice::Dice;
use super::disk::{Ballast, SmallDisk};
use super::kills::report;
use super::load::Load;
use super::process::{is_root, signal};
use super::sender::{Door, Senders, Try};
use super::server::{Server, status_of};
use super::stories::probe;
use super::{Clock, Options, Outcome, Section};

/// From mended to the next conversion that is recorded.
const WELL_WITHIN: Duration = Duration::from_secs(5);
/// The deadline of an answer is 2 s; the rest is for a machine with other work.
const ANSWERED_WITHIN: Duration = Duration::from_secs(4);
/// What an answer may take once the breaker is open.
const REFUSED_WITHIN: Duration = Duration::from_millis(50);
/// A fault that must be felt and is not after this time was none.
const FELT_WITHIN: Duration = Duration::from_secs(10);

/// Something that is broken and mended again.
pub(super) trait Fault {
    fn name(&self) -> &'static str;
    fn begin(&mut self) -> Outcome<()>;
    fn end(&mut self) -> Outcome<()>;
    /// It lasts until it is ended, and no conversion can be recorded meanwhile.
    fn is_outage(&self) -> bool;
    fn reads(&self) -> Reads;
}

/// Can be read what is there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reads {
    Work,
    /// Nothing can be read while it lasts.
    AreAway,
    /// Both are right: it is over too soon, or depends on what else happens.
    Vary,
}

/// How a fault felt.
struct Felt {
    answers: BTreeMap<String, u32>,
    slowest: Duration,
    /// Of refusals in its second half.
    refusal: Option<Duration>,
    well_after: Duration,
    /// What `/readyz` said in its middle.
    ready: u16,
    failures: Vec<String>,
}

/// All of them, in rounds, on a cluster of their own.
pub(super) async fn run(options: &Options) -> Outcome<Vec<Section>> {
    let cluster = Cluster::start(None)?;
    let url = cluster.database("torture")?;
    let server = Server::prepare(Some(url), None).await?;
    let mut on = OnPostgres { cluster, what: Broken::BackendKilled, ballast: None };
    let kinds = if options.is_brief { &Broken::BRIEF[..] } else { &Broken::WITHOUT_ROOM };
    let mut sections = vec![rounds("PostgreSQL faults", server, &mut on, kinds, options).await?];
    drop(on);
    if options.is_brief {
        return Ok(sections);
    }
    if is_root() {
        let disk = SmallDisk::mount(192)?;
        let cluster = Cluster::start(Some(&disk.path().join("cluster")))?;
        let server = Server::prepare(Some(cluster.database("torture")?), None).await?;
        let ballast = Some(Ballast::on(&disk));
        let mut on = OnPostgres { cluster, what: Broken::Full, ballast };
        sections.push(rounds("PostgreSQL on a full disk", server, &mut on, &[Broken::Full], options).await?);
    } else {
        sections.push(skipped("PostgreSQL on a full disk", "mounting a small disk needs root"));
    }
    Ok(sections)
}

/// A section that says loudly that it was not run.
pub(super) fn skipped(name: &str, why: &str) -> Section {
    let mut section = Section::new(name);
    section.figure("SKIPPED", why);
    section
}

/// A fault that can be set to each of several kinds.
pub(super) trait Faults: Fault {
    type Kind: Copy;
    fn set(&mut self, kind: Self::Kind);
    /// The number of the server's process.
    fn meet(&mut self, process: u32);
}

/// Each kind of fault `options.runs` times under load, and an audit after each.
pub(super) async fn rounds<F: Faults>(
    name: &str,
    mut server: Server,
    faults: &mut F,
    kinds: &[F::Kind],
    options: &Options,
) -> Outcome<Section> {
    let mut section = Section::new(name);
    let senders = Senders::to(&server)?;
    server.program.start(&[])?;
    faults.meet(server.program.process()?);
    let clock = Clock::start(options);
    let mut last = Findings::default();
    for round in 0..options.runs {
        for (number, kind) in (0_u32..).zip(kinds) {
            if clock.is_over() && round > 0 {
                break;
            }
            faults.set(*kind);
            let mut dice = Dice::new(options.seed, faults.name(), round.into());
            let load = Load::start(&senders, options.seed, round << 8 | number, options.workers);
            let felt = match strain(&server, &senders, faults, &mut dice, options).await {
                Ok(felt) => load.finish().await.map(|()| felt),
                Err(error) => Err(error),
            };
            let felt = match felt {
                Ok(felt) => felt,
                Err(error) => {
                    section.failure(format!("{}: {error}", faults.name()));
                    section.failure(format!("the server's last words: {}", server.program.last_words()));
                    report(&mut section, &senders, &Findings { wrong: senders.ledger.copy().broken, ..last });
                    return Ok(section);
                }
            };
            section.figure(faults.name(), &felt);
            felt.failures.iter().for_each(|what| section.failure(format!("{}: {what}", faults.name())));
            if let Some(status) = server.program.ended()? {
                return Err(
                    format!("{}: the server ended: {status}\n{}", faults.name(), server.program.last_words()).into()
                );
            }
            last = examine(&server, &senders, Depth::Exact, options.clicks).await?;
            if !last.is_clean() {
                section.failure(format!("the audit after `{}` is not clean", faults.name()));
                report(&mut section, &senders, &last);
                return Ok(section);
            }
        }
    }
    report(&mut section, &senders, &last);
    Ok(section)
}

/// One fault under a load that is running.
async fn strain(
    server: &Server,
    senders: &Arc<Senders>,
    fault: &mut impl Fault,
    dice: &mut Dice,
    options: &Options,
) -> Outcome<Felt> {
    let mut failures = Vec::new();
    sleep(dice.millis(200, 600)).await;
    senders.is_troubled.store(true, Ordering::SeqCst);
    let began = Instant::now();
    fault.begin()?;
    if fault.is_outage() {
        let is_refused = |one: &Try| one.ended > began && one.door == Door::Told && one.status == 503;
        while !senders.saw(is_refused) && began.elapsed() < FELT_WITHIN {
            sleep(Duration::from_millis(10)).await;
        }
        if !senders.saw(is_refused) {
            failures.push("it was never felt".to_owned());
        }
    }
    sleep(if options.is_brief { dice.millis(100, 300) } else { dice.millis(500, 1_500) }).await;
    match status_of(server.program.address, "/livez") {
        Ok(200) => {}
        other => failures.push(format!("/livez: {other:?}")),
    }
    let ready = status_of(server.program.address, "/readyz").unwrap_or(0);
    match fault.reads() {
        Reads::Work => {
            let reads = timeout(ANSWERED_WITHIN, senders.reads()).await;
            if !matches!(reads, Ok(Ok(()))) {
                failures.push(format!("a dry run, which only reads: {reads:?}"));
            }
        }
        Reads::AreAway if ready != 503 => {
            failures.push(format!("/readyz while nothing can be read: {ready}"));
        }
        Reads::AreAway | Reads::Vary => {}
    }
    let half = began + began.elapsed() / 2;
    fault.end()?;
    let mended = Instant::now();
    probe(senders, dice).await?;
    let well_after = mended.elapsed();
    sleep(Duration::from_millis(200)).await;
    senders.is_troubled.store(false, Ordering::SeqCst);
    sleep(dice.millis(100, 300)).await;
    let mut seen = senders.tries();
    seen.retain(|one| one.ended >= began);
    if well_after > WELL_WITHIN {
        failures.push(format!("a conversion was recorded {well_after:?} after it was mended"));
    }
    let slowest = seen.iter().map(|one| one.took).max().unwrap_or_default();
    if slowest > ANSWERED_WITHIN {
        failures.push(format!("an answer took {slowest:?}"));
    }
    let refusal = middle_refusal(&seen, half, mended);
    if fault.is_outage() && refusal.is_none_or(|took| took > REFUSED_WITHIN) {
        failures.push(format!("the middle refusal took {refusal:?}, the breaker should make it {REFUSED_WITHIN:?}"));
    }
    Ok(Felt { answers: answers(&seen), slowest, refusal, well_after, ready, failures })
}

fn middle_refusal(seen: &[Try], from: Instant, to: Instant) -> Option<Duration> {
    let is_refusal = |one: &&Try| one.door == Door::Told && one.status == 503 && one.ended > from && one.ended < to;
    let mut took: Vec<Duration> = seen.iter().filter(is_refusal).map(|one| one.took).collect();
    took.sort_unstable();
    took.get(took.len() / 2).copied()
}

fn answers(seen: &[Try]) -> BTreeMap<String, u32> {
    let mut answers = BTreeMap::new();
    for one in seen {
        *answers.entry(format!("{:?} {}", one.door, one.status)).or_default() += 1;
    }
    answers
}

impl std::fmt::Display for Felt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "well after {} ms, slowest answer {} ms", self.well_after.as_millis(), self.slowest.as_millis())?;
        if let Some(refusal) = self.refusal {
            write!(f, ", middle refusal {} ms", refusal.as_millis())?;
        }
        write!(f, ", /readyz {}", self.ready)?;
        self.answers.iter().try_for_each(|(answer, count)| write!(f, ", {answer}: {count}"))
    }
}

/// The ways in which a cluster is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    BackendKilled,
    PostmasterKilled,
    RestartedFast,
    RestartedAtOnce,
    Frozen,
    ReadOnly,
    Full,
}

impl Broken {
    /// One of each manner: gone, back at once, there and useless.
    const BRIEF: [Self; 3] = [Self::PostmasterKilled, Self::RestartedAtOnce, Self::ReadOnly];
    /// All that need no disk of their own.
    const WITHOUT_ROOM: [Self; 6] = [
        Self::BackendKilled,
        Self::PostmasterKilled,
        Self::RestartedFast,
        Self::RestartedAtOnce,
        Self::Frozen,
        Self::ReadOnly,
    ];
}

struct OnPostgres {
    cluster: Cluster,
    what: Broken,
    ballast: Option<Ballast>,
}

impl Faults for OnPostgres {
    type Kind = Broken;

    fn set(&mut self, kind: Broken) {
        self.what = kind;
    }

    fn meet(&mut self, _process: u32) {}
}

impl Fault for OnPostgres {
    fn name(&self) -> &'static str {
        match self.what {
            Broken::BackendKilled => "a backend killed (-9)",
            Broken::PostmasterKilled => "the postmaster killed (-9)",
            Broken::RestartedFast => "restarted, fast",
            Broken::RestartedAtOnce => "restarted, immediate",
            Broken::Frozen => "frozen",
            Broken::ReadOnly => "read-only",
            Broken::Full => "full",
        }
    }

    fn begin(&mut self) -> Outcome<()> {
        match self.what {
            Broken::BackendKilled => {
                let busiest = "SELECT pid FROM pg_stat_activity WHERE application_name = 'roundtrip' \
                               ORDER BY query_start DESC NULLS LAST LIMIT 1";
                let process = self.cluster.sql(&[busiest])?.trim().parse()?;
                signal("KILL", &[process])
            }
            Broken::PostmasterKilled => self.cluster.down("KILL"),
            Broken::RestartedFast => self.cluster.down("INT").and_then(|()| self.cluster.up()),
            Broken::RestartedAtOnce => self.cluster.down("QUIT").and_then(|()| self.cluster.up()),
            Broken::Frozen => self.cluster.signal_all("STOP"),
            Broken::ReadOnly => self.read_only("on"),
            Broken::Full => self.ballast.as_mut().map_or(Ok(()), Ballast::fill),
        }
    }

    fn end(&mut self) -> Outcome<()> {
        match self.what {
            Broken::RestartedFast | Broken::RestartedAtOnce => Ok(()),
            // The others die with it, and PostgreSQL looks through its log before it takes anybody again.
            Broken::BackendKilled => self.cluster.wait_until_ready(),
            Broken::PostmasterKilled => self.cluster.up(),
            Broken::Frozen => self.cluster.signal_all("CONT"),
            Broken::ReadOnly => self.read_only("off"),
            Broken::Full => {
                self.ballast.as_mut().map_or(Ok(()), Ballast::drop_it)?;
                // Without room for its log PostgreSQL ends itself; whoever runs it starts it again.
                self.cluster.up_if_ended()
            }
        }
    }

    fn is_outage(&self) -> bool {
        match self.what {
            Broken::PostmasterKilled | Broken::Frozen | Broken::ReadOnly | Broken::Full => true,
            Broken::BackendKilled | Broken::RestartedFast | Broken::RestartedAtOnce => false,
        }
    }

    fn reads(&self) -> Reads {
        match self.what {
            Broken::ReadOnly => Reads::Work,
            Broken::PostmasterKilled | Broken::Frozen => Reads::AreAway,
            Broken::BackendKilled | Broken::RestartedFast | Broken::RestartedAtOnce => Reads::Vary,
            // While it cannot write its log PostgreSQL is down, while it cannot make a table longer it is not.
            Broken::Full => Reads::Vary,
        }
    }
}

impl OnPostgres {
    fn read_only(&self, value: &str) -> Outcome<()> {
        let set = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        self.cluster.sql(&["SET default_transaction_read_only = off", &set, "SELECT pg_reload_conf()"]).map(|_| ())
    }
}
