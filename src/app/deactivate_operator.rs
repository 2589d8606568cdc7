//! Switching an operator off: signed out at once, and no longer let in.
//!
//! Whoever has left must not keep a session, so their sessions end with it and their access tokens are void. Refuses
//! the last active administrator: nobody could let anybody in again. What they did stays in the audit trail.

use super::{App, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::{AuditChange, AuditEvent};
use crate::domain::operator::{Operator, Principal, Role, parse_email};
use crate::store::{audit, operators, sessions};

/// Switches off the operator with this e-mail address.
///
/// # Errors
/// `NotFound`; `Invalid` when they are switched off already; `LastAdmin`.
pub async fn deactivate_operator(app: &App, principal: &Principal, email: &str) -> Outcome<Operator> {
    let found = match parse_email(email) {
        Some(email) => operators::find_by_email(app.database.read(), &email).await?,
        None => None,
    };
    let Some(operator) = found.map(|found| found.operator) else {
        return Ok(Err(refused(UserErrorCode::NotFound, "There is no operator with this address")));
    };
    let change = AuditChange::new("is_active", Some("true".to_owned()), Some("false".to_owned()));
    let chance = (app.clock.as_ref(), app.entropy.as_ref());
    let subject: (&dyn std::fmt::Display, &str) = (&operator.id, &operator.name);
    let event = AuditEvent::new(principal, "operator.deactivate", subject, vec![change], chance);
    let (id, now) = (operator.id, app.clock.now());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(operator) = operators::find(tx, id).await? else {
                return Ok(Err(refused(UserErrorCode::NotFound, "There is no such operator any more")));
            };
            if operator.role == Role::Admin && operator.is_active && operators::count_active_admins(tx).await? <= 1 {
                return Ok(Err(refused(UserErrorCode::LastAdmin, "This is the last active administrator")));
            }
            if !operators::deactivate(tx, id).await? {
                return Ok(Err(refused(UserErrorCode::Invalid, "This operator is switched off already")));
            }
            sessions::revoke_all(tx, id, now).await?;
            audit::insert(tx, event).await?;
            Ok(Ok(()))
        })
    }));
    if let Err(errors) = written.await? {
        return Ok(Err(errors));
    }
    snapshot::refresh_after_write(app).await;
    Ok(Ok(Operator { is_active: false, ..operator }))
}

fn refused(code: UserErrorCode, message: &str) -> Vec<UserError> {
    vec![UserError::new(code, &["email"], message)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixtures::test_app;
    use crate::app::operators::{Draft, create_operator};

    #[tokio::test]
    async fn the_last_active_administrator_stays() {
        let (app, _folder) = test_app().await;
        let by = Principal::system();
        let of = |email: &str| Draft { email: email.into(), name: "Ada".into(), role: Role::Admin };
        for email in ["ada@example.com", "bob@example.com"] {
            create_operator(&app, &by, of(email), "a long enough password".into()).await.unwrap().unwrap();
        }
        let off = deactivate_operator(&app, &by, "ADA@example.com").await.unwrap().unwrap();
        assert!(!off.is_active && !app.snapshot.load().operators[&off.id].is_active);
        let code = async |email: &str| deactivate_operator(&app, &by, email).await.unwrap().unwrap_err()[0].code;
        assert_eq!(code("ada@example.com").await, UserErrorCode::Invalid);
        assert_eq!(code("bob@example.com").await, UserErrorCode::LastAdmin);
        assert_eq!(code("nobody@example.com").await, UserErrorCode::NotFound);
    }
}
