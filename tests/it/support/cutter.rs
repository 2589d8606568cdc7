//! A proxy in front of PostgreSQL that cuts the connection at a `COMMIT`: before it is sent, or before its answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const SOCKET: &str = ".s.PGSQL.5432";

/// Where the next commit is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    Nowhere,
    /// The server never hears of it.
    BeforeCommit,
    /// The server has committed, and the client does not learn of it.
    BeforeAnswer,
}

impl Cut {
    const ALL: [Self; 3] = [Self::Nowhere, Self::BeforeCommit, Self::BeforeAnswer];

    fn code(self) -> u8 {
        self as u8
    }
}

pub(crate) struct Cutter {
    armed: Arc<AtomicU8>,
    folder: TempDir,
}

impl Cutter {
    /// Listens in front of the server of `url`, whose host is a percent-encoded folder.
    pub(crate) fn before(url: &str) -> (Self, String) {
        let encoded = url.split_once('@').and_then(|(_, rest)| rest.rsplit_once('/')).unwrap().0;
        let target = PathBuf::from(encoded.replace("%2F", "/")).join(SOCKET);
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let armed = Arc::new(AtomicU8::new(Cut::Nowhere.code()));
        #[expect(clippy::disallowed_methods, reason = "a test's proxy ends with its runtime")]
        tokio::spawn(accept(listener, target, Arc::clone(&armed)));
        let host = folder.path().display().to_string().replace('/', "%2F");
        let url = url.replace(encoded, &host);
        (Self { armed, folder }, url)
    }

    /// Cuts the next commit, once.
    pub(crate) fn cut(&self, at: Cut) {
        assert!(self.folder.path().exists());
        self.armed.store(at.code(), Ordering::SeqCst);
    }

    /// Has the cut that was asked for been made?
    pub(crate) fn has_cut(&self) -> bool {
        self.armed.load(Ordering::SeqCst) == Cut::Nowhere.code()
    }
}

async fn accept(listener: UnixListener, target: PathBuf, armed: Arc<AtomicU8>) {
    while let Ok((client, _)) = listener.accept().await {
        #[expect(clippy::disallowed_methods, reason = "a test's proxy ends with its runtime")]
        tokio::spawn(pass(client, target.clone(), Arc::clone(&armed)));
    }
}

/// Passes bytes on both ways until one side ends, or the commit that is to be cut comes by.
async fn pass(mut client: UnixStream, target: impl AsRef<Path>, armed: Arc<AtomicU8>) {
    let Ok(mut server) = UnixStream::connect(target).await else { return };
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(count @ 1..) = read else { return };
                let is_commit = asked[..count].windows(6).any(|bytes| bytes == b"COMMIT");
                let cut = if is_commit { armed.swap(Cut::Nowhere.code(), Ordering::SeqCst) } else { 0 };
                let cut = Cut::ALL.into_iter().find(|at| at.code() == cut).unwrap_or(Cut::Nowhere);
                if cut == Cut::BeforeCommit {
                    return;
                }
                if server.write_all(&asked[..count]).await.is_err() {
                    return;
                }
                if cut == Cut::BeforeAnswer {
                    // The answer says that it has committed; nobody else hears it.
                    let _ = tokio::time::timeout(Duration::from_secs(5), server.read(&mut answered)).await;
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
