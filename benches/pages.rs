//! `--pages`: P9, a page of fifty conversions with its names through the admin API on a filled table, against the same
//! statement alone; and the bombs, each of which must be refused at once while such pages keep their time.
//!
//! On PostgreSQL the statement is asked for by pgbench, prepared, by one client; SQLite has no server that could be
//! compared, so the bench asks for it itself. Pages come first from tables that were only filled, then the statement by
//! itself, then pages again, which count: they and the statement meet about as much in memory. Pages are asked for one
//! after the other: what is measured is the time of an answer, not how many there are.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::Outcome;
use crate::fill::{DAYS, day_before_today};
use crate::grown::Size;
use crate::report::{Figures, decimal};
use crate::requests::OFFERS;
use crate::subject::{Engine, PASSWORD, Stock, Subject, USER};
use crate::tools::Pgbench;

const PAGE: &str = "query($filter: ConversionFilter!) { conversions(filter: $filter, first: 50) { nodes { \
    id status convertedAt transactionId orderId revenue { amount currency } payout { amount currency } \
    offer { id name } publisher { id name } } pageInfo { hasNextPage endCursor } } }";
/// What `store::conversions::list` asks for.
const STATEMENT: &str = "SELECT conversion.*, offer.name AS offer_name, offer.advertiser_id, \
    advertiser.name AS advertiser_name, publisher.name AS publisher_name FROM conversion \
    LEFT JOIN offer ON offer.id = conversion.offer_id LEFT JOIN advertiser ON advertiser.id = offer.advertiser_id \
    LEFT JOIN publisher ON publisher.id = conversion.publisher_id \
    WHERE conversion.converted_at >= :since AND conversion.converted_at < :until AND conversion.offer_id IN (:offer) \
    AND conversion.is_test = FALSE ORDER BY conversion.converted_at DESC, conversion.id DESC LIMIT 51";
const RANGE_MILLIS: i64 = 30 * 24 * 3600 * 1000;
/// Each statement is planned for its own offer and range. Left to itself PostgreSQL makes one plan for all of them after
/// five, with which this one took 42 ms at two million rows: that would make pages look cheap.
const ITS_OWN_PLAN: &str = "-c plan_cache_mode=force_custom_plan";
/// Pages before the first that counts.
const WARM: usize = 200;
/// A page may take so many times what its statement takes, in thousandths.
const TIMES_MAX: u64 = 4_000;
const PAGE_MICROS_MAX: u64 = 10_000;
const BOMB_MICROS_MAX: u64 = 5_000;
/// Between two bombs, while pages are measured.
const BOMB_EVERY: Duration = Duration::from_millis(10);

/// How many are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pages: usize,
    bombs: usize,
    pgbench: Duration,
}

impl Pace {
    pub(crate) const FULL: Self = Self { pages: 4_000, bombs: 400, pgbench: Duration::from_secs(20) };
    pub(crate) const TRY: Self = Self { pages: 600, bombs: 100, pgbench: Duration::from_secs(3) };
}

/// All of it, PostgreSQL first; one filled database is there at a time.
pub(crate) fn run(size: Size, pace: Pace) -> Outcome<Figures> {
    let mut figures = Figures::default();
    for engine in [Engine::Postgres, Engine::Sqlite] {
        println!("{}: filling", engine.name());
        let form = Form::prepare(engine, size, pace)?;
        form.pages(&mut figures)?;
        form.bombs(&mut figures)?;
        form.runtime.block_on(form.subject.discard())?;
    }
    Ok(figures)
}

/// The name of the form with its sizes, for the page.
pub(crate) fn name(size: Size) -> String {
    format!("pages ({})", size.said())
}

struct Form {
    subject: Subject,
    bearer: String,
    pace: Pace,
    runtime: Runtime,
    folder: TempDir,
}

impl Form {
    fn prepare(engine: Engine, size: Size, pace: Pace) -> Outcome<Self> {
        let runtime = Runtime::new()?;
        let stock = Stock { clicks: 1_000, days: 0, fill: Some(size.fill(engine)) };
        let subject = runtime.block_on(Subject::start(engine, stock))?;
        runtime.block_on(subject.analyze())?;
        let credentials = json!({ "email": USER, "password": PASSWORD }).to_string();
        let (status, welcome) = Client::connect(subject.address)?.post("/api/session", None, &credentials)?;
        let bearer = welcome["access_token"].as_str().ok_or_else(|| format!("{status}: nobody signed in"))?.to_owned();
        Ok(Self { subject, bearer, pace, runtime, folder: tempfile::tempdir()? })
    }

    fn pages(&self, figures: &mut Figures) -> Outcome<()> {
        let name = self.subject.engine.name();
        let first = percentile(&self.measure(self.pace.pages, Dice::FIRST)?, 95);
        figures.add_found(
            "P9",
            &format!("pages of tables that nobody has read yet, {name}: p95"),
            format!("{first} µs"),
        );
        let alone = self.statement_micros()?.max(1);
        let pages = self.measure(self.pace.pages, Dice::SECOND)?;
        let mean = pages.iter().sum::<u64>() / u64::try_from(pages.len())?.max(1);
        let what = format!("a page of 50 conversions with names, {name}: p95");
        figures.add_at_most("P9", &what, percentile(&pages, 95), PAGE_MICROS_MAX, "µs");
        let what = format!("the same page, {name}: times its statement ({alone} µs alone, {mean} µs as a page)");
        match self.subject.engine {
            Engine::Postgres => figures.add_at_most("P9", &what, mean * 1000 / alone, TIMES_MAX, "thousandths"),
            Engine::Sqlite => figures.add_found("P9", &what, decimal(mean * 1000 / alone)),
        }
        Ok(())
    }

    /// Microseconds of each page, one after the other.
    fn measure(&self, count: usize, mut dice: Dice) -> Outcome<Vec<u64>> {
        let mut client = Client::connect(self.subject.address)?;
        let mut micros = Vec::with_capacity(count);
        for number in 0..WARM + count {
            let (offer, until) = dice.page()?;
            let range = json!({ "since": iso(until - RANGE_MILLIS), "until": iso(until) });
            let filter = json!({ "offerIds": [format!("offer_{offer}")], "convertedAt": range });
            let body = json!({ "query": PAGE, "variables": { "filter": filter } }).to_string();
            let began = Instant::now();
            let (status, answer) = client.post("/graphql", Some(&self.bearer), &body)?;
            let took = u64::try_from(began.elapsed().as_micros())?;
            let rows = answer["data"]["conversions"]["nodes"].as_array().map_or(0, Vec::len);
            if status != 200 || answer.get("errors").is_some() || rows == 0 {
                return Err(format!("{status}, {rows} rows: {answer}").into());
            }
            if number >= WARM {
                micros.push(took);
            }
        }
        micros.sort_unstable();
        Ok(micros)
    }

    /// Of the statement alone, in the middle.
    fn statement_micros(&self) -> Outcome<u64> {
        match self.subject.engine {
            Engine::Postgres => {
                let (low, high) = until_range();
                let script = format!(
                    "\\set offer random(1, {OFFERS})\n\\set until random({low}, {high})\n\
                     \\set since :until - {RANGE_MILLIS}\n{STATEMENT};\n"
                );
                let pgbench = Pgbench::asking(self.subject.database_url(), &script, ITS_OWN_PLAN, self.folder.path())?;
                Ok(1_000_000 / pgbench.rate(1, self.pace.pgbench)?.max(1))
            }
            Engine::Sqlite => self.runtime.block_on(self.sqlite_micros()),
        }
    }

    async fn sqlite_micros(&self) -> Outcome<u64> {
        let mut connection = SqliteConnection::connect(self.subject.database_url()).await?;
        let sql = STATEMENT.replace(":since", "?1").replace(":until", "?2").replace(":offer", "?3");
        let mut dice = Dice::ALONE;
        let mut total = 0;
        for number in 0..WARM + self.pace.pages {
            let (offer, until) = dice.page()?;
            let query = sqlx::query(AssertSqlSafe(sql.clone())).bind(until - RANGE_MILLIS).bind(until).bind(offer);
            let began = Instant::now();
            query.fetch_all(&mut connection).await?;
            total += if number >= WARM { began.elapsed().as_micros() } else { 0 };
        }
        Ok(u64::try_from(total)? / u64::try_from(self.pace.pages)?)
    }

    fn bombs(&self, figures: &mut Figures) -> Outcome<()> {
        let name = self.subject.engine.name();
        let mut slowest = 0;
        for (bomb, body) in bombs() {
            let mut client = Client::connect(self.subject.address)?;
            let mut micros = Vec::with_capacity(self.pace.bombs);
            for _ in 0..self.pace.bombs {
                let began = Instant::now();
                self.refused(&mut client, bomb, &body)?;
                micros.push(u64::try_from(began.elapsed().as_micros())?);
            }
            micros.sort_unstable();
            println!("  {bomb}: p50 {} us, p99 {} us", percentile(&micros, 50), percentile(&micros, 99));
            slowest = slowest.max(percentile(&micros, 99));
        }
        let what = format!("{} kinds of bombs, {name}: p99 of the slowest to be refused", bombs().len());
        figures.add_at_most("bombs", &what, slowest, BOMB_MICROS_MAX, "µs");
        let before = percentile(&self.measure(self.pace.pages, Dice::SECOND)?, 95);
        let beside = percentile(&self.beside_bombs()?, 95);
        let what = format!("a page beside 100 bombs a second, {name}: p95 ({before} µs without them)");
        figures.add_at_most("bombs", &what, beside, (before * 2).max(PAGE_MICROS_MAX), "µs");
        Ok(())
    }

    fn refused(&self, client: &mut Client, bomb: &str, body: &str) -> Outcome<()> {
        let (status, answer) = client.post("/graphql", Some(&self.bearer), body)?;
        let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
        let refused = ["QUERY_TOO_COMPLEX", "GRAPHQL_VALIDATION_FAILED"].contains(&code);
        if refused && answer.get("data").is_none() { Ok(()) } else { Err(format!("{bomb}: {status} {answer}").into()) }
    }

    fn beside_bombs(&self) -> Outcome<Vec<u64>> {
        let over = Arc::new(AtomicBool::new(false));
        thread::scope(|scope| {
            let bombing = scope.spawn(|| -> Outcome<()> {
                let mut client = Client::connect(self.subject.address)?;
                let bombs = bombs();
                for (bomb, body) in bombs.iter().cycle() {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    self.refused(&mut client, bomb, body)?;
                    thread::sleep(BOMB_EVERY);
                }
                Ok(())
            });
            let micros = self.measure(self.pace.pages, Dice::SECOND);
            over.store(true, Ordering::Relaxed);
            bombing.join().map_err(|_| "the bombs ended by themselves")??;
            micros
        })
    }
}

/// The bombs of the design, in queries and subscriptions.
fn bombs() -> Vec<(&'static str, String)> {
    let of = |kind: &str, links: usize, twice: &str| {
        let chain: String = (0..links)
            .map(|n| format!("fragment f{n} on Query{{{}}}", twice.replace('#', &(n + 1).to_string())))
            .collect();
        format!("{kind}{{...f0}} {chain} fragment f{links} on Query{{viewer{{name}}}}")
    };
    let documents = [
        ("31 fragments, each spread twice", of("query", 31, "...f# ...f#")),
        ("18 fragments, each spread twice", of("query", 18, "...f# ...f#")),
        ("5 fragments, each spread ten times", of("query", 5, &"...f# ".repeat(10))),
        ("the same in a subscription", of("subscription", 18, "...f# ...f#")),
        ("a circle of fragments", "{...a} fragment a on Query{...b} fragment b on Query{...a}".to_owned()),
        ("a list 350 deep", format!("{{offers(after:{}{}){{nodes{{id}}}}}}", "[".repeat(350), "]".repeat(350))),
        ("21 directives", format!("{{viewer{{name {}}}}}", "@include(if:true) ".repeat(21))),
        ("31 aliases", format!("{{viewer{{{}}}}}", (0..31).map(|n| format!("a{n}:name ")).collect::<String>())),
        (
            "11 fields at the root",
            format!("{{{}}}", (0..11).map(|n| format!("a{n}:viewer{{name}} ")).collect::<String>()),
        ),
        ("501 selections", format!("{{viewer{{{}}}}}", "name ".repeat(501))),
        ("11 levels", format!("{}{}", "{offers{nodes".repeat(6), "}}".repeat(6))),
        ("16 KiB of names", format!("{{viewer{{{}}}}}", "n ".repeat(8_000))),
        (
            "pages of pages",
            "{offers(first:200){nodes{conversions(first:200){nodes{receipts(first:200){nodes{id}}}}}}}".to_owned(),
        ),
        ("introspection in a circle", "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}".to_owned()),
    ];
    documents.into_iter().map(|(name, query)| (name, json!({ "query": query }).to_string())).collect()
}

/// An HTTP connection that is kept.
struct Client {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Client {
    fn connect(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream: BufReader::new(stream), address })
    }

    fn post(&mut self, path: &str, bearer: Option<&str>, body: &str) -> Outcome<(u16, Value)> {
        let authorization = bearer.map_or_else(String::new, |bearer| format!("authorization: Bearer {bearer}\r\n"));
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\n{authorization}content-type: application/json\r\n\
             accept: application/graphql-response+json, application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Outcome<(u16, Value)> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).unwrap_or_default().parse()?;
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}

/// Chance that repeats itself (xorshift).
struct Dice(u64);

impl Dice {
    /// Seeds: two that begin alike would meet rows that the other has brought into memory.
    const FIRST: Self = Self(0x9e37_79b9_7f4a_7c15);
    const ALONE: Self = Self(0xd1b5_4a32_d192_ed03);
    const SECOND: Self = Self(0x94d0_49bb_1331_11eb);

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// An offer, and the end of the range of its page.
    fn page(&mut self) -> Outcome<(i64, i64)> {
        let (low, high) = until_range();
        let offer = i64::try_from(1 + self.below(OFFERS))?;
        Ok((offer, low + i64::try_from(self.below(u64::try_from(high - low)?))?))
    }
}

/// Where the end of a range may lie: never so early that nothing is in it.
fn until_range() -> (i64, i64) {
    (day_before_today(DAYS - 10).as_millis(), day_before_today(0).as_millis())
}

fn iso(millis: i64) -> String {
    roundtrip::domain::clock::Timestamp::from_millis(millis).to_string()
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
}
