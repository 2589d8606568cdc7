//! The disk below SQLite: one that is full, and one whose calls fail, by `strace` on the running server.
//!
//! Both need root, and the second one strace: without them the section says that it was skipped. What the disk takes
//! from the database it takes from a spool beside it as well, so clicks are held to the rule of those that are settled.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::outage::{Fault, Faults, Reads, rounds, skipped};
use super::process::{done, is_installed, is_root, signal};
use super::server::Server;
use super::{ClickRule, Options, Outcome, Section};

pub(super) async fn run(options: &Options) -> Outcome<Vec<Section>> {
    let options = Options { clicks: ClickRule::Settled, ..options.clone() };
    if !is_root() {
        return Ok(vec![skipped("the disk below SQLite", "small disks and strace on another process need root")]);
    }
    let disk = SmallDisk::mount(64)?;
    let server = Server::prepare(None, Some(disk.path().join("data"))).await?;
    let mut full = Full(Ballast::on(&disk));
    let mut sections = vec![rounds("SQLite on a full disk", server, &mut full, &[()], &options).await?];
    drop(full);
    if is_installed("strace") {
        let server = Server::prepare(None, None).await?;
        let calls = if options.is_brief { &Call::ALL[..1] } else { &Call::ALL };
        let mut failing = Failing { call: Call::SyncFails, process: 0, strace: None };
        sections.push(rounds("SQLite on a disk that fails", server, &mut failing, calls, &options).await?);
    } else {
        sections.push(skipped("SQLite on a disk that fails", "strace is not installed"));
    }
    Ok(sections)
}

/// A disk in memory with room for a few mebibytes.
pub(super) struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    pub(super) fn mount(mebibytes: u32) -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("rt-disk-").tempdir_in("/tmp")?;
        let size = format!("size={mebibytes}m,mode=755");
        done(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "rt-torture"]).arg(folder.path()))?;
        Ok(Self { folder })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is still ending may have a file there. Nobody is left to be told.
        let _ = done(Command::new("umount").arg("--lazy").arg(self.folder.path()));
    }
}

/// A file that takes all the room there is.
pub(super) struct Ballast {
    file: PathBuf,
}

impl Ballast {
    pub(super) fn on(disk: &SmallDisk) -> Self {
        Self { file: disk.path().join("ballast") }
    }

    pub(super) fn fill(&mut self) -> Outcome<()> {
        let mut file = fs::File::create(&self.file)?;
        let mut part = vec![0_u8; 1 << 20];
        while !part.is_empty() {
            // Smaller and smaller parts, to the last byte.
            if file.write_all(&part).is_err() {
                part.truncate(part.len() / 2);
            }
        }
        Ok(())
    }

    pub(super) fn drop_it(&mut self) -> Outcome<()> {
        Ok(fs::remove_file(&self.file)?)
    }
}

struct Full(Ballast);

impl Faults for Full {
    type Kind = ();

    fn set(&mut self, (): ()) {}

    fn meet(&mut self, _process: u32) {}
}

impl Fault for Full {
    fn name(&self) -> &'static str {
        "full"
    }

    fn begin(&mut self) -> Outcome<()> {
        self.0.fill()
    }

    fn end(&mut self) -> Outcome<()> {
        self.0.drop_it()
    }

    fn is_outage(&self) -> bool {
        true
    }

    fn reads(&self) -> Reads {
        Reads::Work
    }
}

/// Which system call fails, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    SyncFails,
    WriteFails,
    WriteHasNoRoom,
}

impl Call {
    const ALL: [Self; 3] = [Self::SyncFails, Self::WriteFails, Self::WriteHasNoRoom];

    const fn injection(self) -> [&'static str; 2] {
        match self {
            Self::SyncFails => ["trace=fsync,fdatasync", "inject=fsync,fdatasync:error=EIO"],
            Self::WriteFails => ["trace=pwrite64", "inject=pwrite64:error=EIO"],
            Self::WriteHasNoRoom => ["trace=pwrite64", "inject=pwrite64:error=ENOSPC"],
        }
    }
}

struct Failing {
    call: Call,
    process: u32,
    strace: Option<Child>,
}

impl Faults for Failing {
    type Kind = Call;

    fn set(&mut self, kind: Call) {
        self.call = kind;
    }

    fn meet(&mut self, process: u32) {
        self.process = process;
    }
}

impl Fault for Failing {
    fn name(&self) -> &'static str {
        match self.call {
            Call::SyncFails => "fsync: EIO",
            Call::WriteFails => "pwrite64: EIO",
            Call::WriteHasNoRoom => "pwrite64: ENOSPC",
        }
    }

    fn begin(&mut self) -> Outcome<()> {
        let [trace, inject] = self.call.injection();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", trace, "-e", inject, "-p", &self.process.to_string()]);
        let mut child = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        // It says so when it is there: `strace: Process 123 attached`. Before that it may speak of threads that ended.
        let mut said = String::new();
        if let Some(stderr) = child.stderr.as_mut() {
            let mut stderr = BufReader::new(stderr);
            while !said.contains("attached") && stderr.read_line(&mut said)? > 0 {}
        }
        if !said.contains("attached") {
            return Err(format!("strace: {said}").into());
        }
        self.strace = Some(child);
        Ok(())
    }

    fn end(&mut self) -> Outcome<()> {
        if let Some(mut strace) = self.strace.take() {
            signal("INT", &[strace.id()])?;
            strace.wait()?;
        }
        Ok(())
    }

    fn is_outage(&self) -> bool {
        true
    }

    fn reads(&self) -> Reads {
        Reads::Work
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.end();
    }
}
