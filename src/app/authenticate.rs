//! Who is behind a bearer token: asked by every door of the admin API, before anything else is read.
//!
//! The signature says who it was; the snapshot says whether it still holds: the operator is active, has the
//! `token_version` of the token, and the session was not ended. That costs no database read. A genuine token that
//! this server's snapshot is too old for (signed in on another server a moment ago) makes it read a newer one, once.
//! What another server withdrew is believed here for up to a second, until the new `config_version` is seen.
//! An API key is found by its digest in the same snapshot; one that is not there is asked for once in the database.

use std::net::IpAddr;

use super::access_token::{AccessGrant, TokenRefused};
use super::{App, snapshot};
use crate::domain::api_key::{ApiKeyAccess, KeyStanding, PlainKey};
use crate::domain::operator::{AuthRefused, Caller, Principal, PrincipalKind, Role};
use crate::domain::secure_token::TokenDigest;
use crate::domain::snapshot::Snapshot;

/// Believes `bearer`, or says why not. `address` and `request_id` go on in the principal.
///
/// # Errors
/// The reason, for the caller; `Unavailable` when it could not be found out.
pub async fn authenticate(
    app: &App,
    bearer: &str,
    address: Option<IpAddr>,
    request_id: &str,
) -> Result<Principal, AuthRefused> {
    let caller = Caller { address, request_id: request_id.to_owned() };
    if PlainKey::is_meant(bearer) {
        believe_key(app, bearer, &caller).await
    } else {
        believe_token(app, bearer, &caller).await
    }
}

async fn believe_token(app: &App, bearer: &str, caller: &Caller) -> Result<Principal, AuthRefused> {
    let grant = app.identity.tokens.verify(bearer, app.clock.now()).map_err(|refused| match refused {
        TokenRefused::Invalid => AuthRefused::Invalid,
        TokenRefused::Expired => AuthRefused::Expired,
    })?;
    if is_ahead(&app.snapshot.load(), &grant) {
        snapshot::refresh(app).await.map_err(|error| AuthRefused::Unavailable(error.into()))?;
    }
    let (label, role) = standing(&app.snapshot.load(), &grant).ok_or(AuthRefused::Withdrawn)?;
    let (operator, session) = (Some(grant.operator), Some(grant.session));
    Ok(Principal { operator, label, role, session, ..Principal::system_for(caller) })
}

/// A key that is whole is looked for by its digest, over one path whatever becomes of it. What a key was worth is told
/// only to whoever holds its text.
async fn believe_key(app: &App, bearer: &str, caller: &Caller) -> Result<Principal, AuthRefused> {
    let digest = PlainKey::parse(bearer).ok_or(AuthRefused::Invalid)?.digest();
    let known = app.snapshot.load().api_keys.get(&digest).cloned();
    let access = match known {
        Some(access) => access,
        None => find_new_key(app, &digest).await?.ok_or(AuthRefused::Invalid)?,
    };
    let now = app.clock.now();
    match access.standing(now) {
        KeyStanding::Good => {}
        KeyStanding::Expired => return Err(AuthRefused::Expired),
        KeyStanding::Revoked => return Err(AuthRefused::Withdrawn),
    }
    app.identity.key_uses.note(access.id, caller.address, now);
    Ok(Principal {
        kind: PrincipalKind::ApiKey,
        api_key: Some(access.id),
        label: access.name,
        role: access.role,
        ..Principal::system_for(caller)
    })
}

/// A key that was made on another server a moment ago.
async fn find_new_key(app: &App, digest: &TokenDigest) -> Result<Option<ApiKeyAccess>, AuthRefused> {
    let known = snapshot::find_unknown_key(app, digest).await;
    let known = known.map_err(|error| AuthRefused::Unavailable(error.into()))?;
    Ok(app.snapshot.load().api_keys.get(digest).filter(|_| known).cloned())
}

/// Was the token made from newer control data than this?
fn is_ahead(snapshot: &Snapshot, grant: &AccessGrant) -> bool {
    snapshot.operators.get(&grant.operator).is_none_or(|access| access.token_version < grant.token_version)
}

fn standing(snapshot: &Snapshot, grant: &AccessGrant) -> Option<(String, Role)> {
    let access = snapshot.operators.get(&grant.operator)?;
    let holds = access.is_active && access.token_version == grant.token_version;
    let live = !snapshot.revoked_sessions.contains(&grant.session);
    (holds && live).then(|| (access.name.clone(), access.role))
}
