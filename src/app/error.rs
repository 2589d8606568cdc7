//! What a use case of the admin API says when it does not do what it was asked.

use thiserror::Error;

use crate::store::StoreError;

/// Why a caller's request was not carried out, as a value: something that the caller can fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    pub code: UserErrorCode,
    /// One sentence for people.
    pub message: String,
    /// The path inside the mutation's arguments, outermost first.
    pub field: Vec<String>,
    /// What to do instead, where we know.
    pub hint: Option<String>,
}

/// The closed list of `userErrors.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserErrorCode {
    Required,
    Invalid,
    TooLong,
    TooSmall,
    TooLarge,
    NotFound,
    Taken,
    InUse,
    ConflictVersion,
    LimitExceeded,
    InvalidTransition,
    TokenNotActive,
    TokenLastActive,
    OverlapTooLong,
    RotationOpen,
    DomainNotVerified,
    UrlNotAllowed,
    UnknownMacro,
    PasswordTooWeak,
    LastAdmin,
}

impl UserError {
    pub fn new(code: UserErrorCode, field: &[&str], message: impl Into<String>) -> Self {
        Self { code, message: message.into(), field: field.iter().map(|part| (*part).to_owned()).collect(), hint: None }
    }

    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Our own failure. Logged once at the door, and shown there as nothing but an id.
#[derive(Debug, Error)]
pub enum AppError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The write queue took the item and did not answer in time, or had no room for it.
    #[error("the write path is busy or away")]
    Busy,
    #[error("{0}")]
    Internal(String),
}

/// A use case: its value, or what the caller can fix, or our failure.
pub type Outcome<T> = Result<Result<T, Vec<UserError>>, AppError>;
