//! A proxy in front of PostgreSQL, in this process: what can happen to a wire, switched while bytes flow.
//!
//! It knows nothing of the protocol but the word `COMMIT` and the message that executes a statement. What it holds back in a frost goes on in the thaw, also when
//! its sender is gone: a server that was stopped finds the same bytes in its sockets when it goes on. Not a network:
//! nothing is reordered, and no byte is changed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// `Execute` of the unnamed portal: its kind, its length, no name.
const EXECUTE: &[u8] = b"E\0\0\0\x09\0";
const SOCKET: &str = ".s.PGSQL.5432";

/// What lasts until it is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    /// Every answer comes this much later.
    Late(Duration),
    /// Nothing passes, the sockets stay open.
    Frozen,
    /// Connections that are there are cut, new ones find nobody who listens.
    Refused,
}

/// Where a connection is cut, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// So many bytes of the next commit are asked. None, and the server never hears of it.
    InCommit(usize),
    /// So many bytes of the answer to the next commit are heard. None, and the client never learns of it.
    InAnswer(usize),
    /// So many more bytes are asked, on all connections together, and then the one that asks is gone.
    Asked(usize),
    /// The same for bytes that are answered.
    Answered(usize),
}

/// Cheap to share; the folder of its socket goes with the last one.
pub(crate) struct Proxy {
    wire: Arc<Wire>,
}

struct Wire {
    direct_url: String,
    target: PathBuf,
    fault: watch::Sender<Fault>,
    /// How often everything that was connected stopped being answered.
    half_closed: watch::Sender<usize>,
    cut: Mutex<Option<Cut>>,
    connected: AtomicUsize,
    executed: AtomicUsize,
    folder: TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Asked,
    Answered,
}

/// This connection is over.
struct Gone;

impl Proxy {
    /// Listens in front of the server of `url`, whose host is a percent-encoded folder; the URL of the proxy.
    pub(crate) fn before(url: &str) -> (Self, String) {
        let encoded = url.split_once('@').and_then(|(_, rest)| rest.rsplit_once('/')).unwrap().0;
        let wire = Arc::new(Wire {
            direct_url: url.to_owned(),
            target: PathBuf::from(encoded.replace("%2F", "/")).join(SOCKET),
            fault: watch::Sender::new(Fault::Nothing),
            half_closed: watch::Sender::new(0),
            cut: Mutex::default(),
            connected: AtomicUsize::new(0),
            executed: AtomicUsize::new(0),
            // Not TMPDIR: the path of a socket has at most 107 bytes.
            folder: tempfile::Builder::new().prefix("rt-px-").tempdir_in("/tmp").unwrap(),
        });
        let listener = UnixListener::bind(wire.socket()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test's proxy ends with its runtime")]
        tokio::spawn(accept(listener, Arc::clone(&wire)));
        let host = wire.folder.path().display().to_string().replace('/', "%2F");
        (Self { wire }, url.replace(encoded, &host))
    }

    /// Past the proxy.
    pub(crate) fn direct_url(&self) -> &str {
        &self.wire.direct_url
    }

    pub(crate) fn switch(&self, fault: Fault) {
        self.wire.fault.send_replace(fault);
    }

    /// Cuts once, where this says.
    pub(crate) fn cut(&self, at: Cut) {
        *self.wire.cut.lock().unwrap() = Some(at);
    }

    /// Has the cut that was asked for been made?
    pub(crate) fn has_cut(&self) -> bool {
        self.wire.cut.lock().unwrap().is_none()
    }

    /// Whatever is connected now is told that no more answers come; what it asks is still passed on.
    pub(crate) fn half_close(&self) {
        self.wire.half_closed.send_modify(|count| *count += 1);
    }

    /// Connections that were made so far.
    pub(crate) fn connected(&self) -> usize {
        self.wire.connected.load(Ordering::SeqCst)
    }

    /// Statements that were executed so far.
    pub(crate) fn executed(&self) -> usize {
        self.wire.executed.load(Ordering::SeqCst)
    }
}

impl Wire {
    fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    /// Waits as the weather wants.
    async fn hold(&self, way: Way) {
        let mut fault = self.fault.subscribe();
        loop {
            let now = *fault.borrow_and_update();
            match now {
                Fault::Nothing | Fault::Refused => return,
                Fault::Late(by) if way == Way::Answered => return sleep(by).await,
                Fault::Late(_) => return,
                // An error means that the proxy is gone, and this connection soon with it.
                Fault::Frozen => drop(fault.changed().await),
            }
        }
    }

    /// How many of these bytes pass, and whether the connection is over then. `hears`: how many bytes of answers it
    /// hears yet.
    fn judge(&self, way: Way, bytes: &[u8], hears: &AtomicUsize) -> (usize, bool) {
        let heard = hears.load(Ordering::SeqCst);
        if way == Way::Answered && heard < usize::MAX {
            hears.store(heard.saturating_sub(bytes.len()), Ordering::SeqCst);
            return (heard.min(bytes.len()), heard <= bytes.len());
        }
        if way == Way::Asked {
            let executed = bytes.windows(EXECUTE.len()).filter(|window| *window == EXECUTE).count();
            self.executed.fetch_add(executed, Ordering::SeqCst);
        }
        // The word is preceded by the kind of the message and its length.
        let commit = bytes.windows(6).position(|word| word == b"COMMIT").map(|at| at.saturating_sub(5));
        let mut cut = self.cut.lock().unwrap();
        let (left, over) = match (*cut, way, commit) {
            (Some(Cut::InCommit(passed)), Way::Asked, Some(at)) => (None, Some((at + passed).min(bytes.len()))),
            (Some(Cut::InAnswer(heard)), Way::Asked, Some(_)) => {
                hears.store(heard, Ordering::SeqCst);
                (None, None)
            }
            (Some(Cut::Asked(left)), Way::Asked, _) if left <= bytes.len() => (None, Some(left)),
            (Some(Cut::Answered(left)), Way::Answered, _) if left <= bytes.len() => (None, Some(left)),
            (Some(Cut::Asked(left)), Way::Asked, _) => (Some(Cut::Asked(left - bytes.len())), None),
            (Some(Cut::Answered(left)), Way::Answered, _) => (Some(Cut::Answered(left - bytes.len())), None),
            (other, Way::Asked | Way::Answered, _) => (other, None),
        };
        *cut = left;
        (over.unwrap_or(bytes.len()), over.is_some())
    }
}

async fn accept(mut listener: UnixListener, wire: Arc<Wire>) {
    let mut fault = wire.fault.subscribe();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { return };
                wire.connected.fetch_add(1, Ordering::SeqCst);
                #[expect(clippy::disallowed_methods, reason = "a test's proxy ends with its runtime")]
                tokio::spawn(connection(client, Arc::clone(&wire)));
                continue;
            }
            _ = fault.wait_for(|fault| *fault == Fault::Refused) => {}
        }
        // The socket's file stays, so that whoever connects is refused.
        drop(listener);
        if fault.wait_for(|fault| *fault != Fault::Refused).await.is_err() {
            return;
        }
        let _ = std::fs::remove_file(wire.socket());
        listener = UnixListener::bind(wire.socket()).unwrap();
    }
}

async fn connection(client: UnixStream, wire: Arc<Wire>) {
    let Ok(server) = UnixStream::connect(&wire.target as &Path).await else { return };
    let ((asking, answers), (answering, asks)) = (client.into_split(), server.into_split());
    let hears = AtomicUsize::new(usize::MAX);
    let mut fault = wire.fault.subscribe();
    let both = async {
        tokio::try_join!(pass(Way::Asked, asking, asks, &wire, &hears), answer(answering, answers, &wire, &hears))
    };
    tokio::select! {
        _over = both => {}
        _refused = fault.wait_for(|fault| *fault == Fault::Refused) => {}
    }
}

/// Passes answers on until they end, or until nobody shall hear them any more.
async fn answer(from: OwnedReadHalf, to: OwnedWriteHalf, wire: &Wire, hears: &AtomicUsize) -> Result<(), Gone> {
    let mut half_closed = wire.half_closed.subscribe();
    tokio::select! {
        passed = pass(Way::Answered, from, to, wire, hears) => passed,
        // Dropping its half says that nothing more comes.
        _ = half_closed.changed() => Ok(()),
    }
}

async fn pass(
    way: Way,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wire: &Wire,
    hears: &AtomicUsize,
) -> Result<(), Gone> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut buffer).await.unwrap_or(0);
        wire.hold(way).await;
        if count == 0 {
            // The other way may still have something to say.
            let _gone = to.shutdown().await;
            return Ok(());
        }
        let (passed, over) = wire.judge(way, &buffer[..count], hears);
        // Who is gone hears nothing, and what it asked before is passed on all the same.
        let _gone = to.write_all(&buffer[..passed]).await;
        if over {
            return Err(Gone);
        }
    }
}
