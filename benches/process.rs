//! Processes that the bench starts, in folders of their own, and ends before it ends itself.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

use crate::Outcome;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A process that is told to end when this is dropped.
pub(crate) struct Process {
    child: Child,
    started: Instant,
}

impl Process {
    /// Its output goes to a file, for whoever looks why it failed.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Outcome<Self> {
        let log = fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let child = command.spawn().map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
        Ok(Self { child, started })
    }

    /// Waits for the first answer to `path` that begins with `HTTP/1.1 200`; returns the time since the start.
    pub(crate) fn wait_until_ready(&mut self, address: SocketAddr, path: &str) -> Outcome<Duration> {
        while self.started.elapsed() < READY_WITHIN {
            if is_ready(address, path).unwrap_or(false) {
                return Ok(self.started.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("a process ended before it was ready: {status}").into());
            }
            sleep(Duration::from_millis(1));
        }
        Err("a process was not ready in time".into())
    }

    /// A figure of `/proc/<pid>/status`, in KiB: `VmRSS`, `VmHWM`.
    pub(crate) fn memory(&self, name: &str) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such figure in /proc")?;
        Ok(line.trim_start_matches(':').trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        let told = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "end", &id]).status();
        for _ in 0..1000 {
            match self.child.try_wait() {
                Ok(None) if told.is_ok() => sleep(Duration::from_millis(10)),
                Ok(_) | Err(_) => break,
            }
        }
        // It has ended, or will not by being asked.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_ready(address: SocketAddr, path: &str) -> Outcome<bool> {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"HTTP/1.1 200")
}

/// A port that nobody listened on a moment ago.
pub(crate) fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// What a command says; its failure is an error with all it said.
pub(crate) fn said(command: &mut Command) -> Outcome<String> {
    let output = command.output().map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// Processor time that all processes of this name have used since they started, in microseconds. Steps are 10 ms.
pub(crate) fn processor_micros(name: &str) -> u64 {
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let stats = processes.flatten().filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter_map(|stat| ticks(&stat, name)).sum::<u64>().saturating_mul(10_000)
}

/// User and system time of one line of `/proc/<pid>/stat`, if it is of a process of this name.
fn ticks(stat: &str, name: &str) -> Option<u64> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, found) = head.split_once('(')?;
    let mut fields = rest.split_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    (found == name).then(|| user.saturating_add(system))
}
