//! What the use cases of secure tokens share: how a secret is made ready for its row, opened again, and handed out.
//!
//! A plain text exists between its making or opening and the one answer that shows it, as a [`PlainToken`]. It is
//! sealed only where the configuration wants it to be shown again; the audit trail knows a token by its hint.

use super::idempotency::gone;
use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::{self, AuditChange, AuditEvent};
use crate::domain::clock::Timestamp;
use crate::domain::ids::TokenId;
use crate::domain::operator::Principal;
use crate::domain::secure_token::{Capabilities, PlainToken, SecureToken};
use crate::store::tokens::{self, NewToken, TokenView};

/// Longest label of a token, in characters.
pub const LABEL_CHARACTERS_MAX: usize = 100;

/// A token with its secret, for the one answer that shows it.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    pub token: TokenView,
    pub secret: PlainToken,
    /// Of a rotation: the token that ends.
    pub previous: Option<TokenView>,
    /// What was done as asked, and is dangerous.
    pub warnings: Vec<String>,
}

/// What came of a call that makes a token, and may be sent twice.
#[derive(Clone, Debug)]
pub enum Issuance {
    Issued(Box<IssuedToken>),
    /// It was made by the first call under this key, whose answer showed the secret: it is not shown again.
    Repeated {
        token: Box<TokenView>,
        previous: Option<Box<TokenView>>,
    },
}

impl Issuance {
    /// Of a call without a key, which is never a repetition.
    pub(super) fn issued(self) -> Result<IssuedToken, AppError> {
        match self {
            Self::Issued(issued) => Ok(*issued),
            Self::Repeated { .. } => Err(AppError::Internal("a call without a key was repeated".to_owned())),
        }
    }
}

/// What the answer of a repeated call can be said again from: the ids of the tokens that it made and ended.
pub(super) fn answer_of(made: TokenId, ended: Option<TokenId>) -> String {
    ended.map_or_else(|| made.to_string(), |ended| format!("{made} {ended}"))
}

/// The answer of a call that was carried out before, as the tokens are now.
pub(super) async fn repeated(app: &App, answer: &str) -> Outcome<Issuance> {
    let ids: Vec<TokenId> = answer.split(' ').filter_map(TokenId::parse).collect();
    let mut found = tokens::find_many(&app.database, &ids).await?;
    let mut take = |place: usize| {
        let at = found.iter().position(|view| Some(&view.token.id) == ids.get(place))?;
        Some(Box::new(found.swap_remove(at)))
    };
    let (token, previous) = (take(0), take(1));
    Ok(token.map(|token| Issuance::Repeated { token, previous }).ok_or_else(gone))
}

/// The row of a new token; its text is sealed where it may be shown again.
pub(super) fn row_of(
    app: &App,
    principal: &Principal,
    token: SecureToken,
    secret: &PlainToken,
    label: Option<String>,
) -> Result<NewToken, AppError> {
    let sealed = app.options.redisplay_tokens.then(|| secret.seal(&app.keyring, token.id, &*app.entropy));
    Ok(NewToken {
        hint: secret.hint(),
        label,
        sealed: sealed.transpose().map_err(|error| AppError::Internal(error.to_string()))?,
        created_at: app.clock.now(),
        created_by: audit::actor(principal),
        token,
    })
}

/// What people see of a row that was just written.
pub(super) fn view_of(row: &NewToken, replaces: Option<TokenId>) -> TokenView {
    TokenView {
        token: row.token.clone(),
        hint: row.hint.clone(),
        label: row.label.clone(),
        created_at: row.created_at,
        created_by: row.created_by.clone(),
        revocation: None,
        last_used_at: None,
        last_used_address: None,
        last_dry_run_at: None,
        replaces,
        is_sealed: row.sealed.is_some(),
    }
}

/// Opens the text that is kept; `None` where only a digest is, or the configuration wants none to be shown.
pub(super) async fn open(app: &App, id: TokenId) -> Result<Option<PlainToken>, AppError> {
    if !app.options.redisplay_tokens {
        return Ok(None);
    }
    let sealed = tokens::find_sealed(&app.database, id).await?;
    let opened = sealed.map(|sealed| PlainToken::open(&sealed, &app.keyring, id)).transpose();
    opened.map_err(|error| AppError::Internal(error.to_string()))
}

/// An entry of the audit trail about a token.
pub(super) fn event(
    app: &App,
    principal: &Principal,
    action: &str,
    token: &TokenView,
    changes: Vec<AuditChange>,
) -> AuditEvent {
    let subject: (&dyn std::fmt::Display, &str) = (&token.token.id, &token.masked());
    AuditEvent::new(principal, action, subject, changes, (&*app.clock, &*app.entropy))
}

/// Reads a label: trimmed, `None` when nothing is left.
pub(super) fn read_label(label: Option<&str>) -> Result<Option<String>, UserError> {
    let label = label.map(str::trim).filter(|label| !label.is_empty());
    match label {
        Some(text) if text.chars().count() > LABEL_CHARACTERS_MAX => {
            let message = format!("A label has at most {LABEL_CHARACTERS_MAX} characters.");
            Err(UserError::new(UserErrorCode::TooLong, &["input", "label"], message))
        }
        Some(text) if text.chars().any(char::is_control) => {
            Err(UserError::new(UserErrorCode::Invalid, &["input", "label"], "A label has no control characters."))
        }
        Some(text) => Ok(Some(text.to_owned())),
        None => Ok(None),
    }
}

pub(super) fn not_found() -> Vec<UserError> {
    vec![UserError::new(UserErrorCode::NotFound, &["id"], "There is no such token.")]
}

pub(super) fn conflict(version: i32) -> Vec<UserError> {
    let message = format!("The token was changed meanwhile: it is of version {version}.");
    vec![UserError::new(UserErrorCode::ConflictVersion, &["version"], message).with_hint("Read it again.")]
}

pub(super) fn not_active(message: &str) -> Vec<UserError> {
    vec![UserError::new(UserErrorCode::TokenNotActive, &["id"], message).with_hint("Create a new token instead.")]
}

pub(super) fn capabilities_text(capabilities: Capabilities) -> String {
    capabilities.names().collect::<Vec<_>>().join(", ")
}

/// The end of a token as an entry of the audit trail has it.
pub(super) fn end_text(token: &SecureToken) -> Option<String> {
    token.retiring_until.as_ref().map(Timestamp::to_string)
}
