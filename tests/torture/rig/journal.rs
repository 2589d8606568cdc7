//! What a disk holds after the power was cut: the journal of `powercut.c`, replayed without what was never synced.
//!
//! The model is stricter than most disks. A sync of a file makes its bytes durable; a sync of a folder makes its names
//! durable; nothing else does, and in particular no time that passes. Of what was not synced the seed decides: each
//! sector of 512 bytes is as some write since the last sync left it, or as the last sync did; of a folder's changes
//! some first ones have happened, in their order, as on a file system with a journal. A new file whose name was not
//! synced may be gone with all that was synced in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::Outcome;
use super::dice::Dice;

const MAGIC: u32 = 0x5455_4350;
const HEAD_BYTES: usize = 24;
const SECTOR_BYTES: usize = 512;
const WAL_HEADER_BYTES: usize = 32;

/// Files of a folder by their path in it. Folders are not kept but by what is in them.
pub(super) type Image = BTreeMap<String, Vec<u8>>;

/// Which syncs the disk has carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syncs {
    All,
    /// Not those that `synchronous=NORMAL` would leave out: of a `-wal` file after frames were appended to it. (Those
    /// of its header, and those before a checkpoint, with no frame since the last one that was asked for, stay.)
    AsWithNormal,
}

/// One call, as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Create(String),
    Write { name: String, at: usize, data: Vec<u8> },
    Truncate { name: String, bytes: usize },
    Sync(String),
    Unlink(String),
    Rename { from: String, to: String },
    Mkdir(String),
    Extend { name: String, bytes: usize },
    Link { from: String, to: String },
    Unmodelled(String),
}

/// Reads the files of a folder; `-shm` is nothing that survives.
pub(super) fn read_image(folder: &Path) -> Outcome<Image> {
    let mut image = Image::new();
    read_into(folder, "", &mut image)?;
    Ok(image)
}

fn read_into(folder: &Path, prefix: &str, image: &mut Image) -> Outcome<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_into(&entry.path(), &format!("{name}/"), image)?;
        } else if !name.ends_with("-shm") {
            image.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Makes `folder` hold the image and nothing else, its files for their owner only.
pub(super) fn write_image(image: &Image, folder: &Path) -> Outcome<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    for (name, bytes) in image {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// The entries; half of one at the end belongs to a call that never returned.
///
/// # Errors
/// Something that the model does not know was done.
pub(super) fn read_journal(file: &Path) -> Outcome<Vec<Entry>> {
    let bytes = fs::read(file).map_err(|error| format!("no journal was written: {error}"))?;
    let entries = parse(&bytes)?;
    match entries.iter().find_map(|entry| if let Entry::Unmodelled(what) = entry { Some(what) } else { None }) {
        Some(what) => Err(format!("the model of the power cut does not know: {what}").into()),
        None => Ok(entries),
    }
}

fn parse(mut bytes: &[u8]) -> Outcome<Vec<Entry>> {
    let mut entries = Vec::new();
    while let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) {
        let number = |at: usize| -> Outcome<u32> { Ok(u32::from_le_bytes(head[at..at + 4].try_into()?)) };
        if number(0)? != MAGIC {
            return Err("the journal is torn in its middle".into());
        }
        let at = usize::try_from(u64::from_le_bytes(head[8..16].try_into()?))?;
        let (name_bytes, data_bytes) = (usize::try_from(number(16)?)?, usize::try_from(number(20)?)?);
        let Some((name, rest)) = rest.split_at_checked(name_bytes) else { break };
        let Some((data, rest)) = rest.split_at_checked(data_bytes) else { break };
        let name = String::from_utf8(name.to_vec())?;
        let to = || String::from_utf8(data.to_vec());
        entries.push(match number(4)? {
            1 => Entry::Create(name),
            2 => Entry::Write { name, at, data: data.to_vec() },
            3 => Entry::Truncate { name, bytes: at },
            4 => Entry::Sync(name),
            5 => Entry::Unlink(name),
            6 => Entry::Rename { from: name, to: to()? },
            7 => Entry::Mkdir(name),
            8 => Entry::Extend { name, bytes: at },
            9 => Entry::Link { from: name, to: to()? },
            10 => Entry::Unmodelled(name),
            other => return Err(format!("the journal has an entry of kind {other}").into()),
        });
        bytes = rest;
    }
    Ok(entries)
}

/// What is there when the power comes back.
pub(super) fn after_the_cut(before: &Image, journal: &[Entry], syncs: Syncs, dice: &mut Dice) -> Image {
    let mut disk = Disk::of(before);
    for entry in journal {
        disk.apply(entry, syncs);
    }
    disk.cut(dice)
}

/// A change of a file since its last sync.
#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Resize(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    since: Vec<Change>,
    /// Frames were appended since a sync was last asked for.
    has_new_frames: bool,
    /// Bytes now.
    bytes: usize,
}

/// A change of a folder since its last sync.
#[derive(Clone, Debug)]
enum Naming {
    Is(String, usize),
    IsNot(String),
    Was(String, String),
    Folder(String),
}

impl Naming {
    fn folder(&self) -> &str {
        match self {
            Self::Is(name, _) | Self::IsNot(name) | Self::Was(_, name) | Self::Folder(name) => parent(name),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Names {
    files: BTreeMap<String, usize>,
    folders: Vec<String>,
}

impl Names {
    fn apply(&mut self, naming: &Naming) {
        match naming {
            Naming::Is(name, file) => {
                self.files.insert(name.clone(), *file);
            }
            Naming::IsNot(name) => {
                self.files.remove(name);
                self.folders.retain(|folder| folder != name);
            }
            Naming::Was(from, to) => {
                if let Some(file) = self.files.remove(from) {
                    self.files.insert(to.clone(), file);
                }
            }
            Naming::Folder(name) => self.folders.push(name.clone()),
        }
    }
}

#[derive(Default)]
struct Disk {
    files: Vec<File>,
    /// As programs see it.
    now: Names,
    durable: Names,
    since: Vec<Naming>,
}

/// "" for what lies in the folder itself.
fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Disk {
    fn of(image: &Image) -> Self {
        let mut disk = Self::default();
        for (name, bytes) in image {
            let file = File { durable: bytes.clone(), bytes: bytes.len(), ..File::default() };
            disk.files.push(file);
            disk.durable.files.insert(name.clone(), disk.files.len() - 1);
            let mut folder = parent(name);
            while !folder.is_empty() {
                disk.durable.folders.push(folder.to_owned());
                folder = parent(folder);
            }
        }
        disk.now = disk.durable.clone();
        disk
    }

    fn apply(&mut self, entry: &Entry, syncs: Syncs) {
        match entry {
            Entry::Create(name) => {
                self.files.push(File::default());
                self.name(Naming::Is(name.clone(), self.files.len() - 1));
            }
            Entry::Write { name, at, data } => {
                let is_wal_header = *at == 0 && data.len() == WAL_HEADER_BYTES;
                if let Some(file) = self.file(name) {
                    file.has_new_frames |= !is_wal_header;
                    file.bytes = file.bytes.max(at + data.len());
                    file.since.push(Change::Write { at: *at, data: data.clone() });
                }
            }
            Entry::Truncate { name, bytes } => self.resize(name, *bytes),
            Entry::Extend { name, bytes } => {
                let bytes = self.file(name).map_or(0, |file| file.bytes.max(*bytes));
                self.resize(name, bytes);
            }
            Entry::Sync(name) => self.sync(name, syncs),
            Entry::Unlink(name) => self.name(Naming::IsNot(name.clone())),
            Entry::Rename { from, to } => self.name(Naming::Was(from.clone(), to.clone())),
            Entry::Link { from, to } => {
                if let Some(file) = self.now.files.get(from) {
                    self.name(Naming::Is(to.clone(), *file));
                }
            }
            Entry::Mkdir(name) => self.name(Naming::Folder(name.clone())),
            // Refused when the journal was read.
            Entry::Unmodelled(_) => {}
        }
    }

    fn file(&mut self, name: &str) -> Option<&mut File> {
        self.now.files.get(name).and_then(|file| self.files.get_mut(*file))
    }

    fn name(&mut self, naming: Naming) {
        self.now.apply(&naming);
        self.since.push(naming);
    }

    fn resize(&mut self, name: &str, bytes: usize) {
        if let Some(file) = self.file(name) {
            file.bytes = bytes;
            file.since.push(Change::Resize(bytes));
        }
    }

    fn sync(&mut self, name: &str, syncs: Syncs) {
        if let Some(file) = self.file(name) {
            let is_commit = name.ends_with("-wal") && std::mem::take(&mut file.has_new_frames);
            if !(is_commit && syncs == Syncs::AsWithNormal) {
                for change in std::mem::take(&mut file.since) {
                    apply_whole(&mut file.durable, &change);
                }
            }
            return;
        }
        let (synced, open) = std::mem::take(&mut self.since).into_iter().partition(|naming| naming.folder() == name);
        self.since = open;
        synced.iter().for_each(|naming: &Naming| self.durable.apply(naming));
    }

    /// Decides what becomes of all that was not synced.
    fn cut(mut self, dice: &mut Dice) -> Image {
        let mut folders: Vec<String> = self.since.iter().map(|naming| naming.folder().to_owned()).collect();
        folders.sort();
        folders.dedup();
        for folder in folders {
            let of_it: Vec<Naming> = self.since.iter().filter(|naming| naming.folder() == folder).cloned().collect();
            let happened = dice.index(of_it.len() + 1);
            of_it.iter().take(happened).for_each(|naming| self.durable.apply(naming));
        }
        let there = |name: &str| {
            let mut folder = parent(name);
            while !folder.is_empty() {
                if !self.durable.folders.iter().any(|known| known == folder) {
                    return false;
                }
                folder = parent(folder);
            }
            true
        };
        let mut image = Image::new();
        for (name, file) in self.durable.files.iter().filter(|(name, _)| there(name)) {
            if let Some(file) = self.files.get(*file) {
                image.insert(name.clone(), survived(file, dice));
            }
        }
        image
    }
}

fn apply_whole(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Resize(length) => bytes.resize(*length, 0),
        Change::Write { at, data } => {
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(data);
        }
    }
}

/// How much of what was not synced a disk has written all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Luck {
    None,
    Whole,
    BySector,
}

/// The file with some of its changes: each sector as after some number of the writes that touched it.
fn survived(file: &File, dice: &mut Dice) -> Vec<u8> {
    let luck = match dice.below(4) {
        0 => Luck::None,
        1 => Luck::Whole,
        _ => Luck::BySector,
    };
    let mut touched: BTreeMap<usize, usize> = BTreeMap::new();
    for change in &file.since {
        if let Change::Write { at, data } = change {
            sectors(*at, data.len()).for_each(|sector| *touched.entry(sector).or_default() += 1);
        }
    }
    let mut left: BTreeMap<usize, usize> = BTreeMap::new();
    for (sector, writes) in touched {
        let kept = match luck {
            Luck::None => 0,
            Luck::Whole => writes,
            Luck::BySector => dice.index(writes + 1),
        };
        left.insert(sector, kept);
    }
    let mut bytes = file.durable.clone();
    for change in &file.since {
        match change {
            Change::Resize(length) => {
                let happened = match luck {
                    Luck::None => false,
                    Luck::Whole => true,
                    Luck::BySector => dice.percent(50),
                };
                if happened {
                    bytes.resize(*length, 0);
                }
            }
            Change::Write { at, data } => {
                for sector in sectors(*at, data.len()) {
                    let Some(left) = left.get_mut(&sector).filter(|left| **left > 0) else { continue };
                    *left -= 1;
                    let start = (*at).max(sector * SECTOR_BYTES);
                    let end = (at + data.len()).min((sector + 1) * SECTOR_BYTES);
                    if bytes.len() < end {
                        bytes.resize(end, 0);
                    }
                    bytes[start..end].copy_from_slice(&data[start - at..end - at]);
                }
            }
        }
    }
    bytes
}

/// The sectors that a write touches.
fn sectors(at: usize, bytes: usize) -> impl Iterator<Item = usize> {
    let end = if bytes == 0 { at / SECTOR_BYTES } else { (at + bytes - 1) / SECTOR_BYTES + 1 };
    at / SECTOR_BYTES..end
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let sectors =
            |image: &Image| image["a"].chunks(SECTOR_BYTES).all(|sector| sector.iter().all(|b| *b == sector[0]));
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
}
