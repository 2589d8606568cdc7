//! Rules of outbound postbacks that have only failed for five days are switched off, and say so in the audit trail.
//!
//! What was still to be sent becomes a dead letter: it can be sent again once somebody has mended the rule. Ending many
//! deliveries goes in small transactions; what a server that dies leaves open, the next hourly pass ends.

use super::snapshot::refresh_after_write;
use super::{App, AppError};
use crate::domain::audit::{AuditChange, AuditEvent};
use crate::domain::clock::Timestamp;
use crate::domain::delivery::DeliveryState;
use crate::domain::ids::OutboundPostbackId;
use crate::domain::operator::Principal;
use crate::domain::outbound::{FAILING_SECONDS_MAX, OutboundPostback};
use crate::store::{Database, audit, outbound, outbox};
use crate::telemetry::field;

/// What the trail and the rule say.
const REASON: &str = "Every try for five days has failed.";

/// Switches off every rule whose time is over.
///
/// # Errors
/// The database is away.
pub(super) async fn switch_off_failing(app: &App) -> Result<(), AppError> {
    let before = app.clock.now().plus_seconds(-FAILING_SECONDS_MAX);
    for rule in outbound::find_failing(&app.database, before).await? {
        switch_off(app, &rule).await?;
    }
    Ok(())
}

/// Unless a try has succeeded meanwhile, or somebody has changed the rule.
async fn switch_off(app: &App, rule: &OutboundPostback) -> Result<(), AppError> {
    let (id, now) = (rule.id, app.clock.now());
    let changes = vec![
        AuditChange::new("enabled", Some("true".to_owned()), Some("false".to_owned())),
        AuditChange::new("disabledReason", None, Some(REASON.to_owned())),
    ];
    let by = (&*app.clock, &*app.entropy);
    let event = AuditEvent::new(&Principal::system(), "outbound_postback.switch_off", (&id, &rule.name), changes, by);
    let version = rule.version;
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let found = outbound::find_in(tx, id).await?;
            let same = found.filter(|now| now.version == version && now.failing_since.is_some());
            let Some(before) = same else { return Ok(Err(())) };
            let after = OutboundPostback {
                is_enabled: false,
                disabled_reason: Some(REASON.to_owned()),
                version: version.saturating_add(1),
                updated_at: now,
                ..before
            };
            if !outbound::update(tx, &after).await? {
                return Ok(Err(()));
            }
            audit::insert(tx, event).await?;
            Ok(Ok(()))
        })
    }));
    if written.await?.is_ok() {
        tracing::warn!({ field::OUTBOUND } = %id, "a rule of outbound postbacks is switched off: it has failed for five days");
        refresh_after_write(app).await;
        close_open(&app.database, id, DeliveryState::GaveUp, now).await?;
    }
    Ok(())
}

/// Ends all open deliveries of a rule, in small transactions; returns how many.
///
/// # Errors
/// The database is away; what was ended until then stays so.
pub(super) async fn close_open(
    database: &Database,
    rule: OutboundPostbackId,
    state: DeliveryState,
    now: Timestamp,
) -> Result<u64, AppError> {
    let mut closed = 0_u64;
    loop {
        let batch = database.side_write(Box::new(move |tx| Box::pin(outbox::close_open(tx, rule, state, now))));
        match batch.await? {
            0 => return Ok(closed),
            some => closed = closed.saturating_add(some),
        }
    }
}

/// Ends what is still open of rules that were deleted or switched themselves off; returns how many.
///
/// # Errors
/// As [`close_open`].
pub(super) async fn close_leftovers(database: &Database, now: Timestamp) -> Result<u64, AppError> {
    let mut closed = 0_u64;
    for rule in outbox::rules_to_close(database).await? {
        let state = if rule.deleted_at.is_some() { DeliveryState::Cancelled } else { DeliveryState::GaveUp };
        closed = closed.saturating_add(close_open(database, rule.id, state, now).await?);
    }
    Ok(closed)
}
