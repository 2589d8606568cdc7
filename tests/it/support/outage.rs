//! A database that can be taken away and given back: behind a proxy on PostgreSQL, and on SQLite under the write lock
//! of somebody else, which is all that "away" can mean for a file.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tokio::time::{Instant, sleep};

use super::proxy::{Fault, Proxy};
use super::server::{TestServer, told};

/// From the database's return to the first good answer of everything.
pub(crate) const RECOVERY_MAX: Duration = Duration::from_secs(5);

pub(crate) enum Shaky {
    Wire(Proxy),
    File { path: PathBuf, holder: Option<SqliteConnection> },
}

impl Shaky {
    pub(crate) fn wire(proxy: Proxy) -> Self {
        Self::Wire(proxy)
    }

    pub(crate) fn file(path: PathBuf) -> Self {
        Self::File { path, holder: None }
    }

    /// PostgreSQL only.
    pub(crate) fn proxy(&self) -> &Proxy {
        match self {
            Self::Wire(proxy) => proxy,
            Self::File { path, .. } => panic!("{} is no wire", path.display()),
        }
    }

    /// Nobody answers any more, and nobody says so.
    pub(crate) async fn freeze(&mut self) {
        match self {
            Self::Wire(proxy) => proxy.switch(Fault::Frozen),
            Self::File { path, holder } => {
                let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(20));
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                connection.execute("BEGIN EXCLUSIVE").await.unwrap();
                *holder = Some(connection);
            }
        }
    }

    pub(crate) async fn thaw(&mut self) {
        match self {
            Self::Wire(proxy) => proxy.switch(Fault::Nothing),
            Self::File { path, holder } => {
                let mut connection = holder.take().unwrap_or_else(|| panic!("{} is not held", path.display()));
                connection.execute("ROLLBACK").await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }
}

/// What `/readyz` says: its status and its reason.
pub(crate) async fn readiness(server: &TestServer) -> (u16, Option<String>) {
    let (status, body) = told(server.get("/readyz").await).await;
    (status, body["reason"].as_str().map(ToOwned::to_owned))
}

/// Waits until `/readyz` gives this reason for not being ready.
pub(crate) async fn becomes_unready(server: &TestServer, reason: &str) {
    let began = Instant::now();
    loop {
        let said = readiness(server).await;
        if said == (503, Some(reason.to_owned())) {
            return;
        }
        assert!(began.elapsed() < RECOVERY_MAX, "not unready because of {reason}: {said:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the postback of this path is answered 200 and the server is ready; the promise is that it needs no
/// restart and no more than [`RECOVERY_MAX`].
pub(crate) async fn comes_back(server: &TestServer, path: &str) {
    let began = Instant::now();
    loop {
        let (status, answer) = server.told(path).await;
        let ready = readiness(server).await;
        if status == 200 && ready.0 == 200 {
            return;
        }
        assert!(began.elapsed() < RECOVERY_MAX, "still {status} {answer} and {ready:?}");
        sleep(Duration::from_millis(50)).await;
    }
}
