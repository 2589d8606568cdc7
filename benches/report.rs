//! The figures of one run, the goals they are held against, and the page that keeps them.
//!
//! A ratio is made of two figures of the same round, and the middle one of the rounds counts: a machine that slows
//! down for a minute slows both. No figure comes from anywhere but this run, and there is no float: thousandths.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use roundtrip::domain::clock::Clock as _;
use roundtrip::system::SystemClock;

use crate::Outcome;
use crate::load::Delays;
use crate::process::said;

/// Whose figures stand between two marks of the page.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Measured,
    Grown,
    Pages,
    Reports,
}

/// What was measured, by name, a number for each round.
#[derive(Default)]
pub(crate) struct Figures {
    rounds: BTreeMap<String, Vec<u64>>,
    delays: Vec<(&'static str, Delays)>,
    singles: Vec<Row>,
}

struct Row {
    number: &'static str,
    what: String,
    found: String,
    goal: String,
    verdict: &'static str,
}

impl Figures {
    pub(crate) fn add(&mut self, name: &str, figure: u64) {
        println!("  {figure:>7}/s  {name}");
        self.rounds.entry(name.to_owned()).or_default().push(figure);
    }

    pub(crate) fn add_delays(&mut self, what: &'static str, delays: Delays) {
        println!("  {what}: p50 {} us, p99 {} us at {}/s", delays.p50, delays.p99, delays.per_second);
        self.delays.push((what, delays));
    }

    /// A figure that is small when it is good.
    pub(crate) fn add_at_most(&mut self, number: &'static str, what: &str, found: u64, goal: u64, unit: &str) {
        println!("  {what}: {found} {unit}");
        let verdict = if found <= goal { "met" } else { "**missed**" };
        let (found, goal) = (format!("{found} {unit}"), format!("≤ {goal} {unit}"));
        self.singles.push(Row { number, what: what.to_owned(), found, goal, verdict });
    }

    /// Thousandths, of a figure that is large when it is good.
    pub(crate) fn add_at_least(&mut self, number: &'static str, what: &str, found: u64, goal: u64) {
        println!("  {what}: {}", decimal(found));
        let verdict = if found >= goal { "met" } else { "**missed**" };
        let (found, goal) = (decimal(found), format!("≥ {}", decimal(goal)));
        self.singles.push(Row { number, what: what.to_owned(), found, goal, verdict });
    }

    /// What no goal was set for.
    pub(crate) fn add_found(&mut self, number: &'static str, what: &str, found: String) {
        println!("  {what}: {found}");
        self.singles.push(Row { number, what: what.to_owned(), found, goal: "–".to_owned(), verdict: "" });
    }

    /// P11: thousandths of what the nearly empty one of the same round takes.
    pub(crate) fn add_grown(&mut self, what: &str, grown: &str, empty: &str) -> Outcome<()> {
        let row = self.ratio_row("P11", what, (grown, &[empty]), (850, 950))?;
        println!("  {what}: {}", row.found);
        self.singles.push(row);
        Ok(())
    }

    /// The middle one of all rounds.
    pub(crate) fn middle(&self, name: &str) -> Outcome<u64> {
        let rounds = self.rounds.get(name).ok_or_else(|| format!("{name} was not measured"))?;
        middle(rounds.clone()).ok_or_else(|| format!("{name} was not measured").into())
    }

    /// Thousandths: `name` against the best of `others`, round by round, and then the middle one.
    pub(crate) fn ratio(&self, name: &str, others: &[&str]) -> Outcome<u64> {
        let of = |name: &str| self.rounds.get(name).ok_or_else(|| format!("{name} was not measured"));
        let others = others.iter().map(|other| of(other)).collect::<Result<Vec<_>, _>>()?;
        let ratios = of(name)?.iter().enumerate().filter_map(|(round, figure)| {
            let best = others.iter().filter_map(|other| other.get(round)).max()?;
            Some(figure * 1000 / (*best).max(1))
        });
        middle(ratios.collect()).ok_or_else(|| format!("{name} has no round with all figures").into())
    }

    fn ratio_rows(&self) -> Outcome<Vec<Row>> {
        let pgbench = &["pgbench, 16 clients", "pgbench, 64 clients"][..];
        let nginx = &["nginx 302, access log"][..];
        let goals: [(_, _, _, &[&str], u64, u64); 14] = [
            ("P1", "click, PostgreSQL / nginx 302", "click, PostgreSQL, 256", nginx, 400, 650),
            ("P1", "the same at 64 connections", "click, PostgreSQL, 64", &["nginx 302, access log, 64"], 400, 650),
            ("P2", "click, SQLite / nginx 302", "click, SQLite, 256", nginx, 450, 650),
            ("P2", "the same at 64 connections", "click, SQLite, 64", &["nginx 302, access log, 64"], 450, 650),
            ("P3", "click, PostgreSQL / pgbench", "click, PostgreSQL, 256", pgbench, 2200, 3000),
            ("P4", "postback, PostgreSQL / pgbench", "postback, PostgreSQL, 256", pgbench, 1100, 2000),
            ("P4", "the same at 64 connections", "postback, PostgreSQL, 64", pgbench, 1100, 2000),
            ("P5", "postback, SQLite / sqlite3 shell", "postback, SQLite, 256", &["sqlite3, one row"], 4000, 7000),
            ("P5", "the same at 64 connections", "postback, SQLite, 64", &["sqlite3, one row"], 4000, 7000),
            ("P6", "bad token refused / bare axum", "bad token, PostgreSQL", &["bare axum"], 800, 950),
            ("P7", "pixel refused / nginx empty_gif", "pixel refused, PostgreSQL", &["nginx empty_gif"], 500, 700),
            (
                "P7",
                "pixel recorded / postback",
                "pixel recorded, PostgreSQL",
                &["postback, PostgreSQL, 256"],
                900,
                1000,
            ),
            ("P14", "click / naive build, PostgreSQL", "click, PostgreSQL, 256", &["naive, PostgreSQL"], 5000, 7000),
            ("P14", "click / naive build, SQLite", "click, SQLite, 256", &["naive, SQLite"], 15_000, 25_000),
        ];
        goals
            .into_iter()
            .map(|(number, what, name, others, goal, beyond)| {
                self.ratio_row(number, what, (name, others), (goal, beyond))
            })
            .collect()
    }

    fn ratio_row(
        &self,
        number: &'static str,
        what: &str,
        (name, others): (&str, &[&str]),
        (goal, beyond): (u64, u64),
    ) -> Outcome<Row> {
        let ratio = self.ratio(name, others)?;
        let verdict = match ratio {
            _ if ratio >= beyond => "beyond",
            _ if ratio >= goal => "met",
            _ => "**missed**",
        };
        let goal = format!("≥ {} (beyond {})", decimal(goal), decimal(beyond));
        Ok(Row { number, what: what.to_owned(), found: decimal(ratio), goal, verdict })
    }

    /// The page between its marks: the machine, the goals, the figures.
    pub(crate) fn page(&self, part: Part, form: &str, load_before: &str) -> Outcome<String> {
        let compared = match part {
            Part::Measured => self.ratio_rows()?,
            Part::Grown | Part::Pages | Part::Reports => Vec::new(),
        };
        let mut page = format!("{}\n", machine(form, load_before)?);
        page.push_str("| # | What | Found | Goal | |\n|---|---|---|---|---|\n");
        for row in compared.iter().chain(&self.delay_rows()).chain(&self.singles) {
            let Row { number, what, found, goal, verdict } = row;
            writeln!(page, "| {number} | {what} | {found} | {goal} | {verdict} |")?;
        }
        if self.rounds.is_empty() {
            return Ok(page);
        }
        page.push_str(
            "\n| A second, 256 connections unless said | Middle | Lowest to highest of the rounds |\n|---|---|---|\n",
        );
        for (name, rounds) in &self.rounds {
            let (low, high) = (rounds.iter().min().unwrap_or(&0), rounds.iter().max().unwrap_or(&0));
            writeln!(page, "| {name} | {} | {low} to {high} |", self.middle(name)?)?;
        }
        Ok(page)
    }

    fn delay_rows(&self) -> Vec<Row> {
        let row = |(what, delays): &(&'static str, Delays)| {
            let Delays { per_second, p50, p99, max, .. } = delays;
            let found = format!("p50 {p50} µs, p99 {p99} µs, longest {max} µs, at {per_second}/s");
            let verdict = match (*p50, *p99) {
                (..=2_000, ..=10_000) => "beyond",
                (..=4_000, ..=20_000) => "met",
                _ => "**missed**",
            };
            Row {
                number: "P8",
                what: (*what).to_owned(),
                found,
                goal: "p50 ≤ 4 ms, p99 ≤ 20 ms (beyond 2, 10)".to_owned(),
                verdict,
            }
        };
        self.delays.iter().map(row).collect()
    }
}

fn middle(mut figures: Vec<u64>) -> Option<u64> {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied()
}

/// Thousandths as a number with two places.
pub(crate) fn decimal(thousandths: u64) -> String {
    format!("{}.{:02}", thousandths / 1000, thousandths % 1000 / 10)
}

fn machine(form: &str, load_before: &str) -> Outcome<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let memory = read("/proc/meminfo");
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap_or("0 kB");
    let memory = memory.trim().trim_end_matches(" kB").parse::<u64>()? / (1024 * 1024);
    let info = read("/proc/cpuinfo");
    let processor = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let processor = processor.trim_start_matches([' ', '\t', ':']);
    let processors = std::thread::available_parallelism()?;
    let commit = said(Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=10"]))?;
    Ok(format!(
        "Measured {} at commit `{}`, {form}. Machine: {processors} processors ({processor}), {memory} GiB, Linux {}; \
         load before the run {load_before}.\n",
        SystemClock.now(),
        commit.trim(),
        read("/proc/sys/kernel/osrelease").trim(),
    ))
}

/// Puts the page into the file, between the marks of its part; what stands around them is written by people, and the
/// figures of the other part stay as they are.
pub(crate) fn keep(file: &Path, part: Part, page: &str) -> Outcome<()> {
    let name = match part {
        Part::Measured => "measured",
        Part::Grown => "grown",
        Part::Pages => "pages",
        Part::Reports => "reports",
    };
    let (begin, end) = (format!("<!-- {name}: begin -->"), format!("<!-- {name}: end -->"));
    let text = fs::read_to_string(file)?;
    let (before, rest) = text.split_once(&begin).ok_or_else(|| format!("the results have no mark {begin}"))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| format!("the results have no mark {end}"))?;
    Ok(fs::write(file, format!("{before}{begin}\n\n{page}\n{end}{after}"))?)
}
