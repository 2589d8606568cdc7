//! Rotating a secure token: the new one begins, the old one works on for an overlap, so that no conversion is lost
//! while senders change their URLs.
//!
//! The rule is `domain::secure_token::rotate`; here it meets the rows. Both tokens are written in one control write,
//! which runs alone: of two rotations at once the second finds the overlap of the first open, or another version.
//! Refuses to cut off a live secret by a double click: inside an open overlap only `force` rotates again.

use super::create_token::limit_exceeded;
use super::idempotency::reused;
use super::issued_token::{
    Issuance, IssuedToken, answer_of, conflict, end_text, event, not_active, not_found, read_label, repeated, row_of,
    view_of,
};
use super::{App, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::audit::{AuditChange, AuditEvent};
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::TokenId;
use crate::domain::operator::Principal;
use crate::domain::secure_token::{
    OVERLAP_SECONDS_MAX, PlainToken, Rotation, RotationPlan, RotationRefused, SecureToken, TokenDigest, rotate,
};
use crate::store::idempotency::Earlier;
use crate::store::tokens::{self, NewToken, TokenView};
use crate::store::{audit, idempotency};

/// What a rotation is asked for.
#[derive(Clone, Debug)]
pub struct RotationRequest {
    pub id: TokenId,
    /// As it was read.
    pub version: i32,
    /// How long the old token works on; 0 ends it at once, `None` is the configured time.
    pub overlap_seconds: Option<i32>,
    /// None: the old token's.
    pub label: Option<String>,
    /// Rotate although an overlap is open.
    pub force: bool,
}

/// Rotates a token; the new secret is in the answer.
///
/// # Errors
/// `NotFound`, `ConflictVersion`, `TokenNotActive`, `RotationOpen` (the hint is the instant of its end),
/// `OverlapTooLong`, `TooSmall`, `LimitExceeded`, `TooLong` and `Invalid` (label).
pub async fn rotate_token(app: &App, principal: &Principal, request: &RotationRequest) -> Outcome<IssuedToken> {
    match rotate_token_once(app, principal, request, None).await? {
        Ok(issuance) => issuance.issued().map(Ok),
        Err(errors) => Ok(Err(errors)),
    }
}

/// As [`rotate_token`]; sent twice under one key, it rotates once, and shows the new secret once.
///
/// # Errors
/// As [`rotate_token`]; `IdempotencyKeyReused`.
pub async fn rotate_token_once(
    app: &App,
    principal: &Principal,
    request: &RotationRequest,
    once: Option<IdempotentCall>,
) -> Outcome<Issuance> {
    let Some(old) = tokens::find(&app.database, request.id).await? else { return Ok(Err(not_found())) };
    let (rotation, label) = match read(app, request) {
        Ok(read) => read,
        Err(error) => return Ok(Err(vec![error])),
    };
    let secret = PlainToken::generate(old.token.scope, &*app.entropy);
    let new = (TokenId::mint(&*app.clock, &*app.entropy), secret.digest());
    let planned = SecureToken::new(new.0, new.1, old.token.scope, old.token.capabilities);
    let row = row_of(app, principal, planned, &secret, label.or_else(|| old.label.clone()))?;
    let event = event(app, principal, "secure_token.rotate", &old, Vec::new());
    let (id, version, scope, now) = (request.id, request.version, old.token.scope, app.clock.now());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            match idempotency::find(tx, once.as_ref(), now).await? {
                Earlier::None => {}
                Earlier::OtherArguments => return Ok(Err(vec![reused()])),
                Earlier::Same(answer) => return Ok(Ok(Rotated::Before(answer))),
            }
            let siblings = tokens::siblings(tx, scope).await?;
            let plan = match decide((id, version), &siblings, rotation, new, now) {
                Ok(plan) => plan,
                Err(errors) => return Ok(Err(errors)),
            };
            let row = NewToken { token: plan.new.clone(), ..row };
            let view = view_of(&row, Some(id));
            idempotency::insert(tx, once.as_ref(), answer_of(row.token.id, Some(id)), now).await?;
            tokens::insert(tx, row).await?;
            tokens::update(tx, &plan.old).await?;
            audit::insert(tx, AuditEvent { changes: changes(&siblings, &plan), ..event }).await?;
            Ok(Ok(Rotated::Now(Box::new((view, plan.old)))))
        })
    }));
    let (view, ended) = match written.await? {
        Ok(Rotated::Now(both)) => *both,
        Ok(Rotated::Before(answer)) => return repeated(app, &answer).await,
        Err(errors) => return Ok(Err(errors)),
    };
    snapshot::refresh_after_write(app).await;
    let previous = Some(TokenView { token: ended, ..old });
    Ok(Ok(Issuance::Issued(Box::new(IssuedToken { token: view, secret, previous, warnings: Vec::new() }))))
}

/// What the transaction found or did.
enum Rotated {
    Now(Box<(TokenView, SecureToken)>),
    /// By the first call under this key, with what it kept.
    Before(String),
}

fn read(app: &App, request: &RotationRequest) -> Result<(Rotation, Option<String>), UserError> {
    let label = read_label(request.label.as_deref())?;
    let wanted = request.overlap_seconds.map_or(Ok(app.token_overlap_seconds()), u32::try_from);
    let overlap_seconds = wanted.map_err(|_| {
        UserError::new(UserErrorCode::TooSmall, &["input", "overlapSeconds"], "An overlap has no negative length.")
    })?;
    let most = app.token_overlap_seconds_max();
    if overlap_seconds > most {
        return Err(overlap_too_long(&["input", "overlapSeconds"], most));
    }
    Ok((Rotation { overlap_seconds, force: request.force }, label))
}

pub(super) fn overlap_too_long(field: &[&str], seconds_max: u32) -> UserError {
    let message = format!("An overlap has at most {seconds_max} seconds.");
    UserError::new(UserErrorCode::OverlapTooLong, field, message).with_hint(seconds_max.to_string())
}

fn decide(
    (id, version): (TokenId, i32),
    siblings: &[SecureToken],
    rotation: Rotation,
    new: (TokenId, TokenDigest),
    now: Timestamp,
) -> Result<RotationPlan, Vec<UserError>> {
    let old = siblings.iter().find(|token| token.id == id).ok_or_else(not_found)?;
    // An open overlap is the better answer to a double click than another version.
    let planned = rotate(old, siblings, rotation, new, now).map_err(refused)?;
    if old.version == version { Ok(planned) } else { Err(conflict(old.version)) }
}

fn refused(refused: RotationRefused) -> Vec<UserError> {
    match refused {
        RotationRefused::NotActive => not_active("The token is revoked, or its end has come."),
        RotationRefused::RotationOpen { until } => {
            let message = format!("The overlap of a rotation is open until {until}: senders are still moving.");
            vec![UserError::new(UserErrorCode::RotationOpen, &["id"], message).with_hint(until.to_string())]
        }
        RotationRefused::OverlapTooLong => {
            vec![overlap_too_long(&["input", "overlapSeconds"], OVERLAP_SECONDS_MAX)]
        }
        RotationRefused::LimitExceeded => vec![limit_exceeded(&["id"])],
    }
}

fn changes(siblings: &[SecureToken], plan: &RotationPlan) -> Vec<AuditChange> {
    let before = siblings.iter().find(|token| token.id == plan.old.id);
    let successor = |token: &SecureToken| token.replaced_by.map(|id| id.to_string());
    vec![
        AuditChange::new("retiring_until", before.and_then(end_text), end_text(&plan.old)),
        AuditChange::new("replaced_by", before.and_then(successor), successor(&plan.old)),
    ]
}
