//! API keys: made, and ended. Both work at once on this server, and within about a second on others.
//!
//! The text of a key is in the one answer that makes it, and nowhere afterwards. A key has a role like a person, and
//! may do by it whatever a person may: an administrator's key can make operators and keys, and the audit trail says
//! that a key did it. Refuses an end in the past, and more keys than anybody can look after.

use super::form::Form;
use super::idempotency::{gone, reused};
use super::{App, Outcome, UserError, UserErrorCode, snapshot};
use crate::domain::api_key::{ApiKey, KeyRevocation, LIVE_KEYS_MAX, PlainKey};
use crate::domain::audit::{AuditChange, AuditEvent, actor, beginnings};
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::IdempotentCall;
use crate::domain::ids::ApiKeyId;
use crate::domain::operator::{Principal, Role};
use crate::store::idempotency::Earlier;
use crate::store::{api_keys, audit, idempotency};

/// A key to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyDraft {
    pub name: String,
    pub role: Role,
    /// The first instant at which it is refused; none: it works until it is revoked.
    pub expires_at: Option<Timestamp>,
}

/// A new key with its text, for the one answer that shows it.
#[derive(Debug)]
pub struct IssuedKey {
    pub key: ApiKey,
    /// None where an earlier call under the same key of the caller made it.
    pub secret: Option<PlainKey>,
}

/// Makes a key; sent twice under one key of the caller, it makes one and shows its text once.
///
/// # Errors
/// `Required`, `TooLong`, `Invalid` (name, end), `LimitExceeded`, `IdempotencyKeyReused`.
pub async fn create_api_key(
    app: &App,
    principal: &Principal,
    draft: ApiKeyDraft,
    once: Option<IdempotentCall>,
) -> Outcome<IssuedKey> {
    let draft = match read(app, draft) {
        Ok(draft) => draft,
        Err(errors) => return Ok(Err(errors)),
    };
    let secret = PlainKey::generate(app.entropy.as_ref());
    let key = new_key(app, principal, draft, &secret);
    let event = about(app, principal, "api_key.create", &key, first_fields(&key));
    let (row, digest, now) = (key.clone(), secret.digest(), app.clock.now());
    let written = app.database.control_decision(Box::new(move |tx| {
        Box::pin(async move {
            match idempotency::find(tx, once.as_ref(), now).await? {
                Earlier::None => {}
                Earlier::OtherArguments => return Ok(Err(vec![reused()])),
                Earlier::Same(answer) => {
                    let first = match ApiKeyId::parse(&answer) {
                        Some(id) => api_keys::find_in(tx, id).await?,
                        None => None,
                    };
                    return Ok(first.map(Some).ok_or_else(gone));
                }
            }
            if api_keys::count_live(tx, now).await? >= LIVE_KEYS_MAX {
                return Ok(Err(vec![too_many()]));
            }
            idempotency::insert(tx, once.as_ref(), row.id.to_string(), now).await?;
            api_keys::insert(tx, &row, &digest).await?;
            audit::insert(tx, event).await?;
            Ok(Ok(None))
        })
    }));
    let first = match written.await? {
        Ok(first) => first,
        Err(errors) => return Ok(Err(errors)),
    };
    snapshot::refresh_after_write(app).await;
    Ok(Ok(match first {
        Some(key) => IssuedKey { key, secret: None },
        None => IssuedKey { key, secret: Some(secret) },
    }))
}

/// Ends a key for good; one that was revoked before stays as it is.
///
/// # Errors
/// `NotFound`.
pub async fn revoke_api_key(app: &App, principal: &Principal, id: ApiKeyId) -> Outcome<ApiKey> {
    let Some(key) = api_keys::find(&app.database, id).await? else { return Ok(Err(not_found())) };
    let event = about(app, principal, "api_key.revoke", &key, Vec::new());
    let revocation = KeyRevocation { at: app.clock.now(), by: actor(principal) };
    let written = app.database.control_write(Box::new(move |tx| {
        Box::pin(async move {
            if api_keys::revoke(tx, id, &revocation).await? {
                audit::insert(tx, event).await?;
            }
            api_keys::find_in(tx, id).await
        })
    }));
    let revoked = written.await?;
    snapshot::refresh_after_write(app).await;
    Ok(revoked.ok_or_else(not_found))
}

fn read(app: &App, draft: ApiKeyDraft) -> Result<ApiKeyDraft, Vec<UserError>> {
    let mut form = Form::new(Some("input"));
    let name = form.name(Some(&draft.name)).unwrap_or_default();
    if draft.expires_at.is_some_and(|end| end <= app.clock.now()) {
        form.refuse(UserErrorCode::Invalid, &["expiresAt"], "The end of a key lies in the future.");
    }
    form.finish(Some(ApiKeyDraft { name, ..draft }))
}

fn new_key(app: &App, principal: &Principal, draft: ApiKeyDraft, secret: &PlainKey) -> ApiKey {
    ApiKey {
        id: ApiKeyId::mint(app.clock.as_ref(), app.entropy.as_ref()),
        name: draft.name,
        hint: secret.hint(),
        role: draft.role,
        created_at: app.clock.now(),
        created_by: actor(principal),
        expires_at: draft.expires_at,
        revocation: None,
        last_used_at: None,
        last_used_address: None,
    }
}

fn first_fields(key: &ApiKey) -> Vec<AuditChange> {
    beginnings(vec![
        ("name", Some(key.name.clone())),
        ("role", Some(key.role.as_str().to_owned())),
        ("expiresAt", key.expires_at.map(|end| end.to_string())),
    ])
}

fn about(app: &App, principal: &Principal, action: &str, key: &ApiKey, changes: Vec<AuditChange>) -> AuditEvent {
    let chance = (app.clock.as_ref(), app.entropy.as_ref());
    AuditEvent::new(principal, action, (&key.id, &key.name), changes, chance)
}

fn too_many() -> UserError {
    let message = format!("There are {LIVE_KEYS_MAX} keys that work already.");
    UserError::new(UserErrorCode::LimitExceeded, &["input"], message).with_hint("Revoke those that nobody uses.")
}

fn not_found() -> Vec<UserError> {
    vec![UserError::new(UserErrorCode::NotFound, &["id"], "There is no such API key.")]
}
