//! Changing an operator: name, role, time zone, switched on or off. What changes what they may do works at once.
//!
//! Another role, and being switched off, make every access token void: the next request is judged by what holds now.
//! Whoever is switched off loses their sessions and their invitation too. Refuses to leave nobody who can sign in as
//! an administrator: control writes run one at a time, so of two who demote each other at once one is refused. What
//! somebody did stays in the audit trail.

use super::form::Form;
use super::operators::{about, not_found, read_name, read_time_zone, too_many};
use super::{App, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::{AuditEvent, differences};
use crate::domain::ids::OperatorId;
use crate::domain::operator::{ChangeRefused, Operator, Principal, Role, judge_change};
use crate::store::operators::OperatorView;
use crate::store::{audit, invitations, operators, sessions};

/// What is to change; `None` leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorChanges {
    pub name: Option<String>,
    pub role: Option<Role>,
    /// `Some(None)`: that of the workspace.
    pub time_zone: Option<Option<String>>,
    pub is_active: Option<bool>,
}

impl OperatorChanges {
    /// Switches somebody on or off, and nothing else.
    pub fn activity(is_active: bool) -> Self {
        Self { is_active: Some(is_active), ..Self::default() }
    }

    /// Gives somebody another role, and nothing else.
    pub fn role(role: Role) -> Self {
        Self { role: Some(role), ..Self::default() }
    }
}

/// Changes an operator; what is as asked already stays as it is.
///
/// # Errors
/// `NotFound`; `Required`, `TooLong`, `Invalid` (name, time zone); `LastAdmin`; `LimitExceeded` when switching
/// somebody on again would be one active operator too many.
pub async fn update_operator(
    app: &App,
    principal: &Principal,
    id: OperatorId,
    changes: OperatorChanges,
) -> Outcome<OperatorView> {
    let changes = match read(changes) {
        Ok(changes) => changes,
        Err(errors) => return Ok(Err(errors)),
    };
    let now = app.clock.now();
    let event = about(app, (id, ""), principal, "operator.update", Vec::new());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(before) = operators::find(tx, id).await? else { return Ok(Err(not_found(&["id"]))) };
            let after = changed(&before, changes);
            if after == before {
                return Ok(Ok(()));
            }
            let (admins, active) = (operators::count_working_admins(tx).await?, operators::count_active(tx).await?);
            if let Err(refused) = judge_change(&before, &after, admins, active) {
                return Ok(Err(told(refused, &after)));
            }
            if !operators::update(tx, &after).await? {
                return Ok(Err(not_found(&["id"])));
            }
            if before.is_active && !after.is_active {
                sessions::revoke_all(tx, id, None, now).await?;
                invitations::delete(tx, id).await?;
            }
            audit::insert(tx, entry(event, &before, &after)).await?;
            Ok(Ok(()))
        })
    }));
    if let Err(error) = written.await? {
        return Ok(Err(vec![error]));
    }
    snapshot::refresh_after_write(app).await;
    let view = operators::find_view(&app.database, id).await?;
    Ok(view.ok_or_else(|| vec![not_found(&["id"])]))
}

fn read(changes: OperatorChanges) -> Result<OperatorChanges, Vec<UserError>> {
    let mut form = Form::new(Some("operator"));
    let name = changes.name.map(|name| read_name(&mut form, &name));
    let time_zone = changes.time_zone.map(|zone| zone.and_then(|zone| read_time_zone(&mut form, &zone)));
    form.finish(Some(OperatorChanges { name, time_zone, ..changes }))
}

/// One version on, when anything differs.
fn changed(before: &Operator, changes: OperatorChanges) -> Operator {
    let after = Operator {
        name: changes.name.unwrap_or_else(|| before.name.clone()),
        role: changes.role.unwrap_or(before.role),
        time_zone: changes.time_zone.unwrap_or_else(|| before.time_zone.clone()),
        is_active: changes.is_active.unwrap_or(before.is_active),
        ..before.clone()
    };
    if after == *before {
        return after;
    }
    let voids = after.role != before.role || after.is_active != before.is_active;
    let token_version = before.token_version.saturating_add(i32::from(voids));
    Operator { token_version, version: before.version.saturating_add(1), ..after }
}

fn told(refused: ChangeRefused, after: &Operator) -> UserError {
    match refused {
        ChangeRefused::LastAdmin => {
            let field = if after.is_active { "role" } else { "isActive" };
            let message = "This is the last active administrator.";
            let error = UserError::new(UserErrorCode::LastAdmin, &["operator", field], message);
            error.with_hint("Make somebody else an administrator first.")
        }
        ChangeRefused::TooManyActive => too_many(&["operator", "isActive"]),
    }
}

fn entry(event: AuditEvent, before: &Operator, after: &Operator) -> AuditEvent {
    let action = match (before.is_active, after.is_active) {
        (true, false) => "operator.deactivate",
        (false, true) => "operator.activate",
        (true, true) | (false, false) => "operator.update",
    };
    let changes = differences(fields(before), fields(after));
    AuditEvent { action: action.to_owned(), subject_label: after.name.clone(), changes, ..event }
}

fn fields(operator: &Operator) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("name", Some(operator.name.clone())),
        ("role", Some(operator.role.as_str().to_owned())),
        ("timezone", operator.time_zone.clone()),
        ("isActive", Some(operator.is_active.to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{operator, test_app};
    use super::*;

    #[tokio::test]
    async fn the_last_active_administrator_stays() {
        let (app, _folder) = test_app().await;
        let by = Principal::system();
        let ada = operator(&app, "ada@example.com", Role::Admin).await;
        let bob = operator(&app, "bob@example.com", Role::Admin).await;
        let off = update_operator(&app, &by, ada.id, OperatorChanges::activity(false)).await.unwrap().unwrap();
        assert!(!off.operator.is_active && !app.snapshot.load().operators[&ada.id].is_active);
        for changes in [OperatorChanges::activity(false), OperatorChanges::role(Role::Manager)] {
            let refused = update_operator(&app, &by, bob.id, changes).await.unwrap().unwrap_err();
            assert_eq!((refused.len(), refused[0].code), (1, UserErrorCode::LastAdmin));
        }
        let again = update_operator(&app, &by, ada.id, OperatorChanges::activity(true)).await.unwrap().unwrap();
        assert_eq!((again.operator.is_active, again.operator.token_version), (true, ada.token_version + 2));
    }

    #[tokio::test]
    async fn nothing_is_written_when_all_is_as_asked() {
        let (app, _folder) = test_app().await;
        let ada = operator(&app, "ada@example.com", Role::Viewer).await;
        let same = OperatorChanges { name: Some(" Grace ".into()), ..OperatorChanges::activity(true) };
        let view = update_operator(&app, &Principal::system(), ada.id, same).await.unwrap().unwrap();
        assert_eq!(view.operator, ada);
        assert_eq!(audit::find_by_subject(&app.database, &ada.id.to_string(), 10).await.unwrap().len(), 1);
    }
}
