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

pub(crate) const MAGIC: u32 = 0x5455_4350;
const HEAD_BYTES: usize = 24;
pub(crate) const SECTOR_BYTES: usize = 512;
pub(crate) const WAL_HEADER_BYTES: usize = 32;

/// Files of a folder by their path in it. Folders are not kept but by what is in them.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

/// Which syncs the disk has carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syncs {
    All,
    /// Not those that `synchronous=NORMAL` would leave out: of a `-wal` file after frames were appended to it. (Those
    /// of its header, and those before a checkpoint, with no frame since the last one that was asked for, stay.)
    AsWithNormal,
}

/// One call, as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
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

pub(crate) fn parse(mut bytes: &[u8]) -> Outcome<Vec<Entry>> {
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
pub(crate) fn after_the_cut(before: &Image, journal: &[Entry], syncs: Syncs, dice: &mut Dice) -> Image {
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
