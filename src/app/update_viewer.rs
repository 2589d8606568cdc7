//! What a signed-in person changes about themselves: name, time zone, password.
//!
//! Another password needs the one of now, whose tries count as those of signing in: a stolen access token must not be
//! a way to guess it. It ends every other session, and the access tokens of this one, which goes on with its next
//! refresh. Refuses API keys: a key is nobody.

use secrecy::{ExposeSecret, SecretString};

use super::form::Form;
use super::lockout::Pair;
use super::operators::{about, not_found, read_name, read_time_zone, weak};
use super::{App, AppError, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::differences;
use crate::domain::clock::Timestamp;
use crate::domain::operator::{Operator, Principal, check_password};
use crate::store::{audit, invitations, operators, sessions};

/// What is to change; `None` leaves it.
#[derive(Debug, Default)]
pub struct ViewerChanges {
    pub name: Option<String>,
    /// `Some(None)`: that of the workspace.
    pub time_zone: Option<Option<String>>,
    pub current_password: Option<SecretString>,
    pub new_password: Option<SecretString>,
}

/// What was read and proved of them.
struct Checked {
    name: Option<String>,
    time_zone: Option<Option<String>>,
    /// Of the new password.
    hash: Option<SecretString>,
}

/// Changes the person behind `principal`.
///
/// # Errors
/// `Invalid` (an API key, a wrong password, the time zone), `Required`, `TooLong`, `PasswordTooWeak`; `LimitExceeded`
/// after too many wrong passwords.
pub async fn update_viewer(app: &App, principal: &Principal, changes: ViewerChanges) -> Outcome<Operator> {
    let (Some(id), Some(session)) = (principal.operator, principal.session) else { return Ok(Err(vec![no_person()])) };
    let Some(found) = operators::find_with_password(app.database.read(), id).await? else {
        return Ok(Err(vec![not_found(&[])]));
    };
    let (before, stored) = (found.operator, found.password_hash);
    let checked = match check(app, principal, &before, stored, changes).await? {
        Ok(checked) => checked,
        Err(errors) => return Ok(Err(errors)),
    };
    let action = if checked.hash.is_some() { "operator.set_password" } else { "operator.update" };
    let event = about(app, (id, &before.name), principal, action, Vec::new());
    let (now, token_version) = (app.clock.now(), before.token_version);
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(before) = operators::find(tx, id).await? else { return Ok(Err(not_found(&[]))) };
            let after = changed(&before, checked.name, checked.time_zone);
            let changes = differences(fields(&before), fields(&after));
            if changes.is_empty() && checked.hash.is_none() {
                return Ok(Ok(before));
            }
            if !changes.is_empty() && !operators::update(tx, &after).await? {
                return Ok(Err(not_found(&[])));
            }
            if let Some(hash) = checked.hash {
                if before.token_version != token_version {
                    // Somebody changed the password, or the role, since this one was proved.
                    return Ok(Err(changed_meanwhile()));
                }
                operators::set_password(tx, id, &hash).await?;
                sessions::revoke_all(tx, id, Some(session), now).await?;
                invitations::delete(tx, id).await?;
            }
            let mut event = event;
            event.changes = changes;
            audit::insert(tx, event).await?;
            Ok(Ok(after))
        })
    }));
    let written = written.await?.map_err(|error| vec![error]);
    snapshot::refresh_after_write(app).await;
    Ok(written)
}

async fn check(
    app: &App,
    principal: &Principal,
    operator: &Operator,
    stored: Option<SecretString>,
    changes: ViewerChanges,
) -> Outcome<Checked> {
    let mut form = Form::new(None);
    let name = changes.name.map(|name| read_name(&mut form, &name));
    let time_zone = changes.time_zone.map(|zone| zone.and_then(|zone| read_time_zone(&mut form, &zone)));
    let (current, new) = (changes.current_password, changes.new_password);
    match (&current, &new) {
        (None, Some(_)) => form.refuse(UserErrorCode::Required, &["currentPassword"], "Send the password of now too."),
        (Some(_), None) => form.refuse(UserErrorCode::Required, &["newPassword"], "Send the new password too."),
        (Some(_), Some(_)) | (None, None) => {}
    }
    let read = match form.finish(Some(Checked { name, time_zone, hash: None })) {
        Ok(read) => read,
        Err(errors) => return Ok(Err(errors)),
    };
    let (Some(current), Some(new)) = (current, new) else { return Ok(Ok(read)) };
    if let Err(refused) = check_password(new.expose_secret(), &operator.email) {
        return Ok(Err(vec![weak(refused, &["newPassword"])]));
    }
    if let Err(error) = prove(app, principal, operator, current, stored).await? {
        return Ok(Err(vec![error]));
    }
    let hash = app.identity.passwords.hash(new, app.entropy.as_ref()).await?;
    Ok(Ok(Checked { hash: Some(hash), ..read }))
}

/// Is `current` their password? Tries count with those of signing in.
async fn prove(
    app: &App,
    principal: &Principal,
    operator: &Operator,
    current: SecretString,
    stored: Option<SecretString>,
) -> Result<Result<(), UserError>, AppError> {
    let pair = Pair::of(&operator.email, principal.address);
    if let Err(until) = app.identity.lockout.begin(pair, app.clock.now()) {
        return Ok(Err(locked(until)));
    }
    let right = app.identity.passwords.verify(current, stored).await;
    if right.inspect_err(|_| app.identity.lockout.withdraw(pair))? {
        app.identity.lockout.succeeded(pair);
        return Ok(Ok(()));
    }
    let message = "This is not your password.";
    Ok(Err(UserError::new(UserErrorCode::Invalid, &["currentPassword"], message)))
}

/// One version on, when anything differs.
fn changed(before: &Operator, name: Option<String>, time_zone: Option<Option<String>>) -> Operator {
    Operator {
        name: name.unwrap_or_else(|| before.name.clone()),
        time_zone: time_zone.unwrap_or_else(|| before.time_zone.clone()),
        version: before.version.saturating_add(1),
        ..before.clone()
    }
}

fn fields(operator: &Operator) -> Vec<(&'static str, Option<String>)> {
    vec![("name", Some(operator.name.clone())), ("timezone", operator.time_zone.clone())]
}

fn no_person() -> UserError {
    UserError::new(UserErrorCode::Invalid, &[], "An API key is no person: sign in.")
}

fn locked(until: Timestamp) -> UserError {
    let message = "Too many wrong passwords.";
    let error = UserError::new(UserErrorCode::LimitExceeded, &["currentPassword"], message);
    error.with_hint(format!("Try again after {until}."))
}

fn changed_meanwhile() -> UserError {
    let message = "Your account was changed meanwhile: try again.";
    UserError::new(UserErrorCode::ConflictVersion, &["currentPassword"], message)
}
