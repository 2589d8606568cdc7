//! Giving a token another end, earlier or later.
//!
//! The end of an overlap moves when senders are ready sooner, or not yet. An active token begins to retire by this.
//! Refuses what would leave a scope without an active token, or let in again what was refused once: a token whose end
//! has come stays ended.

use super::issued_token::{conflict, end_text, event, not_active, not_found};
use super::rotate_token::overlap_too_long;
use super::{App, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::{AuditChange, AuditEvent};
use crate::domain::clock::Timestamp;
use crate::domain::ids::TokenId;
use crate::domain::operator::Principal;
use crate::domain::secure_token::{EndRefused, set_end};
use crate::store::audit;
use crate::store::tokens::{self, TokenView};

/// Sets the first instant at which the token is refused. `version` is as it was read.
///
/// # Errors
/// `NotFound`, `ConflictVersion`, `TokenNotActive`, `TokenLastActive`, `TooSmall` (in the past), `OverlapTooLong`.
pub async fn set_token_end(
    app: &App,
    principal: &Principal,
    (id, version): (TokenId, i32),
    end: Timestamp,
) -> Outcome<TokenView> {
    let Some(old) = tokens::find(&app.database, id).await? else { return Ok(Err(not_found())) };
    let now = app.clock.now();
    let seconds_max = app.token_overlap_seconds_max();
    if end > now.plus_seconds(i64::from(seconds_max)) {
        return Ok(Err(refused(EndRefused::OverlapTooLong, seconds_max)));
    }
    let event = event(app, principal, "secure_token.set_end", &old, Vec::new());
    let scope = old.token.scope;
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let siblings = tokens::siblings(tx, scope).await?;
            let Some(before) = siblings.iter().find(|token| token.id == id) else { return Ok(Err(not_found())) };
            if before.version != version {
                return Ok(Err(conflict(before.version)));
            }
            let after = match set_end(before, &siblings, end, now) {
                Ok(after) => after,
                Err(reason) => return Ok(Err(refused(reason, seconds_max))),
            };
            tokens::update(tx, &after).await?;
            let changes = vec![AuditChange::new("retiring_until", end_text(before), end_text(&after))];
            audit::insert(tx, AuditEvent { changes, ..event }).await?;
            Ok(Ok(after))
        })
    }));
    let token = match written.await? {
        Ok(token) => token,
        Err(errors) => return Ok(Err(errors)),
    };
    snapshot::refresh_after_write(app).await;
    Ok(Ok(TokenView { token, ..old }))
}

fn refused(refused: EndRefused, seconds_max: u32) -> Vec<UserError> {
    let field = &["retiringUntil"];
    match refused {
        EndRefused::NotActive => not_active("The token is revoked, or its end has come."),
        EndRefused::LastActive => {
            let message = "This is the last active token of its scope: without it every request would be refused.";
            vec![UserError::new(UserErrorCode::TokenLastActive, &["id"], message).with_hint("Rotate it instead.")]
        }
        EndRefused::InThePast => {
            vec![UserError::new(UserErrorCode::TooSmall, field, "This instant is over: now ends the token at once.")]
        }
        EndRefused::OverlapTooLong => vec![overlap_too_long(field, seconds_max)],
    }
}
