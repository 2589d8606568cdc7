//! The load generator: requests over kept-alive connections, every answer read, judged and counted.
//!
//! Our own and not wrk, because the tables are counted against the answers: at the end of a run each connection waits
//! for the answer that is still out, so the two numbers must be equal; wrk drops it. Closed loop ([`closed`]): each
//! connection sends when it has its answer; this finds the highest rate. Open loop ([`paced`]): requests leave by the
//! clock, whether or not earlier ones were answered, and a delay counts from the instant at which a request should
//! have left; this finds delays that a closed loop hides (it stops asking while the server is slow).
//! It needs about half of a small machine, as any generator does: compare figures of one run only.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Outcome;

/// Threads of the closed loop: as many as wrk is usually given on two processors.
const THREADS: usize = 2;
/// Not measured, but counted against the tables.
const WARM_UP: Duration = Duration::from_millis(500);
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Appends the next request; `false` when there are no more distinct ones.
pub(crate) type Source = Arc<dyn Fn(&mut Vec<u8>) -> bool + Send + Sync>;

/// What is sent where, and what must come back.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) source: Source,
    pub(crate) wanted: Wanted,
}

/// The right answer: its status, and bytes that stand in its head or body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) status: u16,
    pub(crate) part: &'static str,
}

/// What a closed loop found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Right answers a second, after the warm-up.
    pub(crate) per_second: u64,
    /// All right answers, to be found in the tables.
    pub(crate) right: u64,
    /// Answers that asked to come again: none, unless they are allowed.
    pub(crate) busy: u64,
}

/// Is an answer that asks to come again (503) the end of a run, or part of what it finds?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    Fails,
    Counts,
}

/// What an open loop found. Microseconds from the instant at which a request should have left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delays {
    pub(crate) per_second: u64,
    pub(crate) right: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

/// Sends as fast as answers come, on `connections`.
///
/// # Errors
/// An answer that is not the wanted one, a connection that breaks, requests that run out.
pub(crate) fn closed(target: &Target, connections: usize, time: Duration) -> Outcome<Rate> {
    closed_while(target, connections, time, Busy::Fails, || {})
}

/// As [`closed`]; calls `look` once when the load has been on for half of the time.
pub(crate) fn closed_while(
    target: &Target,
    connections: usize,
    time: Duration,
    busy: Busy,
    look: impl FnOnce(),
) -> Outcome<Rate> {
    let tally = Tally { takes_busy: busy == Busy::Counts, ..Tally::default() };
    let result = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let own = connections / THREADS + usize::from(thread < connections % THREADS);
                let (target, tally) = (target.clone(), tally.clone());
                scope.spawn(move || one_thread()?.block_on(all_connections(target, tally, own)))
            })
            .collect();
        thread::sleep(WARM_UP);
        let (began, before) = (Instant::now(), tally.right());
        thread::sleep(time / 2);
        look();
        thread::sleep(time / 2);
        let (took, after) = (began.elapsed(), tally.right());
        tally.stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().map_err(|_| "the load generator panicked")??;
        }
        Ok(per_second(after - before, took))
    });
    if tally.dry.load(Ordering::Relaxed) {
        return Err("the distinct requests ran out: mint more".into());
    }
    result.map(|per_second| Rate { per_second, right: tally.right(), busy: tally.busy.load(Ordering::Relaxed) })
}

fn per_second(count: u64, took: Duration) -> u64 {
    let micros = took.as_micros().max(1);
    u64::try_from(u128::from(count) * 1_000_000 / micros).unwrap_or(u64::MAX)
}

fn one_thread() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

#[derive(Clone, Default)]
struct Tally {
    stop: Arc<AtomicBool>,
    dry: Arc<AtomicBool>,
    right: Arc<AtomicU64>,
    busy: Arc<AtomicU64>,
    takes_busy: bool,
}

impl Tally {
    fn right(&self) -> u64 {
        self.right.load(Ordering::Relaxed)
    }
}

async fn all_connections(target: Target, tally: Tally, count: usize) -> Outcome<()> {
    let mut connections = JoinSet::new();
    for _ in 0..count {
        connections.spawn(one_connection(target.clone(), tally.clone()));
    }
    let mut first_problem = Ok(());
    while let Some(ended) = connections.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(error.into()));
        if ended.is_err() && first_problem.is_ok() {
            // The others end by themselves, so that what they sent is still counted.
            tally.stop.store(true, Ordering::Relaxed);
            first_problem = ended;
        }
    }
    first_problem
}

async fn one_connection(target: Target, tally: Tally) -> Outcome<()> {
    let mut stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    let mut request = Vec::with_capacity(2048);
    let mut answers = Answers::default();
    while !tally.stop.load(Ordering::Relaxed) {
        request.clear();
        if !(target.source)(&mut request) {
            tally.dry.store(true, Ordering::Relaxed);
            break;
        }
        stream.write_all(&request).await?;
        match answers.next(&mut stream, target.wanted).await {
            Ok(()) => tally.right.fetch_add(1, Ordering::Relaxed),
            Err(_) if tally.takes_busy && answers.status() == b"503" => tally.busy.fetch_add(1, Ordering::Relaxed),
            Err(problem) => return Err(problem),
        };
    }
    Ok(())
}

/// Reads answers off one connection.
#[derive(Default)]
struct Answers {
    bytes: Vec<u8>,
}

impl Answers {
    /// # Errors
    /// It is not the wanted one, or has a form that this reader does not know (chunked).
    async fn next(&mut self, stream: &mut TcpStream, wanted: Wanted) -> Outcome<()> {
        self.bytes.clear();
        loop {
            if stream.read_buf(&mut self.bytes).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            match whole(&self.bytes)? {
                Some(()) => return self.judge(wanted),
                None if self.bytes.len() > ANSWER_BYTES_MAX => return Err("an answer without an end".into()),
                None => {}
            }
        }
    }

    fn status(&self) -> &[u8] {
        self.bytes.get(9..12).unwrap_or_default()
    }

    fn judge(&self, wanted: Wanted) -> Outcome<()> {
        let has_status = self.status() == wanted.status.to_string().as_bytes();
        if has_status && contains(&self.bytes, wanted.part.as_bytes()) {
            return Ok(());
        }
        Err(format!("wanted {} with {:?}, got\n{}", wanted.status, wanted.part, self.bytes.escape_ascii()).into())
    }
}

/// Is an answer complete? Its length is known by `content-length` alone.
fn whole(bytes: &[u8]) -> Outcome<Option<()>> {
    let mut at = 0;
    let mut length = None;
    while let Some(end) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n')) {
        let line = bytes.get(at..at + end).unwrap_or_default().trim_ascii_end();
        at += end + 1;
        if line.is_empty() {
            let length = length.ok_or("an answer without content-length")?;
            return Ok((bytes.len() >= at + length).then_some(()));
        }
        if let Some((name, value)) = line.split_at_checked("content-length:".len())
            && name.eq_ignore_ascii_case(b"content-length:")
        {
            length = Some(str::from_utf8(value)?.trim().parse::<usize>()?);
        }
    }
    Ok(None)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}

/// Sends `rate` requests a second by the clock, on as many as `connections`.
///
/// # Errors
/// As [`closed`].
pub(crate) fn paced(target: &Target, connections: usize, rate: u64, time: Duration) -> Outcome<Delays> {
    let (idle, free) = mpsc::channel();
    let due: Arc<Vec<AtomicU64>> = Arc::new((0..connections).map(|_| AtomicU64::new(0)).collect());
    let mut writers = Vec::with_capacity(connections);
    let mut readers = Vec::with_capacity(connections);
    for number in 0..connections {
        let stream = std::net::TcpStream::connect(target.address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        readers.push(stream.try_clone()?);
        writers.push(stream);
        idle.send(number)?;
    }
    let began = Instant::now();
    let wanted = target.wanted;
    let reading = {
        let due = Arc::clone(&due);
        thread::spawn(move || one_thread()?.block_on(read_all(readers, idle, due, began, wanted)))
    };
    let sent = send_by_the_clock(target, &mut writers, &free, &due, (began, rate, time));
    // Every connection comes back idle once its last answer is read; then the readers meet the end of the stream.
    let all_idle = sent.and_then(|()| (0..connections).try_for_each(|_| take_idle(&free).map(|_| ())));
    close(&writers);
    let read = reading.join().map_err(|_| "the load generator panicked")?;
    // What a reader met is the cause of a connection that never became idle.
    let mut delays = read?;
    all_idle?;
    let right = u64::try_from(delays.len())?;
    delays.sort_unstable();
    let at = |permille: usize| delays.get((delays.len() * permille / 1000).min(delays.len().saturating_sub(1)));
    let (p50, p99, max) = (at(500), at(990), delays.last());
    let (Some(p50), Some(p99), Some(max)) = (p50, p99, max) else { return Err("nothing was answered".into()) };
    Ok(Delays { per_second: per_second(right, time), right, p50: *p50, p99: *p99, max: *max })
}

fn close(streams: &[std::net::TcpStream]) {
    for stream in streams {
        // One that is closed already is as closed as it gets.
        let _ = stream.shutdown(std::net::Shutdown::Both);
    }
}

fn take_idle(free: &mpsc::Receiver<usize>) -> Outcome<usize> {
    Ok(free.recv_timeout(Duration::from_secs(10)).map_err(|_| "no answer in 10 s")?)
}

fn send_by_the_clock(
    target: &Target,
    writers: &mut [std::net::TcpStream],
    free: &mpsc::Receiver<usize>,
    due: &[AtomicU64],
    (began, rate, time): (Instant, u64, Duration),
) -> Outcome<()> {
    let mut request = Vec::with_capacity(2048);
    let count = per_second(u64::try_from(time.as_micros())? * rate, Duration::from_secs(1_000_000));
    for number in 0..count {
        let leaves = Duration::from_micros(number * 1_000_000 / rate.max(1));
        if let Some(wait) = leaves.checked_sub(began.elapsed()) {
            thread::sleep(wait);
        }
        // Waits while all connections are busy: the delay of that request grows, as a visitor's would.
        let connection = take_idle(free)?;
        let (Some(writer), Some(due)) = (writers.get_mut(connection), due.get(connection)) else {
            return Err("a connection that does not exist".into());
        };
        due.store(u64::try_from(leaves.as_micros())?, Ordering::Release);
        request.clear();
        if !(target.source)(&mut request) {
            return Err("the distinct requests ran out: mint more".into());
        }
        writer.write_all(&request)?;
    }
    Ok(())
}

async fn read_all(
    streams: Vec<std::net::TcpStream>,
    idle: mpsc::Sender<usize>,
    due: Arc<Vec<AtomicU64>>,
    began: Instant,
    wanted: Wanted,
) -> Outcome<Vec<u64>> {
    let mut readers = JoinSet::new();
    for (number, stream) in streams.into_iter().enumerate() {
        let stream = TcpStream::from_std(stream)?;
        readers.spawn(read_one(number, stream, idle.clone(), Arc::clone(&due), began, wanted));
    }
    drop(idle);
    let mut delays = Vec::new();
    while let Some(read) = readers.join_next().await {
        delays.extend(read??);
    }
    Ok(delays)
}

async fn read_one(
    number: usize,
    mut stream: TcpStream,
    idle: mpsc::Sender<usize>,
    due: Arc<Vec<AtomicU64>>,
    began: Instant,
    wanted: Wanted,
) -> Outcome<Vec<u64>> {
    let mut delays = Vec::new();
    let mut answers = Answers::default();
    loop {
        match answers.next(&mut stream, wanted).await {
            Ok(()) => {}
            // The end of the run: nothing of an answer was there.
            Err(_) if answers.bytes.is_empty() => return Ok(delays),
            Err(problem) => return Err(problem),
        }
        let due = due.get(number).map_or(0, |due| due.load(Ordering::Acquire));
        let now = u64::try_from(began.elapsed().as_micros())?;
        delays.push(now.saturating_sub(due));
        if idle.send(number).is_err() {
            return Ok(delays);
        }
    }
}
