//! Operators and API keys: who may use the admin API.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Result, SimpleObject};

use super::{actor::Actor, input::layers, words::Role};
use crate::{
    app::{invite_operator::InvitationDraft, manage_api_keys::ApiKeyDraft, update_operator::OperatorChanges},
    domain::{
        api_key,
        calendar::Zone,
        ids::{ApiKeyId, OperatorId},
    },
    graphql::{
        connection::failed,
        context::Find as _,
        guard::auth,
        id::Id,
        scalars::{DateTime, IpAddress, TimeZone},
    },
    store::{
        api_keys,
        operators::{self, OperatorView},
    },
};

/// A person who uses the admin API.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(directive = auth::apply(Role::Admin))]
pub struct Operator {
    /// Opaque, stable, prefixed: opr_…
    pub id: Id<OperatorId>,
    /// What they sign in with, in lower case.
    pub email: String,
    /// What others see of them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// False: switched off, and cannot sign in.
    pub is_active: bool,
    /// True: was invited, and has set no password yet.
    pub is_invited: bool,
    /// Until when the last link works with which they set a password; null without one that is unused.
    pub invited_until: Option<DateTime>,
    /// Their time zone; null: that of the workspace.
    pub timezone: Option<TimeZone>,
    /// When they signed in, or their browser refreshed its session, for the last time.
    pub last_seen_at: Option<DateTime>,
    /// When they were made or invited.
    pub created_at: DateTime,
}

impl From<OperatorView> for Operator {
    fn from(view: OperatorView) -> Self {
        let operator = view.operator;
        Self {
            id: Id(operator.id),
            email: operator.email,
            name: operator.name,
            role: operator.role.into(),
            is_active: operator.is_active,
            is_invited: !operator.has_password,
            invited_until: view.invited_until.map(DateTime),
            timezone: operator.time_zone.as_deref().and_then(Zone::parse).map(TimeZone),
            last_seen_at: operator.last_seen_at.map(DateTime),
            created_at: operator.created_at.into(),
        }
    }
}

impl Operator {
    /// The operator of an id, read together with others.
    pub async fn load(ctx: &Context<'_>, id: Option<OperatorId>) -> Result<Option<Self>> {
        let Some(id) = id else { return Ok(None) };
        let view = ctx.loaders()?.operators.load(ctx, id).await?;
        Ok(view.map(|view| Arc::unwrap_or_clone(view).into()))
    }

    /// All of them, by address.
    pub async fn all(ctx: &Context<'_>) -> Result<Vec<Self>> {
        let found = operators::list(ctx.database()?).await.map_err(failed)?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}

/// A program that uses the admin API. Its text is shown once, by the mutation that makes it.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(directive = auth::apply(Role::Admin))]
pub struct ApiKey {
    /// Opaque, stable, prefixed: key_…
    pub id: Id<ApiKeyId>,
    /// What people call it.
    pub name: String,
    /// The ends of its random part, to tell it from others.
    pub hint: String,
    /// What it may do.
    pub role: Role,
    /// Who made it.
    pub created_by: Actor,
    /// When it was made.
    pub created_at: DateTime,
    /// The first instant at which it is refused; null: it has no end.
    pub expires_at: Option<DateTime>,
    /// When it was ended before its time.
    pub revoked_at: Option<DateTime>,
    /// Who ended it.
    pub revoked_by: Option<Actor>,
    /// When it was used last, written at most once a minute.
    pub last_used_at: Option<DateTime>,
    /// The network that it was used from then, /24 or /48.
    pub last_used_ip: Option<IpAddress>,
}

impl From<api_key::ApiKey> for ApiKey {
    fn from(key: api_key::ApiKey) -> Self {
        Self {
            id: Id(key.id),
            name: key.name,
            hint: key.hint,
            role: key.role.into(),
            created_by: Actor::of_control(&key.created_by),
            created_at: key.created_at.into(),
            expires_at: key.expires_at.map(DateTime),
            revoked_by: key.revocation.as_ref().map(|revocation| Actor::of_control(&revocation.by)),
            revoked_at: key.revocation.map(|revocation| revocation.at.into()),
            last_used_at: key.last_used_at.map(DateTime),
            last_used_ip: key.last_used_address.map(IpAddress),
        }
    }
}

impl ApiKey {
    /// The key of an id, read together with others.
    pub async fn load(ctx: &Context<'_>, id: Option<ApiKeyId>) -> Result<Option<Self>> {
        let Some(id) = id else { return Ok(None) };
        let key = ctx.loaders()?.api_keys.load(ctx, id).await?;
        Ok(key.map(|key| Arc::unwrap_or_clone(key).into()))
    }

    /// Those that work, then those that ended last.
    pub async fn all(ctx: &Context<'_>) -> Result<Vec<Self>> {
        let found = api_keys::list(ctx.database()?, ctx.now()?).await.map_err(failed)?;
        Ok(found.into_iter().map(Into::into).collect())
    }
}

/// Who is to be invited.
#[derive(Clone, Debug, InputObject)]
pub struct OperatorInviteInput {
    /// What they will sign in with.
    email: String,
    /// What others see of them.
    name: String,
    /// What they may do.
    role: Role,
    /// Their time zone; that of the workspace where it is not sent.
    timezone: Option<TimeZone>,
}

impl From<OperatorInviteInput> for InvitationDraft {
    fn from(input: OperatorInviteInput) -> Self {
        let OperatorInviteInput { email, name, role, timezone } = input;
        Self { email, name, role: role.into(), time_zone: timezone.map(|zone| zone.0.name().to_owned()) }
    }
}

/// What is to change about an operator; what is not sent stays.
#[derive(Clone, Debug, InputObject)]
pub struct OperatorInput {
    /// What others see of them.
    name: Option<String>,
    /// What they may do; works at once.
    role: Option<Role>,
    /// Their time zone; null: that of the workspace.
    timezone: MaybeUndefined<TimeZone>,
    /// False signs them out at once and lets them in no more.
    is_active: Option<bool>,
}

impl From<OperatorInput> for OperatorChanges {
    fn from(input: OperatorInput) -> Self {
        let OperatorInput { name, role, timezone, is_active } = input;
        Self {
            name,
            role: role.map(Into::into),
            time_zone: layers(timezone, |zone| zone.0.name().to_owned()),
            is_active,
        }
    }
}

/// A key to be made.
#[derive(Clone, Debug, InputObject)]
pub struct ApiKeyInput {
    /// What people call it.
    name: String,
    /// What it may do.
    role: Role,
    /// The first instant at which it is refused; it has no end where this is not sent.
    expires_at: Option<DateTime>,
}

impl From<ApiKeyInput> for ApiKeyDraft {
    fn from(input: ApiKeyInput) -> Self {
        let ApiKeyInput { name, role, expires_at } = input;
        Self { name, role: role.into(), expires_at: expires_at.map(|end| end.0) }
    }
}
