//! What a use case of the admin API says when it does not do what it was asked.

use thiserror::Error;

use crate::domain::offer::words;
use crate::intake::Unsettled;
use crate::store::StoreError;

/// Why a caller's request was not carried out, as a value: something that the caller can fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserError {
    pub code: UserErrorCode,
    /// One sentence for people.
    pub message: String,
    /// The path inside the mutation's arguments, outermost first.
    pub field: Vec<String>,
    /// Of a bulk call: which of the things that were named, from 0.
    pub index: Option<usize>,
    /// What to do instead, where we know.
    pub hint: Option<String>,
}

words!(
    /// The closed list of `userErrors.code`.
    UserErrorCode {
        Required = "required",
        Invalid = "invalid",
        TooLong = "too_long",
        TooSmall = "too_small",
        TooLarge = "too_large",
        NotFound = "not_found",
        Taken = "taken",
        InUse = "in_use",
        ConflictVersion = "conflict_version",
        LimitExceeded = "limit_exceeded",
        IdempotencyKeyReused = "idempotency_key_reused",
        InvalidTransition = "invalid_transition",
        TokenNotActive = "token_not_active",
        TokenLastActive = "token_last_active",
        OverlapTooLong = "overlap_too_long",
        RotationOpen = "rotation_open",
        DomainNotVerified = "domain_not_verified",
        UrlNotAllowed = "url_not_allowed",
        UnknownMacro = "unknown_macro",
        SelectionChanged = "selection_changed",
        PasswordTooWeak = "password_too_weak",
        LastAdmin = "last_admin",
    }
);

impl UserError {
    pub fn new(code: UserErrorCode, field: &[&str], message: impl Into<String>) -> Self {
        let field = field.iter().map(|part| (*part).to_owned()).collect();
        Self { code, message: message.into(), field, index: None, hint: None }
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

/// Of an item whose outcome the caller cannot know.
impl From<Unsettled> for AppError {
    fn from(unsettled: Unsettled) -> Self {
        match unsettled {
            Unsettled::Full | Unsettled::Late | Unsettled::Away | Unsettled::Spooled => Self::Busy,
            // The writer has logged why.
            Unsettled::Internal => Self::Internal(unsettled.to_string()),
        }
    }
}

/// A use case: its value, or what the caller can fix, or our failure.
pub type Outcome<T> = Result<Result<T, Vec<UserError>>, AppError>;
