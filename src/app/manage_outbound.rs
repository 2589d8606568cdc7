//! Making, changing and deleting the rules of outbound postbacks, and changing their secrets.
//!
//! Refuses what could never work or never be right: an unknown macro, a GET that names nothing of the publisher's own,
//! a URL that leads into our own network. A secret is shown once, when it is made. Deleting a rule ends what it still
//! had to send; its past deliveries stay.

use super::change_conversion::REASON_CHARACTERS_MAX;
use super::form::{Form, conflict, sentence};
use super::idempotency::{gone, reused};
use super::snapshot::refresh_after_write;
use super::switch_off_outbound::close_open;
use super::{App, AppError, Outcome, UserError, UserErrorCode};
use crate::domain::address::Reach;
use crate::domain::audit::{AuditChange, AuditEvent, beginnings, differences};
use crate::domain::clock::Timestamp;
use crate::domain::delivery::DeliveryState;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::{OfferId, OutboundPostbackId, PublisherId};
use crate::domain::operator::Principal;
use crate::domain::outbound::{
    DELAY_SECONDS_MAX, EVENTS_MAX, Method, Moment, OVERLAP_SECONDS_DEFAULT, OVERLAP_SECONDS_MAX, OutboundPostback,
    OutboundTemplate, PARAMETER_CHARACTERS_MAX, PUBLISHERS_OWN, REASONS_MAX, RULES_MAX, Signing, masked_url,
};
use crate::domain::signing::SigningSecret;
use crate::store::idempotency::Earlier;
use crate::store::outbound::MissingPartners;
use crate::store::{audit, idempotency, outbound};

/// What a form says about a rule; what is `None` stays as it is, and at creation is as it is by default. Where there
/// are two layers, `Some(None)` clears the field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboundDraft {
    /// Needed at creation.
    pub name: Option<String>,
    /// Off at creation only if it says so.
    pub is_enabled: Option<bool>,
    /// Cleared: of any.
    pub publisher: Option<Option<PublisherId>>,
    /// Cleared: of any.
    pub offer: Option<Option<OfferId>>,
    /// Approved by default.
    pub moments: Option<Vec<Moment>>,
    /// None chosen means every.
    pub rejection_reasons: Option<Vec<String>>,
    /// None chosen means every; the conversion itself by default.
    pub events: Option<Vec<i32>>,
    /// GET by default.
    pub method: Option<Method>,
    /// Needed at creation.
    pub url_template: Option<String>,
    pub signature_parameter: Option<Option<String>>,
    /// 0 by default.
    pub delay_seconds: Option<i32>,
}

/// A rule with its secret, for the one answer that shows it.
#[derive(Clone, Debug)]
pub struct IssuedRule {
    pub rule: OutboundPostback,
    /// Where this call has made it.
    pub secret: Option<SigningSecret>,
    /// The call had been carried out before, under the same key.
    pub is_repeated: bool,
}

/// Makes a rule; its secret is in the answer.
///
/// # Errors
/// Each with its path below `postback`: `Required`, `Invalid`, `TooLong`, `TooSmall`, `TooLarge`, `LimitExceeded`,
/// `UrlNotAllowed`, `UnknownMacro`, `NotFound` (publisher, offer).
pub async fn create_outbound(app: &App, principal: &Principal, draft: &OutboundDraft) -> Outcome<IssuedRule> {
    create_outbound_once(app, principal, draft, None).await
}

/// As [`create_outbound`], under a key of the caller's; the secret is in the first answer only.
///
/// # Errors
/// Those of [`create_outbound`]; `IdempotencyKeyReused`, and `NotFound` at the key for a rule that was deleted since.
pub async fn create_outbound_once(
    app: &App,
    principal: &Principal,
    draft: &OutboundDraft,
    once: Option<IdempotentCall>,
) -> Outcome<IssuedRule> {
    let mut form = Form::new(Some(ARGUMENT));
    form.require("name", draft.name.as_ref());
    form.require("urlTemplate", draft.url_template.as_ref());
    let read = Read::of(&mut form, draft);
    let needed = read.name.clone().zip(read.template.clone());
    let (name, template) = match form.finish(needed) {
        Ok(needed) => needed,
        Err(errors) => return Ok(Err(errors)),
    };
    let (secret, blank) = blank(app, name, template)?;
    let rule = read.applied(blank);
    if let Err(errors) = check_whole(app.publishers.reach(), &rule) {
        return Ok(Err(errors));
    }
    let event = event(app, principal, "outbound_postback.create", &rule, beginnings(fields(&rule)));
    let (row, now) = (rule, app.clock.now());
    let id = row.id;
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            match idempotency::find(tx, once.as_ref(), now).await? {
                Earlier::None => {}
                Earlier::OtherArguments => return Ok(Err(vec![reused()])),
                Earlier::Same(answer) => {
                    let first = match OutboundPostbackId::parse(&answer) {
                        Some(id) => live(outbound::find_in(tx, id).await?),
                        None => None,
                    };
                    return Ok(first.ok_or_else(gone));
                }
            }
            let mut errors = missing_partners(outbound::missing_partners(tx, row.publisher, row.offer).await?);
            if outbound::count_in(tx).await? >= RULES_MAX {
                errors.push(too_many());
            }
            if !errors.is_empty() {
                return Ok(Err(errors));
            }
            idempotency::insert(tx, once.as_ref(), row.id.to_string(), now).await?;
            outbound::insert(tx, &row).await?;
            audit::insert(tx, event).await?;
            Ok(Ok(row))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    Ok(written.map(|rule| {
        let is_repeated = rule.id != id;
        IssuedRule { rule, secret: (!is_repeated).then_some(secret), is_repeated }
    }))
}

/// Changes a rule. `version` is that of the row which the form was loaded from. What still waits is sent as the rule
/// is then.
///
/// # Errors
/// `NotFound`, `ConflictVersion`; for a field those of creation.
pub async fn update_outbound(
    app: &App,
    principal: &Principal,
    (id, version): (OutboundPostbackId, i32),
    draft: &OutboundDraft,
) -> Outcome<IssuedRule> {
    let mut form = Form::new(Some(ARGUMENT));
    let read = Read::of(&mut form, draft);
    let read = match form.finish(Some(read)) {
        Ok(read) => read,
        Err(errors) => return Ok(Err(errors)),
    };
    let (now, reach) = (app.clock.now(), app.publishers.reach().clone());
    let event = nameless_event(app, principal, "outbound_postback.update", id);
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(before) = live(outbound::find_in(tx, id).await?) else { return Ok(Err(vec![not_found()])) };
            if before.version != version {
                return Ok(Err(vec![conflict(before.version)]));
            }
            let mut after = read.applied(before.clone());
            let mut errors = check_whole(&reach, &after).err().unwrap_or_default();
            errors.extend(missing_partners(outbound::missing_partners(tx, after.publisher, after.offer).await?));
            if !errors.is_empty() {
                return Ok(Err(errors));
            }
            if after == before {
                return Ok(Ok(before));
            }
            restart(&before, &mut after);
            (after.version, after.updated_at) = (version.saturating_add(1), now);
            if !outbound::update(tx, &after).await? {
                return Ok(Err(vec![conflict(before.version)]));
            }
            let changes = changes(&before, &after);
            audit::insert(tx, AuditEvent { subject_label: after.name.clone(), changes, ..event }).await?;
            Ok(Ok(after))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    app.intake.outbox().notify_one();
    Ok(written.map(|rule| IssuedRule { rule, secret: None, is_repeated: false }))
}

/// Deletes a rule and cancels what it still had to send.
///
/// # Errors
/// `NotFound`.
pub async fn delete_outbound(app: &App, principal: &Principal, id: OutboundPostbackId) -> Outcome<OutboundPostbackId> {
    let now = app.clock.now();
    let event = nameless_event(app, principal, "outbound_postback.delete", id);
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(before) = live(outbound::find_in(tx, id).await?) else { return Ok(Err(vec![not_found()])) };
            let version = before.version.saturating_add(1);
            let name = before.name.clone();
            let after = OutboundPostback { deleted_at: Some(now), updated_at: now, version, ..before };
            if !outbound::update(tx, &after).await? {
                return Ok(Err(vec![conflict(version)]));
            }
            audit::insert(tx, AuditEvent { subject_label: name, ..event }).await?;
            Ok(Ok(()))
        })
    }));
    if let Err(errors) = written.await? {
        return Ok(Err(errors));
    }
    refresh_after_write(app).await;
    close_open(&app.database, id, DeliveryState::Cancelled, now).await?;
    Ok(Ok(id))
}

/// Gives a rule a new secret, which is in the answer. The old one signs beside it for the overlap: 24 hours where none
/// is asked for, 30 days at most; 0 ends it at once.
///
/// # Errors
/// `NotFound`; `TooSmall` and `OverlapTooLong`; `RotationOpen` while an overlap is open, unless it is to end at once:
/// a double click would cut off the secret that the publisher checks with.
pub async fn rotate_outbound_secret(
    app: &App,
    principal: &Principal,
    id: OutboundPostbackId,
    overlap_seconds: Option<i32>,
) -> Outcome<IssuedRule> {
    let overlap = overlap_seconds.unwrap_or(OVERLAP_SECONDS_DEFAULT);
    if let Err(error) = check_overlap(overlap) {
        return Ok(Err(vec![error]));
    }
    let secret = SigningSecret::generate(&*app.entropy);
    let (sealed, hint, now) = (seal(app, &secret, id)?, secret.hint(), app.clock.now());
    let event = nameless_event(app, principal, "outbound_postback.secret_rotate", id);
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            let Some(before) = live(outbound::find_in(tx, id).await?) else { return Ok(Err(vec![not_found()])) };
            if let Some(until) = before.signing.overlap_until(now).filter(|_| overlap > 0) {
                return Ok(Err(vec![rotation_open(until)]));
            }
            let after = rotated(&before, (sealed, hint), overlap, now);
            if !outbound::update(tx, &after).await? {
                return Ok(Err(vec![conflict(before.version)]));
            }
            let until = |rule: &OutboundPostback| rule.signing.previous.as_ref().map(|(_, until)| until.to_string());
            let changes = vec![
                AuditChange::new("signingHint", Some(before.signing.hint.clone()), Some(after.signing.hint.clone())),
                AuditChange::new("previousSecretUntil", until(&before), until(&after)),
            ];
            audit::insert(tx, AuditEvent { subject_label: after.name.clone(), changes, ..event }).await?;
            Ok(Ok(after))
        })
    }));
    let written = written.await?;
    refresh_after_write(app).await;
    Ok(written.map(|rule| IssuedRule { rule, secret: Some(secret), is_repeated: false }))
}

/// The argument that holds the form.
const ARGUMENT: &str = "postback";

/// What a form says, read.
struct Read {
    name: Option<String>,
    is_enabled: Option<bool>,
    publisher: Option<Option<PublisherId>>,
    offer: Option<Option<OfferId>>,
    moments: Option<Vec<Moment>>,
    rejection_reasons: Option<Vec<String>>,
    events: Option<Vec<i32>>,
    method: Option<Method>,
    template: Option<OutboundTemplate>,
    signature_parameter: Option<Option<String>>,
    delay_seconds: Option<i32>,
}

impl Read {
    fn of(form: &mut Form, draft: &OutboundDraft) -> Self {
        form.bounded("delaySeconds", draft.delay_seconds, 0..=DELAY_SECONDS_MAX);
        Self {
            name: form.name(draft.name.as_deref()),
            is_enabled: draft.is_enabled,
            publisher: draft.publisher,
            offer: draft.offer,
            moments: draft.moments.as_deref().map(|moments| read_moments(form, moments)),
            rejection_reasons: draft.rejection_reasons.as_deref().map(|reasons| read_reasons(form, reasons)),
            events: draft.events.as_deref().map(|events| read_events(form, events)),
            method: draft.method,
            template: draft.url_template.as_deref().and_then(|text| form.template("urlTemplate", text)),
            signature_parameter: draft.signature_parameter.as_ref().map(|text| read_parameter(form, text.as_deref())),
            delay_seconds: draft.delay_seconds,
        }
    }

    fn applied(&self, rule: OutboundPostback) -> OutboundPostback {
        OutboundPostback {
            name: self.name.clone().unwrap_or(rule.name),
            is_enabled: self.is_enabled.unwrap_or(rule.is_enabled),
            publisher: self.publisher.unwrap_or(rule.publisher),
            offer: self.offer.unwrap_or(rule.offer),
            moments: self.moments.clone().unwrap_or(rule.moments),
            rejection_reasons: self.rejection_reasons.clone().unwrap_or(rule.rejection_reasons),
            events: self.events.clone().unwrap_or(rule.events),
            method: self.method.unwrap_or(rule.method),
            template: self.template.clone().unwrap_or(rule.template),
            signature_parameter: self.signature_parameter.clone().unwrap_or(rule.signature_parameter),
            delay_seconds: self.delay_seconds.unwrap_or(rule.delay_seconds),
            ..rule
        }
    }
}

fn read_moments(form: &mut Form, moments: &[Moment]) -> Vec<Moment> {
    if moments.is_empty() {
        form.refuse(UserErrorCode::Required, &["fireOn"], "Choose at least one moment.");
    }
    Moment::ALL.iter().copied().filter(|moment| moments.contains(moment)).collect()
}

fn read_reasons(form: &mut Form, reasons: &[String]) -> Vec<String> {
    if reasons.len() > REASONS_MAX {
        let message = format!("There are at most {REASONS_MAX} reasons.");
        form.refuse(UserErrorCode::LimitExceeded, &["rejectionReasons"], message);
        return Vec::new();
    }
    let mut read: Vec<String> = Vec::with_capacity(reasons.len());
    for (index, reason) in reasons.iter().enumerate() {
        let (reason, place) = (reason.trim(), index.to_string());
        let field: [&str; 2] = ["rejectionReasons", &place];
        if reason.is_empty() {
            form.refuse(UserErrorCode::Required, &field, "A reason has at least one character.");
        } else if reason.chars().count() > REASON_CHARACTERS_MAX {
            let message = format!("A reason has at most {REASON_CHARACTERS_MAX} characters.");
            form.refuse(UserErrorCode::TooLong, &field, message);
        } else if reason.chars().any(char::is_control) {
            form.refuse(UserErrorCode::Invalid, &field, "A reason is one line without control characters.");
        } else if !read.iter().any(|known| known == reason) {
            read.push(reason.to_owned());
        }
    }
    read
}

fn read_events(form: &mut Form, events: &[i32]) -> Vec<i32> {
    if events.len() > EVENTS_MAX {
        let message = format!("There are at most {EVENTS_MAX} events.");
        form.refuse(UserErrorCode::LimitExceeded, &["eventNumbers"], message);
        return Vec::new();
    }
    for (index, _) in events.iter().enumerate().filter(|(_, number)| **number < 0) {
        let message = "An event has a number from 0; 0 is the conversion itself.";
        form.refuse(UserErrorCode::TooSmall, &["eventNumbers", &index.to_string()], message);
    }
    let mut events = events.to_vec();
    events.sort_unstable();
    events.dedup();
    events
}

/// A name that needs no encoding; empty clears it.
fn read_parameter(form: &mut Form, text: Option<&str>) -> Option<String> {
    let text = text.map(str::trim).filter(|text| !text.is_empty())?;
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if !plain {
        let message = "The name of a parameter has letters, digits, - _ and . only.";
        form.refuse(UserErrorCode::Invalid, &["signatureParameter"], message);
    } else if text.len() > PARAMETER_CHARACTERS_MAX {
        let message = format!("The name of a parameter has at most {PARAMETER_CHARACTERS_MAX} characters.");
        form.refuse(UserErrorCode::TooLong, &["signatureParameter"], message);
    }
    Some(text.to_owned())
}

/// What only the whole rule tells.
fn check_whole(reach: &Reach, rule: &OutboundPostback) -> Result<(), Vec<UserError>> {
    let mut form = Form::new(Some(ARGUMENT));
    if let Err(reason) = reach.check_url(rule.template.base()) {
        let hint = "Publishers are told over https, at an address in the public Internet.".to_owned();
        form.refuse_with_hint(UserErrorCode::UrlNotAllowed, &["urlTemplate"], &sentence(&reason), hint);
    }
    let names_own = PUBLISHERS_OWN.iter().any(|own| rule.template.contains(*own));
    if rule.method == Method::Get && !names_own {
        let message = "Nothing in this URL is the publisher's own: he could not tell which click it is about.";
        let hint = "Add it where the publisher's system takes a click id, such as ?cid={external_transaction_id}.";
        form.refuse_with_hint(UserErrorCode::UrlNotAllowed, &["urlTemplate"], message, hint.to_owned());
    }
    if rule.method != Method::Get && rule.signature_parameter.is_some() {
        let message = "A POST is signed in its headers: a parameter is for GET.";
        form.refuse(UserErrorCode::Invalid, &["signatureParameter"], message);
    }
    form.finish(Some(()))
}

fn missing_partners(missing: MissingPartners) -> Vec<UserError> {
    let mut errors = Vec::new();
    errors.extend(missing.publisher.then(|| missing_partner("publisherId", "publisher")));
    errors.extend(missing.offer.then(|| missing_partner("offerId", "offer")));
    errors
}

fn blank(app: &App, name: String, template: OutboundTemplate) -> Result<(SigningSecret, OutboundPostback), AppError> {
    let (id, now) = (OutboundPostbackId::mint(&*app.clock, &*app.entropy), app.clock.now());
    let secret = SigningSecret::generate(&*app.entropy);
    let signing = Signing { hint: secret.hint(), current: seal(app, &secret, id)?, previous: None };
    let rule = OutboundPostback {
        id,
        name,
        is_enabled: true,
        disabled_reason: None,
        publisher: None,
        offer: None,
        moments: vec![Moment::Approved],
        rejection_reasons: Vec::new(),
        events: vec![0],
        method: Method::Get,
        template,
        signature_parameter: None,
        delay_seconds: 0,
        signing,
        failing_since: None,
        version: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    };
    Ok((secret, rule))
}

fn seal(app: &App, secret: &SigningSecret, id: OutboundPostbackId) -> Result<Vec<u8>, AppError> {
    secret.seal(&app.keyring, id, &*app.entropy).map_err(|error| AppError::Internal(error.to_string()))
}

/// Switched on again, or sent to another place, it begins anew.
fn restart(before: &OutboundPostback, after: &mut OutboundPostback) {
    let is_back = after.is_enabled && !before.is_enabled;
    if is_back || after.template != before.template || after.method != before.method {
        after.failing_since = None;
    }
    if after.is_enabled {
        after.disabled_reason = None;
    }
}

fn rotated(
    before: &OutboundPostback,
    (sealed, hint): (Vec<u8>, String),
    overlap_seconds: i32,
    now: Timestamp,
) -> OutboundPostback {
    let until = now.plus_seconds(i64::from(overlap_seconds));
    let previous = (overlap_seconds > 0).then(|| (before.signing.current.clone(), until));
    OutboundPostback {
        signing: Signing { hint, current: sealed, previous },
        version: before.version.saturating_add(1),
        updated_at: now,
        ..before.clone()
    }
}

fn check_overlap(seconds: i32) -> Result<(), UserError> {
    let field = &["overlapSeconds"];
    if seconds < 0 {
        return Err(UserError::new(UserErrorCode::TooSmall, field, "An overlap has at least 0 seconds."));
    }
    if seconds > OVERLAP_SECONDS_MAX {
        let message = format!("An overlap has at most {OVERLAP_SECONDS_MAX} seconds.");
        return Err(UserError::new(UserErrorCode::OverlapTooLong, field, message));
    }
    Ok(())
}

fn live(rule: Option<OutboundPostback>) -> Option<OutboundPostback> {
    rule.filter(|rule| rule.deleted_at.is_none())
}

/// What the audit trail compares. A URL may hold a secret of the publisher's.
fn fields(rule: &OutboundPostback) -> Vec<(&'static str, Option<String>)> {
    let joined = |list: Vec<String>| Some(list.join(", ")).filter(|text| !text.is_empty());
    vec![
        ("name", Some(rule.name.clone())),
        ("enabled", Some(rule.is_enabled.to_string())),
        ("publisherId", rule.publisher.map(|id| id.to_string())),
        ("offerId", rule.offer.map(|id| id.to_string())),
        ("fireOn", joined(rule.moments.iter().map(|moment| moment.as_str().to_owned()).collect())),
        ("rejectionReasons", joined(rule.rejection_reasons.clone())),
        ("eventNumbers", joined(rule.events.iter().map(i32::to_string).collect())),
        ("method", Some(rule.method.as_str().to_owned())),
        ("urlTemplate", Some(masked_url(rule.template.as_str()))),
        ("signatureParameter", rule.signature_parameter.clone()),
        ("delaySeconds", Some(rule.delay_seconds.to_string())),
    ]
}

fn changes(before: &OutboundPostback, after: &OutboundPostback) -> Vec<AuditChange> {
    let mut changes = differences(fields(before), fields(after));
    let (old, new) = (masked_url(before.template.as_str()), masked_url(after.template.as_str()));
    // Only what is masked has changed: that it has is told all the same.
    if before.template != after.template && old == new {
        changes.push(AuditChange::new("urlTemplate", Some(old), Some(new)));
    }
    changes
}

fn event(
    app: &App,
    principal: &Principal,
    action: &str,
    rule: &OutboundPostback,
    changes: Vec<AuditChange>,
) -> AuditEvent {
    AuditEvent::new(principal, action, (&rule.id, &rule.name), changes, (&*app.clock, &*app.entropy))
}

/// The name is known once the row is read.
fn nameless_event(app: &App, principal: &Principal, action: &str, id: OutboundPostbackId) -> AuditEvent {
    AuditEvent::new(principal, action, (&id, ""), Vec::new(), (&*app.clock, &*app.entropy))
}

pub(super) fn not_found() -> UserError {
    UserError::new(UserErrorCode::NotFound, &["id"], "There is no such rule of outbound postbacks.")
}

fn missing_partner(field: &str, noun: &str) -> UserError {
    UserError::new(UserErrorCode::NotFound, &[ARGUMENT, field], format!("There is no such {noun}."))
}

fn too_many() -> UserError {
    let message = format!("There are {RULES_MAX} rules already.");
    UserError::new(UserErrorCode::LimitExceeded, &[ARGUMENT], message).with_hint("Let one rule tell several offers.")
}

fn rotation_open(until: Timestamp) -> UserError {
    let message = format!("The overlap of a rotation is open until {until}: the publisher is still moving.");
    UserError::new(UserErrorCode::RotationOpen, &["id"], message)
        .with_hint("With overlapSeconds 0 both old secrets end at once.")
}
