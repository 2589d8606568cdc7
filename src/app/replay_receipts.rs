//! Sending refused requests again from their receipts, after the cause was mended.
//!
//! Each goes through intake like any other request (`domain::replay` says which, and what is restored of it): the same
//! keys, so that a repeat stays a duplicate, and its own time. It leaves a receipt that names the first one, which
//! keeps its own verdict.

use super::explain_postback::Explained;
use super::{App, Outcome, UserError, UserErrorCode};
use crate::domain::answer::Answer;
use crate::domain::ids::ReceiptId;
use crate::domain::receipt::Receipt;
use crate::domain::replay::replay;
use crate::domain::screening::Hit;
use crate::domain::secure_token::TokenState;
use crate::store::receipts;

/// What the request of a receipt would come to now; nothing is written.
///
/// # Errors
/// `NotFound`; `Invalid` where it cannot be sent again.
pub async fn explain_replay(app: &App, id: ReceiptId) -> Outcome<Explained> {
    let Some(receipt) = receipts::find(&app.database, id).await? else {
        return Ok(Err(vec![UserError::new(UserErrorCode::NotFound, &["id"], "There is no such receipt.")]));
    };
    let hit = match restored(app, &receipt) {
        Ok(hit) => hit,
        Err(fault) => return Ok(Err(vec![fault])),
    };
    let rehearsed = app.intake.rehearse(&hit).await?;
    Ok(Ok(Explained { answer: rehearsed.answer, checks: rehearsed.checks, params: hit.params }))
}

/// Sends the request of a receipt again; what it is answered.
///
/// # Errors
/// `Invalid` where it cannot be sent again. Ours: the outcome is not known, and to try again is safe.
pub(super) async fn send_again(app: &App, receipt: &Receipt) -> Outcome<Answer> {
    match restored(app, receipt) {
        Ok(hit) => Ok(Ok(app.intake.settle(hit).await?)),
        Err(fault) => Ok(Err(vec![fault])),
    }
}

/// What [`send_again`] would be answered; nothing is written.
///
/// # Errors
/// As [`send_again`].
pub(super) async fn rehearse(app: &App, receipt: &Receipt) -> Outcome<Answer> {
    match restored(app, receipt) {
        Ok(hit) => Ok(Ok(app.intake.rehearse(&hit).await?.answer)),
        Err(fault) => Ok(Err(vec![fault])),
    }
}

fn restored(app: &App, receipt: &Receipt) -> Result<Hit, UserError> {
    let refuse = |message: String| UserError::new(UserErrorCode::Invalid, &["id"], message);
    let new = ReceiptId::mint(&*app.clock, &*app.entropy);
    let hit = replay(receipt, new, app.clock.now()).map_err(|not| refuse(not.to_string()))?;
    let snapshot = app.snapshot.load();
    match receipt.token.and_then(|token| snapshot.token_by_id(token)).map(|token| token.state) {
        Some(TokenState::Active | TokenState::Retiring | TokenState::Retired) => Ok(hit),
        Some(TokenState::Revoked) | None => {
            let message = "The token of this request was revoked: it may have been in wrong hands before.";
            Err(refuse(message.to_owned()).with_hint("Ask the sender to send it with its new token."))
        }
    }
}
