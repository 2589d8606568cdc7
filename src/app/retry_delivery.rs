//! Sending a delivery again: a dead letter once its cause is mended, or one that a publisher has lost.
//!
//! It begins anew, with all of its tries, under the same `webhook-id`: whoever has it already sees that. One that is on
//! its way just now is left alone. Refuses what would be sent nowhere: tests, and deliveries of a rule that is off.

use super::idempotency::{again_if_taken, gone, reused};
use super::{App, Outcome, UserError, UserErrorCode};
use crate::domain::audit::AuditEvent;
use crate::domain::delivery::Delivery;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::DeliveryId;
use crate::domain::operator::Principal;
use crate::store::idempotency::Earlier;
use crate::store::{audit, idempotency, outbox};

/// Sends a delivery again at once.
///
/// # Errors
/// `NotFound`; `Invalid` for a test; `InUse` where its rule is switched off or deleted; `IdempotencyKeyReused`.
pub async fn retry_delivery(
    app: &App,
    principal: &Principal,
    id: DeliveryId,
    once: Option<IdempotentCall>,
) -> Outcome<Delivery> {
    let Some(found) = outbox::find_many(&app.database, &[id]).await?.remove(&id) else {
        return Ok(Err(vec![not_found()]));
    };
    if found.is_test() {
        let message = "A test is not sent again: send a new one.";
        return Ok(Err(vec![UserError::new(UserErrorCode::Invalid, &["id"], message)]));
    }
    if !app.snapshot.load().outbound.get(found.rule).is_some_and(|rule| rule.is_enabled) {
        return Ok(Err(vec![switched_off("id")]));
    }
    let now = app.clock.now();
    let label = id.to_string();
    let event = AuditEvent::new(principal, "delivery.retry", (&id, &label), Vec::new(), (&*app.clock, &*app.entropy));
    let written = again_if_taken(|| {
        let (event, once) = (event.clone(), once.clone());
        app.database.side_decision(Box::new(move |tx| {
            Box::pin(async move {
                match idempotency::find(tx, once.as_ref(), now).await? {
                    Earlier::None => {}
                    Earlier::OtherArguments => return Ok(Err(vec![reused()])),
                    Earlier::Same(_) => return Ok(outbox::find_in(tx, id).await?.ok_or_else(gone)),
                }
                let Some(again) = outbox::send_again(tx, id, now).await? else { return Ok(Err(vec![not_found()])) };
                idempotency::insert(tx, once.as_ref(), id.to_string(), now).await?;
                audit::insert(tx, event).await?;
                Ok(Ok(again))
            })
        }))
    });
    let written = written.await?;
    app.intake.outbox().notify_one();
    Ok(written)
}

pub(super) fn switched_off(field: &str) -> UserError {
    let message = "Its rule is switched off or deleted: it would be sent nowhere.";
    UserError::new(UserErrorCode::InUse, &[field], message).with_hint("Switch the rule on first.")
}

fn not_found() -> UserError {
    UserError::new(UserErrorCode::NotFound, &["id"], "There is no such delivery.")
}
