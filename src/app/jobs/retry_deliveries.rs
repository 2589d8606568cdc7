//! Sending many deliveries of one rule again: dead letters once their cause is mended.
//!
//! A step brings back the next few hundred, oldest first; the worker then sends them as it sends all others, so a
//! publisher is not flooded. A step that is done again finds what it brought back in another state, and passes over it.

use serde::{Deserialize, Serialize};

use super::{NewJob, Step, StepFailed, read_input, start, write_input};
use crate::app::retry_delivery::switched_off;
use crate::app::{App, Outcome, UserError, UserErrorCode};
use crate::domain::audit::AuditChange;
use crate::domain::clock::Timestamp;
use crate::domain::delivery::DeliveryState;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::{DeliveryId, OutboundPostbackId};
use crate::domain::job::{Job, JobKind, Progress};
use crate::domain::operator::Principal;
use crate::store::outbox::{self, Again};

const VERSION: i16 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Input {
    rule: OutboundPostbackId,
    /// Words of the states that are sent again.
    states: Vec<String>,
    /// Deliveries that were made later are not among them.
    asked_at: Timestamp,
}

/// Starts sending the deliveries of a rule again that are in any of `states` now; dead letters where none are named.
///
/// # Errors
/// `InUse` for a rule that is switched off or deleted; `Required` (states); `Invalid` for a state that is still open;
/// those of every job.
pub async fn retry_deliveries(
    app: &App,
    principal: &Principal,
    rule: OutboundPostbackId,
    states: Option<Vec<DeliveryState>>,
    once: Option<IdempotentCall>,
) -> Outcome<Job> {
    let states = states.unwrap_or_else(|| vec![DeliveryState::GaveUp]);
    if let Err(error) = check(&states) {
        return Ok(Err(vec![error]));
    }
    if !app.snapshot.load().outbound.get(rule).is_some_and(|rule| rule.is_enabled) {
        return Ok(Err(vec![switched_off("postbackId")]));
    }
    let states: Vec<String> = states.iter().map(|state| state.as_str().to_owned()).collect();
    let about = vec![
        AuditChange::new("postback", None, Some(rule.to_string())),
        AuditChange::new("states", None, Some(states.join(", "))),
    ];
    let input = write_input(&Input { rule, states, asked_at: app.clock.now() }, VERSION)?;
    start(app, principal, NewJob { kind: JobKind::DeliveriesRetry, input, total: None, about }, once).await
}

fn check(states: &[DeliveryState]) -> Result<(), UserError> {
    if states.is_empty() {
        return Err(UserError::new(UserErrorCode::Required, &["states"], "Name at least one state."));
    }
    if states.iter().any(|state| state.is_open()) {
        let message = "What is still open is sent anyway: name states in which a delivery has ended.";
        return Err(UserError::new(UserErrorCode::Invalid, &["states"], message));
    }
    Ok(())
}

/// Brings the next ones back.
pub(super) async fn step(app: &App, job: &Job) -> Result<Step, StepFailed> {
    let input: Input = read_input(&job.input, VERSION)?;
    let states = input.states.iter().map(|word| DeliveryState::parse(word));
    let states: Option<Vec<DeliveryState>> = states.collect();
    let states = states.ok_or_else(|| StepFailed::Impossible("It names a state that there is not.".to_owned()))?;
    let after = job.position.as_deref().and_then(DeliveryId::parse);
    let wanted = Again { rule: input.rule, states, after, made_before: input.asked_at.plus_millis(1) };
    let now = app.clock.now();
    let done = app.database.side_write(Box::new(move |tx| Box::pin(outbox::send_batch_again(tx, wanted, now))));
    let (sent, last) = done.await?;
    app.intake.outbox().notify_one();
    let sent = i64::try_from(sent).unwrap_or(i64::MAX);
    let total = last.is_none().then(|| job.progress.processed.saturating_add(sent));
    let did = Progress { total, processed: sent, succeeded: sent, failed: 0 };
    Ok(Step { next: last.map(|id| id.to_string()), did, errors: Vec::new() })
}
