//! The spool: what it says it kept is there after anything, in order, once, and names nobody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use roundtrip::domain::answer::Answer;
use roundtrip::domain::click::Click;
use roundtrip::domain::clock::{Clock, Timestamp};
use roundtrip::domain::conversion::{Change, Conversion};
use roundtrip::domain::ids::{OfferId, PublisherId, ReceiptId};
use roundtrip::domain::inbound::{Door, Form, PARAMETERS, Parameter};
use roundtrip::domain::privacy::PrivateAddress;
use roundtrip::domain::receipt::{Receipt, private_extras};
use roundtrip::domain::screening::Hit;
use roundtrip::domain::settings::EmailStorage;
use roundtrip::domain::transaction_id::TransactionId;
use roundtrip::intake::{NotKept, Spool, SpoolOptions, Spooled, Waiting};
use roundtrip::store::conversions::Oldest;
use roundtrip::store::page::{PAGE_SIZE_MAX, PageRequest};
use roundtrip::store::spool::{NewRow, SpoolFile, SpoolId};
use roundtrip::store::{self, Engine, StoreError, batch};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::support::bench::Bench;
use crate::support::chance::ManualClock;
use crate::support::on_both_engines;

struct Kept {
    folder: TempDir,
    clock: Arc<ManualClock>,
    spool: Spool,
}

impl Kept {
    async fn start(items_max: u64, bytes_max: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new());
        let options = SpoolOptions { file: folder.path().join("spool.db"), items_max, bytes_max };
        let spool = open(&options, &clock).await.unwrap();
        Self { folder, clock, spool }
    }

    async fn roomy() -> Self {
        Self::start(1_000_000, 1 << 30).await
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("spool.db")
    }

    /// The same file, opened by another run.
    async fn again(self) -> Self {
        self.spool.end().await;
        let options = SpoolOptions { file: self.file(), items_max: 1_000_000, bytes_max: 1 << 30 };
        let spool = open(&options, &self.clock).await.unwrap();
        Self { spool, ..self }
    }

    async fn keep_click(&self, number: u32) -> Result<(), NotKept> {
        self.spool.keep(&click(number)).await
    }

    /// The numbers of the clicks that wait.
    async fn numbers(&self) -> Vec<u32> {
        self.spool.oldest(10_000).await.unwrap().iter().map(number).collect()
    }

    async fn sql(&self, statement: &'static str) {
        let mut connection = connect(&self.file()).await;
        sqlx::query(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

async fn open(options: &SpoolOptions, clock: &Arc<ManualClock>) -> Result<Spool, StoreError> {
    let (spool, task) = Spool::open(options, Arc::clone(clock) as _).await?;
    #[expect(clippy::disallowed_methods, reason = "a test's writer ends with its runtime")]
    tokio::spawn(task);
    Ok(spool)
}

async fn connect(file: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(5)).connect().await.unwrap()
}

fn click(number: u32) -> Spooled {
    let mut id = [0; 25];
    id[21..].copy_from_slice(&number.to_be_bytes());
    Spooled::Click(Arc::new(Click {
        transaction_id: TransactionId::from_bytes(&id).unwrap(),
        clicked_at: Timestamp::from_millis(number.into()),
        offer: OfferId::new(42).unwrap(),
        publisher: PublisherId::new(7).unwrap(),
        sub_ids: Default::default(),
        external_transaction_id: None,
        device_id: None,
        address: None,
        user_agent: None,
        referrer_origin: None,
        is_bot: false,
        is_test: false,
    }))
}

fn number(waiting: &Waiting) -> u32 {
    match &waiting.item {
        Spooled::Click(click) => u32::try_from(click.clicked_at.as_millis()).unwrap(),
        Spooled::Pixel(_) => panic!("a pixel"),
    }
}

#[tokio::test]
async fn what_was_kept_comes_back_in_order_also_after_a_restart() {
    let kept = Kept::roomy().await;
    for number in 1..=5 {
        kept.keep_click(number).await.unwrap();
        kept.clock.advance_seconds(1);
    }
    assert_eq!(kept.numbers().await, [1, 2, 3, 4, 5]);
    let first: Vec<SpoolId> = kept.spool.oldest(2).await.unwrap().iter().map(|waiting| waiting.id).collect();
    kept.spool.remove(&first).await.unwrap();
    let before = kept.spool.state();
    assert_eq!((before.items, before.oldest_age_millis, before.errors), (3, Some(3000), 0));

    let kept = kept.again().await;
    assert_eq!(kept.numbers().await, [3, 4, 5]);
    let after = kept.spool.state();
    assert_eq!((after.items, after.bytes, after.oldest_age_millis), (before.items, before.bytes, Some(3000)));
    kept.keep_click(6).await.unwrap();
    // A removal that is repeated meets nothing, though the file was opened anew.
    kept.spool.remove(&first).await.unwrap();
    assert_eq!(kept.numbers().await, [3, 4, 5, 6]);
    let all: Vec<SpoolId> = kept.spool.oldest(10).await.unwrap().iter().map(|waiting| waiting.id).collect();
    kept.spool.remove(&all).await.unwrap();
    let empty = kept.spool.state();
    assert_eq!((empty.items, empty.bytes, empty.oldest_age_millis), (0, 0, None));
    kept.keep_click(7).await.unwrap();
    // Nor does it meet what came after an empty file.
    kept.spool.remove(&first).await.unwrap();
    kept.spool.remove(&all).await.unwrap();
    assert_eq!(kept.numbers().await, [7]);
}

#[tokio::test]
async fn it_takes_as_many_items_as_it_may_and_refuses_the_next() {
    let kept = Kept::start(3, 1 << 20).await;
    for number in 1..=3 {
        assert_eq!(kept.keep_click(number).await, Ok(()), "{number}");
    }
    assert_eq!(kept.keep_click(4).await, Err(NotKept::Full));
    assert_eq!((kept.spool.state().items, kept.spool.state().errors), (3, 1));
    let first = kept.spool.oldest(1).await.unwrap();
    kept.spool.remove(&[first[0].id]).await.unwrap();
    assert_eq!(kept.keep_click(5).await, Ok(()));
    assert_eq!(kept.keep_click(6).await, Err(NotKept::Full));
    assert_eq!(kept.numbers().await, [2, 3, 5]);
}

#[tokio::test]
async fn it_takes_as_many_bytes_as_it_may_and_refuses_the_next() {
    let one = Kept::roomy().await;
    one.keep_click(11).await.unwrap();
    let size = one.spool.state().bytes;
    for (bytes_max, taken) in [(2 * size - 1, 1), (2 * size, 2), (2 * size + 1, 2), (3 * size - 1, 2), (3 * size, 3)] {
        let kept = Kept::start(100, bytes_max).await;
        let outcomes = join_all((11..15).map(|number| kept.keep_click(number))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), taken, "{bytes_max}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(NotKept::Full)).count(), 4 - taken);
        assert_eq!(kept.spool.state().bytes, size * u64::try_from(taken).unwrap());
    }
}

#[tokio::test]
async fn many_visitors_at_once_share_few_commits() {
    let kept = Kept::roomy().await;
    let outcomes = join_all((0..2000).map(|number| kept.keep_click(number))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(kept.numbers().await, (0..2000).collect::<Vec<_>>());
    let state = kept.spool.state();
    assert_eq!(state.items, 2000);
    // A batch holds 512; the first may be taken up before all have come.
    assert!((4..=6).contains(&state.commits), "{} commits", state.commits);
    for number in 2000..2005 {
        kept.keep_click(number).await.unwrap();
    }
    assert_eq!(kept.spool.state().commits, state.commits + 5, "whoever is alone waits for nobody");
}

#[tokio::test]
async fn a_visitor_who_hangs_up_is_kept_all_the_same() {
    let kept = Kept::roomy().await;
    assert_eq!(kept.keep_click(1).now_or_never(), None, "he is gone before the commit");
    kept.keep_click(2).await.unwrap();
    assert_eq!(kept.numbers().await, [1, 2]);
    assert_eq!(kept.spool.state().items, 2);
}

#[tokio::test]
async fn after_its_end_it_keeps_nothing_and_says_so() {
    let kept = Kept::roomy().await;
    let last = join_all((0..100).map(|number| kept.keep_click(number)));
    let (outcomes, ()) = tokio::join!(last, async { kept.spool.close() });
    assert!(outcomes.iter().all(Result::is_ok), "what came before the end is written");
    assert_eq!(kept.keep_click(100).await, Err(NotKept::Closed));
    assert_eq!(kept.numbers().await.len(), 100, "it can still be drained");
    let kept = kept.again().await;
    assert_eq!(kept.numbers().await.len(), 100);
}

#[tokio::test]
async fn nobody_waits_long_for_a_locked_file_and_it_is_well_again_without_a_restart() {
    let kept = Kept::roomy().await;
    kept.keep_click(1).await.unwrap();
    let mut other = connect(&kept.file()).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    for number in 2..5 {
        let begun = Instant::now();
        let outcome = kept.keep_click(number).await;
        assert!(matches!(outcome, Err(NotKept::Broken | NotKept::Late)), "{outcome:?}");
        assert!(begun.elapsed() < Duration::from_millis(400), "{:?}", begun.elapsed());
    }
    assert_eq!(kept.spool.state().errors, 3);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let well = async {
        while kept.keep_click(9).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), well).await.expect("it keeps again");
    // The room of what was not kept is free again: the counts are those of the file.
    assert_eq!(kept.spool.state().items, u64::try_from(kept.numbers().await.len()).unwrap());
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_with_a_cure() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("directory")).unwrap();
    std::fs::write(path("text"), "no database, though it is longer than the head of one. ".repeat(40)).unwrap();
    let mut foreign =
        SqliteConnectOptions::new().filename(path("foreign")).create_if_missing(true).connect().await.unwrap();
    sqlx::query("CREATE TABLE offer (id INTEGER)").execute(&mut foreign).await.unwrap();
    foreign.close().await.unwrap();
    let newer = SpoolFile::open(&path("newer")).await.unwrap();
    newer.close().await;
    let mut newer = connect(&path("newer")).await;
    sqlx::query("PRAGMA user_version = 2").execute(&mut newer).await.unwrap();
    newer.close().await.unwrap();

    let cases = [
        (path("directory"), "folder that it may write to"),
        (path("text"), "move this one away"),
        (path("text").join("spool.db"), "folder that it may write to"),
        (path("foreign"), "move this one away"),
        (path("newer"), "Start the newer version again"),
        // Nobody can make a file there, not even the superuser, whom no permission of a folder stops.
        (PathBuf::from("/proc/spool.db"), "folder that it may write to"),
    ];
    for (file, cure) in cases {
        let options = SpoolOptions { file: file.clone(), items_max: 1, bytes_max: 1 };
        let problem = Spool::open(&options, Arc::new(ManualClock::new())).await.err().expect("not opened").to_string();
        assert!(problem.contains(&file.display().to_string()), "{problem}");
        assert!(problem.contains(cure), "{problem}");
    }
}

#[tokio::test]
async fn a_disk_that_breaks_later_is_told_to_every_caller_and_takes_no_room() {
    let kept = Kept::start(20, 1 << 20).await;
    kept.keep_click(1).await.unwrap();
    kept.sql("CREATE TRIGGER broken BEFORE INSERT ON spool BEGIN SELECT RAISE(ABORT, 'broken'); END").await;
    let outcomes = join_all((2..20).map(|number| kept.keep_click(number))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == Err(NotKept::Broken)), "{outcomes:?}");
    kept.sql("DROP TRIGGER broken").await;
    for number in 20..39 {
        assert_eq!(kept.keep_click(number).await, Ok(()), "{number}");
    }
    assert_eq!(kept.keep_click(39).await, Err(NotKept::Full));
    assert_eq!(kept.numbers().await, [1].into_iter().chain(20..39).collect::<Vec<_>>());
    assert_eq!((kept.spool.state().items, kept.spool.state().errors), (20, 19));
}

#[tokio::test]
async fn what_cannot_be_read_is_set_aside_holds_nothing_up_and_is_given_back_to_the_next_run() {
    let kept = Kept::roomy().await;
    for number in 1..=4 {
        kept.keep_click(number).await.unwrap();
    }
    let bytes = kept.spool.state().bytes;
    let first = kept.spool.oldest(1).await.unwrap()[0].id;
    kept.sql("UPDATE spool SET payload = CAST('{\"v\":2,\"item\":{}}' AS BLOB) WHERE id = 1").await;
    kept.sql("UPDATE spool SET payload = x'00ff' WHERE id = 2").await;
    kept.sql("UPDATE spool SET kind = CAST(x'ff' AS TEXT) WHERE id = 3").await;
    // Two at a time: the first look finds nothing that it can hand out.
    assert_eq!(kept.spool.oldest(2).await.unwrap().iter().map(number).collect::<Vec<_>>(), [4]);
    let state = kept.spool.state();
    assert_eq!((state.items, state.unreadable), (1, 3));
    assert!(state.bytes < bytes);

    // A newer server can read what an older one could not.
    kept.sql(
        "UPDATE unreadable SET payload = (SELECT payload FROM spool), kind = 'click' WHERE reason LIKE '%version 2%'",
    )
    .await;
    let kept = kept.again().await;
    assert_eq!(kept.spool.state().items, 4);
    let waiting = kept.spool.oldest(10).await.unwrap();
    assert_eq!(waiting.len(), 2);
    assert_eq!(waiting[0].id, first, "in its old place");
    assert_eq!((kept.spool.state().items, kept.spool.state().unreadable), (2, 2));
}

/// A power cut leaves a part of the last commit's frames, or what was on the disk before.
#[tokio::test]
async fn a_torn_end_of_the_log_costs_nothing_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spool.db");
    let spool = SpoolFile::open(&file).await.unwrap();
    let row = |text: &str| NewRow { kind: "click", payload: text.repeat(700).into_bytes() };
    for text in ["a", "b", "c"] {
        spool.append(&[row(text), row(text)], Timestamp::from_millis(1)).await.unwrap();
    }
    let (database, answered) = (std::fs::read(&file).unwrap(), std::fs::read(wal(&file)).unwrap());
    // One more commit of several pages, whose answer nobody got.
    spool.append(&[row("d"), row("e"), row("f"), row("g"), row("h")], Timestamp::from_millis(2)).await.unwrap();
    let whole = std::fs::read(wal(&file)).unwrap();
    assert!(whole.len() > answered.len() + 4096 && whole.starts_with(&answered), "the last commit is at the end");

    let mut tried = 0;
    for cut in (answered.len()..whole.len()).step_by(257).chain([whole.len() - 1]) {
        let torn = whole[..cut].to_vec();
        let mut scribbled = torn.clone();
        scribbled.resize(whole.len() + 5000, 0xa5);
        let mut flipped = whole.clone();
        flipped[cut] ^= 1;
        for log in [torn, scribbled, flipped] {
            let found = reopened(&database, &log).await;
            assert!(found == 6, "{found} of 6 rows after a cut at {cut} of {}", whole.len());
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
    // The control: with nothing torn the last commit is there, and what is cut off further in does cost.
    assert_eq!(reopened(&database, &whole).await, 11);
    assert_eq!(reopened(&database, &answered[..answered.len() - 1]).await, 4);
}

fn wal(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// How many rows a copy with this log holds, once it is opened; that they are whole; and that it takes more.
async fn reopened(database: &[u8], log: &[u8]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spool.db");
    std::fs::write(&file, database).unwrap();
    std::fs::write(wal(&file), log).unwrap();
    let spool = SpoolFile::open(&file).await.unwrap();
    let rows = spool.oldest(100).await.unwrap();
    for row in &rows {
        assert!(row.payload.len() == 700 && row.payload.iter().all(|byte| *byte == row.payload[0]));
    }
    spool.append(&[NewRow { kind: "click", payload: b"more".to_vec() }], Timestamp::from_millis(3)).await.unwrap();
    assert_eq!(spool.content().await.unwrap().items, u64::try_from(rows.len()).unwrap() + 1);
    spool.close().await;
    rows.len()
}

const CANARY: &str = "canary5c1e";
const ADDRESSES: [&str; 2] = ["198.51.100.77", "203.0.113.181"];

/// Every parameter that is personal or secret with a canary, and the same under names that are not ours.
fn personal_query(bench: &Bench) -> String {
    let value = |parameter: Parameter| match parameter.spec().form {
        Form::Email => Some(format!("{CANARY}@shop.example")),
        Form::Address => Some(ADDRESSES[0].to_owned()),
        Form::Text
        | Form::Number
        | Form::Amount
        | Form::CurrencyCode
        | Form::StatusName
        | Form::Duration
        | Form::Flag => (parameter == Parameter::Secure).then(|| format!("{CANARY}-secret")),
    };
    let pairs = PARAMETERS.iter().filter_map(|spec| Some(format!("{}={}", spec.name, value(spec.parameter)?)));
    let pairs: Vec<String> = pairs.collect();
    assert_eq!(pairs.len(), 3, "the secret, an e-mail, an address");
    format!(
        "transaction_id={}&{}&mail={CANARY}@own.example&ip={}&api_key={CANARY}-key",
        bench.mint(),
        pairs.join("&"),
        ADDRESSES[0]
    )
}

#[tokio::test]
async fn canaries_in_what_is_personal_or_secret_are_not_in_the_file() {
    let kept = Kept::roomy().await;
    let bench = Bench::start(Engine::Sqlite).await;
    let mut hit = bench.hit(Door::Pixel, &personal_query(&bench));
    hit.extras = private_extras(&hit.inbound, &bench.keyring, EmailStorage::Hashed);
    hit.arrival.address = ADDRESSES[1].parse().unwrap();
    hit.address = PrivateAddress::of(&bench.keyring, hit.arrival.address);
    assert!(hit.inbound.user_email.is_some() && hit.inbound.conversion_ip.is_some(), "there is something to leak");
    let click = Click { address: Some(hit.address.clone()), ..bench.click(bench.mint()) };
    kept.spool.keep(&Spooled::Pixel(Arc::new(hit))).await.unwrap();
    kept.spool.keep(&Spooled::Click(Arc::new(click))).await.unwrap();

    let mut bytes = std::fs::read(kept.file()).unwrap();
    bytes.extend(std::fs::read(wal(&kept.file())).unwrap());
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for leak in [CANARY, &format!("{CANARY}@"), ADDRESSES[0], ADDRESSES[1]] {
        assert!(!holds(leak), "{leak} is in the file");
    }
    for masked in ["c***@shop.example", "c***@own.example", "198.51.100.0/24", "203.0.113.0/24"] {
        assert!(holds(masked), "{masked} is not: the canaries never came this far");
    }
}

/// What one pixel made of a database.
#[derive(Debug, PartialEq)]
struct Made {
    answer: Answer,
    receipt: Receipt,
    conversion: Option<Conversion>,
    changes: Vec<Change>,
    extras: Vec<(String, String)>,
}

async fn settled(bench: &Bench, hit: Hit) -> Made {
    let id = hit.receipt;
    let answer = bench.intake.settle(hit).await.unwrap();
    let receipt = receipt(bench, id).await;
    let database = &bench.database;
    let (mut conversion, mut changes, mut extras) = (None, Vec::new(), Vec::new());
    if let Some(id) = answer.conversion {
        let (mut tx, _) = database.begin_read().await.unwrap();
        conversion = batch::conversions_by_ids(&mut tx, &[id], false).await.unwrap().pop();
        extras = store::conversions::extras(database, &[id]).await.unwrap().remove(&id).unwrap_or_default();
        let page = PageRequest::parse(Oldest, None, None, Some(PAGE_SIZE_MAX), None).unwrap();
        changes = store::conversions::changes(database, id, &page).await.unwrap().into_values();
    }
    Made { answer, receipt, conversion, changes, extras }
}

/// But for the time that it took.
async fn receipt(bench: &Bench, id: ReceiptId) -> Receipt {
    Receipt { latency_us: 0, ..store::receipts::find(&bench.database, id).await.unwrap().unwrap() }
}

/// Queries at the pixel's door: every parameter of ours, good, strange and bad, and some that are not.
fn queries() -> impl Strategy<Value = Vec<(String, String)>> {
    let names: Vec<String> = PARAMETERS
        .iter()
        .map(|spec| spec.name.to_owned())
        .filter(|name| name != "transaction_id")
        .chain(["own", "revenu", "a b", "tid"].map(str::to_owned))
        .collect();
    let values = prop_oneof![
        "[ -~]{0,30}",
        ".{0,20}",
        "[0-9]{1,4}(\\.[0-9]{1,8})?",
        prop::sample::select(vec![
            "EUR",
            "usd",
            "approved",
            "rejected",
            "00:10:00",
            "198.51.100.7",
            "ann@shop.example",
            "{macro}",
            "42",
            "7",
            "1",
            ""
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec((prop::sample::select(names), values), 0..12)
}

fn query(id: &str, pairs: &[(String, String)]) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("transaction_id", id).extend_pairs(pairs);
    form.finish()
}

on_both_engines! {
    async fn a_pixel_or_click_that_waited_is_settled_as_it_would_have_been(engine: Engine) {
        let kept = Kept::roomy().await;
        // Two benches of one seed mint equal ids, so that what they write can be compared whole.
        let (straight, spooled) = (Bench::start(engine).await, Bench::start(engine).await);
        let mut runner = TestRunner::deterministic();
        let mut codes = BTreeMap::new();
        let mut id = straight.mint();
        assert_eq!(spooled.mint(), id);
        for round in 0..60 {
            let mut pairs = queries().new_tree(&mut runner).unwrap().current();
            if round % 10 == 9 {
                pairs.push(("event_id".to_owned(), "2".to_owned()));
            }
            if round == 40 {
                for bench in [&straight, &spooled] {
 bench.change_offer(|offer| offer.switches.strict_amounts = true);
}
            }
            if round % 5 != 4 {
                id = straight.mint();
                assert_eq!(spooled.mint(), id);
            }
            if round % 3 == 0 {
                straight.intake.settle_kept_click(straight.click(id)).await.unwrap();
                kept.spool.keep(&Spooled::Click(Arc::new(spooled.click(id)))).await.unwrap();
                let Spooled::Click(click) = taken(&kept.spool).await else { panic!("no click") };
                spooled.intake.settle_kept_click((*click).clone()).await.unwrap();
            }
            let query = query(&id.to_string(), &pairs);
            let expected = settled(&straight, straight.hit(Door::Pixel, &query)).await;
            kept.spool.keep(&Spooled::Pixel(Arc::new(spooled.hit(Door::Pixel, &query)))).await.unwrap();
            let Spooled::Pixel(hit) = taken(&kept.spool).await else { panic!("no pixel") };
            assert_eq!(settled(&spooled, Arc::try_unwrap(hit).unwrap()).await, expected, "{query}");
            *codes.entry(expected.answer.code.as_str()).or_insert(0) += 1;
            let click = (id, straight.clock.now());
            assert_eq!(
                store::clicks::find_many(&spooled.database, &[click]).await.unwrap(),
                store::clicks::find_many(&straight.database, &[click]).await.unwrap()
            );
            [&straight, &spooled].iter().for_each(|bench| bench.clock.advance_seconds(61));
        }
        assert!(codes["recorded"] > 20 && codes["duplicate"] > 3 && codes["unknown_event"] > 3, "{codes:?}");
    }
}

/// The only item that waits.
async fn taken(spool: &Spool) -> Spooled {
    let mut waiting = spool.oldest(10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    let Waiting { id, item, .. } = waiting.pop().unwrap();
    spool.remove(&[id]).await.unwrap();
    item
}
