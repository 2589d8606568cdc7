//! Why a command did not do what it was asked, in words that say what to do.
//!
//! No text here is made from a secret: problems of settings name the place and never the value, and those of the
//! database come without its URL.

use std::fmt;
use std::io;
use std::process::ExitCode;

use thiserror::Error;

use crate::app::{AppError, UserError};
use crate::config::ConfigProblems;
use crate::config::keys::KeysProblem;
use crate::server::{RunProblem, StartProblem};
use crate::store::StoreError;
use crate::telemetry::TelemetryProblem;

#[derive(Debug, Error)]
pub(super) enum CliProblem {
    #[error(transparent)]
    Config(#[from] ConfigProblems),
    #[error(transparent)]
    Keys(#[from] KeysProblem),
    #[error(transparent)]
    Telemetry(#[from] TelemetryProblem),
    #[error(transparent)]
    Start(#[from] StartProblem),
    #[error(transparent)]
    Run(#[from] RunProblem),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    App(#[from] AppError),
    /// The use case said no.
    #[error("{}", Sentences(.0))]
    Refused(Vec<UserError>),
    /// `verify` found something; the report is on stdout.
    #[error("{0} things do not agree: keep the report, and stop what writes before anything is repaired")]
    Drift(u64),
    /// `import-clicks` could not take some lines; each is on stderr.
    #[error("{0} lines were not taken: mend them and import the file again, which adds only what is missing")]
    BadLines(u64),
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
    /// Arguments that clap lets through.
    #[error("{0}")]
    Usage(String),
}

impl CliProblem {
    pub(super) fn io(what: impl Into<String>, error: io::Error) -> Self {
        Self::Io { what: what.into(), error }
    }

    /// 2: mend the arguments or the settings first. 1: it did not work, or something does not agree.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Usage(_) => ExitCode::from(2),
            Self::Keys(_)
            | Self::Telemetry(_)
            | Self::Start(_)
            | Self::Run(_)
            | Self::Store(_)
            | Self::App(_)
            | Self::Refused(_)
            | Self::Drift(_)
            | Self::BadLines(_)
            | Self::Io { .. } => ExitCode::FAILURE,
        }
    }
}

/// What the caller can mend, a line each, with its hint.
struct Sentences<'a>(&'a [UserError]);

impl fmt::Display for Sentences<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n  " };
            write!(f, "{separator}{}", error.message)?;
            if let Some(hint) = &error.hint {
                write!(f, " ({hint})")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::UserErrorCode;

    #[test]
    fn a_refusal_is_said_in_sentences_with_their_hints() {
        let errors = vec![
            UserError::new(UserErrorCode::LimitExceeded, &[], "There are 5 live tokens already.")
                .with_hint("Revoke one."),
            UserError::new(UserErrorCode::Required, &[], "A name is needed"),
        ];
        let said = CliProblem::Refused(errors).to_string();
        assert_eq!(said, "There are 5 live tokens already. (Revoke one.)\n  A name is needed");
    }
}
