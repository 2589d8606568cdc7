//! SIGKILL under load, again and again on one database, and the control of the auditor at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use roundtrip::store::Engine;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tokio::time::sleep;

use super::super::postgres;
use super::auditor::{Depth, Facts, Findings, audit, examine};
use super::dice::Dice;
use super::ledger::{ClickPromised, Promised, ReceiptPromised};
use super::load::Load;
use super::sender::Senders;
use super::server::Server;
use super::{ClickRule, Clock, Options, Outcome, Section, middle_and_most};

/// How often it is killed a second time, while it starts.
pub(super) const KILLED_AGAIN_PERCENT: u64 = 25;

pub(super) async fn run(engine: Engine, options: &Options) -> Outcome<Section> {
    let mut section = Section::new(format!("kill -9 of the server, {engine:?}"));
    let url = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => Some(postgres::fresh_database()),
    };
    let mut server = Server::prepare(url, None).await?;
    let senders = Senders::to(&server)?;
    senders.may_be_cut.store(true, Ordering::SeqCst);
    let mut starts = vec![server.program.start(&[])?];
    let clock = Clock::start(options);
    let (mut kills, mut kills_again, mut audits) = (0, 0, 0);
    let mut last = Findings::default();
    while kills < options.runs && !clock.is_over() && last.is_clean() {
        kills += 1;
        let mut dice = Dice::new(options.seed, "kill", kills.into());
        let load = Load::start(&senders, options.seed, kills, options.workers);
        sleep(dice.millis(100, 1_200)).await;
        server.program.kill()?;
        // A moment in which every sender is refused, and every one is there again at once afterwards.
        sleep(dice.millis(0, 60)).await;
        if dice.percent(KILLED_AGAIN_PERCENT) {
            server.program.launch(&[])?;
            sleep(dice.millis(5, 150)).await;
            server.program.kill()?;
            kills_again += 1;
        }
        starts.push(server.program.start(&[])?);
        sleep(dice.millis(0, 150)).await;
        load.finish().await?;
        if kills % options.audit_every == 0 || kills == options.runs || clock.is_over() {
            last = examine(&server, &senders, Depth::Exact, options.clicks).await?;
            audits += 1;
        }
    }
    report(&mut section, &senders, &last);
    section.figure("kills / again while it started / audits", format!("{kills} / {kills_again} / {audits}"));
    section.figure("start to ready, middle / most", middle_and_most(&mut starts));
    server.program.stop()?;
    if last.is_clean() {
        let (found, missed) = controls(&server, &senders, options.clicks).await?;
        section.figure("controls that failed as they must", format!("{found} of {}", found + missed.len()));
        missed.into_iter().for_each(|missed| section.failure(missed));
    }
    Ok(section)
}

/// What the auditor found, and how much there was to find.
pub(super) fn report(section: &mut Section, senders: &Arc<Senders>, found: &Findings) {
    let tries = senders.tries();
    let answered = |statuses: &[u16]| tries.iter().filter(|one| statuses.contains(&one.status)).count();
    let book = senders.ledger.copy();
    section.figure("requests", senders.requests.load(Ordering::Relaxed));
    section.figure("answered / asked to come again / cut", {
        let (later, cut) = (answered(&[503, 429]), answered(&[0]));
        format!("{} / {later} / {cut}", tries.len() - later - cut)
    });
    section.figure("promised: conversions", book.conversions.len());
    section.figure("promised: receipts", book.receipts.len());
    section.figure("promised: clicks (sure ones)", {
        format!("{} ({})", book.clicks.len(), book.clicks.iter().filter(|click| click.is_settled).count())
    });
    section.figure(
        "lost / twice / wrong",
        format!("{} / {} / {}", found.lost.len(), found.twice.len(), found.wrong.len()),
    );
    found.lines().for_each(|line| section.failure(line));
    if book.conversions.is_empty() {
        section.failure("nothing was recorded, so nothing was proved");
    }
}

/// Each is a fault that is planted and must be found. How many were, and which were not.
async fn controls(server: &Server, senders: &Senders, clicks: ClickRule) -> Outcome<(usize, Vec<String>)> {
    let mut missed = Vec::new();
    let mut found = 0;
    let mut must = |name: &str, is_found: bool| {
        if is_found { found += 1 } else { missed.push(format!("control: {name} was not found")) }
    };
    let facts = Facts::read(server.engine, &server.database_url).await?;
    let honest = senders.ledger.copy();
    let (number, settled) = ([0x5a; 16], ClickPromised { transaction: vec![0x5a; 25], is_settled: true });

    let mut book = honest.clone();
    let promised =
        Promised { transaction: vec![0x5a; 25], status: "approved", history: vec!["recorded"], is_moving: false };
    book.conversions.insert(number, promised);
    must("a conversion that was never there", audit(&facts, &book, Depth::Exact, clicks).lost.len() == 1);
    let mut book = honest.clone();
    book.receipts.insert(number, ReceiptPromised { code: "recorded".to_owned(), conversion: Some(number) });
    must("a receipt that was never there", audit(&facts, &book, Depth::Exact, clicks).lost.len() == 1);
    let mut book = honest.clone();
    book.clicks.push(settled);
    must("a click that was never there", audit(&facts, &book, Depth::Exact, clicks).lost.len() == 1);
    let mut book = honest.clone();
    if let Some(promised) = book.conversions.values_mut().find(|promised| promised.history == ["recorded"]) {
        promised.history.push("rejected");
    }
    must("a change that was never made", audit(&facts, &book, Depth::Exact, clicks).lost.len() == 1);

    // The database is spoilt from here on.
    let id = match server.engine {
        Engine::Sqlite => "x'5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a'",
        Engine::Postgres => "'5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a'",
    };
    let doubled = [
        "CREATE TABLE planted AS SELECT * FROM conversion LIMIT 1".to_owned(),
        format!("UPDATE planted SET id = {id}"),
        "INSERT INTO conversion SELECT * FROM planted".to_owned(),
    ];
    spoil(server, &doubled).await?;
    let facts = Facts::read(server.engine, &server.database_url).await?;
    must("a conversion that is there twice", audit(&facts, &honest, Depth::Exact, clicks).twice.len() == 1);
    must("a conversion without its history, by verify", !server.program.verify()?.is_empty());
    spoil(server, &["UPDATE conversion SET status = 'pending' WHERE status = 'rejected'".to_owned()]).await?;
    let facts = Facts::read(server.engine, &server.database_url).await?;
    must("a status of another kind", !audit(&facts, &honest, Depth::Kept, clicks).wrong.is_empty());
    Ok((found, missed))
}

async fn spoil(server: &Server, statements: &[String]) -> Outcome<()> {
    for statement in statements {
        let statement = sqlx::AssertSqlSafe(statement.clone());
        match server.engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&server.database_url).await?;
                sqlx::query(statement).execute(&mut connection).await?;
                connection.close().await?;
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(&server.database_url).await?;
                sqlx::query(statement).execute(&mut connection).await?;
                connection.close().await?;
            }
        }
    }
    Ok(())
}
