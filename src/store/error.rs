//! What can go wrong below: our failures only. A row that is not there is an `Option`.

use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    /// The database did not answer, refused the connection or has no room; the same call may work later.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A unique key is taken.
    #[error("taken: {0}")]
    Taken(String),
    /// The database refused a row or a statement.
    #[error("the database refused: {0}")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row that our own code did not write like this.
    #[error("unreadable row in {table}: {what}")]
    Unreadable { table: &'static str, what: String },
    /// The database is not one that we may run on.
    #[error("{0}")]
    Unfit(String),
    /// The commit was sent and its answer did not come: it may have happened.
    #[error("the outcome of the commit is unknown: {0}")]
    CommitUnknown(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database did not answer in the time that there was; the connection is closed.
    #[error("the database did not answer in time")]
    Late,
    /// What runs inside a control write said no; nothing was written.
    #[error("abandoned")]
    Abandoned,
}

/// Why nothing can be written, as far as one error tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// It refuses the connection, is gone in the middle, or does not answer.
    Away,
    /// It answers, and takes no write: a standby, or a file that may not be written.
    ReadOnly,
    /// It has no room left.
    DiskFull,
}

impl Outage {
    /// The word in `/readyz` and in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Away => "database",
            Self::ReadOnly => "read_only",
            Self::DiskFull => "disk_full",
        }
    }
}

impl StoreError {
    /// What this says about the database as a whole; nothing when only this work is concerned, or when it had to give
    /// way to somebody else's (a deadlock, a lock held for too long).
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Late => Some(Outage::Away),
            Self::Unavailable(source) | Self::CommitUnknown(source) => {
                let Some(error) = source.downcast_ref::<sqlx::Error>() else { return Some(Outage::Away) };
                let code = error.as_database_error().and_then(|database| database.code());
                code.map_or(Some(Outage::Away), |code| outage_of(&code))
            }
            Self::Taken(_) | Self::Refused(_) | Self::Unreadable { .. } | Self::Unfit(_) | Self::Abandoned => None,
        }
    }

    /// May the same work succeed when it is simply done again?
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::CommitUnknown(_) | Self::Late => true,
            Self::Taken(_) | Self::Refused(_) | Self::Unreadable { .. } | Self::Unfit(_) | Self::Abandoned => false,
        }
    }

    /// Did the database end a statement because it took longer than it may?
    pub fn ran_too_long(&self) -> bool {
        let source = match self {
            Self::Unavailable(source) | Self::Refused(source) => source,
            Self::Taken(_)
            | Self::Unreadable { .. }
            | Self::Unfit(_)
            | Self::CommitUnknown(_)
            | Self::Late
            | Self::Abandoned => return false,
        };
        let error = source.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
        error.and_then(|error| error.code()).is_some_and(|code| matches!(&*code, "57014" | "9"))
    }

    /// The same error when it came instead of the answer to a commit.
    pub(super) fn at_commit(self) -> Self {
        match self {
            Self::Unavailable(source) => Self::CommitUnknown(source),
            Self::Late => Self::CommitUnknown(Box::new(self)),
            Self::Taken(_)
            | Self::Refused(_)
            | Self::Unreadable { .. }
            | Self::Unfit(_)
            | Self::CommitUnknown(_)
            | Self::Abandoned => self,
        }
    }

    pub(crate) fn unreadable(table: &'static str, what: impl Into<String>) -> Self {
        Self::Unreadable { table, what: what.into() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            if database.is_unique_violation() {
                return Self::Taken(database.constraint().unwrap_or("a unique key").to_owned());
            }
            if retry_later(database.code().as_deref()) {
                return Self::Unavailable(error.into());
            }
        }
        let away = matches!(
            error,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::BeginFailed
        );
        if away { Self::Unavailable(error.into()) } else { Self::Refused(error.into()) }
    }
}

/// SQLSTATE classes 08 (connection), 40 (rollback: deadlock, serialisation), 53 (resources), 57 (operator,
/// also the statement timeout), 55P03 (lock timeout), 25006 (read-only), 25P03 and
/// 25P04 (the session was ended because its transaction took too long); SQLite's BUSY, LOCKED, READONLY,
/// IOERR, FULL and CANTOPEN with their extended codes.
fn retry_later(code: Option<&str>) -> bool {
    let Some(code) = code else { return false };
    // A SQLSTATE has five characters; no code of SQLite has more than four digits.
    if code.len() == 5 {
        let class = code.get(..2).unwrap_or_default();
        return matches!(class, "08" | "40" | "53" | "57" | "58")
            || matches!(code, "55P03" | "25006" | "25P03" | "25P04");
    }
    code.parse::<u32>().is_ok_and(|sqlite| matches!(sqlite & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}

/// Of a code for which [`retry_later`] holds.
fn outage_of(code: &str) -> Option<Outage> {
    if code.len() == 5 {
        return match code {
            "25006" => Some(Outage::ReadOnly),
            "53100" => Some(Outage::DiskFull),
            "55P03" => None,
            _ if code.starts_with("40") => None,
            _ => Some(Outage::Away),
        };
    }
    match code.parse::<u32>().map(|sqlite| sqlite & 0xff) {
        Ok(8) => Some(Outage::ReadOnly),
        Ok(13) => Some(Outage::DiskFull),
        Ok(_) | Err(_) => Some(Outage::Away),
    }
}

impl From<sea_orm::DbErr> for StoreError {
    fn from(error: sea_orm::DbErr) -> Self {
        use sea_orm::{DbErr, RuntimeErr, SqlErr};
        if let Some(SqlErr::UniqueConstraintViolation(what)) = error.sql_err() {
            return Self::Taken(what);
        }
        if matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) {
            return Self::Unavailable(error.into());
        }
        if let DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner)) = error {
            return match std::sync::Arc::try_unwrap(inner) {
                Ok(inner) => inner.into(),
                Err(shared) => Self::Refused(shared.to_string().into()),
            };
        }
        Self::Refused(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        for code in [
            "08006", "40P01", "40001", "53100", "57014", "57P01", "55P03", "25006", "25P03", "5", "261", "13", "10",
            "8",
        ] {
            assert!(retry_later(Some(code)), "{code}");
        }
        for code in ["23502", "22021", "42P01", "19", "1299", "1"] {
            assert!(!retry_later(Some(code)), "{code}");
        }
        assert!(!retry_later(None));
    }

    #[test]
    fn an_outage_is_told_from_a_lock_that_somebody_held() {
        for (code, outage) in [
            ("08006", Some(Outage::Away)),
            ("57P01", Some(Outage::Away)),
            ("25006", Some(Outage::ReadOnly)),
            ("53100", Some(Outage::DiskFull)),
            ("40P01", None),
            ("55P03", None),
            ("5", Some(Outage::Away)),
            ("1032", Some(Outage::ReadOnly)),
            ("13", Some(Outage::DiskFull)),
            ("778", Some(Outage::Away)),
        ] {
            assert_eq!(outage_of(code), outage, "{code}");
        }
        assert_eq!(StoreError::Late.outage(), Some(Outage::Away));
        assert_eq!(StoreError::Late.at_commit().outage(), Some(Outage::Away));
        assert_eq!(StoreError::Taken("a key".into()).outage(), None);
    }
}
