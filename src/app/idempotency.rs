//! Calls that may be sent twice: what every create and every bulk call does with the key of its caller.
//!
//! The key is looked for and kept in the transaction of the effect, so there is no instant at which one is there without
//! the other. The first answer is said again from what is there now, by the ids that were kept: a secret is not among
//! them, so it is shown once and never again. A call that was refused leaves no key.

use super::{App, UserError, UserErrorCode};
use crate::domain::audit::actor;
use crate::domain::idempotency::{IdempotentCall, KEY_CHARACTERS_MAX, KeyRefused};
use crate::domain::operator::Principal;
use crate::store::StoreError;

/// A call of `field` under a key of the caller's. `arguments` has one spelling for equal arguments.
///
/// # Errors
/// `Required`, `TooLong`, `Invalid` (the key).
pub fn idempotent_call(
    app: &App,
    principal: &Principal,
    field: &str,
    key: &str,
    arguments: &str,
) -> Result<IdempotentCall, UserError> {
    IdempotentCall::new(&app.keyring, actor(principal), field, key, arguments).map_err(|refused| {
        let (code, message) = match refused {
            KeyRefused::Empty => (UserErrorCode::Required, "A key has at least one character.".to_owned()),
            KeyRefused::TooLong => {
                (UserErrorCode::TooLong, format!("A key has at most {KEY_CHARACTERS_MAX} characters."))
            }
            KeyRefused::ControlCharacter => (UserErrorCode::Invalid, "A key has no control characters.".to_owned()),
        };
        UserError::new(code, &["idempotencyKey"], message)
    })
}

/// Of two equal calls at once, one finds the key taken when it writes it, and is undone: looked at again, the first is
/// there. Not needed for control writes, which run one at a time.
pub(super) async fn again_if_taken<T, F>(decide: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    match decide().await {
        Err(StoreError::Taken(_)) => decide().await,
        decided => decided,
    }
}

pub(super) fn reused() -> UserError {
    let message = "This key was used for a call with other arguments.";
    UserError::new(UserErrorCode::IdempotencyKeyReused, &["idempotencyKey"], message)
        .with_hint("Use a new key for every new call; a key is remembered for 24 hours.")
}

/// What the first call made was removed since.
pub(super) fn gone() -> Vec<UserError> {
    let message = "This call was carried out before, and what it made is not there any more.";
    vec![UserError::new(UserErrorCode::NotFound, &["idempotencyKey"], message)]
}
