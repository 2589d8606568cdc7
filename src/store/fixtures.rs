//! A database of its own for every unit test: SQLite in a folder that goes with it.
//! What must hold on both engines is tested in `tests/it`.

use std::time::Duration;

use tempfile::TempDir;

use super::connect::{ConnectOptionsOf, Database};

/// Keep it as long as the database is used.
pub(crate) struct Folder(#[expect(dead_code, reason = "held for its end")] TempDir);

pub(crate) async fn database() -> (Database, Folder) {
    database_with(Duration::from_secs(5)).await
}

/// As [`database`], with a time that one statement may take.
pub(crate) async fn database_with(statement_timeout: Duration) -> (Database, Folder) {
    let folder = tempfile::tempdir().unwrap();
    let options = ConnectOptionsOf {
        url: format!("sqlite://{}/test.db", folder.path().display()).into(),
        read_connections: 2,
        write_connections: 1,
        acquire_timeout: Duration::from_secs(5),
        statement_timeout,
    };
    let database = Database::connect(&options).await.unwrap();
    database.migrate().await.unwrap();
    (database, Folder(folder))
}
