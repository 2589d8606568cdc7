//! Who is behind a bearer token: asked by every door of the admin API, before anything else is read.
//!
//! The signature says who it was; the snapshot says whether it still holds: the operator is active, has the
//! `token_version` of the token, and the session was not ended. That costs no database read. A genuine token that
//! this server's snapshot is too old for (signed in on another server a moment ago) makes it read a newer one, once.
//! What another server withdrew is believed here for up to a second, until the new `config_version` is seen.

use std::net::IpAddr;

use super::access_token::{AccessGrant, TokenRefused};
use super::{App, snapshot};
use crate::domain::operator::{AuthRefused, Principal, PrincipalKind, Role};
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
    let grant = app.identity.tokens.verify(bearer, app.clock.now()).map_err(|refused| match refused {
        TokenRefused::Invalid => AuthRefused::Invalid,
        TokenRefused::Expired => AuthRefused::Expired,
    })?;
    if is_ahead(&app.snapshot.load(), &grant) {
        snapshot::refresh(app).await.map_err(|error| AuthRefused::Unavailable(error.into()))?;
    }
    let (label, role) = standing(&app.snapshot.load(), &grant).ok_or(AuthRefused::Withdrawn)?;
    Ok(Principal {
        kind: PrincipalKind::Operator,
        operator: Some(grant.operator),
        api_key: None,
        label,
        role,
        session: Some(grant.session),
        address,
        request_id: request_id.to_owned(),
    })
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
