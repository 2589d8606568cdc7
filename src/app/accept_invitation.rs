//! Accepting an invitation: whoever holds the code sets the password, once, and is signed in.
//!
//! The code is the proof, so a password is hashed only after it: nobody without one makes us work. Used, ended,
//! replaced and made-up codes get one answer. Every session that the operator had ends: a link is also the way back
//! for somebody whose password is known to a stranger.

use secrecy::{ExposeSecret, SecretString};

use super::operators::{about, weak};
use super::sign_in::{SignedIn, begin_session};
use super::{App, AppError, UserError, snapshot};
use crate::domain::one_time_code::{CodeDigest, OneTimeCode};
use crate::domain::operator::{Caller, Operator, Principal, check_password};
use crate::store::{audit, invitations, operators, sessions};

/// Why nobody was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptRefused {
    /// The code is none, or not any more.
    WrongCode,
    /// What the caller can mend.
    Invalid(Vec<UserError>),
}

/// Sets the password of the operator whom `code` invites, and signs them in.
///
/// # Errors
/// Our own failures only; then the code may be used again.
pub async fn accept_invitation(
    app: &App,
    code: &str,
    password: SecretString,
    caller: &Caller,
) -> Result<Result<SignedIn, AcceptRefused>, AppError> {
    let Some(digest) = OneTimeCode::parse(code).map(|code| code.digest()) else {
        return Ok(Err(AcceptRefused::WrongCode));
    };
    let Some(operator) = find_invited(app, &digest).await? else { return Ok(Err(AcceptRefused::WrongCode)) };
    if let Err(refused) = check_password(password.expose_secret(), &operator.email) {
        return Ok(Err(AcceptRefused::Invalid(vec![weak(refused, &["password"])])));
    }
    let hash = app.identity.passwords.hash(password, app.entropy.as_ref()).await?;
    let Some(operator) = use_code(app, operator, digest, hash, caller).await? else {
        return Ok(Err(AcceptRefused::WrongCode));
    };
    snapshot::refresh_after_write(app).await;
    let begun = begin_session(app, operator).await?;
    Ok(begun.ok_or(AcceptRefused::WrongCode))
}

async fn find_invited(app: &App, digest: &CodeDigest) -> Result<Option<Operator>, AppError> {
    let database = app.database.read();
    let Some(id) = invitations::find_invited(database, digest, app.clock.now()).await? else { return Ok(None) };
    let operator = operators::find(database, id).await?;
    Ok(operator.filter(|operator| operator.is_active))
}

/// The operator with the new password; none when the code was used or replaced meanwhile.
async fn use_code(
    app: &App,
    operator: Operator,
    digest: CodeDigest,
    hash: SecretString,
    caller: &Caller,
) -> Result<Option<Operator>, AppError> {
    let (id, now) = (operator.id, app.clock.now());
    let by = Principal::of_person(&operator, caller);
    let event = about(app, (id, &operator.name), &by, "operator.accept_invite", Vec::new());
    let work = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let invited = invitations::find_invited(tx, &digest, now).await?;
            let is_active = operators::find(tx, id).await?.is_some_and(|operator| operator.is_active);
            if invited != Some(id) || !is_active || !operators::set_password(tx, id, &hash).await? {
                return Ok(Err(()));
            }
            sessions::revoke_all(tx, id, None, now).await?;
            invitations::delete(tx, id).await?;
            audit::insert(tx, event).await?;
            Ok(operators::find(tx, id).await?.ok_or(()))
        })
    }));
    Ok(work.await?.ok())
}
