//! Inviting somebody: an operator without a password, and a link with which they set one.
//!
//! The link is shown once, to whoever made it; the server sends no e-mail. Its code stands behind `#`, which no
//! browser sends to any server, so it is in no log. A newer link ends the older one; every link ends by itself. Whoever
//! lost their password gets a link too: nobody ever chooses another person's password.

use secrecy::SecretString;

use super::form::Form;
use super::idempotency::{gone, reused};
use super::operators::{
    Draft, about, first_fields, new_operator, not_found, read_email, read_name, read_time_zone, taken, too_many,
};
use super::{App, AppError, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::actor;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::OperatorId;
use crate::domain::one_time_code::OneTimeCode;
use crate::domain::operator::{ACTIVE_OPERATORS_MAX, Operator, Principal, Role};
use crate::store::idempotency::Earlier;
use crate::store::invitations::{self, NewInvitation};
use crate::store::operators::OperatorView;
use crate::store::{StoreError, audit, idempotency, operators, settings};

/// Where the dashboard takes a code.
const PATH: &str = "dashboard/invite";

/// Who is to be invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationDraft {
    pub email: String,
    pub name: String,
    pub role: Role,
    /// None: that of the workspace.
    pub time_zone: Option<String>,
}

/// An operator with their link.
#[derive(Debug)]
pub struct Invited {
    pub view: OperatorView,
    /// For the one answer that shows it; none where an earlier call under the same key made it.
    pub link: Option<SecretString>,
}

/// Makes an operator who sets their password by the link; sent twice under one key, it makes one and shows the link once.
///
/// # Errors
/// `Invalid`, `Required`, `TooLong` (address, name, time zone), `Taken` (the address), `LimitExceeded`,
/// `IdempotencyKeyReused`.
pub async fn invite_operator(
    app: &App,
    principal: &Principal,
    draft: InvitationDraft,
    once: Option<IdempotentCall>,
) -> Outcome<Invited> {
    let operator = match read(app, draft) {
        Ok(operator) => operator,
        Err(errors) => return Ok(Err(errors)),
    };
    let (code, invitation) = new_invitation(app, principal, operator.id);
    let subject = (operator.id, operator.name.as_str());
    let event = about(app, subject, principal, "operator.invite", first_fields(&operator));
    let (row, now) = (operator.clone(), app.clock.now());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            match idempotency::find(tx, once.as_ref(), now).await? {
                Earlier::None => {}
                Earlier::OtherArguments => return Ok(Err(reused())),
                Earlier::Same(answer) => return Ok(Ok(Some(answer))),
            }
            if operators::count_active(tx).await? >= ACTIVE_OPERATORS_MAX {
                return Ok(Err(too_many(&["operator"])));
            }
            idempotency::insert(tx, once.as_ref(), row.id.to_string(), now).await?;
            operators::insert(tx, &row, None).await?;
            settings::complete_setup(tx, row.created_at).await?;
            invitations::upsert(tx, invitation).await?;
            audit::insert(tx, event).await?;
            Ok(Ok(None))
        })
    }));
    match written.await {
        Ok(Ok(None)) => invited(app, operator.id, &code).await,
        Ok(Ok(Some(answer))) => invited_before(app, &answer).await,
        Ok(Err(error)) => Ok(Err(vec![error])),
        Err(StoreError::Taken(_)) => Ok(Err(vec![taken(&operator.email, &["operator", "email"])])),
        Err(error) => Err(error.into()),
    }
}

/// What the first call under the key made, as it is now.
async fn invited_before(app: &App, answer: &str) -> Outcome<Invited> {
    let Some(id) = OperatorId::parse(answer) else { return Ok(Err(gone())) };
    let view = operators::find_view(&app.database, id).await?;
    Ok(view.map(|view| Invited { view, link: None }).ok_or_else(gone))
}

/// Makes another link for an operator, who may have a password already.
///
/// # Errors
/// `NotFound`; `Invalid` when they are switched off.
pub async fn invite_again(app: &App, principal: &Principal, id: OperatorId) -> Outcome<Invited> {
    let (code, invitation) = new_invitation(app, principal, id);
    let event = about(app, (id, ""), principal, "operator.invite_again", Vec::new());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(operator) = operators::find(tx, id).await? else { return Ok(Err(not_found(&["id"]))) };
            if !operator.is_active {
                return Ok(Err(switched_off()));
            }
            invitations::upsert(tx, invitation).await?;
            let mut event = event;
            event.subject_label = operator.name;
            audit::insert(tx, event).await?;
            Ok(Ok(()))
        })
    }));
    match written.await? {
        Ok(()) => invited(app, id, &code).await,
        Err(error) => Ok(Err(vec![error])),
    }
}

fn read(app: &App, draft: InvitationDraft) -> Result<Operator, Vec<UserError>> {
    let mut form = Form::new(Some("operator"));
    let email = read_email(&mut form, &draft.email);
    let name = read_name(&mut form, &draft.name);
    let time_zone = draft.time_zone.and_then(|zone| read_time_zone(&mut form, &zone));
    let draft = form.finish(Some(Draft { email, name, role: draft.role }))?;
    Ok(Operator { time_zone, ..new_operator(app, draft, false) })
}

fn new_invitation(app: &App, principal: &Principal, operator: OperatorId) -> (OneTimeCode, NewInvitation) {
    let code = OneTimeCode::mint(app.entropy.as_ref());
    let now = app.clock.now();
    let invitation = NewInvitation {
        operator,
        digest: code.digest(),
        created_at: now,
        created_by: actor(principal),
        expires_at: now.plus_seconds(i64::from(app.identity.invite_seconds)),
    };
    (code, invitation)
}

async fn invited(app: &App, id: OperatorId, code: &OneTimeCode) -> Outcome<Invited> {
    snapshot::refresh_after_write(app).await;
    let link = Some(link(app, code)?);
    let view = operators::find_view(&app.database, id).await?;
    Ok(view.map(|view| Invited { view, link }).ok_or_else(|| vec![not_found(&["id"])]))
}

fn link(app: &App, code: &OneTimeCode) -> Result<SecretString, AppError> {
    let place = app.options.public_url.join(PATH);
    let place = place.map_err(|error| AppError::Internal(format!("no link could be made: {error}")))?;
    Ok(SecretString::from(format!("{place}#code={}", code.reveal())))
}

fn switched_off() -> UserError {
    let message = "This operator is switched off.";
    UserError::new(UserErrorCode::Invalid, &["id"], message).with_hint("Switch them on first.")
}
