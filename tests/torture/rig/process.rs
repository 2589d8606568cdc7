//! Signals, and what `/proc` says: the torture links no system library of its own, and `unsafe` is forbidden here.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use super::Outcome;

/// Sends `signal` (`STOP`, `CONT`, `INT`, `QUIT`, `KILL`) to processes of ours by their number.
pub(super) fn signal(signal: &str, processes: &[u32]) -> Outcome<()> {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -\"$0\" \"$@\"", signal]).args(processes.iter().map(u32::to_string)).stderr(Stdio::null());
    // One that has ended meanwhile is no fault.
    kill.status().map(|_| ()).map_err(Into::into)
}

/// The children of a process.
pub(super) fn children(parent: u32) -> Outcome<Vec<u32>> {
    let parent = parent.to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // `123 (name) S 1 ..`: a name may hold anything but ends at the last parenthesis.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let after = stat.rsplit_once(')').map(|(_, after)| after).unwrap_or_default();
        if after.split_whitespace().nth(1) == Some(parent.as_str()) {
            found.push(number);
        }
    }
    Ok(found)
}

/// Is there a program of this name on PATH?
pub(super) fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", program]).status();
    found.is_ok_and(|status| status.success())
}

pub(super) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Runs a program to its end.
pub(super) fn done(command: &mut Command) -> Outcome<String> {
    let output = command.output().map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said) } else { Err(format!("{command:?}: {}\n{said}", output.status).into()) }
}

/// A port that nobody listened on a moment ago.
pub(super) fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
