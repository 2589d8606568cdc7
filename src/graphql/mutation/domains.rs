//! Tracking domains.

use async_graphql::{Context, Object, Result};

use crate::{
    app::tracking_domains::{create_domain_once, delete_domain, set_default_domain, set_domain_enabled, verify_domain},
    domain::ids::TrackingDomainId,
    graphql::{
        context::Find as _,
        guard::auth,
        id::Id,
        idempotency::once,
        types::{
            payload::{DeletePayload, TrackingDomainPayload},
            words::Role,
        },
    },
};

#[derive(Default)]
pub struct DomainMutation;

#[Object]
impl DomainMutation {
    /// Adds a tracking domain; it is pending until its DNS records are right.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn tracking_domain_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its host name.")] hostname: String,
        #[graphql(desc = "Any text of yours, up to 64 characters: the same call under it again does nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<Option<TrackingDomainPayload>> {
        let once = match once(ctx, idempotency_key.as_deref())? {
            Ok(once) => once,
            Err(fault) => return Ok(Some(TrackingDomainPayload::refused(vec![fault]))),
        };
        let done = create_domain_once(ctx.app()?, ctx.principal()?, &hostname, once).await;
        TrackingDomainPayload::of(done, Into::into)
    }

    /// Looks at its DNS records now. Records that are wrong are no error: they are in the answer.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn tracking_domain_verify(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The domain.")] id: Id<TrackingDomainId>,
    ) -> Result<Option<TrackingDomainPayload>> {
        TrackingDomainPayload::of(verify_domain(ctx.app()?, ctx.principal()?, id.0).await, Into::into)
    }

    /// Makes it the domain of links and URLs for which none is named.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn tracking_domain_set_default(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The domain.")] id: Id<TrackingDomainId>,
    ) -> Result<Option<TrackingDomainPayload>> {
        TrackingDomainPayload::of(set_default_domain(ctx.app()?, ctx.principal()?, id.0).await, Into::into)
    }

    /// Switches it off, or on again.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn tracking_domain_set_enabled(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The domain.")] id: Id<TrackingDomainId>,
        #[graphql(desc = "False refuses everything that is sent there.")] enabled: bool,
    ) -> Result<Option<TrackingDomainPayload>> {
        TrackingDomainPayload::of(set_domain_enabled(ctx.app()?, ctx.principal()?, id.0, enabled).await, Into::into)
    }

    /// Removes a tracking domain that does not accept.
    #[graphql(directive = auth::apply(Role::Admin))]
    async fn tracking_domain_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The domain.")] id: Id<TrackingDomainId>,
    ) -> Result<Option<DeletePayload>> {
        DeletePayload::of(delete_domain(ctx.app()?, ctx.principal()?, id.0).await, Into::into)
    }
}
