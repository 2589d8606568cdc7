//! Operators, API keys, and what people change about themselves.

use async_graphql::{Context, MaybeUndefined, Object, Result};
use secrecy::SecretString;

use crate::{
    app::{
        invite_operator::{invite_again, invite_operator},
        manage_api_keys::{create_api_key, revoke_api_key},
        sign_in::revoke_session,
        update_operator::update_operator,
        update_viewer::{ViewerChanges, update_viewer},
    },
    domain::ids::{ApiKeyId, OperatorId, SessionId},
    graphql::{
        context::Find as _,
        guard::auth,
        id::Id,
        idempotency::once,
        scalars::TimeZone,
        types::{
            input::layers,
            operator::{ApiKeyInput, OperatorInput, OperatorInviteInput},
            payload::{ApiKeyPayload, DeletePayload, OperatorPayload, ViewerPayload},
            server::Viewer,
            words::Role,
        },
    },
};

#[derive(Default)]
pub struct IdentityMutation;

#[Object]
impl IdentityMutation {
    /// Makes an operator and the link with which they set their password. The link is shown once; nobody is written to.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn operator_invite(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who.")] operator: OperatorInviteInput,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<OperatorPayload>> {
        match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => {
                let done = invite_operator(ctx.app()?, ctx.principal()?, operator.into(), once).await;
                OperatorPayload::of_invited(done)
            }
            Err(fault) => Ok(Some(OperatorPayload::refused(vec![fault]))),
        }
    }

    /// Makes another link, for somebody who lost the first one or their password. Older links end; the password that
    /// they have works until the link is used.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn operator_invite_again(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The operator.")] id: Id<OperatorId>,
    ) -> Result<Option<OperatorPayload>> {
        OperatorPayload::of_invited(invite_again(ctx.app()?, ctx.principal()?, id.0).await)
    }

    /// Changes an operator. Another role, and switching off, work at once. The last administrator stays one.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn operator_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The operator.")] id: Id<OperatorId>,
        #[graphql(desc = "What is to change.")] operator: OperatorInput,
    ) -> Result<Option<OperatorPayload>> {
        OperatorPayload::of(update_operator(ctx.app()?, ctx.principal()?, id.0, operator.into()).await)
    }

    /// Changes whoever asks; an API key cannot. Another password ends all other sessions, and the access token of this
    /// one: refresh it.
    #[graphql(directive = auth::apply(Role::Viewer))]
    async fn viewer_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What others see of them.")] name: Option<String>,
        #[graphql(desc = "Their time zone; null: that of the workspace.")] timezone: MaybeUndefined<TimeZone>,
        #[graphql(desc = "Needed beside newPassword.", secret)] current_password: Option<String>,
        #[graphql(desc = "At least 12 characters.", secret)] new_password: Option<String>,
    ) -> Result<Option<ViewerPayload>> {
        let changes = ViewerChanges {
            name,
            time_zone: layers(timezone, |zone| zone.0.name().to_owned()),
            current_password: current_password.map(SecretString::from),
            new_password: new_password.map(SecretString::from),
        };
        let principal = ctx.principal()?;
        let done = update_viewer(ctx.app()?, principal, changes).await;
        ViewerPayload::of(done, |operator| Viewer { name: operator.name, ..principal.into() })
    }

    /// Ends one of the viewer's own sessions; that of this request too, if it is named.
    #[graphql(directive = auth::apply(Role::Viewer))]
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session.")] id: Id<SessionId>,
    ) -> Result<Option<DeletePayload>> {
        let done = revoke_session(ctx.app()?, ctx.principal()?, id.0).await;
        DeletePayload::of(done, |session| session.to_string().into())
    }

    /// Makes an API key. Its text is in this answer and never again.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn api_key_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What it is to be.")] input: ApiKeyInput,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<ApiKeyPayload>> {
        match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => {
                let done = create_api_key(ctx.app()?, ctx.principal()?, input.into(), once).await;
                ApiKeyPayload::of_issued(done)
            }
            Err(fault) => Ok(Some(ApiKeyPayload::refused(vec![fault]))),
        }
    }

    /// Ends an API key for good, at once.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn api_key_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The key.")] id: Id<ApiKeyId>,
    ) -> Result<Option<ApiKeyPayload>> {
        ApiKeyPayload::of(revoke_api_key(ctx.app()?, ctx.principal()?, id.0).await)
    }
}
