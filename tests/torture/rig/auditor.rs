//! The auditor: compares what was promised with what the tables hold, read by SQL of its own.
//!
//! **Lost**: promised and not there. **Twice**: there and promised to nobody, which is how a second conversion looks.
//! **Wrong**: there, and not as it was promised, or figures that are not the sum of their facts. `roundtrip verify` is
//! asked beside it, and never instead: a server that counts wrongly could not vouch for itself.

use std::collections::{HashMap, HashSet};

use roundtrip::store::Engine;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tokio::time::{Instant, sleep};

use super::ledger::{Book, Id};
use super::sender::Senders;
use super::server::Server;
use super::{ClickRule, Outcome, SPOOL_EMPTY_WITHIN};

/// How much can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Stories are still being told: what was promised must be there, and there may be more.
    Kept,
    /// Every story is at its end: nothing else may be there.
    Exact,
}

#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) lost: Vec<String>,
    pub(super) twice: Vec<String>,
    pub(super) wrong: Vec<String>,
}

impl Findings {
    pub(super) fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.twice.is_empty() && self.wrong.is_empty()
    }

    /// Every finding, with its kind.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let kinds = [("lost", &self.lost), ("twice", &self.twice), ("wrong", &self.wrong)];
        kinds.into_iter().flat_map(|(kind, found)| found.iter().map(move |what| format!("{kind}: {what}")))
    }
}

/// What the tables hold.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Transaction and status.
    conversions: HashMap<Id, (Vec<u8>, String)>,
    /// Kinds of changes in their order.
    histories: HashMap<Id, Vec<String>>,
    /// Code and conversion.
    receipts: HashMap<Id, (String, Option<Id>)>,
    receipt_rows: usize,
    clicks: HashSet<Vec<u8>>,
    click_rows: usize,
    /// Of the figures: clicks, conversions, approved, pending, rejected.
    figures: Vec<i64>,
}

/// Each question answers with bytes, bytes and a text.
struct Questions {
    conversions: &'static str,
    changes: &'static str,
    receipts: &'static str,
    clicks: &'static str,
}

const ON_SQLITE: Questions = Questions {
    conversions: "SELECT id, transaction_id, status FROM conversion",
    changes: "SELECT conversion_id, x'', kind FROM conversion_change ORDER BY conversion_id, number",
    receipts: "SELECT id, COALESCE(conversion_id, x''), code FROM receipt",
    clicks: "SELECT transaction_id, x'', '' FROM click",
};
const ON_POSTGRES: Questions = Questions {
    conversions: "SELECT uuid_send(id), transaction_id, status FROM conversion",
    changes: "SELECT uuid_send(conversion_id), ''::bytea, kind FROM conversion_change ORDER BY conversion_id, number",
    receipts: "SELECT uuid_send(id), COALESCE(uuid_send(conversion_id), ''::bytea), code FROM receipt",
    clicks: "SELECT transaction_id, ''::bytea, '' FROM click",
};
const FIGURES: &str = "SELECT CAST(COALESCE(SUM(clicks), 0) AS BIGINT), CAST(COALESCE(SUM(conversions), 0) AS BIGINT), \
    CAST(COALESCE(SUM(approved), 0) AS BIGINT), CAST(COALESCE(SUM(pending), 0) AS BIGINT), \
    CAST(COALESCE(SUM(rejected), 0) AS BIGINT) FROM rollup";

type Row = (Vec<u8>, Vec<u8>, String);
type Figures = (i64, i64, i64, i64, i64);

/// Asks all questions of one connection.
macro_rules! ask {
    ($connection:expr, $questions:expr) => {{
        let mut connection = $connection;
        let conversions: Vec<Row> = sqlx::query_as($questions.conversions).fetch_all(&mut connection).await?;
        let changes: Vec<Row> = sqlx::query_as($questions.changes).fetch_all(&mut connection).await?;
        let receipts: Vec<Row> = sqlx::query_as($questions.receipts).fetch_all(&mut connection).await?;
        let clicks: Vec<Row> = sqlx::query_as($questions.clicks).fetch_all(&mut connection).await?;
        let figures: Figures = sqlx::query_as(FIGURES).fetch_one(&mut connection).await?;
        connection.close().await?;
        Facts::of(conversions, changes, receipts, clicks, figures)
    }};
}

impl Facts {
    pub(super) async fn read(engine: Engine, url: &str) -> Outcome<Self> {
        match engine {
            Engine::Sqlite => ask!(SqliteConnection::connect(url).await?, ON_SQLITE),
            Engine::Postgres => ask!(PgConnection::connect(url).await?, ON_POSTGRES),
        }
    }

    fn of(
        conversions: Vec<Row>,
        changes: Vec<Row>,
        receipts: Vec<Row>,
        clicks: Vec<Row>,
        figures: Figures,
    ) -> Outcome<Self> {
        let mut facts = Self {
            receipt_rows: receipts.len(),
            click_rows: clicks.len(),
            figures: vec![figures.0, figures.1, figures.2, figures.3, figures.4],
            ..Self::default()
        };
        for (id, transaction, status) in conversions {
            facts.conversions.insert(id_of(&id)?, (transaction, status));
        }
        for (id, _, kind) in changes {
            facts.histories.entry(id_of(&id)?).or_default().push(kind);
        }
        for (id, conversion, code) in receipts {
            let conversion = if conversion.is_empty() { None } else { Some(id_of(&conversion)?) };
            facts.receipts.insert(id_of(&id)?, (code, conversion));
        }
        facts.clicks.extend(clicks.into_iter().map(|(id, _, _)| id));
        Ok(facts)
    }
}

fn id_of(bytes: &[u8]) -> Outcome<Id> {
    bytes.try_into().map_err(|_| format!("an id of {} bytes", bytes.len()).into())
}

/// Compares.
pub(super) fn audit(facts: &Facts, book: &Book, depth: Depth, clicks: ClickRule) -> Findings {
    let mut found = Findings::default();
    conversions(facts, book, &mut found);
    receipts(facts, book, &mut found);
    for click in book.clicks.iter().filter(|click| click.is_settled || clicks == ClickRule::All) {
        if !facts.clicks.contains(&click.transaction) {
            found.lost.push(format!("click {}", hex(&click.transaction)));
        }
    }
    if depth == Depth::Exact {
        nothing_else(facts, book, &mut found);
        figures(facts, &mut found);
    }
    found
}

fn conversions(facts: &Facts, book: &Book, found: &mut Findings) {
    for (id, promised) in &book.conversions {
        let name = hex(id);
        let Some((transaction, status)) = facts.conversions.get(id) else {
            found.lost.push(format!("conversion {name}"));
            continue;
        };
        if *transaction != promised.transaction {
            found.wrong.push(format!("conversion {name} is of another transaction"));
        }
        let history = facts.histories.get(id).map(Vec::as_slice).unwrap_or_default();
        if history.len() < promised.history.len() {
            found.lost.push(format!("history of {name}: {history:?} of {:?}", promised.history));
        } else if promised.is_moving {
            if history.iter().zip(&promised.history).any(|(is, should)| is != should) {
                found.wrong.push(format!("history of {name}: {history:?} and not {:?}", promised.history));
            }
        } else if history != promised.history {
            found.wrong.push(format!("history of {name}: {history:?} and not {:?}", promised.history));
        } else if status != promised.status {
            found.wrong.push(format!("conversion {name} is {status} and not {}", promised.status));
        }
    }
}

fn receipts(facts: &Facts, book: &Book, found: &mut Findings) {
    for (id, promised) in &book.receipts {
        match facts.receipts.get(id) {
            None => found.lost.push(format!("receipt {}", hex(id))),
            Some((code, conversion)) if *code != promised.code || *conversion != promised.conversion => {
                found.wrong.push(format!(
                    "receipt {}: {code} and not {}, or of another conversion",
                    hex(id),
                    promised.code
                ));
            }
            Some(_) => {}
        }
    }
}

fn nothing_else(facts: &Facts, book: &Book, found: &mut Findings) {
    for id in facts.conversions.keys().filter(|id| !book.conversions.contains_key(*id)) {
        found.twice.push(format!("conversion {}: nobody was told of it", hex(id)));
    }
    for id in facts.histories.keys().filter(|id| !facts.conversions.contains_key(*id)) {
        found.wrong.push(format!("history of {}: there is no such conversion", hex(id)));
    }
    if facts.receipt_rows != facts.receipts.len() {
        found.twice.push(format!("{} rows of {} receipts", facts.receipt_rows, facts.receipts.len()));
    }
    let sent = usize::try_from(book.clicks_sent).unwrap_or(usize::MAX);
    if facts.click_rows != facts.clicks.len() || facts.click_rows > sent {
        let (rows, ids) = (facts.click_rows, facts.clicks.len());
        found.twice.push(format!("{rows} rows of {ids} clicks, and {sent} were asked for"));
    }
}

fn figures(facts: &Facts, found: &mut Findings) {
    let with = |wanted: &str| facts.conversions.values().filter(|(_, status)| status == wanted).count();
    let counted = [facts.click_rows, facts.conversions.len(), with("approved"), with("pending"), with("rejected")];
    let names = ["clicks", "conversions", "approved", "pending", "rejected"];
    for ((name, counted), said) in names.into_iter().zip(counted).zip(&facts.figures) {
        if i64::try_from(counted).ok() != Some(*said) {
            found.wrong.push(format!("figures say {said} {name}, and there are {counted}"));
        }
    }
}

/// Reads and compares, and asks `roundtrip verify`; waits for the spool where the rule says so.
pub(super) async fn examine(server: &Server, senders: &Senders, depth: Depth, clicks: ClickRule) -> Outcome<Findings> {
    let end = Instant::now() + SPOOL_EMPTY_WITHIN;
    loop {
        let book = senders.ledger.copy();
        let facts = Facts::read(server.engine, &server.database_url).await?;
        let mut found = audit(&facts, &book, depth, clicks);
        if !found.is_clean() && clicks == ClickRule::All && Instant::now() < end {
            sleep(std::time::Duration::from_millis(200)).await;
            continue;
        }
        found.wrong.extend(book.broken);
        found.wrong.extend(server.program.verify()?);
        return Ok(found);
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
