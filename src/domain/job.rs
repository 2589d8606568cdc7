//! Work that goes on behind an answer: what it is, where it stands, and how it ends.
//!
//! A job is done in steps. What it is asked for is text of its kind, in a version, so that a server which was started
//! yesterday never reads what only a newer one understands. How many things failed decides how it ends; nothing here
//! knows what a kind does.

use super::clock::Timestamp;
use super::ids::JobId;
use super::offer::words;
use super::operator::Role;

/// Errors of one job that are kept; all are counted.
pub const ERRORS_KEPT_MAX: i64 = 1000;
/// Jobs that are not finished, of the whole installation.
pub const UNFINISHED_MAX: u64 = 100;

words!(
    /// What a job does. To add one: `app::jobs`.
    JobKind {
        /// Counts the conversions of a filter, for a download.
        ConversionsExport = "conversions.export",
        /// Counts the receipts of a filter, for a download.
        ReceiptsExport = "receipts.export",
        /// Rejects the conversions of a filter.
        ConversionsReject = "conversions.reject",
        /// Reinstates the conversions of a filter.
        ConversionsReinstate = "conversions.reinstate",
        /// Counts what is stored of somebody, for a download.
        PersonExport = "person.export",
        /// Empties what is personal in everything that is stored of somebody.
        PersonErase = "person.erase",
        /// Sends refused requests again.
        ReceiptsReplay = "receipts.replay",
        /// Sends deliveries of outbound postbacks again.
        DeliveriesRetry = "deliveries.retry",
    }
);
words!(
    /// Where a job stands.
    JobState {
        Queued = "queued",
        Running = "running",
        /// Everything was done.
        Succeeded = "succeeded",
        /// Some of it was done, and the rest could not be.
        Partial = "partial",
        /// Nothing was done, or it could not be gone on with.
        Failed = "failed",
        /// Somebody stopped it; what was done stays done.
        Cancelled = "cancelled",
    }
);

impl JobKind {
    /// The least role that may start one, and stop it.
    pub const fn least_role(self) -> Role {
        match self {
            Self::ConversionsExport
            | Self::ReceiptsExport
            | Self::ConversionsReject
            | Self::ConversionsReinstate
            | Self::ReceiptsReplay
            | Self::DeliveriesRetry => Role::Manager,
            Self::PersonExport | Self::PersonErase => Role::Admin,
        }
    }

    /// Does what it is asked for name a person? Then that is emptied when nobody needs it any more.
    pub const fn is_personal(self) -> bool {
        match self {
            Self::ConversionsExport
            | Self::ReceiptsExport
            | Self::ConversionsReject
            | Self::ConversionsReinstate
            | Self::ReceiptsReplay
            | Self::DeliveriesRetry => false,
            Self::PersonExport | Self::PersonErase => true,
        }
    }

    /// Is there a file to be downloaded when it has succeeded?
    pub const fn is_export(self) -> bool {
        match self {
            Self::ConversionsExport | Self::ReceiptsExport | Self::PersonExport => true,
            Self::ConversionsReject
            | Self::ConversionsReinstate
            | Self::PersonErase
            | Self::ReceiptsReplay
            | Self::DeliveriesRetry => false,
        }
    }
}

impl JobState {
    pub const fn is_finished(self) -> bool {
        match self {
            Self::Queued | Self::Running => false,
            Self::Succeeded | Self::Partial | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// What is asked for, as its kind writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobInput {
    /// JSON.
    pub text: String,
    /// Raised by its kind whenever an older server would read the text wrongly.
    pub version: i16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub kind: JobKind,
    pub input: JobInput,
    pub state: JobState,
    /// Where the next step begins, as its kind writes it; none before the first one.
    pub position: Option<String>,
    pub progress: Progress,
    /// Why it failed as a whole, for people.
    pub failure: Option<String>,
    /// It stops before its next step.
    pub cancel_requested: bool,
    /// The opaque id of an operator or a key, or `system`.
    pub created_by: String,
    /// As people knew them at the time.
    pub created_by_label: String,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Tries of the step that is due now.
    pub attempts: i32,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// None until it is known.
    pub total: Option<i64>,
    /// Looked at: those that succeeded, those that failed, and those that were as wanted already.
    pub processed: i64,
    pub succeeded: i64,
    pub failed: i64,
}

/// One thing that a job could not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// From 1, in the order in which they happened.
    pub number: i32,
    /// The opaque id of what it is about.
    pub subject: Option<String>,
    /// A stable word, as user errors have them.
    pub code: String,
    /// One sentence for people.
    pub message: String,
}

impl Progress {
    /// Adds what one step did; the total stays.
    pub fn add(&mut self, step: Self) {
        self.processed = self.processed.saturating_add(step.processed);
        self.succeeded = self.succeeded.saturating_add(step.succeeded);
        self.failed = self.failed.saturating_add(step.failed);
    }

    /// How a job ends that has come to its end.
    pub const fn end(self) -> JobState {
        match (self.failed > 0, self.processed > self.failed) {
            (false, _) => JobState::Succeeded,
            (true, true) => JobState::Partial,
            (true, false) => JobState::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_ends_by_what_failed() {
        let end = |processed, failed| Progress { processed, failed, ..Progress::default() }.end();
        assert_eq!(end(0, 0), JobState::Succeeded);
        assert_eq!(end(3, 0), JobState::Succeeded);
        assert_eq!(end(3, 2), JobState::Partial);
        assert_eq!(end(3, 3), JobState::Failed);
    }

    #[test]
    fn steps_add_up_and_the_total_stays() {
        let mut progress = Progress { total: Some(9), ..Progress::default() };
        progress.add(Progress { total: Some(1), processed: 3, succeeded: 1, failed: 1 });
        progress.add(Progress { total: None, processed: 2, succeeded: 2, failed: 0 });
        assert_eq!(progress, Progress { total: Some(9), processed: 5, succeeded: 3, failed: 1 });
    }
}
