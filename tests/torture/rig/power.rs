//! Power cuts on SQLite: the server runs with `powercut.c` before the C library, is killed, and starts again on
//! what the disk would hold. The model is in [`super::journal`].
//!
//! Its control costs no run of its own. The journal of each cut is replayed a second time without the syncs that
//! `synchronous=NORMAL` would leave out: same requests, same instant, same luck. There the auditor must find losses, or
//! the cuts prove nothing. So the product needs no door by which durability could be weakened.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use roundtrip::store::Engine;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio::time::sleep;

use super::auditor::{Depth, Facts, Findings, audit, examine};
use super::dice::Dice;
use super::journal::{Entry, Image, Syncs, after_the_cut, read_image, read_journal, write_image};
use super::kills::{KILLED_AGAIN_PERCENT, report};
use super::load::Load;
use super::process::done;
use super::sender::Senders;
use super::server::{Program, Server};
use super::{Clock, Options, Outcome, Section, middle_and_most};

const ROWS_CUTS_MAX: u32 = 10;

pub(super) async fn run(options: &Options) -> Outcome<Vec<Section>> {
    let preload = Preload::compile()?;
    let mut sections = vec![under_load(&preload, options).await?, first_starts(&preload, options).await?];
    if let Some(program) = &options.rows_program {
        sections.push(rows(&preload, program, options).await?);
    }
    Ok(sections)
}

/// The library, compiled for this run.
struct Preload {
    folder: TempDir,
}

impl Preload {
    fn compile() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/powercut.c");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-pthread", "-o"]);
        cc.arg(folder.path().join("powercut.so")).arg(source);
        done(&mut cc).map_err(|error| format!("the library of power cuts needs a C compiler: {error}"))?;
        Ok(Self { folder })
    }

    /// The environment of a server whose data folder is watched, and where the journal is.
    fn watch(&self, data: &Path, number: u32) -> Outcome<(Vec<(&'static str, String)>, PathBuf)> {
        let journal = self.folder.path().join(format!("journal-{number}"));
        if journal.exists() {
            fs::remove_file(&journal)?;
        }
        let library = self.folder.path().join("powercut.so");
        let environment = vec![
            ("LD_PRELOAD", library.display().to_string()),
            ("POWERCUT_ROOT", fs::canonicalize(data)?.display().to_string()),
            ("POWERCUT_JOURNAL", journal.display().to_string()),
        ];
        Ok((environment, journal))
    }
}

fn borrowed<'a>(environment: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

/// What the controls of all cuts came to.
#[derive(Default)]
struct Control {
    cuts_with_a_loss: u32,
    lost: usize,
}

async fn under_load(preload: &Preload, options: &Options) -> Outcome<Section> {
    let mut section = Section::new("power cuts under load, Sqlite");
    let mut server = Server::prepare(None, None).await?;
    let data = server.program.data();
    let senders = Senders::to(&server)?;
    senders.may_be_cut.store(true, Ordering::SeqCst);
    let clock = Clock::start(options);
    let (mut starts, mut cuts, mut cuts_again, mut control) = (Vec::new(), 0, 0, Control::default());
    let mut image = read_image(&data)?;
    let (environment, mut journal) = preload.watch(&data, cuts)?;
    starts.push(server.program.start(&borrowed(&environment))?);
    let mut last = Findings::default();
    while cuts < options.runs && !clock.is_over() && last.is_clean() {
        cuts += 1;
        let mut dice = Dice::new(options.seed, "power", cuts.into());
        let load = Load::start(&senders, options.seed, cuts, options.workers);
        sleep(dice.millis(100, 1_200)).await;
        server.program.kill()?;
        let entries = read_journal(&journal)?;
        fs::remove_file(&journal)?;
        let luck = || Dice::new(options.seed, "luck", cuts.into());
        let weak = after_the_cut(&image, &entries, Syncs::AsWithNormal, &mut luck());
        let lost = lost_on(&weak, &senders, options).await?;
        control.lost += lost;
        control.cuts_with_a_loss += u32::from(lost > 0);
        image = after_the_cut(&image, &entries, Syncs::All, &mut luck());
        write_image(&image, &data)?;
        if dice.percent(KILLED_AGAIN_PERCENT) {
            let (environment, journal) = preload.watch(&data, cuts)?;
            server.program.launch(&borrowed(&environment))?;
            sleep(dice.millis(5, 150)).await;
            server.program.kill()?;
            image = after_the_cut(&image, &read_if_there(&journal)?, Syncs::All, &mut dice);
            write_image(&image, &data)?;
            cuts_again += 1;
        }
        let (environment, next) = preload.watch(&data, cuts)?;
        journal = next;
        starts.push(server.program.start(&borrowed(&environment))?);
        load.finish().await?;
        if cuts % options.audit_every == 0 || cuts == options.runs || clock.is_over() {
            last = examine(&server, &senders, Depth::Exact, options.clicks).await?;
        }
    }
    report(&mut section, &senders, &last);
    section.figure("cuts / while it started again", format!("{cuts} / {cuts_again}"));
    section.figure("start to ready, middle / most", middle_and_most(&mut starts));
    let Control { cuts_with_a_loss, lost } = control;
    section.figure("control, as with NORMAL", format!("{lost} lost in {cuts_with_a_loss} of {cuts} cuts"));
    if cuts_with_a_loss == 0 {
        section.failure("control: without the syncs of commits nothing was lost, so these cuts prove nothing");
    }
    Ok(section)
}

/// The pragma itself, without a server: a program that commits rows on SQLite as it is told. With FULL none is lost,
/// with NORMAL some are: the model sees what the engine really does, and not only what we say that it would do.
async fn rows(preload: &Preload, program: &Path, options: &Options) -> Outcome<Section> {
    let mut section = Section::new("power cuts of a program that commits rows, Sqlite");
    for (synchronous, must_lose) in [("FULL", false), ("NORMAL", true)] {
        let (mut promised, mut lost) = (0, 0);
        for cut in 0..options.runs.min(ROWS_CUTS_MAX) {
            let (there, missing) = rows_once(preload, program, synchronous, options.seed, cut).await?;
            promised += there + missing;
            lost += missing;
        }
        section.figure(
            if must_lose { "synchronous=NORMAL" } else { "synchronous=FULL" },
            format!("{lost} lost of {promised}"),
        );
        if (lost > 0) != must_lose || promised == 0 {
            section.failure(format!("synchronous={synchronous}: {lost} rows lost of {promised}"));
        }
    }
    Ok(section)
}

/// How many rows that were said to be committed are there after a cut, and how many are not.
async fn rows_once(
    preload: &Preload,
    program: &Path,
    synchronous: &str,
    seed: u64,
    cut: u32,
) -> Outcome<(usize, usize)> {
    let folder = tempfile::tempdir()?;
    let data = fs::canonicalize(folder.path())?.join("data");
    fs::create_dir(&data)?;
    let (environment, journal) = preload.watch(&data, cut)?;
    let url = format!("sqlite://{}", data.join("rows.db").display());
    let mut command = Command::new(program);
    command.args(["--commit-rows", &url, synchronous]).envs(environment).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut dice = Dice::new(seed, synchronous, cut.into());
    let wanted = 1 + dice.index(300);
    let said = child.stdout.take().ok_or("it has no output")?;
    let rows = BufReader::new(said).lines().take(wanted).count();
    child.kill()?;
    child.wait()?;
    let image = after_the_cut(&Image::new(), &read_journal(&journal)?, Syncs::All, &mut dice);
    write_image(&image, &data)?;
    let there = match SqliteConnection::connect(&url).await {
        Ok(mut connection) => {
            // Without its table no row is there.
            let count: Result<i64, _> = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut connection).await;
            usize::try_from(count.unwrap_or(0))?.min(rows)
        }
        Err(_gone) => 0,
    };
    Ok((there, rows - there))
}

/// A server that was killed before it did anything has no journal.
fn read_if_there(journal: &Path) -> Outcome<Vec<Entry>> {
    if journal.exists() { read_journal(journal) } else { Ok(Vec::new()) }
}

/// How much of what was promised is missing on a disk that never was.
async fn lost_on(image: &Image, senders: &Arc<Senders>, options: &Options) -> Outcome<usize> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    write_image(image, &data)?;
    let url = format!("sqlite://{}", data.join("roundtrip.db").display());
    let facts = Facts::read(Engine::Sqlite, &url).await?;
    Ok(audit(&facts, &senders.ledger.copy(), Depth::Kept, options.clicks).lost.len())
}

/// The first start of all, cut while keys and schema are made: the next one must find its way.
async fn first_starts(preload: &Preload, options: &Options) -> Outcome<Section> {
    let mut section = Section::new("power cuts of a first start, Sqlite");
    let clock = Clock::start(options);
    let (mut cuts, mut starts) = (0, Vec::new());
    while cuts < options.runs && !clock.is_over() {
        cuts += 1;
        let mut dice = Dice::new(options.seed, "first start", cuts.into());
        let mut program = Program::new(None, None)?;
        let data = program.data();
        let (environment, journal) = preload.watch(&data, cuts)?;
        program.launch(&borrowed(&environment))?;
        sleep(dice.millis(5, 150)).await;
        program.kill()?;
        let image = after_the_cut(&Image::new(), &read_if_there(&journal)?, Syncs::All, &mut dice);
        write_image(&image, &data)?;
        match program.start(&[]) {
            Ok(time) => starts.push(time),
            Err(error) => section.failure(format!("cut {cuts}: {error}")),
        }
        if let Err(error) = program.stop() {
            section.failure(format!("cut {cuts}: {error}"));
        }
    }
    section.figure("cuts", cuts);
    section.figure("next start to ready, middle / most", middle_and_most(&mut starts));
    Ok(section)
}
