//! Showing the secret of a token again, with an entry in the audit trail before the answer.
//!
//! Only where texts are kept. A revoked token has none any more.

use super::issued_token::{IssuedToken, event, not_found, open};
use super::{App, Outcome, UserError, UserErrorCode};
use crate::domain::ids::TokenId;
use crate::domain::operator::Principal;
use crate::domain::secure_token::TokenState;
use crate::store::{audit, tokens};

/// Opens the text of a token.
///
/// # Errors
/// `NotFound`; `TokenNotActive` for one that is revoked; `Invalid` where only the digest is kept.
pub async fn reveal_token(app: &App, principal: &Principal, id: TokenId) -> Outcome<IssuedToken> {
    let Some(token) = tokens::find(&app.database, id).await? else { return Ok(Err(not_found())) };
    if token.token.state == TokenState::Revoked {
        let message = "The token is revoked: its text is gone.";
        return Ok(Err(vec![UserError::new(UserErrorCode::TokenNotActive, &["id"], message)]));
    }
    let Some(secret) = open(app, id).await? else { return Ok(Err(vec![not_kept(&["id"])])) };
    let event = event(app, principal, "secure_token.reveal", &token, Vec::new());
    app.database.side_write(Box::new(move |tx| Box::pin(async move { audit::insert(tx, event).await }))).await?;
    Ok(Ok(IssuedToken { token, secret, previous: None, warnings: Vec::new() }))
}

pub(super) fn not_kept(field: &[&str]) -> UserError {
    let message = "Only the digest of this token is kept: its text was shown once, when it was made.";
    UserError::new(UserErrorCode::Invalid, field, message).with_hint("Rotate it to get a new one.")
}
