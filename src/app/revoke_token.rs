//! Revoking a token: at once, for ever, with a reason.
//!
//! Always allowed, for the last token of a scope too: a leaked secret must go. Whatever version was read, a revocation
//! wins. Its sealed text is wiped with it. What it recorded stays.

use super::issued_token::{event, not_active, not_found};
use super::{App, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::{self as trail, AuditChange};
use crate::domain::ids::TokenId;
use crate::domain::operator::Principal;
use crate::domain::secure_token::{TokenState, revoke};
use crate::store::audit;
use crate::store::tokens::{self, Revocation, TokenView};

/// Longest reason, in characters.
pub const REASON_CHARACTERS_MAX: usize = 500;

/// Revokes a token.
///
/// # Errors
/// `NotFound`, `Required` and `TooLong` (the reason), `TokenNotActive` when it is revoked already.
pub async fn revoke_token(app: &App, principal: &Principal, id: TokenId, reason: &str) -> Outcome<TokenView> {
    let reason = match read_reason(reason) {
        Ok(reason) => reason,
        Err(error) => return Ok(Err(vec![error])),
    };
    let Some(old) = tokens::find(&app.database, id).await? else { return Ok(Err(not_found())) };
    let changes = vec![AuditChange::new("reason", None, Some(reason.clone()))];
    let event = event(app, principal, "secure_token.revoke", &old, changes);
    let revocation = Revocation { at: app.clock.now(), by: trail::actor(principal), reason };
    let written = app.database.control_decision(Box::new({
        let revocation = revocation.clone();
        move |tx| {
            Box::pin(async move {
                let Some(token) = tokens::find_in(tx, id).await? else { return Ok(Err(not_found())) };
                if token.state == TokenState::Revoked {
                    return Ok(Err(not_active("The token is revoked already.")));
                }
                let token = revoke(&token);
                tokens::revoke(tx, &token, &revocation).await?;
                audit::insert(tx, event).await?;
                Ok(Ok(token))
            })
        }
    }));
    let token = match written.await? {
        Ok(token) => token,
        Err(errors) => return Ok(Err(errors)),
    };
    snapshot::refresh_after_write(app).await;
    Ok(Ok(TokenView { token, revocation: Some(revocation), is_sealed: false, ..old }))
}

fn read_reason(reason: &str) -> Result<String, UserError> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(UserError::new(UserErrorCode::Required, &["reason"], "Say why: it is asked for later."));
    }
    if reason.chars().count() > REASON_CHARACTERS_MAX {
        let message = format!("A reason has at most {REASON_CHARACTERS_MAX} characters.");
        return Err(UserError::new(UserErrorCode::TooLong, &["reason"], message));
    }
    Ok(reason.to_owned())
}
