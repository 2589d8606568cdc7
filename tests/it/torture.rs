//! The short form of `make torture`: a handful of each fault on every run of the tests, with the same code, the same
//! auditor and the same controls. The long form is what proves something; this one notices early.
//!
//! The seed is fixed, so that a failure can be looked at again; see `docs/torture.md`.

use std::time::Duration;

use crate::support::postgres;
use roundtrip::store::Engine;

#[path = "../torture/rig/mod.rs"]
mod rig;

use rig::dice::Dice;
use rig::journal::{Entry, Image, MAGIC, SECTOR_BYTES, Syncs, WAL_HEADER_BYTES, after_the_cut, parse};
use rig::{ClickRule, Options, What, run};

const SEED: u64 = 20_261_126;

async fn nothing_is_lost(what: What, runs: u32) {
    let options = Options {
        seed: SEED,
        runs,
        time_max: Duration::from_secs(10),
        workers: 8,
        audit_every: 4,
        clicks: ClickRule::All,
        is_brief: true,
        rows_program: None,
    };
    let sections = run(what, &options).await.unwrap_or_else(|error| panic!("the torture itself is broken: {error}"));
    let said: String = sections.iter().map(ToString::to_string).collect();
    println!("{said}");
    assert!(sections.iter().all(|section| section.failures().is_empty()), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_has_kept_what_it_answered_on_sqlite() {
    nothing_is_lost(What::Kills(Engine::Sqlite), 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_has_kept_what_it_answered_on_postgres() {
    nothing_is_lost(What::Kills(Engine::Postgres), 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing_that_was_answered_and_without_syncs_it_would() {
    nothing_is_lost(What::Power, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_broken_in_every_way_loses_nothing_that_was_answered() {
    nothing_is_lost(What::Postgres, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_or_fails_loses_nothing_that_was_answered() {
    nothing_is_lost(What::Disk, 1).await;
}

// The model of a power cut, without a server.

fn write(name: &str, at: usize, data: &[u8]) -> Entry {
    Entry::Write { name: name.into(), at, data: data.to_vec() }
}

/// Every image that the luck of 64 seeds leaves.
fn images(before: &Image, journal: &[Entry], syncs: Syncs) -> Vec<Image> {
    (0..64).map(|seed| after_the_cut(before, journal, syncs, &mut Dice::new(seed, "test", 0))).collect()
}

fn file(name: &str, bytes: &[u8]) -> Image {
    Image::from([(name.to_owned(), bytes.to_vec())])
}

#[test]
fn what_was_synced_is_there_whatever_the_luck() {
    let before = file("a", b"old");
    let journal = [write("a", 0, b"new and longer"), Entry::Sync("a".into()), Entry::Unlink("b".into())];
    for image in images(&before, &journal, Syncs::All) {
        assert_eq!(image, file("a", b"new and longer"));
    }
}

#[test]
fn each_sector_that_was_not_synced_is_old_or_new_and_all_mixtures_come() {
    let (old, new) = (vec![0; 2 * SECTOR_BYTES], vec![1; 2 * SECTOR_BYTES]);
    let found = images(&file("a", &old), &[write("a", 0, &new)], Syncs::All);
    for mixture in [[0, 0], [0, 1], [1, 0], [1, 1]] {
        let bytes = mixture.map(|byte| [byte; SECTOR_BYTES]).concat();
        assert!(found.contains(&file("a", &bytes)), "{mixture:?}");
    }
    let sectors = |image: &Image| image["a"].chunks(SECTOR_BYTES).all(|sector| sector.iter().all(|b| *b == sector[0]));
    assert!(found.iter().all(sectors));
}

#[test]
fn of_two_writes_to_one_sector_the_second_never_comes_without_the_first() {
    let journal = [write("a", 0, b"11"), write("a", 1, b"2")];
    let found = images(&file("a", b"00"), &journal, Syncs::All);
    for (bytes, comes) in [(b"00", true), (b"11", true), (b"12", true), (b"02", false)] {
        assert_eq!(found.contains(&file("a", bytes)), comes, "{bytes:?}");
    }
}

#[test]
fn a_new_file_may_be_gone_until_its_folder_is_synced() {
    let mut journal = vec![Entry::Create("a".into()), write("a", 0, b"x"), Entry::Sync("a".into())];
    let found = images(&Image::new(), &journal, Syncs::All);
    assert!(found.contains(&Image::new()) && found.contains(&file("a", b"x")));
    journal.push(Entry::Sync(String::new()));
    assert!(images(&Image::new(), &journal, Syncs::All).iter().all(|image| *image == file("a", b"x")));
}

#[test]
fn names_change_in_their_order() {
    let journal = [
        Entry::Create("draft".into()),
        write("draft", 0, b"new"),
        Entry::Sync("draft".into()),
        Entry::Rename { from: "draft".into(), to: "a".into() },
    ];
    let found = images(&file("a", b"old"), &journal, Syncs::All);
    let both = Image::from([("a".to_owned(), b"old".to_vec()), ("draft".to_owned(), b"new".to_vec())]);
    for image in &found {
        assert!([file("a", b"old"), file("a", b"new"), both.clone()].contains(image), "{image:?}");
    }
    assert!(found.contains(&file("a", b"new")) && found.contains(&both));
}

#[test]
fn a_folder_whose_name_was_never_synced_may_be_gone_with_all_that_is_in_it() {
    let journal = [
        Entry::Mkdir("d".into()),
        Entry::Create("d/a".into()),
        write("d/a", 0, b"x"),
        Entry::Sync("d/a".into()),
        Entry::Sync("d".into()),
    ];
    let found = images(&Image::new(), &journal, Syncs::All);
    assert!(found.contains(&Image::new()) && found.contains(&file("d/a", b"x")));
}

#[test]
fn normal_leaves_out_the_sync_of_a_commit_and_keeps_that_before_a_checkpoint() {
    let header = vec![7; WAL_HEADER_BYTES];
    let sync = || Entry::Sync("x-wal".into());
    let commit = [write("x-wal", 0, &header), sync(), write("x-wal", WAL_HEADER_BYTES, b"frame"), sync()];
    let whole = file("x-wal", &[header.as_slice(), b"frame"].concat());
    let before = file("x-wal", b"");
    assert!(images(&before, &commit, Syncs::All).iter().all(|image| *image == whole));
    assert!(images(&before, &commit, Syncs::AsWithNormal).contains(&file("x-wal", &header)));
    let checkpoint: Vec<Entry> = commit.into_iter().chain([sync()]).collect();
    assert!(images(&before, &checkpoint, Syncs::AsWithNormal).iter().all(|image| *image == whole));
}

#[test]
fn half_of_an_entry_at_the_end_is_no_entry_and_in_the_middle_it_is_an_error() {
    let entry = |name: &str| {
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend(4_u32.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes
    };
    let two = [entry("a"), entry("b")].concat();
    let sync = |name: &str| Entry::Sync(name.into());
    assert_eq!(parse(&two).unwrap(), [sync("a"), sync("b")]);
    assert_eq!(parse(&two[..two.len() - 1]).unwrap(), [sync("a")]);
    assert!(parse(&[&two[1..], &two].concat()).is_err());
}
