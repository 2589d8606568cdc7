//! Trying a rule of outbound postbacks: what it would send about a conversion, and a test that is really sent.
//!
//! A test tells of no change: it is sent once, at once, with a mark that says so, and is kept with what came back like
//! every other delivery. Without a conversion it is about one that does not exist. Refuses nothing that the worker
//! would not refuse, so that a test shows what will happen.

use super::manage_outbound::not_found;
use super::outbound_request::{Tried, try_once};
use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::audit::AuditEvent;
use crate::domain::clock::Timestamp;
use crate::domain::conversion::Change;
use crate::domain::delivery::{Delivery, DeliveryState, TryOutcome};
use crate::domain::ids::{ConversionId, DeliveryId, OfferId, OutboundPostbackId, PublisherId};
use crate::domain::money::{Currency, Micros};
use crate::domain::operator::Principal;
use crate::domain::outbound::{Moment, OutboundPostback};
use crate::domain::outbound_message::{Message, Told};
use crate::domain::status::Status;
use crate::store::conversions::{self, Oldest};
use crate::store::page::{PAGE_SIZE_MAX, PageRequest};
use crate::store::{audit, outbound, outbox};

/// What the rule would send about the newest change of a conversion that it could tell.
///
/// # Errors
/// `NotFound` (rule, conversion); `Invalid` where the values do not fit the URL.
pub async fn preview_outbound(app: &App, id: OutboundPostbackId, conversion: ConversionId) -> Outcome<Message> {
    let Some(rule) = find_rule(app, id).await? else { return Ok(Err(vec![not_found()])) };
    let Some(told) = told_of(app, conversion, false).await? else { return Ok(Err(vec![no_conversion()])) };
    Ok(told.message(&rule).map_err(|error| {
        vec![UserError::new(UserErrorCode::Invalid, &["conversionId"], format!("It cannot be sent: {error}."))]
    }))
}

/// Sends a test, once, and waits for what comes back.
///
/// # Errors
/// `NotFound` (rule, conversion).
pub async fn send_test_outbound(
    app: &App,
    principal: &Principal,
    id: OutboundPostbackId,
    conversion: Option<ConversionId>,
) -> Outcome<Delivery> {
    let Some(rule) = find_rule(app, id).await? else { return Ok(Err(vec![not_found()])) };
    let told = match conversion {
        Some(conversion) => match told_of(app, conversion, true).await? {
            Some(told) => told,
            None => return Ok(Err(vec![no_conversion()])),
        },
        None => invented(app, &rule).ok_or_else(|| AppError::Internal("no test can be made up".to_owned()))?,
    };
    let (delivery, created_at) = (DeliveryId::mint(&*app.clock, &*app.entropy), app.clock.now());
    let Tried { attempt, outcome, .. } = try_once(app, &rule, &told, (delivery, 1)).await;
    let delivery = ended(delivery, &rule, conversion, (told.moment, outcome), (created_at, app.clock.now()));
    let action = "outbound_postback.test";
    let event = AuditEvent::new(principal, action, (&id, &rule.name), Vec::new(), (&*app.clock, &*app.entropy));
    let row = delivery.clone();
    let written = app.database.side_write(Box::new(move |tx| {
        Box::pin(async move {
            outbox::insert_test(tx, &row, &attempt).await?;
            audit::insert(tx, event).await
        })
    }));
    written.await?;
    Ok(Ok(delivery))
}

async fn find_rule(app: &App, id: OutboundPostbackId) -> Result<Option<OutboundPostback>, AppError> {
    let found = outbound::find_many(&app.database, &[id]).await?.remove(&id);
    Ok(found.filter(|rule| rule.deleted_at.is_none()))
}

/// The newest change that a rule could tell; a conversion that was only ever Pending is told as recorded.
async fn told_of(app: &App, id: ConversionId, is_test: bool) -> Result<Option<Told>, AppError> {
    let Some(listed) = conversions::find(&app.database, id).await? else { return Ok(None) };
    let newest = PageRequest::parse(Oldest, None, None, Some(PAGE_SIZE_MAX), None);
    let newest = newest.map_err(|refused| AppError::Internal(refused.to_string()))?;
    let history = conversions::changes(&app.database, id, &newest).await?.into_values();
    let told = history.iter().rev().find_map(|change| moment_of(change).map(|moment| (change, moment)));
    Ok(told.map(|(change, moment)| Told::of(&listed.conversion, change, moment, is_test)))
}

fn moment_of(change: &Change) -> Option<Moment> {
    let moved = change.from != Some(change.to);
    match change.to {
        Status::Approved if moved => Some(Moment::Approved),
        Status::Rejected if moved => Some(Moment::Rejected),
        Status::Pending | Status::Approved | Status::Rejected => change.from.is_none().then_some(Moment::Recorded),
    }
}

/// A conversion that nobody has.
fn invented(app: &App, rule: &OutboundPostback) -> Option<Told> {
    let snapshot = app.snapshot.load();
    let moment = rule.moments.first().copied().unwrap_or(Moment::Approved);
    let offer = rule.offer.or_else(|| snapshot.offers.keys().min().copied());
    let publisher = rule.publisher.or_else(|| snapshot.publishers.keys().min().copied());
    let currency = offer.and_then(|offer| snapshot.offers.get(&offer)).map(|offer| offer.currency);
    let now = app.clock.now();
    Some(Told {
        moment,
        is_test: true,
        at: now,
        conversion: ConversionId::mint(&*app.clock, &*app.entropy),
        transaction_id: "test-transaction".to_owned(),
        external_transaction_id: Some("test-click".to_owned()),
        sub_ids: [Some("test-sub".to_owned()), None, None, None, None, None],
        status: match moment {
            Moment::Approved | Moment::Recorded => Status::Approved,
            Moment::Rejected => Status::Rejected,
        },
        rejection_reason: (moment == Moment::Rejected).then(|| "test".to_owned()),
        payout: Some(Micros::from_i64(1_000_000)),
        currency: currency.or_else(|| Currency::parse("EUR"))?,
        offer: offer.or_else(|| OfferId::new(1))?,
        publisher: publisher.or_else(|| PublisherId::new(1))?,
        event: rule.events.first().copied().unwrap_or(0),
        converted_at: now,
    })
}

fn ended(
    id: DeliveryId,
    rule: &OutboundPostback,
    conversion: Option<ConversionId>,
    (moment, outcome): (Moment, TryOutcome),
    (created_at, now): (Timestamp, Timestamp),
) -> Delivery {
    let state = match outcome {
        TryOutcome::Taken => DeliveryState::Succeeded,
        TryOutcome::Final | TryOutcome::Again { .. } => DeliveryState::GaveUp,
    };
    Delivery {
        id,
        rule: rule.id,
        conversion,
        change_number: None,
        moment,
        state,
        attempts: 1,
        tries: 1,
        awaits_click: false,
        created_at,
        ready_at: created_at,
        due_at: now,
        finished_at: Some(now),
    }
}

fn no_conversion() -> UserError {
    UserError::new(UserErrorCode::NotFound, &["conversionId"], "There is no such conversion.")
}
